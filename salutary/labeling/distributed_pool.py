"""A pool whose rows other processes hold, encode and score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from salutary.labeling.pool import Pool
from salutary.labeling.ranking import Score


class DistributedPool(Pool):
    """Rows that other processes hold; ``name``: for messages. Row numbers are those of the file."""

    @abstractmethod
    def best_rows(self, score: Score, taken: Sequence[np.ndarray], n: int, title: str) -> list[np.ndarray]:
        """See :func:`salutary.labeling.ranking.best_rows`: the numbers (n,) by each model, ascending."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> np.ndarray:
        """The rows (m,) of the pool, (m, d) float32."""

    @abstractmethod
    def prefetch(self, rows: np.ndarray) -> None:
        """Take these rows all at once: :meth:`take` finds them here, as long as no others are prefetched."""
