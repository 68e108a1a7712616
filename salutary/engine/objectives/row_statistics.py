"""What is averaged over rows: a number of each row's logits, with its first two derivatives.

All take logits Z (n, K) in float64; values also take more dimensions before. Both tails are safe: nothing
is a logarithm of a rounded probability.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from salutary.engine.objectives.log_odds import bend_of_log_odds, log_odds, slope_of_log_odds
from salutary.engine.softmax import loss_of_logits, residuals, to_probabilities


class Statistic(ABC):
    """f(z_i) of each row i."""

    @abstractmethod
    def value(self, Z: Tensor) -> Tensor:
        """f, (..., n)."""

    @abstractmethod
    def slope(self, Z: Tensor) -> Tensor:
        """df/dz, (n, K)."""

    @abstractmethod
    def bend(self, Z: Tensor) -> Tensor:
        """d^2 f/dz^2, (n, K, K)."""


@dataclass(frozen=True)
class LogLoss(Statistic):
    """Log-loss of the classes y (n,), times ``weights`` (n,) if there are any."""

    y: Tensor
    weights: Tensor | None = None

    def value(self, Z: Tensor) -> Tensor:
        loss = loss_of_logits(Z, self.y.expand(Z.shape[:-1]))
        return loss if self.weights is None else loss * self.weights

    def slope(self, Z: Tensor) -> Tensor:
        R = residuals(to_probabilities(Z), self.y, Z.shape[-1])
        return R if self.weights is None else R * self.weights[:, None]

    def bend(self, Z: Tensor) -> Tensor:
        B = _covariance(to_probabilities(Z), Z.shape[-1])
        return B if self.weights is None else B * self.weights[:, None, None]


@dataclass(frozen=True)
class Probability(Statistic):
    """Probability of the class number ``c``."""

    c: int

    def value(self, Z: Tensor) -> Tensor:
        return to_probabilities(Z)[..., self.c]

    def slope(self, Z: Tensor) -> Tensor:
        P = to_probabilities(Z)
        if Z.shape[-1] == 1:
            return (2 * self.c - 1) * P[:, :1] * P[:, 1:]
        return _covariance(P, P.shape[1])[:, self.c]

    def bend(self, Z: Tensor) -> Tensor:
        P = to_probabilities(Z)
        if Z.shape[-1] == 1:
            return ((2 * self.c - 1) * P[:, 0] * P[:, 1] * (P[:, 0] - P[:, 1]))[:, None, None]
        to_class = -P.clone()
        to_class[:, self.c] += 1
        spread = to_class[:, :, None] * to_class[:, None, :] - _covariance(P, P.shape[1])
        return P[:, self.c, None, None] * spread


@dataclass(frozen=True)
class ErrorCosts(Statistic):
    """Sum over classes k of M[y, k] times -log(1 - p_k): a surrogate of what a wrong decision costs.

    ``costs`` (n, C): the row of M of each row's class. For two classes it is the log-loss times the cost of
    the one mistake that there is.
    """

    costs: Tensor

    def value(self, Z: Tensor) -> Tensor:
        return sum(
            (self.costs[:, c] * softplus(log_odds(Z, c)) for c in self._classes), start=Z.new_zeros(())
        )

    def slope(self, Z: Tensor) -> Tensor:
        total = torch.zeros_like(Z)
        for c in self._classes:
            rate = self.costs[:, c] * torch.sigmoid(log_odds(Z, c))
            total += rate[:, None] * slope_of_log_odds(Z, c)
        return total

    def bend(self, Z: Tensor) -> Tensor:
        total = Z.new_zeros(*Z.shape, Z.shape[1])
        for c in self._classes:
            s, slope = log_odds(Z, c), slope_of_log_odds(Z, c)
            rate, change = torch.sigmoid(s), torch.sigmoid(s) * torch.sigmoid(-s)
            own = change[:, None, None] * slope[:, :, None] * slope[:, None, :]
            total += self.costs[:, c, None, None] * (own + rate[:, None, None] * bend_of_log_odds(Z, c))
        return total

    @property
    def _classes(self) -> range:
        return range(self.costs.shape[1])


def _covariance(P: Tensor, n_logits: int) -> Tensor:
    """diag(p) - p p^T of each row, (n, K, K); p_0 p_1 for two classes."""
    if n_logits == 1:
        return (P[:, 0] * P[:, 1])[:, None, None]
    B = -P[:, :, None] * P[:, None, :]
    B.diagonal(dim1=1, dim2=2).zero_()
    B.diagonal(dim1=1, dim2=2).sub_(B.sum(2))  # not p (1 - p), which cancels for a confident fit
    return B
