"""A pool whose rows other processes hold, encode and score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from salutary.labeling.pool import Pool
from salutary.labeling.ranking import Score
from salutary.tables.labels import Classes


class DistributedPool(Pool):
    """Rows that other processes hold, in numbers from 0 that leave out those :meth:`without` which it is."""

    @abstractmethod
    def best_rows(self, score: Score, taken: Sequence[np.ndarray], n: int, title: str) -> list[np.ndarray]:
        """See :func:`salutary.labeling.ranking.best_rows`: the numbers (n,) by each model, ascending."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> np.ndarray:
        """The rows (m,) of the pool, (m, d) float32."""

    @abstractmethod
    def prefetch(self, rows: np.ndarray) -> None:
        """Take these rows all at once: :meth:`take` finds them here, as long as no others are prefetched."""

    @abstractmethod
    def without(self, rows: np.ndarray) -> Self:
        """Without these rows of the file. Raises SalutaryError if none is left."""

    @abstractmethod
    def in_file(self, rows: np.ndarray) -> np.ndarray:
        """The numbers in the file of these rows (m,)."""

    @abstractmethod
    def write_predictions(
        self, path: Path, predict_proba: Callable[[np.ndarray], np.ndarray], classes: Classes
    ) -> None:
        """As :func:`salutary.labeling.predictions.write_predictions`, a folder of Parquet files."""
