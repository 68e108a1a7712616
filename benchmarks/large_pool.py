"""A pool in a file, larger than memory. ``python large_pool.py FILE`` scores one and prints three numbers."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from measure import once, use_threads
from situations import BUDGET

from salutary.labeling.pool import open_pool
from salutary.labeling.shortlist import best_points
from salutary.system.memory import resident


def large_pool(n: int) -> list[dict]:
    """A pool in a file, scored in a process of its own, so that its memory is its own."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, write in {"npy": _write_npy, "parquet": _write_parquet}.items():
            path = Path(folder, f"pool.{suffix}")
            write(path, n, 128)
            command = [sys.executable, __file__, str(path)]
            line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            row = {"file": suffix, "rows": n, "GB": path.stat().st_size / 1e9, "seconds": float(line[0])}
            rows.append({**row, "resident MB before": float(line[1]), "resident MB, highest": float(line[2])})
            print(f"pool.{suffix}: {line[0]} s", flush=True)
            path.unlink()
    return rows


def _blocks(n: int, d: int) -> Iterator[tuple[int, np.ndarray]]:
    rng = np.random.default_rng(0)
    for start in range(0, n, 100_000):
        yield start, rng.standard_normal((min(100_000, n - start), d), dtype=np.float32)


def _write_npy(path: Path, n: int, d: int) -> None:
    whole = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for start, block in _blocks(n, d):
        whole[start : start + len(block)] = block
    whole.flush()


def _write_parquet(path: Path, n: int, d: int) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    schema = pyarrow.schema([(f"f{i}", pyarrow.float32()) for i in range(d)])
    with ParquetWriter(path, schema) as writer:
        for _, block in _blocks(n, d):
            columns = [np.ascontiguousarray(column) for column in block.T]
            writer.write_table(pyarrow.table(columns, schema=schema))


def score_file(path: str) -> None:
    """Score a pool file with a model of 10 classes; print seconds and resident MB before and at most."""
    generator = torch.Generator().manual_seed(0)
    pool = open_pool(path)
    W, S = torch.randn(2, 10, pool.n_features, generator=generator, dtype=torch.float64)
    before = resident()
    seconds = once(lambda: best_points(pool, 0.1 * W, S, BUDGET, progress=True))
    print(seconds, before, resident())


if __name__ == "__main__":
    use_threads(1)
    score_file(sys.argv[1])
