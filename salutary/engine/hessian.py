"""The Hessian of the objective, as an operator and as a matrix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from salutary.engine.curvature import gram, softmax_curvature
from salutary.engine.softmax import (
    each_block,
    linear,
    linear_adjoint,
    probabilities,
    row_blocks,
    with_ones,
)

# Float32 rows up to this many numbers are taken in float64 when a Hessian is made of them.
SMALL = 2**20


@dataclass(frozen=True)
class Hessian:
    """Hessian of J over the points X (n, d), whose class probabilities are P (n, C).

    ``weights`` (n,) >= 0 multiply the points' losses in J; None is one for each.

    ``hessian @ V`` costs O(n d C) and builds nothing; :meth:`dense` costs O(n d^2 C^2). With
    unpenalised intercepts, adding one constant to all of them changes nothing, so the softmax
    Hessian is singular along it and a Cholesky factor "succeeds" with a silently wrong solution.
    Both forms add 1 1^T to the intercept block, which is exact: every right-hand side that occurs
    is orthogonal to that direction. (A small ridge would not be exact.)
    """

    X: Tensor
    P: Tensor
    penalty: Tensor
    weights: Tensor | None = None

    @classmethod
    def at(cls, W: Tensor, X: Tensor, penalty: Tensor, weights: Tensor | None = None) -> Self:
        """The Hessian at the parameters W (K, D).

        A labelled set of float32 rows is taken in float64, since the weaker the penalty, the more a
        rounded Hessian spoils the solution; a pool stays as it is, its own curvature steadies it.
        """
        X = X.double() if X.numel() <= SMALL else X
        return cls(X, probabilities(X, W), penalty, weights)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows n, and K and D of the parameters."""
        return len(self.X), *self.penalty.shape

    @cached_property
    def _free_shift(self) -> Tensor | float:
        """1 if adding one constant to all intercepts changes nothing, else 0."""
        K, D = self.penalty.shape
        if K == 1 or self.X.shape[1] == D:
            return 0.0
        return (self.penalty[:, -1] == 0).all().double()  # not a bool: a device would make the host wait

    @cached_property
    def _predicted(self) -> Tensor:
        return self.P.argmax(1, keepdim=True)

    @cached_property
    def _X_by_column(self) -> Tensor:
        """X; a small one stored by column, which makes each of many products V X^T 1.7 times as fast."""
        return self.X.T.contiguous().T if self.X.numel() <= SMALL else self.X

    def curvature(self, V: Tensor) -> Tensor:
        """Product of the summed loss's Hessian, without the penalty, with V (K, D)."""

        def of_block(rows: slice) -> Tensor:
            P, U = self.P[rows], linear(self._X_by_column[rows], V)
            if len(V) == 1:
                R = P[:, :1] * P[:, 1:] * U
            else:
                # Softmax quantities do not change under a shift of U, and without this one differences
                # between the predicted class and the mean cancel in float32 (error 8e-3, not 6e-7).
                U = U.sub_(U.gather(1, self._predicted[rows]))
                R = U.sub_((P * U).sum(1, keepdim=True)).mul_(P)
            if self.weights is not None:
                R = R * self.weights[rows, None]
            return linear_adjoint(self.X[rows], R, V.shape[1])

        return sum(each_block(self.X, 6 * len(V), of_block), start=torch.zeros_like(V))

    def __matmul__(self, V: Tensor) -> Tensor:
        """Product with V (K, D), shape (K, D)."""
        result = self.curvature(V) + self.penalty * V
        result[:, -1] += self._free_shift * V[:, -1].sum()
        return result

    def diagonal(self) -> Tensor:
        """The diagonal, (K, D)."""
        K, D = self.penalty.shape
        result = self.penalty.double().clone()
        for rows in row_blocks(self.X, self.X.shape[1] + K):
            X, P = self.X[rows], self.P[rows]
            curvature = P[:, :1] * P[:, 1:] if K == 1 else P * (1 - P)
            if self.weights is not None:
                curvature = curvature * self.weights[rows, None]
            result += linear_adjoint(X * X, curvature, D)
        result[:, -1] += self._free_shift
        return result

    def dense(self) -> Tensor:
        """The matrix, (K D, K D), rows ordered as W.flatten()."""
        K, D = self.penalty.shape
        if K == 1:
            H = self._dense_of_two_classes().reshape(1, D, 1, D)
        else:
            H = softmax_curvature(self.X, self.P, D, self.weights)
        H[:, -1, :, -1] += self._free_shift
        H = H.reshape(K * D, K * D)
        H.diagonal().add_(self.penalty.flatten())
        return H

    def _dense_of_two_classes(self) -> Tensor:
        D = self.penalty.shape[1]

        def of_block(rows: slice) -> Tensor:
            curvature = self.P[rows, :1] * self.P[rows, 1:]
            if self.weights is not None:
                curvature *= self.weights[rows, None]
            return gram(with_ones(self.X[rows], D) * curvature.sqrt_())

        zero = torch.zeros(D, D, dtype=torch.float64, device=self.X.device)
        return sum(each_block(self.X, D, of_block), start=zero)
