"""Rows of a class rank before the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import softplus

from salutary.engine.objective import OfLogits, outer
from salutary.engine.objectives.criterion import Criterion, Numbers
from salutary.engine.objectives.figures import area_under_roc
from salutary.engine.objectives.log_odds import bend_of_log_odds, log_odds, slope_of_log_odds
from salutary.engine.objectives.of_means import summed_curvature
from salutary.errors import SalutaryError

# Pairs of rows at once.
PAIRS = 2**22


@dataclass(frozen=True)
class AreaUnderROC(Criterion):
    """Mean over pairs of a row i of a class and a row j of none of softplus(-(s_i - s_j)), s the log-odds of
    the class; with more than two classes the mean over those present, each against the rest. (Gao & Zhou, "On
    the consistency of AUC pairwise optimization", IJCAI 2015.) Figure: the area under the ROC curve, of more
    than two classes the plain mean of each against the rest; NaN where one of the classes is missing. Of
    decisions it is the area with their probabilities as scores."""

    name: ClassVar[str] = "auc"
    figure_name: ClassVar[str] = "roc_auc"
    higher_is_better: ClassVar[bool] = True

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> PairwiseLoss:
        present = y.unique().tolist()
        if len(present) < 2:
            raise SalutaryError(f"objective={self.name} needs rows of two classes among the validation rows")
        return PairwiseLoss(X, y, (1,) if n_classes == 2 else tuple(present))

    def figure(self, P: Numbers, y: Numbers, groups: Numbers | None = None) -> float:
        """See :meth:`Criterion.figure`; of the probabilities P (n, C), from which nothing is decided."""
        P = torch.as_tensor(P)
        return super().figure(P, y, groups) if P.ndim == 1 else self.expected_figure(P, y, groups)

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        C = D.shape[1]
        areas = [area_under_roc(D[:, c], y == c) for c in range(C) if C > 2 or c == 1]
        return torch.stack(areas).mean()


@dataclass(frozen=True)
class PairwiseLoss(OfLogits):
    """The objective on rows X (n, d) of class numbers y (n,), each of ``classes`` against the rest.

    Its rows are Hajek's projection of a two-sample U-statistic: with P rows of the class, N others and h the
    mean of a pair's term over a row's partners, F + n/P (h_i - F) for row i of the class, F + n/N (h_j - F)
    for another (van der Vaart, "Asymptotic statistics", ch. 12).
    """

    X: Tensor
    y: Tensor
    classes: tuple[int, ...]

    @cached_property
    def _split(self) -> list[tuple[int, Tensor, Tensor]]:
        """Each class, the positions of its rows, and of the others."""
        return [(c, (self.y == c).nonzero()[:, 0], (self.y != c).nonzero()[:, 0]) for c in self.classes]

    def value_at(self, Z: Tensor) -> Tensor:
        values = [self._value_of_class(log_odds(Z, c), positive, rest) for c, positive, rest in self._split]
        return torch.stack(values).mean(0)

    def _value_of_class(self, s: Tensor, positive: Tensor, rest: Tensor) -> Tensor:
        s, others = s[..., positive], s[..., rest]
        size = max(1, PAIRS // others.numel())
        total = [softplus(others[..., None, :] - of[..., :, None]).mean(-1) for of in s.split(size, -1)]
        return torch.cat(total, -1).mean(-1)

    def residuals_at(self, Z: Tensor) -> Tensor:
        return self.sums_at(Z, torch.ones_like(Z[:, :1]))[0]

    def row_values_at(self, Z: Tensor) -> Tensor:
        total = Z.new_zeros(len(Z))
        for c, positive, rest in self._split:
            n, losses = len(Z), Z.new_zeros(len(Z))
            for rows, gap in _gaps(log_odds(Z, c), positive, rest):
                losses[rows] = softplus(-gap).mean(1)
                losses[rest] += softplus(-gap).sum(0) / len(positive)
            F = losses[positive].mean()
            total += F
            for each in (positive, rest):
                total[each] += n / len(each) * (losses[each] - F)
        return total / len(self._split)

    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        total = Z.new_zeros(len(Z), Z.shape[1] * n_columns)
        identity = torch.diag(torch.ones_like(Z[:, 0]))
        for c, positive, rest in self._split:
            mixing = self._mixed(log_odds(Z, c), positive, rest, identity)
            total.addmm_(mixing.T, outer(slope_of_log_odds(Z, c), self.X, n_columns))
        return total / len(self._split)

    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        total = Z.new_zeros(coefficients.shape[1], *Z.shape)
        for c, positive, rest in self._split:
            mixed = self._mixed(log_odds(Z, c), positive, rest, coefficients)
            total += mixed.T[:, :, None] * slope_of_log_odds(Z, c)
        return total / len(self._split)

    def _mixed(self, s: Tensor, positive: Tensor, rest: Tensor, coefficients: Tensor) -> Tensor:
        """Sums of one class's row gradients with ``coefficients`` (n, r), as multiples of ds_i/dW: (n, r).

        A row gradient is a sum over pairs, so that the pair (i, j) gets a_i / N + a_j / P + k / (P N) of its
        own gradient, which is sigmoid(s_j - s_i) (ds_j/dW - ds_i/dW).
        """
        n, P, N = len(s), len(positive), len(rest)
        a, b = n / P * coefficients[positive], n / N * coefficients[rest]
        k = coefficients.sum(0) - a.sum(0) - b.sum(0)
        mixed, start = torch.zeros_like(coefficients), 0
        for rows, gap in _gaps(s, positive, rest):
            own, start = (a[start : start + len(rows)] + k / P) / N, start + len(rows)
            slope = torch.sigmoid(-gap)
            mixed[rows] = -own * slope.sum(1, keepdim=True) - slope @ b / P
            mixed[rest] += slope.T @ own + slope.sum(0)[:, None] * b / P
        return mixed

    def curvature(self, W: Tensor) -> Tensor:
        Z, D = self.logits(W), W.shape[1]
        residual, total = torch.ones_like(Z[:, :1]), W.new_zeros(W.numel(), W.numel(), dtype=torch.float64)
        for c, positive, rest in self._split:
            s = log_odds(Z, c)
            through = self._mixed(s, positive, rest, residual / len(Z))
            total += summed_curvature(self.X, through[:, :, None] * bend_of_log_odds(Z, c), D)
            T = outer(slope_of_log_odds(Z, c), self.X, D)
            for rows, gap in _gaps(s, positive, rest):
                bend = torch.sigmoid(gap) * torch.sigmoid(-gap) / (len(positive) * len(rest))
                cross = T[rows].T @ bend @ T[rest]
                total += (T[rows].T * bend.sum(1)) @ T[rows] + (T[rest].T * bend.sum(0)) @ T[rest]
                total -= cross + cross.T
        return total / len(self._split)


def _gaps(s: Tensor, positive: Tensor, rest: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """s_i - s_j of some rows of the class, whose positions come first, and all others."""
    for rows in positive.split(max(1, PAIRS // len(rest))):
        yield rows, s[rows][:, None] - s[rest]
