"""``backend=ray`` at a size that nobody has tried: reckoned from rates measured here, disk and network too.

    python benchmarks/ray_paper.py [--rows 1e9] [--features 512] [--machines 64] [--cores 16]
                                   [--network 1.25e9] [--disk 0.5e9] [--store 20e9]

Measured, on one core: reading and encoding Parquet of that many columns, and scoring it with six models,
both by the steps that workers run, a chunk at a time; and blocks a second of a pass of Ray Data's that does
nothing. Given: rows and machines, and of each machine its cores, bytes a second of its network and disk,
bytes of its object store. All else is the formula that stands beside it; nothing was run at that size.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import torch
from measure import print_table, use_threads, versions

from salutary.labeling.labeler import SHORTLIST
from salutary.labeling.on_ray.cluster import CHUNK_BYTES, Cluster, Shared, joined
from salutary.labeling.on_ray.reading import Plan, ReadPiece
from salutary.labeling.on_ray.steps import Rank, Ranking
from salutary.labeling.ranking import ByInfluence
from salutary.tables.features import Features
from salutary.tables.files import open_table
from salutary.tables.schema import Schema

LABELLINGS = 6  # the result, and one for each fold
CHUNKS, REPEATS, LABELED = 6, 3, 500
BLOCKS = (100, 600)
PACKAGES = ("ray", "torch", "numpy", "pyarrow", "pandas")


@dataclass(frozen=True)
class Rates:
    """``encoded``, ``scored``: values a second of a core; ``stored``: bytes of a value in Parquet;
    ``blocks``: a second, that Ray Data starts; ``sent``: bytes of what each machine gets in a pass.
    """

    encoded: float
    scored: float
    stored: float
    blocks: float
    sent: float


class Here:
    """What :class:`Shared` is, in one process."""

    def __init__(self, value: Any):
        self.key, self._value = str(id(value)), value

    def get(self) -> Any:
        return self._value


def rates(d: int, folder: Path) -> Rates:
    """Measured with ``d`` columns of drawn numbers."""
    rows = CHUNK_BYTES // (4 * d)
    X = np.random.default_rng(0).standard_normal((CHUNKS * rows, d), dtype=np.float32)
    frame, path = pd.DataFrame(X, columns=[f"x{place}" for place in range(d)]), folder / "pool.parquet"
    frame.to_parquet(path, index=False, row_group_size=len(frame))  # as docs/ray.md advises
    schema = Schema(tuple(frame), (), {})
    features = Features.fit(schema, schema.convert(frame[:LABELED], path))
    plan = Plan(SimpleNamespace(id=None), features, d, rows)
    plan.table = open_table(path)
    ranking = Ranking(ByInfluence(models(d), str(path)), [np.empty(0, np.int64)] * LABELLINGS, SHORTLIST)
    seconds = [timed(plan, ranking) for _ in range(REPEATS)]
    encoding, scoring = np.median(seconds, axis=0).tolist()
    sent = Shared(plan).nbytes + Shared(ranking).nbytes
    return Rates(X.size / encoding, X.size / scoring, path.stat().st_size / X.size, blocks_a_second(), sent)


def models(d: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    drawn = torch.Generator().manual_seed(0)
    shape = (2, 1, d + 1)
    return [
        tuple(torch.randn(shape, generator=drawn, dtype=torch.float64) / d**0.5) for _ in range(LABELLINGS)
    ]


def timed(plan: Plan, ranking: Ranking) -> tuple[float, float]:
    """Seconds to encode all chunks, and to score them."""
    read, rank = ReadPiece(Here(plan)), Rank(Here(ranking), "cpu", with_rows=True)
    groups = [vars(each) | {"first": each.groups.start, "stop": each.groups.stop} for each in plan.pieces]
    pieces = [{name: value for name, value in each.items() if name != "groups"} for each in groups]
    started = time.perf_counter()
    chunks = [chunk for piece in pieces for chunk in read(pyarrow.Table.from_pylist([piece]))]
    encoded = time.perf_counter()
    for chunk in chunks:
        next(rank(chunk))
    return encoded - started, time.perf_counter() - encoded


def blocks_a_second() -> float:
    """Of a pass that does nothing, on a Ray cluster of this machine, beyond what the pass itself costs."""
    with joined() as cluster:
        passes(cluster, BLOCKS[0])
        few, many = (passes(cluster, n) for n in BLOCKS)
    return (BLOCKS[1] - BLOCKS[0]) / (many - few)


def passes(cluster: Cluster, n: int) -> float:
    """Seconds of a pass over ``n`` blocks."""
    import ray.data

    data = cluster.mapped(ray.data.range(n, override_num_blocks=n), nothing)
    started = time.perf_counter()
    cluster.blocks(data, "", None, False)
    return time.perf_counter() - started


def nothing(table: pyarrow.Table) -> Any:
    yield table


def reckoned(r: Rates, s: argparse.Namespace) -> list[dict]:
    """Each figure with its formula."""
    N, d, M, cores = s.rows, s.features, s.machines, s.machines * s.cores
    n, L, seen = SHORTLIST, LABELLINGS, s.rows / (s.machines * s.cores)
    lines: list[tuple[str, str, float]] = [
        ("GB of features a machine", "4 N d / M", 4 * N * d / M / 1e9),
        ("GB of Parquet a machine", "stored N d / M", stored := r.stored * N * d / M / 1e9),
        ("s to read it from disk", "Parquet / disk", disk := stored * 1e9 / s.disk),
        ("s to read it over the network", "Parquet / network", stored * 1e9 / s.network),
        ("s to unpack and encode it", "N d / (encoded M cores)", encoding := N * d / (r.encoded * cores)),
        ("s to score it", "N d / (scored M cores)", scoring := N * d / (r.scored * cores)),
        ("blocks", "4 N d / 32 MiB", blocks := 4 * N * d / CHUNK_BYTES),
        ("s to start so many tasks", "blocks / (blocks a second)", starting := blocks / r.blocks),
        (
            "s to send models and plan",
            "sent M / network, from one machine",
            sending := r.sent * M / s.network,
        ),
        (
            "GB of a machine's candidates, each_round",
            "cores L n (1 + ln(N / (M cores n))) (4 d + 20)",
            candidates := s.cores * L * n * (1 + math.log(max(seen / n, 1))) * (4 * d + 20) / 1e9,
        ),
        ("s to write them to disk, each_round", "candidates / disk", spilling := candidates * 1e9 / s.disk),
        ("MB to the driver", "L n (4 d + 20)", driver := L * n * (4 * d + 20) / 1e6),
        ("s to fetch them", "that / network", fetching := driver * 1e6 / s.network),
        (
            "GB that a machine spills, once",
            "max(0, 4 N d / M - store)",
            spilled := max(0.0, 4 * N * d / M - s.store) / 1e9,
        ),
    ]
    few = sending + fetching
    anew = max(disk, encoding + scoring, starting) + spilling + few
    kept = max(spilled * 1e9 / s.disk, scoring, starting) + few
    lines += [
        ("s of a round, each_round", "max(disk, encode + score, start) + candidates + send + fetch", anew),
        (
            "s to encode, once",
            "max(disk + spill, encode, start)",
            max(disk + spilled * 1e9 / s.disk, encoding, starting),
        ),
        ("s of a round, once", "max(spilled / disk, score, start) + send + fetch", kept),
    ]
    return [{"what": what, "formula": formula, "reckoned": value} for what, formula, value in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, value in {"rows": 1e9, "network": 1.25e9, "disk": 0.5e9, "store": 20e9}.items():
        parser.add_argument(f"--{name}", type=float, default=value)
    for name, value in {"features": 512, "machines": 64, "cores": 16}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    asked = parser.parse_args()
    use_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        measured = rates(asked.features, Path(folder))
    print_table([{f"measured: {name}": float(value) for name, value in vars(measured).items()}])
    print()
    print_table(reckoned(measured, asked))
    print(f"\n{versions(PACKAGES)}")


if __name__ == "__main__":
    main()
