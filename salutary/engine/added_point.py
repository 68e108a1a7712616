"""Estimates that see what an added point does to the Hessian and to the curved validation loss.

The influence is the gradient of the validation loss times the step that one more point causes, the
step taken with the Hessian as it was. Adding x with label c also adds x's own curvature,
A (x) x x^T with A = diag(p) - p p^T, and Newton's step then is, by Woodbury's identity,

    dW = -H^-1 (I_K (x) x) v,      v = (I + A B)^-1 (p - e_c),      B = (I_K (x) x)^T H^-1 (I_K (x) x),

with the K x K leverage B of x. The predicted fall of the objective, mostly the mean validation loss, is

    newton         u.v                        with u = S x, as for the gradient estimate
    second_order   u.v - 1/2 v^T Q v          with Q = (I_K (x) x)^T H^-1 H_V H^-1 (I_K (x) x),

H_V the Hessian of the objective. For two classes all of these are numbers, and

    second_order <= newton <= gradient        for the label whose gradient estimate is positive.

Cook & Weisberg, "Residuals and influence in regression", 1982; Koh et al., "On the accuracy of influence
functions for measuring group effects", NeurIPS 2019 (the newton estimate).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from salutary.engine.optimum import Optimum
from salutary.engine.scores import influence_of_logits
from salutary.engine.softmax import each_block, linear, probabilities, residuals_of_every_label
from salutary.engine.solvers import DENSE, is_dense
from salutary.errors import SalutaryError

ESTIMATES = ("gradient", "newton", "second_order")


@dataclass(frozen=True)
class AddedPoint:
    """The newton and second_order estimates of one model.

    ``W`` (K, D): its parameters. ``S`` (K, D): H^-1 g_V. ``T`` (K, D, K D): basis in which H is the
    identity and H_V diagonal. ``bend`` (K D,): the diagonal of H_V in that basis, None for ``newton``.
    """

    W: Tensor
    S: Tensor
    T: Tensor
    bend: Tensor | None

    @classmethod
    def at(cls, optimum: Optimum, second_order: bool) -> Self:
        """For an optimum of J.

        Raises SalutaryError when there are too many parameters for matrices of their square.
        """
        W = optimum.W
        if not is_dense("estimate", W.numel()):
            raise SalutaryError(
                f"this estimate needs {W.numel()} x {W.numel()} matrices, at most {DENSE['estimate']}"
                " parameters are allowed: use strategy.estimate=gradient, with strategy.rerank if you like"
            )
        factor, S = optimum.factor, optimum.direction("cholesky")
        inverse = torch.linalg.solve_triangular(factor, torch.eye(len(factor)).to(factor), upper=False)
        if not second_order:
            return cls(W, S, inverse.T.reshape(*W.shape, -1), None)
        curvature = optimum.objective.curvature(W)
        bend, rotation = torch.linalg.eigh(inverse @ curvature @ inverse.T)
        return cls(W, S, (inverse.T @ rotation).reshape(*W.shape, -1), bend)

    def fall(self, X: Tensor) -> Tensor:
        """Predicted fall of the objective for each row of X (n, d) and label, (n, C)."""
        K = len(self.W)
        result = X.new_empty(len(X), max(K, 2))

        def of_block(rows: slice) -> None:
            result[rows] = (self._two_classes if K == 1 else self._many_classes)(X[rows].double())

        for _ in each_block(X, (K + 2) * self.W.numel(), of_block):
            pass
        return result

    def best(self, X: Tensor) -> Tensor:
        """The fall of each row of X (n, d) with its best label, (n,)."""
        return self.fall(X).amax(1)

    def _two_classes(self, X: Tensor) -> Tensor:
        P = probabilities(X, self.W)
        squares = linear(X, self.T[0].T).square_().T  # (D, m)
        shrink = 1 / (1 + P[:, 0] * P[:, 1] * squares.sum(0))[:, None]
        fall = influence_of_logits(P, linear(X, self.S)) * shrink
        if self.bend is None:
            return fall
        V = P.flip(1) * shrink
        return fall - 0.5 * V * V * (self.bend @ squares)[:, None]

    def _many_classes(self, X: Tensor) -> Tensor:
        P, U = probabilities(X, self.W), linear(X, self.S)
        # The leverages are B = Y Y^T and Q = Y diag(bend) Y^T.
        Y = torch.stack([linear(X, T.T) for T in self.T], 1)
        A = torch.diag_embed(P) - P[:, :, None] * P[:, None, :]
        AB = A @ (Y @ Y.transpose(1, 2))
        AB.diagonal(dim1=1, dim2=2).add_(1)
        V = torch.linalg.solve(AB, residuals_of_every_label(P).transpose(1, 2))
        fall = (U[:, :, None] * V).sum(1)
        if self.bend is None:
            return fall
        VY = V.transpose(1, 2) @ Y
        return fall - 0.5 * VY.square_() @ self.bend
