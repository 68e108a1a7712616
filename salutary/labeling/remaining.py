"""A pool without the rows that a human has labelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from salutary.errors import SalutaryError
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.pool import EncodedPool, NpyPool


class RemainingRows(NpyPool):
    """A pool's matrix without some of its rows; ``numbers`` (m,): which of the ``whole`` it has."""

    def __init__(self, whole: NpyPool, left_out: np.ndarray):
        self.path, self.name, self.whole = whole.path, whole.name, whole
        self.numbers = np.delete(np.arange(len(whole)), left_out)
        if not len(self.numbers):
            raise SalutaryError("answers: every row of the pool has a label, there is nothing left to label")

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def n_features(self) -> int:
        return self.whole.n_features

    def blocks(self) -> Iterator[np.ndarray]:
        """See :meth:`NpyPool.blocks`."""
        start = 0
        for block in self.whole.blocks():
            first, last = np.searchsorted(self.numbers, (start, start + len(block)))
            if last > first:
                yield block[self.numbers[first:last] - start]
            start += len(block)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """See :meth:`NpyPool.take`."""
        return self.whole.take(self.numbers[rows])


def without(pool: EncodedPool, rows: np.ndarray) -> EncodedPool:
    """The pool without these rows (m,). Raises SalutaryError if none is left."""
    if not len(rows):
        return pool
    matrix = pool.matrix
    left = matrix.without(rows) if isinstance(matrix, DistributedPool) else RemainingRows(matrix, rows)
    return replace(pool, matrix=left)


def whole(pool: NpyPool) -> NpyPool:
    """With the rows that were left out."""
    return pool.whole if isinstance(pool, RemainingRows) else pool


def in_file(pool: NpyPool | DistributedPool, rows: np.ndarray) -> np.ndarray:
    """The numbers of these rows (m,) in the table of all."""
    if isinstance(pool, DistributedPool):
        return pool.in_file(rows)
    return pool.numbers[rows.astype(np.int64)] if isinstance(pool, RemainingRows) else rows
