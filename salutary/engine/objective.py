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
    each_block,
    gradient,
    linear,
    linear_adjoint,
    linear_of_each,
    loss,
    loss_of_logits,
    probabilities,
    product,
    residuals,
    to_probabilities,
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

    def sketch(self, W: Tensor, buckets: Buckets) -> tuple[Tensor, Tensor]:
        """Mean (K, D) of :meth:`row_gradients`, and a sketch z_k (rank, K, D) of their covariance.

        It is G^T Omega / sqrt(n - 1), with the centred gradients G and Omega of ``buckets``: the sum of
        z_k z_k^T is the covariance in the mean.
        """
        G = self.row_gradients(W)
        mean = G.mean(0)
        z = (buckets.signs[:, :, None] * (G - mean)[buckets.rows]).sum(1) / (len(G) - 1) ** 0.5
        return mean.reshape(W.shape), z.reshape(-1, *W.shape)


@dataclass(frozen=True)
class Buckets:
    """Omega (n, rank): one random sign for each of n rows, in a random column, each holding as many rows.

    ||Omega^T v||^2 is ||v||^2 in the mean, with the variance that a sign in every place would give it, at
    most 2 ||v||^4 / rank, and G^T Omega costs no more than one sum over the rows. (Charikar, Chen &
    Farach-Colton, "Finding frequent items in data streams", 2004.)

    ``rows`` (rank, m): those of each column; ``signs`` (rank, m): theirs, 0 where a column is filled up.
    """

    rows: Tensor
    signs: Tensor

    @classmethod
    def draw(cls, n: int, rank: int, rng: np.random.Generator, device: torch.device) -> Buckets:
        m = -(-n // rank)
        rows, signs = np.zeros(m * rank, np.int64), np.zeros(m * rank)
        rows[:n], signs[:n] = rng.permutation(n), rng.choice([-1.0, 1.0], n)
        columns = (each.reshape(m, rank).T.copy() for each in (rows, signs))
        return cls(*(torch.as_tensor(each, device=device) for each in columns))


class OfLogits(Objective):
    """A number of the logits Z (n, K) that the rows ``X`` (n, d) get, and of nothing else of the model.

    Such a one can also be taken at other logits than those of W: of models fitted without each row, or the
    log-probabilities of any classifier. Logits are float64, whatever the rows are.

    :meth:`row_gradients` are those of the infinitesimal jackknife, grad F + n d(grad F)/dw_i with a weight
    w_i for each row (Efron & Stein, "The jackknife estimate of variance", Annals of Statistics 1981; Giordano
    et al., "A Swiss army infinitesimal jackknife", AISTATS 2019): where F is no plain mean, the gradient
    depends on the sampled rows through more than their own terms, as that of a squared gap does through the
    gap, and these rows hold it all.
    """

    X: Tensor

    def __len__(self) -> int:
        return len(self.X)

    @abstractmethod
    def value_at(self, Z: Tensor) -> Tensor:
        """F at logits Z (..., n, K): (...,)."""

    @abstractmethod
    def residuals_at(self, Z: Tensor) -> Tensor:
        """n dF/dz_i, (n, K): the mean of their outer products with the rows is the gradient of F."""

    @abstractmethod
    def row_values_at(self, Z: Tensor) -> Tensor:
        """F + n dF/dw_i, (n,): the mean is F, their standard deviation over sqrt(n) its standard error."""

    @abstractmethod
    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        """:meth:`row_gradients` at logits Z (n, K); ``n_columns`` = D is d, or d + 1 for an intercept."""

    @abstractmethod
    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        """Sums of :meth:`row_gradients_at` with ``coefficients`` (n, r), each as residuals: (r, n, K).

        That is, the sum b is the sum over i of [b, i] (x) x_i: nothing of the size of n K D is built.
        """

    def logits(self, W: Tensor) -> Tensor:
        """Those at which everything but falls is taken, (n, K), float64."""
        return linear(self.X, W).double()

    @cached_property
    def _exact(self) -> Tensor:
        """The rows for what is a small difference: falls of the objective."""
        return self.X.double()

    def value(self, W: Tensor) -> Tensor:
        return self.value_at(linear(self._exact, W))

    def values(self, W: Tensor) -> Tensor:
        return self.value_at(linear_of_each(self._exact, W))

    def gradient(self, W: Tensor) -> Tensor:
        R = self.residuals_at(self.logits(W)).to(self.X.dtype)
        return linear_adjoint(self.X, R, W.shape[1]) / len(self)

    def row_gradients(self, W: Tensor) -> Tensor:
        return self.row_gradients_at(self.logits(W), W.shape[1])

    def sketch(self, W: Tensor, buckets: Buckets) -> tuple[Tensor, Tensor]:
        """See :meth:`Objective.sketch`; the gradients of rows are never built."""
        n, (K, D), mean = len(self), W.shape, self.gradient(W)
        signs = buckets.signs.double()
        omega = signs.new_zeros(len(signs), n).scatter_add_(1, buckets.rows, signs)
        R = self.sums_at(self.logits(W), omega.T).to(self.X.dtype)
        sums = linear_adjoint(self.X, R.transpose(0, 1).flatten(1), D).reshape(-1, K, D)
        return mean, (sums - omega.sum(1)[:, None, None] * mean) / (n - 1) ** 0.5


class OfAnother(OfLogits):
    """``objective`` itself, but for what a class of this kind changes of its gradients."""

    objective: OfLogits

    def curvature(self, W: Tensor) -> Tensor:
        return self.objective.curvature(W)

    def value_at(self, Z: Tensor) -> Tensor:
        return self.objective.value_at(Z)

    def residuals_at(self, Z: Tensor) -> Tensor:
        return self.objective.residuals_at(Z)

    def row_values_at(self, Z: Tensor) -> Tensor:
        return self.objective.row_values_at(Z)


class AtLogits(OfAnother):
    """``objective``, with its gradient and its rows' at logits ``Z`` (n, K) that are not those of W.

    Where the rows are also trained on, W's own logits flatter them: here those of models fitted without each
    row are used. Values, falls and the Hessian stay those of W.
    """

    def __init__(self, objective: OfLogits, Z: Tensor):
        self.objective, self.X, self.Z = objective, objective.X, Z.double()

    def logits(self, W: Tensor) -> Tensor:
        return self.Z

    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        return self.objective.row_gradients_at(Z, n_columns)

    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        return self.objective.sums_at(Z, coefficients)


@dataclass(frozen=True)
class MeanLoss(OfLogits):
    """Mean log-loss over the rows X (n, d) with class numbers y (n,), without the penalty."""

    X: Tensor
    y: Tensor

    def value_at(self, Z: Tensor) -> Tensor:
        return loss_of_logits(Z, self.y.expand(Z.shape[:-1])).mean(-1)

    def residuals_at(self, Z: Tensor) -> Tensor:
        return residuals(to_probabilities(Z), self.y, Z.shape[-1])

    def row_values_at(self, Z: Tensor) -> Tensor:
        return loss_of_logits(Z, self.y)

    def row_gradients_at(self, Z: Tensor, n_columns: int) -> Tensor:
        return outer(self.residuals_at(Z), self.X, n_columns)

    def sums_at(self, Z: Tensor, coefficients: Tensor) -> Tensor:
        return coefficients.T[:, :, None] * self.residuals_at(Z)

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

        def of_block(rows: slice) -> tuple[Tensor, Tensor]:
            G = _gradients(self.X[rows], self.y[rows], W)
            return product(G.T, G), G.sum(0)

        for of_products, of_total in each_block(self.X, D if K == 1 else 12 * K * D, of_block):
            products += of_products
            total += of_total
        n = len(self.y)
        return total / n, (products - torch.outer(total, total) / n) / (n - 1)

    def sketch(self, W: Tensor, buckets: Buckets) -> tuple[Tensor, Tensor]:
        """See :meth:`Objective.sketch`; G is never built."""
        X, n = self.X, len(self.y)
        R = residuals(probabilities(X, W), self.y, len(W))
        mean, signs = linear_adjoint(X, R, W.shape[1]) / n, buckets.signs
        signed = R[buckets.rows] * signs[:, :, None].to(R.dtype)
        sums = [
            linear_adjoint(X.index_select(0, rows), r, W.shape[1])
            for rows, r in zip(buckets.rows, signed, strict=True)
        ]
        centred = torch.stack(sums).sub_(signs.sum(1)[:, None, None] * mean)
        return mean, centred / (n - 1) ** 0.5


def _gradients(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Gradient of each point's loss, (n, K D)."""
    return outer(residuals(probabilities(X, W), y, len(W)), X, W.shape[1])


def outer(R: Tensor, X: Tensor, n_columns: int) -> Tensor:
    """Outer product of each row's R (n, K) with its x, and 1 for an intercept: (n, K D), float64."""
    return (R.double()[:, :, None] * with_ones(X, n_columns)[:, None, :]).reshape(len(X), -1)
