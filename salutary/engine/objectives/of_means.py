"""Objectives F = phi(m_1, ..., m_J) of means, each over some of the rows of a number f of their logits.

With a_ij = [i in S_j] / |S_j|, so that m_j = sum_i a_ij f_j(z_i), and phi_j, phi_jk for phi's derivatives:

    n dF/dz_i      = n sum_j phi_j a_ij f_j'(z_i) =: r_i
    F + n dF/dw_i  = F + sum_j phi_j d_ij,                            d_ij = n a_ij (f_j(z_i) - m_j)
    row gradient   = r_i (x) x_i + sum_j b_ij grad m_j,      b_ij = phi_j (1 - n a_ij) + sum_k phi_jk d_ik
    Hessian        = sum_j phi_j Hess m_j + sum_jk phi_jk grad m_j (x) grad m_k.

The b_ij have mean 0 over the rows. They are what plain rows r_i (x) x_i leave out: that means over another
sample have other sizes, and that the slope of phi, such as the gap that a squared gap is multiplied with, is
itself an estimate. On breast_cancer with 100 rows in two groups, standard errors of influences from plain
rows are .46 of a bootstrap's for equalised odds, .77 for equal opportunity, .81 for the worst group and 1.2
for the pairs of an AUC; with the b_ij .64, .91, .96 and .96. Small sets of rows need the bootstrap, see
:mod:`~salutary.engine.objectives.bootstrapped`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from salutary.engine.objective import OfLogits, outer
from salutary.engine.objectives.combination import Combination
from salutary.engine.objectives.row_statistics import Statistic
from salutary.engine.softmax import linear_adjoint, product, with_ones


@dataclass(frozen=True)
class Means:
    """Means of one statistic over sets of rows; ``A`` (n, J), float64: the shares a_ij, columns sum to 1."""

    statistic: Statistic
    A: Tensor

    @classmethod
    def over(cls, statistic: Statistic, *sets: Tensor) -> Means:
        """Over sets of rows, each (n,) of truth values, none of them empty."""
        A = torch.stack([each.double() for each in sets], 1)
        return cls(statistic, A / A.sum(0))


@dataclass(frozen=True)
class OfMeans(OfLogits):
    """phi of ``means``, in the order in which they stand, over the rows X (n, d)."""

    X: Tensor
    means: tuple[Means, ...]
    combination: Combination

    def is_straight(self, many: int) -> bool:
        """Whether phi is linear, or each of its means is one of ``many`` rows or more."""
        rows = [int((each.A > 0).sum(0).min()) for each in self.means]
        return self.combination.is_linear or min(rows) >= many

    def value_at(self, Z: Tensor) -> Tensor:
        return self.combination.value(self.means_at(Z))

    def means_at(self, Z: Tensor) -> Tensor:
        """m, (..., J)."""
        return torch.cat([each.statistic.value(Z) @ each.A for each in self.means], -1)

    def by_statistic(self, of_means: Tensor) -> list[tuple[Means, Tensor]]:
        """A tensor (..., J), the part that belongs to each."""
        parts = of_means.split([each.A.shape[1] for each in self.means], -1)
        return list(zip(self.means, parts, strict=True))

    def residuals_at(self, Z: Tensor) -> Tensor:
        slopes = self.by_statistic(self.combination.slope(self.means_at(Z)))
        parts = [(each.A @ slope)[:, None] * each.statistic.slope(Z) for each, slope in slopes]
        return len(self) * torch.stack(parts).sum(0)

    def row_values_at(self, Z: Tensor) -> Tensor:
        m = self.means_at(Z)
        return self.combination.value(m) + self._deviations(Z) @ self.combination.slope(m)

    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        rows = outer(self.residuals_at(Z), self.X, n_columns)
        return rows.addmm_(self._coupling(Z), self._gradients_of_means(Z, n_columns))

    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        total = coefficients.T[:, :, None] * self.residuals_at(Z)
        for each, b in self.by_statistic(coefficients.T @ self._coupling(Z)):
            total += (b @ each.A.T)[:, :, None] * each.statistic.slope(Z)
        return total

    def curvature(self, W: Tensor) -> Tensor:
        Z = self.logits(W)
        m = self.means_at(Z)
        slopes = self.by_statistic(self.combination.slope(m))
        bends = [(each.A @ slope)[:, None, None] * each.statistic.bend(Z) for each, slope in slopes]
        G = self._gradients_of_means(Z, W.shape[1])
        return summed_curvature(self.X, torch.stack(bends).sum(0), W.shape[1]) + (
            G.T @ self.combination.bend(m) @ G
        )

    def _deviations(self, Z: Tensor) -> Tensor:
        """d, (n, J)."""
        parts = [(each.statistic.value(Z)[:, None] - m) * each.A for each, m in self._own_means(Z)]
        return len(self) * torch.cat(parts, 1)

    def _own_means(self, Z: Tensor) -> list[tuple[Means, Tensor]]:
        return self.by_statistic(self.means_at(Z))

    def _coupling(self, Z: Tensor) -> Tensor:
        """b, (n, J)."""
        m, A = self.means_at(Z), torch.cat([each.A for each in self.means], 1)
        own = self.combination.slope(m) * (1 - len(self) * A)
        return own + self._deviations(Z) @ self.combination.bend(m)

    def _gradients_of_means(self, Z: Tensor, n_columns: int) -> Tensor:
        """grad m_j, (J, K D)."""
        weighted = [(each.A[:, :, None] * each.statistic.slope(Z)[:, None]).flatten(1) for each in self.means]
        R = torch.cat(weighted, 1).to(self.X.dtype)
        return linear_adjoint(self.X, R, n_columns).reshape(-1, Z.shape[1] * n_columns)


def summed_curvature(X: Tensor, B: Tensor, n_columns: int) -> Tensor:
    """Sum over the rows of B_i (x) x x^T, B (n, K, K) symmetric: (K D, K D), float64."""
    X, K = with_ones(X, n_columns).double(), B.shape[1]
    blocks = [product(outer(B[:, k], X, n_columns).T, X) for k in range(K)]
    return torch.stack(blocks).reshape(K, K, n_columns, -1).transpose(1, 2).reshape(K * n_columns, -1)
