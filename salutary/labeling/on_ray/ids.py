"""Whether an id of a pool is there twice: 64 bits of each are dealt to buckets, by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salutary.labeling.ids import told_twice
from salutary.labeling.inputs import Inputs
from salutary.labeling.on_ray.cluster import Cluster
from salutary.labeling.on_ray.steps import chunks_of
from salutary.tables.table_file import TableFile

if TYPE_CHECKING:
    import pyarrow

# Ids of one bucket, 16 bytes each.
BUCKET = 2**24
NONE = np.iinfo(np.int64).max


def check(
    cluster: Cluster, refs: Sequence[Any], n_rows: int, table: TableFile, inputs: Inputs, id_column: str
) -> None:
    """Raises SalutaryError for the first id of the pool that is there twice, or also in another file.

    ``refs``: of blocks of chunks with ``numbers`` and ``hashes``.
    """
    import ray

    n = -(-n_rows // BUCKET)
    dealt = ray.remote(_dealt).options(num_returns=n)
    buckets = [dealt.remote(n, ref) for ref in refs]
    buckets = [each if n > 1 else [each] for each in buckets]
    elsewhere = [*inputs.id_hashes(id_column)]
    search = ray.remote(_first_twice)
    others = ray.put([hashes for _, hashes in elsewhere])
    found = [search.remote(others, *(each[place] for each in buckets)) for place in range(n)]
    first = np.min(cluster.fetched(found), axis=0)
    for row, path in zip(first.tolist(), [None, *(path for path, _ in elsewhere)], strict=True):
        if row != NONE:
            told_twice(table, id_column, row, path)


def _dealt(n: int, table: pyarrow.Table) -> Any:
    """Numbers and hashes, a pair for each of ``n`` buckets."""
    chunks = [*chunks_of(table)]
    numbers, hashes = (np.concatenate([each[name] for each in chunks]) for name in ("numbers", "hashes"))
    pairs = [(numbers[at], hashes[at]) for at in (hashes % np.uint64(n) == place for place in range(n))]
    return pairs if n > 1 else pairs[0]


def _first_twice(others: list[np.ndarray], *pairs: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """The first row whose id has been there before, and the first whose id is also in each of ``others``."""
    numbers, hashes = (np.concatenate(each) for each in zip(*pairs, strict=True))
    order = np.lexsort((numbers, hashes))
    numbers, hashes = numbers[order], hashes[order]
    twice = numbers[1:][hashes[1:] == hashes[:-1]]
    return np.array([_least(twice), *(_least(numbers[np.isin(hashes, each)]) for each in others)])


def _least(rows: np.ndarray) -> int:
    return int(rows.min()) if len(rows) else NONE
