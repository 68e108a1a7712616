"""What is to fall: a number that the parameters of a model determine, such as its mean validation loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from salutary.engine.hessian import Hessian
from salutary.engine.softmax import (
    gradient,
    linear_adjoint,
    linear_of_each,
    loss,
    loss_of_logits,
    probabilities,
    product,
    residuals,
    row_blocks,
    with_ones,
)


class Objective(ABC):
    """A number, to be low, of the parameters W (K, D); an influence is its predicted fall.

    Influences need :meth:`gradient`, real falls :meth:`value`, ``second_order`` :meth:`curvature` and
    standard errors :meth:`row_gradients`. The other methods follow from these, and are there to be made
    faster. ``len(objective)``: how many rows it is measured on.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def value(self, W: Tensor) -> Tensor:
        """The number, in float64, a tensor without dimensions."""

    @abstractmethod
    def gradient(self, W: Tensor) -> Tensor:
        """Its gradient, (K, D), float64."""

    @abstractmethod
    def curvature(self, W: Tensor) -> Tensor:
        """Its Hessian, (K D, K D), rows ordered as W.flatten(), float64.

        What it says of adding one constant to all logits, which changes no prediction, does not matter.
        """

    @abstractmethod
    def row_gradients(self, W: Tensor) -> Tensor:
        """What each row contributes, (n, K D), float64: the mean is the gradient, the spread its error."""

    def values(self, W: Tensor) -> Tensor:
        """The numbers of several models, W (m, K, D): (m,)."""
        return torch.stack([self.value(each) for each in W])

    def moments(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """Mean (K D,) and covariance (K D, K D), divided by n - 1, of :meth:`row_gradients`."""
        G = self.row_gradients(W)
        return G.mean(0), torch.cov(G.T).reshape(G.shape[1], -1)

    def sketch(self, W: Tensor, rank: int, rng: np.random.Generator) -> list[Tensor]:
        """Columns z_k (K, D) of G^T Omega / sqrt(rank (n - 1)), with the centred :meth:`row_gradients` G and
        random signs Omega (n, rank): their sum of z z^T is the covariance in the mean."""
        G = self.row_gradients(W)
        signs = torch.as_tensor(rng.choice([-1.0, 1.0], (rank, len(G))), device=G.device)
        scale = (rank * (len(G) - 1)) ** -0.5
        return list((scale * signs @ (G - G.mean(0))).reshape(rank, *W.shape))


@dataclass(frozen=True)
class MeanLoss(Objective):
    """Mean log-loss over the rows X (n, d) with class numbers y (n,), without the penalty."""

    X: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def _exact(self) -> Tensor:
        """The rows for what is a small difference: falls of the loss."""
        return self.X.double()

    def value(self, W: Tensor) -> Tensor:
        return loss(self._exact, self.y, W).mean()

    def values(self, W: Tensor) -> Tensor:
        return loss_of_logits(linear_of_each(self._exact, W), self.y.expand(len(W), -1)).mean(1)

    def gradient(self, W: Tensor) -> Tensor:
        return gradient(self.X, self.y, W) / len(self.y)

    def curvature(self, W: Tensor) -> Tensor:
        return Hessian.at(W, self.X, torch.zeros_like(W)).dense() / len(self.y)

    def row_gradients(self, W: Tensor) -> Tensor:
        return _gradients(self.X, self.y, W)

    def moments(self, W: Tensor) -> tuple[Tensor, Tensor]:
        """See :meth:`Objective.moments`; over blocks of rows."""
        K, D = W.shape
        products = torch.zeros(K * D, K * D, dtype=torch.float64, device=W.device)
        total = torch.zeros(K * D, dtype=torch.float64, device=W.device)
        for rows in row_blocks(self.X, D if K == 1 else 12 * K * D):
            G = _gradients(self.X[rows], self.y[rows], W)
            products += product(G.T, G)
            total += G.sum(0)
        n = len(self.y)
        return total / n, (products - torch.outer(total, total) / n) / (n - 1)

    def sketch(self, W: Tensor, rank: int, rng: np.random.Generator) -> list[Tensor]:
        """See :meth:`Objective.sketch`; G is never built."""
        X, n = self.X, len(self.y)
        R = residuals(probabilities(X, W), self.y, len(W))
        signs = torch.as_tensor(rng.choice([-1.0, 1.0], (rank, n)), dtype=X.dtype, device=X.device)
        signs -= signs.mean(1, keepdim=True)  # centres G
        scale = (rank * (n - 1)) ** -0.5
        return [scale * linear_adjoint(X, R * row[:, None], W.shape[1]) for row in signs]


def _gradients(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Gradient of each point's loss, (n, K D)."""
    R = residuals(probabilities(X, W), y, len(W)).double()
    return (R[:, :, None] * with_ones(X, W.shape[1])[:, None, :]).reshape(len(X), -1)
