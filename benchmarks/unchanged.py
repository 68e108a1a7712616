"""What a change of the house must not change: runs and labellings, written once before and once after.

    python benchmarks/unchanged.py write before      # with the tree as it was
    python benchmarks/unchanged.py write after       # with the tree as it is
    python benchmarks/unchanged.py compare before after

``write`` runs every strategy on wine and bank (2,000 pool rows), a few other models and studies, the README's
labelling, one of three classes and an audit of each, and keeps both helps and the names of all YAML files.
Wine, bank and MNIST need ``SALUTARY_DATA_DIR``. ``compare`` prints what differs, seconds, paths and versions
aside, and exits with 1 if anything does. Bits differ between processors: both on one machine.
"""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import train_test_split

ROOT = Path(__file__).parent.parent
STRATEGIES = (
    "random,entropy,margin,uncertainty,coreset,badge,batchbald,isal,ibds,self_training,"
    "salutary,salutary_gt,salutary_greedy"
)
RUNS = {
    "tables": ["-m", "dataset=wine,bank", "n_pool=2000", f"strategy={STRATEGIES}"],
    "standard": [
        *("-m", "protocol=standard"),
        "dataset=digits,breast_cancer",
        "strategy=salutary,salutary_greedy",
    ],
    "estimates": [
        *("-m", "dataset=breast_cancer"),
        "strategy.estimate=newton,second_order",
        "strategy.rerank=0,3",
    ],
    "fixmatch": ["dataset=digits", "model=fixmatch", "model.l2=1", "strategy=margin", "rounds=1"],
    "noise": ["dataset=digits", "label_noise=0.2", "strategy=badge", "baselines_use_validation=true"],
    "study_points": ["dataset=breast_cancer", "study=added_points", "study.n=40", "rounds=1"],
    "study_bins": ["dataset=breast_cancer", "study=relabelled_bins", "rounds=1"],
    "cnn": ["dataset=mnist_small", "model=cnn", "rounds=1", "n_pool=500"],
}
SECONDS = {"select_seconds", "fit_seconds", "seconds"}


def write(folder: Path) -> None:
    """Run everything into a folder that is not there yet."""
    folder.mkdir(parents=True)
    help_of = ([sys.executable, "-m", "salutary", "--help"], [*label_command(), "--help"])
    for name, command in zip(("run", "label"), help_of, strict=True):
        told = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        (folder / f"help_{name}.txt").write_bytes(told)
    conf = Path(sys.argv[0]).resolve().parent.parent / "conf"
    names = sorted(str(path.relative_to(conf)) for path in conf.rglob("*.yaml"))
    (folder / "yaml_names.txt").write_text("\n".join(names) + "\n")
    for name, arguments in RUNS.items():
        command = [sys.executable, "-m", "salutary", *arguments, f"output_dir={folder / name}"]
        subprocess.run(command, check=True)
    label(folder)


def label_command() -> list[str]:
    return [str(Path(sys.executable).parent / "salutary-label")]


def label(folder: Path) -> None:
    """The README's labelling, one of three classes, and an audit of each."""
    cancer = load_breast_cancer(as_frame=True).frame.rename_axis("id")
    cancer["target"] = cancer["target"].map({0: "malignant", 1: "benign"})
    wine = load_wine(as_frame=True).frame.rename_axis("id")
    for name, table, sizes in (("cancer", cancer, (30, 150)), ("three", wine, (20, 60))):
        train, rest = train_test_split(table, train_size=sizes[0], stratify=table["target"], random_state=0)
        val, pool = train_test_split(rest, train_size=sizes[1], stratify=rest["target"], random_state=0)
        inputs = {"labeled": train, "validation": val, "pool": pool.drop(columns="target")}
        for part, rows in inputs.items():
            rows.to_csv(folder / f"{name}_{part}.csv")
        named = [f"{part}={folder / f'{name}_{part}.csv'}" for part in inputs] + ["target=target", "id=id"]
        subprocess.run([*label_command(), *named, f"output={folder / name}-labels.csv"], check=True)
        audit = [*named[:2], *named[3:], "audit=true", f"output={folder / name}-audit.csv"]
        subprocess.run([*label_command(), *audit], check=True)


def contents(folder: Path) -> dict[str, str]:
    """What is compared, by names without the runs' digests; files of one name are sorted by content."""
    named = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".csv", ".txt") and not path.name.startswith("all_rounds"):
            name = re.sub(r"-seed(\d+)-[0-9a-f]{8}/", r"-seed\1/", str(path.relative_to(folder)))
            named[name].append(_text(path))
    return {
        f"{name} {i}".removesuffix(" 0"): text for name in named for i, text in enumerate(sorted(named[name]))
    }


def _text(path: Path) -> str:
    if path.name not in ("rounds.csv", "curves.csv"):
        return path.read_text()
    with path.open(newline="") as file:
        rows = [[value for key, value in row.items() if key not in SECONDS] for row in csv.DictReader(file)]
    return "\n".join(map(str, rows))


def compare(before: Path, after: Path) -> int:
    """Print what differs; 1 if anything does."""
    one, other = contents(before), contents(after)
    different = [name for name in one.keys() & other.keys() if one[name] != other[name]]
    alone = one.keys() ^ other.keys()
    for name in sorted(different):
        print(f"differs: {name}")
    for name in sorted(alone):
        print(f"only in {before if name in one else after}: {name}")
    n_equal = len(one.keys() & other.keys()) - len(different)
    print(f"{n_equal} equal, {len(different)} differ, {len(alone)} in one only")
    return bool(different or alone)


if __name__ == "__main__":
    action, folders = sys.argv[1], [Path(each).resolve() for each in sys.argv[2:]]
    sys.exit(compare(*folders) if action == "compare" else write(*folders))
