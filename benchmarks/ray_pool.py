"""``salutary-label backend=ray`` by the rows of the pool, beside ``backend=local`` on the same cores.

    python benchmarks/ray_pool.py [--rows 100000 1000000 10000000] [--repeats 1] [--folder DIR]
    python benchmarks/ray_pool.py --rows 10000000 100000000 --rounds 1 --backends each_round
    python benchmarks/ray_pool.py --rows --texts 5000

A Ray cluster of two node processes on this machine, one CPU each. Pools of drawn rows, 16 columns of numbers,
in Parquet files of a million rows; 500 labelled rows, 1,000 for validation; rounds of ten, five folds. Each
labelling is a process of its own, ``local`` with both cores (``device.threads=auto``); of ``--repeats``, in
turn, medians are told. "moved": bytes of results that came to the driver; "driver MB": the most it had
resident. Files beyond the first ``--different`` are hard links to these, the same rows again: what is equal
ranks by its number. ``--texts``: a pool of so many drawn texts of 40 words, encoder=tfidf. All files are in a
temporary folder in ``--folder``, 0.65 GB per ten million rows that differ, and as much for ``local``; removed
at the end. Linux only; needs ``salutary[ray]``.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from measure import print_table, versions

FEATURES = 16
FILE_ROWS, GROUP_ROWS = 1_000_000, 250_000
LABELED, VALIDATION = 500, 1000
SETTINGS = ("target=y", "remedies=false", "strategy.confidence=0", "device=cpu")
BACKENDS = {
    "local": ("backend=local",),
    "once": ("backend=ray", "encode=once"),
    "each_round": ("backend=ray", "encode=each_round"),
}
SECONDS = ("encoding s", "a round s", "all s")
TEXT_WORDS, VOCABULARY = 40, 5000
STORE = 1_500_000_000
PACKAGES = ("ray", "torch", "numpy", "pyarrow", "pandas")


def drawn(n: int, seed: int) -> pd.DataFrame:
    """Numbers, float32, a third of which tell of the class."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.standard_normal((n, FEATURES), dtype=np.float32)
    X[:, : FEATURES // 3] += 0.4 * y[:, None].astype(np.float32)
    frame = pd.DataFrame(X, columns=[f"x{place}" for place in range(FEATURES)])
    return frame.assign(y=np.where(y, "yes", "no"))


def write_tables(folder: Path, sizes: list[int], different: int = 100) -> None:
    """train.csv, val.csv, and a folder of Parquet for each size."""
    for seed, (name, n) in enumerate({"train": LABELED, "val": VALIDATION}.items()):
        drawn(n, seed).to_csv(folder / f"{name}.csv", index=False)
    for n in sizes:
        (folder / f"pool-{n}").mkdir()
        for place, start in enumerate(range(0, n, FILE_ROWS)):
            path = folder / f"pool-{n}/part-{place:04}.parquet"
            rows, first = min(FILE_ROWS, n - start), place % different
            if place >= different and rows == FILE_ROWS:
                os.link(folder / f"pool-{n}/part-{first:04}.parquet", path)
                continue
            part = drawn(rows, 10 + place).drop(columns="y")
            part.to_parquet(path, index=False, row_group_size=GROUP_ROWS)


def write_texts(folder: Path, n: int) -> None:
    """The same of texts: drawn words, by frequencies that depend on the class."""
    rng = np.random.default_rng(0)
    shares = [1 / rng.permutation(np.arange(1, VOCABULARY + 1)) for _ in range(2)]
    words = np.array([f"w{place}" for place in range(VOCABULARY)])
    for name, rows in {"train": LABELED, "val": VALIDATION, "pool": n}.items():
        y = rng.integers(0, 2, rows)
        texts = [" ".join(rng.choice(words, TEXT_WORDS, p=shares[c] / shares[c].sum())) for c in y]
        frame = pd.DataFrame({"said": texts, "y": np.where(y, "yes", "no")})
        frame = frame.drop(columns="y") if name == "pool" else frame
        kind = f"pool-{n}" if name == "pool" else name
        frame.to_csv(folder / f"{kind}.csv", index=False)


def labelled(folder: Path, pool: str, output: str, *settings: str) -> dict:
    """Seconds and memory of a process that labels the pool of that name."""
    files = ("labeled=train.csv", "validation=val.csv", f"pool={pool}", f"output={output}", "force=true")
    command = [sys.executable, str(Path(__file__).resolve()), "--label", *files, *SETTINGS, *settings]
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]) | {"all": time.perf_counter() - started}


def label(arguments: list[str]) -> None:
    """What ``salutary-label`` does; prints seconds, resident MB and bytes moved, as JSON."""
    from salutary.labeling import backends, cli, pipeline  # noqa: F401  (imported before memory is measured)
    from salutary.system.memory import resident

    found, encoders = {}, (backends.Local, backends.OnRay)
    clusters = []
    for kind in encoders:

        def timed(self, *given, encoded=kind.encoded):
            started = time.perf_counter()
            pool = encoded(self, *given)
            found["encoding"] = time.perf_counter() - started
            clusters.append(getattr(self, "cluster", None))
            return pool

        kind.encoded = timed
    cli.label_or_audit(arguments)
    moved = clusters[0].moved if clusters[0] else None
    print(json.dumps({**found, "moved": moved, "highest": resident()}))


def rounds(path: Path) -> float:
    """Median seconds of a round."""
    return float(pd.read_csv(path.with_suffix("") / "curves.csv")["seconds"][1:].median())


def measured(
    folder: Path, n: int, pool: str, backends: list[str], repeats: int, *settings: str
) -> list[dict]:
    """A row for each backend."""
    tries: dict[str, list[dict]] = {name: [] for name in backends}
    labels = {}
    for _, name in itertools.product(range(repeats), backends):
        path = folder / f"{n}-{name}.csv"
        found = labelled(folder, pool, path.name, *BACKENDS[name], *settings)
        row = {"encoding s": found["encoding"], "a round s": rounds(path), "all s": found["all"]}
        moved = None if found["moved"] is None else found["moved"] / 1e6
        tries[name].append(row | {"driver MB": found["highest"], "moved MB": moved})
        labels[name] = path.read_bytes()
        print({"rows": n, "backend": name} | tries[name][-1], flush=True)
    return [told(n, name, tries[name], labels) for name in backends]


def told(n: int, name: str, tries: list[dict], labels: dict[str, bytes]) -> dict:
    """The medians of several tries, and whether the labels are those of ``local``."""
    row = {"rows": n, "backend": name}
    row |= {key: statistics.median(each[key] for each in tries) for key in (*SECONDS, "driver MB")}
    row["moved MB"] = "" if name == "local" else statistics.median(each["moved MB"] for each in tries)
    same = "" if "local" not in labels else "yes" if labels[name] == labels["local"] else "no"
    return row | {"same labels": same}


def growth(rows: list[dict]) -> list[dict]:
    """Exponents from each size to the next, and what Ray takes beyond local at the larger one."""
    found = []
    for name in dict.fromkeys(row["backend"] for row in rows):
        for less, more in itertools.pairwise(row for row in rows if row["backend"] == name):
            factor = np.log(more["rows"] / less["rows"])
            row = {"backend": name, "rows": f"{less['rows']:.0e} to {more['rows']:.0e}"}
            for column in (*SECONDS, "driver MB"):
                row[f"exponent of {column}"] = float(np.log(more[column] / less[column]) / factor)
            found.append(row | beyond_local(rows, more))
    return found


def beyond_local(rows: list[dict], row: dict) -> dict:
    """How many times the seconds of ``local`` a row of the same pool takes."""
    local = [each for each in rows if each["backend"] == "local" and each["rows"] == row["rows"]]
    return {f"{column}, times local": row[column] / base[column] for base in local for column in SECONDS}


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=[*BACKENDS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--different", type=int, default=100)
    parser.add_argument("--texts", type=int)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    return parser.parse_args()


def pools(folder: Path, asked: argparse.Namespace) -> list[dict]:
    """All that was asked for, one pool after the other, each removed once it is measured."""
    found, rounds = [], f"rounds={asked.rounds}"
    for n in asked.rows:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            write_tables(Path(name), [n], asked.different)
            found += measured(Path(name), n, f"pool-{n}", asked.backends, asked.repeats, rounds)
    if asked.texts:
        with tempfile.TemporaryDirectory(dir=folder) as name:
            write_texts(Path(name), asked.texts)
            settings = ("text=[said]", "encoder=tfidf", rounds)
            pool, backends = (
                f"pool-{asked.texts}.csv",
                [each for each in asked.backends if each != "each_round"],
            )
            found += measured(Path(name), asked.texts, pool, backends, asked.repeats, *settings)
    return found


def main() -> None:
    asked = parsed()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        cluster.add_node(**node)
        cluster.wait_for_nodes()
        os.environ["RAY_ADDRESS"] = cluster.address
        rows = pools(Path(asked.folder), asked)
    finally:
        cluster.shutdown()
    print()
    print_table([row | beyond_local(rows, row) for row in rows])
    print()
    print_table(growth([row for row in rows if row["rows"] in asked.rows]))
    print(f"\n{versions(PACKAGES)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--label"]:
        label(sys.argv[2:])
    else:
        main()
