"""``salutary-label backend=ray`` by the rows of the pool, beside ``backend=local`` on the same cores.

    python benchmarks/ray_pool.py [--rows 100000 1000000 10000000] [--folder DIR]

A Ray cluster of two node processes on this machine, one CPU each. Pools of drawn rows, 16 columns of numbers,
in Parquet files of a million rows; 500 labelled rows, 1,000 for validation; three rounds of ten, five folds.
Each labelling is a process of its own, ``local`` with both cores (``device.threads=auto``). "moved": bytes of
results that came to the driver; "driver MB": the most it had resident. All files are in a temporary folder in
``--folder``, 0.6 GB per ten million rows, removed at the end. Linux only; needs ``salutary[ray]``.
"""

from __future__ import annotations

import argparse
import json
import os
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
SETTINGS = ("target=y", "rounds=3", "remedies=false", "strategy.confidence=0", "device=cpu")
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


def write_tables(folder: Path, sizes: list[int]) -> None:
    """train.csv, val.csv, and a folder of Parquet for each size."""
    for seed, (name, n) in enumerate({"train": LABELED, "val": VALIDATION}.items()):
        drawn(n, seed).to_csv(folder / f"{name}.csv", index=False)
    for n in sizes:
        (folder / f"pool-{n}").mkdir()
        for place, start in enumerate(range(0, n, FILE_ROWS)):
            part = drawn(min(FILE_ROWS, n - start), 10 + place).drop(columns="y")
            path = folder / f"pool-{n}/part-{place:04}.parquet"
            part.to_parquet(path, index=False, row_group_size=GROUP_ROWS)


def labelled(folder: Path, n: int, output: str, *settings: str) -> dict:
    """Seconds and memory of a process that labels the pool of so many rows."""
    files = ("labeled=train.csv", "validation=val.csv", f"pool=pool-{n}", f"output={output}")
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


def measured(folder: Path, sizes: list[int]) -> list[dict]:
    rows = []
    for n in sizes:
        for name, settings in {
            "local": ("backend=local",),
            "ray, once": ("backend=ray", "encode=once"),
            "ray, each round": ("backend=ray", "encode=each_round"),
        }.items():
            path = folder / f"{n}-{name.replace(', ', '-').replace(' ', '-')}.csv"
            found = labelled(folder, n, path.name, *settings)
            row = {"rows": n, "backend": name, "encoding s": found["encoding"], "a round s": rounds(path)}
            row |= {"all s": found["all"], "driver MB": found["highest"]}
            row |= {"moved MB": "" if found["moved"] is None else found["moved"] / 1e6}
            same = path.read_bytes() == (folder / f"{n}-local.csv").read_bytes()
            rows.append(row | {"same labels": "yes" if same else "no"})
            print(rows[-1], flush=True)
    return rows


def growth(rows: list[dict]) -> list[dict]:
    """Exponents between the two largest pools, and what Ray takes beyond local at the largest."""
    found = []
    for name in dict.fromkeys(row["backend"] for row in rows):
        less, more = [row for row in rows if row["backend"] == name][-2:]
        factor = np.log(more["rows"] / less["rows"])
        row = {"backend": name}
        for column in ("encoding s", "a round s", "all s"):
            row[f"exponent of {column}"] = float(np.log(more[column] / less[column]) / factor)
            base = [each for each in rows if each["backend"] == "local"][-1][column]
            row[f"{column}, times local"] = more[column] / base
        found.append(row)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", default=tempfile.gettempdir())
    arguments = parser.parse_args()
    os.environ["RAY_AUTH_MODE"] = "disabled"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": STORE}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        write_tables(Path(name), arguments.rows)
        print("tables written", flush=True)
        cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
        try:
            cluster.add_node(**node)
            cluster.wait_for_nodes()
            os.environ["RAY_ADDRESS"] = cluster.address
            rows = measured(Path(name), arguments.rows)
        finally:
            cluster.shutdown()
    print()
    print_table(rows)
    print()
    print_table(growth(rows))
    print(f"\n{versions(PACKAGES)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--label"]:
        label(sys.argv[2:])
    else:
        main()
