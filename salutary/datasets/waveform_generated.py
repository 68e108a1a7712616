"""Breiman's waveform generator: as many rows as wanted, and a Bayes error that is known."""

from __future__ import annotations

import numpy as np

from salutary.datasets import Table
from salutary.errors import SalutaryError


class WaveformGenerated:
    """Freshly drawn rows of the waveform problem: n x 21, three classes.

    Three triangular waves max(6 - |t - centre|, 0), t = 1..21, with centres 7, 11 and 15; a row is
    u h_a + (1 - u) h_b + N(0, 1) noise with u uniform, where class 0 mixes the waves at 7 and 15,
    class 1 those at 7 and 11, class 2 those at 11 and 15 (numbered as in UCI's file). The best
    possible accuracy is about 86%. Breiman, Friedman, Olshen & Stone, "Classification and
    regression trees", 1984, section 2.6.1.

    ``n``: rows; ``draw``: which sample (the run's ``seed`` then splits it).
    """

    def __init__(self, n: int = 5000, draw: int = 0):
        self.n = n
        self.draw = draw

    def load(self) -> Table:
        """Raises SalutaryError unless ``n`` is a positive whole number."""
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise SalutaryError(f"dataset.n must be a positive whole number, not {self.n!r}")
        rng = np.random.default_rng(self.draw)
        t = np.arange(1, 22)
        waves = np.maximum(6 - np.abs(t - np.array([[7], [11], [15]])), 0)
        y = rng.integers(3, size=self.n)
        first, second = np.array([[0, 2], [0, 1], [1, 2]])[y].T
        u = rng.random((self.n, 1))
        X = u * waves[first] + (1 - u) * waves[second] + rng.standard_normal((self.n, 21))
        return Table(X, y, ("0", "1", "2"))
