"""Standard errors by the bootstrap, where an objective bends over so few rows that its slope does not say them.

The infinitesimal jackknife is the slope of F at the sample. Where a gap is no larger than its own error, F, a
square, bends more than it slopes, and the errors of influences come out too small: against a bootstrap of
the rows, by up to 25% where a set has 10 to 40 rows, to less than half where it has 1 to 10. Sets of a
hundred rows are within 15%; means without bend always are. (Measured on breast_cancer, bank and celeba with 100
to 600 rows, two and four groups; with sets of one or two rows the bootstrap is too small as well.)

Efron & Tibshirani, "An introduction to the bootstrap", 1993.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine.objective import OfLogits, outer
from salutary.engine.objectives.of_means import OfMeans
from salutary.engine.objectives.row_statistics import Statistic

# Sets of so many rows need none.
MANY_ROWS = 100
# Samples that are drawn at most; fewer if there are fewer rows. 100 of them err by 7%.
DRAWS = 1000


@dataclass(frozen=True)
class Bootstrapped(OfLogits):
    """``objective``, on its rows X (n, d), with other row gradients: of ``counts`` (B, n), how often each row
    is in each of B samples,

        grad F + sqrt(n) (g_b - mean of g),

    with g_b the gradient on sample b, so that their covariance over n is that of the g_b. They belong to
    samples, not to rows; n > B of them repeat. A set that a sample misses keeps its own rows.
    """

    X: Tensor
    objective: OfMeans
    counts: Tensor

    @classmethod
    def where_needed(cls, objective: OfLogits, rng: np.random.Generator | None) -> OfLogits:
        """The objective itself if its row gradients say its errors, or if there is no ``rng`` to draw by."""
        if rng is None or not isinstance(objective, OfMeans) or objective.is_straight(MANY_ROWS):
            return objective
        n = len(objective)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=min(n, DRAWS))
        X = objective.X
        return cls(X, objective, torch.as_tensor(counts, dtype=torch.float64).to(X.device))

    def value_at(self, Z: Tensor) -> Tensor:
        return self.objective.value_at(Z)

    def residuals_at(self, Z: Tensor) -> Tensor:
        return self.objective.residuals_at(Z)

    def row_values_at(self, Z: Tensor) -> Tensor:
        return self.objective.row_values_at(Z)

    def curvature(self, W: Tensor) -> Tensor:
        return self.objective.curvature(W)

    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        parts = [Q @ outer(each.slope(Z), self.X, n_columns) for each, Q in self._mixed(Z)]
        return torch.stack(parts).sum(0)[self._sample]

    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        zeros = coefficients.new_zeros(len(self.counts), coefficients.shape[1])
        of_samples = zeros.index_add_(0, self._sample, coefficients).T
        parts = [(of_samples @ Q)[:, :, None] * each.slope(Z) for each, Q in self._mixed(Z)]
        return torch.stack(parts).sum(0)

    @property
    def _sample(self) -> Tensor:
        """Which sample each row gradient is of, (n,)."""
        return torch.arange(len(self.X), device=self.X.device) % len(self.counts)

    def _mixed(self, Z: Tensor) -> Iterator[tuple[Statistic, Tensor]]:
        """Each statistic f, and Q (B, n) such that the sample's row gradient is the sum of Q f'(z_i) (x) x_i."""
        means, n = self.objective.means, len(self.X)
        A = torch.cat([each.A for each in means], 1)
        sizes = self.counts @ A
        missed = (sizes == 0).double()
        sizes = sizes + missed
        values = torch.cat([each.statistic.value(Z)[:, None] * each.A for each in means], 1)
        m = (self.counts @ values + missed * values.sum(0)) / sizes
        slopes = self.objective.by_statistic(self.objective.combination.slope(m) / sizes)
        own = self.objective.by_statistic(self.objective.combination.slope(values.sum(0)))
        missing = self.objective.by_statistic(missed)
        for (each, slope), (_, here), (_, none) in zip(slopes, own, missing, strict=True):
            Q = self.counts * (slope @ each.A.T) + (slope * none) @ each.A.T
            mean = Q[self._sample].mean(0)
            yield each.statistic, each.A @ here + n**0.5 * (Q - mean)
