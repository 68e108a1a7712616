"""``salutary-label`` on a pool of millions of rows: seconds, memory, and whether the answer is the same.

    SALUTARY_DATA_DIR=... python benchmarks/label_pool.py [--rows 5000000] [--folder DIR]

Real rows of the bank table (bank-additional-full.csv: 10 columns of numbers, 10 of categories): 500 labelled,
1,000 for validation. A row of the pool is the client of one of the other rows (its first 7 columns) with the
call and the economy of another, both drawn with replacement, and an id. Every labelling is a process of its
own on one thread, five rounds of ten labels. First the large pool, from beginning to end, and again, killed
in the third round and begun anew; then its first 200,000 rows from several kinds of file, and with other
shortlists, the longest being the whole pool. All files are in a temporary folder in ``--folder``, 0.3 GB per
million rows, removed at the end. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from measure import print_table, versions

WRITTEN_AT_ONCE = 500_000
FIRST = 200_000
LABELED, VALIDATION = 500, 1000
ROUNDS = 5
KILLED_IN = 3
CLIENT = 7  # columns
GB_PER_MILLION = 0.3
PACKAGES = ("torch", "numpy", "scikit-learn", "pandas", "pyarrow")


def write_tables(folder: Path, n: int) -> None:
    """labeled.csv, validation.csv, pool.parquet, and the first rows of it as Parquet, CSV and a folder."""
    rng = np.random.default_rng(0)
    bank = _bank().sample(frac=1, random_state=rng, ignore_index=True)
    ends = LABELED, LABELED + VALIDATION
    parts = {"labeled": bank[: ends[0]], "validation": bank[ends[0] : ends[1]]}
    for name, part in parts.items():
        part.assign(id=[f"{name}{i}" for i in part.index]).to_csv(folder / f"{name}.csv", index=False)
    _write_pool(folder / "pool.parquet", bank[ends[1] :].drop(columns="y"), n, rng)
    _write_first(folder, min(n, FIRST))


def _bank() -> pd.DataFrame:
    path = Path(os.environ["SALUTARY_DATA_DIR"], "bank", "bank-additional-full.csv")
    return pd.read_csv(path if path.exists() else path.with_suffix(".csv.gz"), sep=";")


def _write_pool(path: Path, source: pd.DataFrame, n: int, rng: np.random.Generator) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.Table.from_pandas(source.assign(id=""), preserve_index=False).schema
    with ParquetWriter(path, schema) as writer:
        for start in range(0, n, WRITTEN_AT_ONCE):
            numbers = range(start, min(start + WRITTEN_AT_ONCE, n))
            drawn = rng.integers(len(source), size=(2, len(numbers)))
            halves = source.iloc[drawn[0], :CLIENT], source.iloc[drawn[1], CLIENT:]
            rows = pd.concat([half.reset_index(drop=True) for half in halves], axis=1)
            rows = rows.assign(id=[f"p{number}" for number in numbers])
            writer.write_table(pyarrow.Table.from_pandas(rows, schema, preserve_index=False))


def _write_first(folder: Path, n: int) -> None:
    from pyarrow.parquet import ParquetFile

    first = next(ParquetFile(folder / "pool.parquet").iter_batches(n)).to_pandas()
    first.to_parquet(folder / "first.parquet", index=False)
    first.to_csv(folder / "first.csv", index=False)
    (folder / "first").mkdir()
    for start in range(0, n, n // 4):
        first[start : start + n // 4].to_parquet(folder / "first" / f"{start:07}.parquet", index=False)


@dataclass(frozen=True)
class Labelling:
    """One ``salutary-label`` in ``folder``; ``output`` tells them apart."""

    folder: Path
    pool: str
    output: str
    settings: tuple[str, ...] = ()

    def start(self) -> subprocess.Popen:
        files = [f"{name}={self.folder / name}.csv" for name in ("labeled", "validation")]
        files += [f"pool={self.folder / self.pool}", f"output={self.path}"]
        arguments = [*files, "target=y", "id=id", f"rounds={ROUNDS}", *self.settings]
        command = [sys.executable, __file__, "--label", *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def run(self) -> dict:
        """What the process says of itself, and its seconds."""
        started = time.perf_counter()
        process = self.start()
        out, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{' '.join(process.args)} ended with {process.returncode}")
        return {**json.loads(out.splitlines()[-1]), "seconds": time.perf_counter() - started}

    @property
    def path(self) -> Path:
        return self.folder / f"{self.output}.parquet"

    @property
    def n_labels(self) -> int:
        return len(pd.read_parquet(self.path))

    @property
    def curves(self) -> pd.DataFrame:
        return pd.read_csv(self.path.with_suffix("") / "curves.csv")

    def compared(self, other: Labelling) -> dict:
        """How many labels the two have in common, in the same round and at the same place of it."""
        ours, theirs = (pd.read_parquet(each.path) for each in (self, other))
        row = {"labels": len(ours), "held-out loss": f"{self.curves['held_out_loss'].iloc[-1]:.4f}"}
        row |= {"same round": len(ours.merge(theirs, on=["round", "row", "label"]))}
        row |= {"same place": len(ours.merge(theirs, on=["round", "rank", "row", "label"]))}
        return {**row, "same bytes": _yes(self.path.read_bytes() == other.path.read_bytes())}


def large_pool(folder: Path, n: int) -> list[dict]:
    """From beginning to end; then killed and begun anew."""
    whole, halves = (Labelling(folder, "pool.parquet", name) for name in ("whole", "halves"))
    found = whole.run()
    seconds = whole.curves["seconds"]
    print(f"labelled, {found['seconds']:.0f} s", flush=True)
    before = _killed(halves, seconds[KILLED_IN])
    after = halves.run()["seconds"]
    row = {"rows": n, "Parquet GB": (folder / "pool.parquet").stat().st_size / 1e9}
    row |= {"matrix GB": found["matrix"] / 1e9, "reading s": found["reading"]}
    row |= {"a round s": float(seconds[1:].median()), "all s": found["seconds"]}
    row |= {"resident MB before": found["before"], "resident MB, highest": found["highest"]}
    row |= {"labels": whole.n_labels, "killed after s": before, "begun anew s": after}
    return [row | {"same bytes": halves.compared(whole)["same bytes"]}]


def _killed(labelling: Labelling, a_round: float) -> float:
    """Kill a labelling in the middle of a round; seconds until then."""
    started = time.perf_counter()
    process = labelling.start()
    last = labelling.path.with_suffix(".partial") / f"round-{KILLED_IN - 1:05}.npz"
    while not last.exists():
        if process.poll() is not None:
            raise SystemExit("the labelling ended before it could be killed")
        time.sleep(0.05)
    time.sleep(a_round / 2)
    process.kill()
    process.communicate()
    if last.with_name(f"round-{KILLED_IN:05}.npz").exists():
        raise SystemExit("the labelling was killed too late")
    print(f"killed, {time.perf_counter() - started:.0f} s", flush=True)
    return time.perf_counter() - started


def same_answers(folder: Path) -> list[dict]:
    """The first rows, as salutary_greedy and salutary label them, by kind of file and shortlist."""
    rows = []
    for strategy in ("salutary_greedy", "salutary"):
        expected = None
        for pool, shortlist in [
            ("first.parquet", 10_000),
            ("first.csv", 10_000),
            ("first", 10_000),
            ("first.parquet", FIRST),
            ("first.parquet", 1_000),
            ("first.parquet", 100),
        ]:
            settings = f"strategy={strategy}", f"shortlist={shortlist}"
            labelling = Labelling(folder, pool, f"{strategy}-{len(rows)}", settings)
            found = labelling.run()
            expected = expected or labelling
            row = {"strategy": strategy, "pool": pool, "shortlist": shortlist, "reading s": found["reading"]}
            row |= {"a round s": float(labelling.curves["seconds"][1:].median())}
            row |= {"all s": found["seconds"], "resident MB, highest": found["highest"]}
            rows.append({**row, **labelling.compared(expected)})
            print(f"{strategy}, {pool}, shortlist {shortlist}: {found['seconds']:.0f} s", flush=True)
    return rows


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"


def label(arguments: list[str]) -> None:
    """What ``salutary-label`` does; prints seconds of reading, bytes of the matrix, resident MB, as JSON."""
    from salutary.labeling import audit, backends, cli, pipeline  # noqa: F401  (imported before memory is measured)
    from salutary.system.memory import resident

    found, encode = {"before": resident("VmRSS")}, backends.encode_pool

    def timed(*args, **kwargs):
        started = time.perf_counter()
        pool = encode(*args, **kwargs)
        found.update(reading=time.perf_counter() - started, matrix=pool.matrix.path.stat().st_size)
        return pool

    backends.encode_pool = timed
    cli.label_or_audit(arguments)
    print(json.dumps({**found, "highest": resident()}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    needed, free = GB_PER_MILLION * arguments.rows / 1e6, shutil.disk_usage(arguments.folder).free / 1e9
    if free < needed:
        raise SystemExit(f"{needed:.1f} GB are needed in {arguments.folder}, {free:.1f} are free")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write_tables(folder, arguments.rows)
        print("tables written", flush=True)
        large, same = large_pool(folder, arguments.rows), same_answers(folder)
    print("\nThe large pool\n")
    print_table(large)
    print(f"\nThe first {min(FIRST, arguments.rows):,} rows, beside the first line of the strategy\n")
    print_table(same)
    print(f"\n{versions(PACKAGES)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--label"]:
        label(sys.argv[2:])
    else:
        main()
