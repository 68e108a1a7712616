"""Two models on the same rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

# Differences below so many standard errors are called unclear.
SURE = 2.0


@dataclass(frozen=True)
class Difference:
    """Mean loss of one model minus another's on the same rows, and its standard error. Negative: the first is
    better."""

    mean: float
    error: float

    @classmethod
    def of(cls, losses: np.ndarray, others: np.ndarray) -> Self:
        """Paired, over the rows (n,)."""
        gaps = losses - others
        return cls(float(gaps.mean()), float(gaps.std(ddof=1) / len(gaps) ** 0.5) if len(gaps) > 1 else 0.0)

    @property
    def is_sure(self) -> bool:
        return abs(self.mean) > SURE * self.error
