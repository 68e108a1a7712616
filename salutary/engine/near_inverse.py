"""Products with the inverse of a matrix near the Hessian, of the right shape for many candidates at
once.

The Hessian of few parameters is inverted. That of many, as embeddings make them, is a diagonal and a sum
over rows of F_i F_i^T (x) x_i x_i^T, of which most columns of most F_i are small: a confident row bends
little. With the k columns b that are large against the diagonal D, whatever is left being added to it,
Woodbury's identity has

    (D + B B^T)^-1 = D^-1 - D^-1 B (I + B^T D^-1 B)^-1 B^T D^-1,

two products with the rows and one of k x k. A point that joins with curvature A is one more term of that
kind:

    (M^-1 + A (x) x x^T)^-1 = M - V (I + A B)^-1 A V^T,      V = M (I (x) x),  B = (I (x) x)^T V.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from salutary.engine.block import row_roots
from salutary.engine.hessian import Hessian
from salutary.engine.softmax import linear_adjoint, linear_of_each, product, with_ones

# Product with (m, K, D).
Inverse = Callable[[Tensor], Tensor]
# A column's share of curvature against the diagonal, along its row, below which it only adds to that.
SMALL_SHARE = 0.1
# Columns that are kept at most: of embeddings of 300 rows, 400 to 800 took the least time.
MOST_COLUMNS = 600
# What an intercept without a penalty has of the mean curvature, at least.
LEAST_OF_INTERCEPT = 1e-3


def by_factor(factor: Tensor) -> Inverse:
    """By the lower factor (K D, K D) of the Hessian."""
    inverse = torch.cholesky_inverse(factor)
    return lambda G: product(G.flatten(1), inverse).reshape(G.shape)


class ByRows:
    """By those columns of rows that bend the most; for penalties that are alike for all classes."""

    def __init__(self, hessian: Hessian):
        X, F, penalty = hessian.X.double(), row_roots(hessian), hessian.penalty
        squares = with_ones(X, penalty.shape[1]).square()
        bend = F.square().sum(1)  # (n, K), of each column
        diagonal = penalty.mean(0)
        if hessian.shape[2] > X.shape[1] and diagonal[-1] == 0:
            diagonal[-1] = LEAST_OF_INTERCEPT * bend.mean(1).sum()
        share = bend * product(squares, (1 / diagonal)[:, None])
        order = share.flatten().argsort(descending=True)[:MOST_COLUMNS]
        kept = order[share.flatten()[order] > SMALL_SHARE].sort().values
        self.X, self.row = X, kept // F.shape[2]
        self.F = F.transpose(1, 2).reshape(-1, F.shape[1])[kept]  # (k, K)
        rest = bend.flatten().index_fill(0, kept, 0).reshape(bend.shape).sum(1) / F.shape[1]
        self.scale = 1 / (diagonal + product(rest[None], squares)[0])
        self._factor = torch.linalg.cholesky(self._system())
        if X.device.type == "cpu":
            self._lower = np.asfortranarray(self._factor.numpy())

    def _system(self) -> Tensor:
        """I + B^T D^-1 B, (k, k)."""
        rows, place = self.row.unique(return_inverse=True)
        x = with_ones(self.X[rows], len(self.scale)) * self.scale.sqrt()
        system = product(x, x.T)[place][:, place] * product(self.F, self.F.T)
        system.diagonal().add_(1)
        return system

    def __call__(self, G: Tensor) -> Tensor:
        Y = self.scale * G
        if not len(self.row):
            return Y
        U = linear_of_each(self.X, Y)[:, self.row]
        T = self._solve((U * self.F).sum(2))
        R = G.new_zeros(len(G), len(self.X), G.shape[1])
        R.index_add_(1, self.row, T[:, :, None] * self.F)
        flat = linear_adjoint(self.X, R.transpose(0, 1).flatten(1), G.shape[2])
        return Y - self.scale * flat.reshape(G.shape)

    def _solve(self, T: Tensor) -> Tensor:
        """The system's inverse times each of T (m, k)."""
        if T.device.type != "cpu":
            return torch.cholesky_solve(T.T, self._factor).T
        # torch would bring the factor into LAPACK's order each time, which takes longer than to solve.
        return torch.from_numpy(lapack.dpotrs(self._lower, T.numpy().T, lower=1)[0].T)


@dataclass(frozen=True)
class Points:
    """m points ``x`` (m, d), each by itself, beside ``inverse``: V (m, K, K, D), of its row k being that
    for class k, and B (m, K, K).
    """

    x: Tensor
    V: Tensor
    B: Tensor

    @classmethod
    def of(cls, x: Tensor, inverse: Inverse, K: int, D: int) -> Points:
        different, place = x.unique_consecutive(dim=0, return_inverse=True)
        ones = with_ones(different, D)
        eye = torch.eye(K, dtype=x.dtype, device=x.device)
        V = inverse((eye[None, :, :, None] * ones[:, None, None, :]).flatten(0, 1)).reshape(
            len(ones), K, K, D
        )
        B = (V * ones[:, None, None, :]).sum(3)
        return cls(x, V[place], (B + B.transpose(1, 2))[place] / 2)

    def __getitem__(self, rows: Tensor) -> Points:
        return Points(self.x[rows], self.V[rows], self.B[rows])

    def along(self, S: Tensor) -> Tensor:
        """The sum of V's rows times S (m, K): (m, K, D)."""
        return (S[:, None] @ self.V.flatten(2)).reshape(len(S), *self.V.shape[2:])

    def joined(self, inverse: Inverse, A: Tensor) -> Inverse:
        """With each of the points, of curvature A (m, K, K)."""
        C = torch.linalg.solve(torch.eye(A.shape[1]).to(A) + A @ self.B, A)

        def product(G: Tensor) -> Tensor:
            M = inverse(G)
            return M - self.along((C @ own_logits(self.x, M)[:, :, None])[:, :, 0])

        return product


def own_logits(x: Tensor, V: Tensor) -> Tensor:
    """Of each point of x (m, d) by its own parameters V (m, K, D): (m, K)."""
    d = x.shape[1]
    z = (V[:, :, :d] @ x[:, :, None])[:, :, 0]
    return z + V[:, :, d] if V.shape[2] > d else z
