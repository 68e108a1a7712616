"""How sure an influence is: its standard error over the validation points.

The influence is a mean over the n_V validation points of g_v . H^-1 . grad loss(x, c), g_v the gradient of
one point's loss. Another validation set of the same kind would give another mean, off by about

    se(x, c)^2 = grad loss(x, c)^T H^-1 Cov_V(g_v) H^-1 grad loss(x, c) / n_V = r^T Q(x) r / n_V,

with r = p - e_c and the K x K matrix Q(x) = (I_K (x) x)^T M (I_K (x) x), M = H^-1 Cov_V H^-1. So one D x D
matrix serves all points and labels of two classes, C^2 of them those of C; the influences of single
validation points, (n, C, n_V) of them, are never built. Beyond 2,000 parameters M is replaced by a
sketch F^T F of rank ``SKETCH``: F^T = H^-1 G^T Omega with the centred gradients G (n_V, K D) and random signs
Omega (n_V, rank), each row's in a column at random; right in the mean and within about sqrt(2 / rank) of each
se^2 (:class:`salutary.engine.objective.Buckets`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine.block import BlockSolver
from salutary.engine.objective import Buckets
from salutary.engine.objectives.bootstrapped import Bootstrapped
from salutary.engine.optimum import Optimum
from salutary.engine.scores import influence_of_logits
from salutary.engine.softmax import (
    each_block,
    linear,
    linear_of_each,
    product,
    residuals_of_every_label,
    to_probabilities,
    with_ones,
)
from salutary.engine.solvers import is_dense

SKETCH = 64
SKETCH_RTOL = 1e-2  # far below the error of the sketch itself: it moves standard errors by less than 1%


@dataclass(frozen=True)
class ConfidentInfluence:
    """Influences at the parameters ``W`` (K, D) with their standard errors.

    ``S`` (K, D): H^-1 g_V. ``n_validation``: n_V. ``M`` (K, D, K, D), or its factor ``F`` (rank, K, D).
    """

    W: Tensor
    S: Tensor
    n_validation: int
    M: Tensor | None = None
    F: Tensor | None = None

    @classmethod
    def at(cls, optimum: Optimum, rng: np.random.Generator) -> Self:
        """For an optimum of J; ``rng`` is drawn from only for a sketch, or for a bootstrap of an objective
        that small sets of rows determine (:mod:`salutary.engine.objectives.bootstrapped`).
        """
        objective = Bootstrapped.where_needed(optimum.objective, rng)
        W, n = optimum.W, len(objective)
        if not is_dense("standard_error", W.numel()):
            g, columns = objective.sketch(W, Buckets.draw(n, SKETCH, rng, W.device))
            solver = BlockSolver(optimum.hessian)
            return cls(W, solver.solve(g[None])[0], n, F=solver.solve(columns, SKETCH_RTOL))
        if n < W.numel():  # fewer points than parameters: F = H^-1 G^T / sqrt(n - 1) is M's factor itself
            G = objective.row_gradients(W)
            g = G.mean(0)
            solved = torch.cholesky_solve(torch.cat([g[None], G - g]).T, optimum.factor)
            F = solved[:, 1:].T.reshape(n, *W.shape) / (n - 1) ** 0.5
            return cls(W, solved[:, 0].reshape(W.shape), n, F=F)
        g, covariance = objective.moments(W)
        inverse = torch.cholesky_inverse(optimum.factor)
        M = inverse @ covariance @ inverse
        return cls(W, (inverse @ g).reshape(W.shape), n, M=M.reshape(*W.shape, *W.shape))

    def score(self, X: Tensor) -> tuple[Tensor, Tensor]:
        """I(x, c) and se(x, c) of each row of X (n, d) with each label, both (n, C)."""
        K = len(self.W)
        influence, error = X.new_empty(2, len(X), max(K, 2))
        WS = torch.cat([self.W, self.S])

        def of_block(rows: slice) -> None:
            x = X[rows].double()
            Z = linear(x, WS)
            P, Q = to_probabilities(Z[:, :K]), self._spread(x)
            if K == 1:
                variance = P.flip(1) ** 2 * Q[:, 0]
            else:
                R = residuals_of_every_label(P)
                variance = torch.einsum("mck,mkj,mcj->mc", R, Q, R)
            influence[rows] = influence_of_logits(P, Z[:, K:])
            error[rows] = (variance.clamp(min=0) / self.n_validation).sqrt()

        for _ in each_block(X, 2 * K * K * self.W.shape[1], of_block):
            pass
        return influence, error

    def _spread(self, X: Tensor) -> Tensor:
        """Q(x) of each row, (n, K, K)."""
        if self.F is not None:
            Y = linear_of_each(X, self.F.transpose(0, 1)).transpose(0, 1)
            return Y @ Y.transpose(1, 2)
        assert self.M is not None
        K, D = self.W.shape
        X = with_ones(X, D)
        XM = product(X, self.M.transpose(0, 1).reshape(D, -1)).reshape(len(X), K, K, D)
        return (XM @ X[:, None, :, None])[..., 0]
