"""The optimum of J, by Newton's method.

Each step solves H S = G by conjugate gradients, preconditioned by the average block of a class or by the
diagonal, and no more exactly than the step deserves (Dembo, Eisenstat & Steihaug, 1982). Once a step has cost
as much as a Cholesky factor of H, that is made, if memory allows, and preconditions this step and the next
ones, until one costs as much again. So no problem takes much more than twice the cheaper way, and the scale
of columns hardly matters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine.solvers import Factor, is_dense, iterate, iterations_of_a_factor
from salutary.engine.summed_loss import Array, Iterate, SummedLoss

# A step of this length or less says that its direction was a poor one; the next is solved to EXACT.
SHORT = 0.2
EXACT = 1e-3
# Steps that neither halve the gradient nor lower J by this share do not get on. After so many in a row what
# is left of a small gradient is rounding, and after so many others there is no hope.
MOVES = 1e-8
ROUNDED, HOPELESS = 3, 20
# By rounding, J may seem to rise by this share of it.
ROUNDING = 1e-14


@dataclass(frozen=True)
class Minimum:
    """Where the minimisation ended: ``W`` (K, D).

    ``gradient_norm``: of J at W, and ``scale``: at W = 0.
    """

    W: Tensor
    gradient_norm: float
    scale: float


def minimise(
    loss: SummedLoss, penalty: Tensor, start: Tensor | None = None, tol: float = 1e-10, max_iter: int = 100
) -> Minimum:
    """Minimise J, the loss plus 1/2 sum(penalty * W^2), from ``start`` (K, D), by default 0.

    ``penalty`` (K, D): the same for all features where there are more of them than rows, else ValueError.
    Ends when the gradient is ``tol`` of that at W = 0, and ``tol`` times the penalty as long as that pays,
    since an error in the gradient is one of 1 / penalty in W; and when what is left of J above its minimum
    is ``tol``^2 of J. ``max_iter``: steps allowed.
    """
    with np.errstate(invalid="ignore", over="ignore"):  # a gradient that is no number is what tells
        return _Descent(loss, loss.rotated(penalty), tol).run(start, max_iter)


class _Descent:
    """Newton's method on one loss with one ``penalty`` (K, D)."""

    def __init__(self, loss: SummedLoss, penalty: Tensor, tol: float):
        self.loss, self.tol = loss, tol
        self.penalty, self.penalty_tensor = loss.array(penalty), penalty
        self.may_have_factor = is_dense("factor", penalty.numel())
        self.weakest = float(penalty[:, 0].min()) if penalty.numel() else 1.0
        self.patience = iterations_of_a_factor(*loss.shape)
        n, K, D = loss.shape
        self.averaged = n * D * D + D**3 + 6e5 <= 12 * (4 * n * K * D + 20 * n * K + 1.2e5)
        self.factor: Factor | None = None
        self.in_trouble = False
        self.shift_free = loss.intercept and loss.n_outputs > 1 and not penalty[:, -1].any()

    def run(self, start: Tensor | None, max_iter: int) -> Minimum:
        loss = self.loss
        at = loss.at(self.penalty * 0, self.penalty)
        G = self.gradient(at)
        scale = max(_norm(G), 1e-30)
        if start is not None:
            near = loss.at(loss.array(loss.inwards(start)), self.penalty)
            if near.value < at.value:
                at, G = near, self.gradient(near)
        norm, excess, stalled = _norm(G), float("inf"), 0
        for _ in range(max_iter):
            small = norm <= self.tol * scale
            at_rounding = norm <= self.tol * self.weakest * scale or stalled >= ROUNDED
            if (small and at_rounding and excess <= self.tol**2) or stalled >= HOPELESS:
                break
            tolerance = min(EXACT if self.in_trouble else 0.5, (norm / scale) ** 0.5)
            S = self.direction(at, G, tolerance)
            slope = _dot(G, S)
            following = self.step(at, S, slope)
            if following is at:
                break
            at, before, previous = following, at.value, norm
            # Of a quadratic an inexact step leaves so much.
            excess = tolerance**2 * slope / max(abs(at.value), 1e-300)
            G = self.gradient(at)
            norm = _norm(G)
            moves = norm <= previous / 2 or before - at.value > MOVES * abs(before)
            stalled = 0 if moves else stalled + 1
        return Minimum(loss.outwards(torch.as_tensor(at.W)), norm, scale)

    def gradient(self, at: Iterate) -> Array:
        return self.loss.adjoint(at.R) + self.penalty * at.W

    def direction(self, at: Iterate, G: Array, tolerance: float) -> Array:
        """H^-1 G, about."""

        def product(V: Array) -> Array:
            return self.loss.curvature(at.P, V) + self.penalty * V

        patience, S, found = self.factor.patience if self.factor else self.patience, None, False
        if not self.in_trouble:
            S, found = iterate(product, G, self.precondition(at), tolerance, patience)
        if not found and self.may_have_factor:
            self.factor = self.loss.factor(at.W, self.penalty_tensor) or self.factor
            patience = self.factor.patience if self.factor else self.patience
            S, _ = iterate(product, G, self.precondition(at), tolerance, patience, S)
        return S

    def precondition(self, at: Iterate) -> Callable[[Array], Array]:
        """Product with the inverse of a matrix near H."""
        if self.factor:
            factor = self.factor
            return lambda R: self.balanced(factor.solve(R))
        if self.averaged:
            inverse = self.loss.averaged_inverse(at.P, self.penalty)
            return lambda R: self.balanced(R @ inverse)
        diagonal = self.loss.diagonal(at.P) + self.penalty
        diagonal = self.loss.xp.where(diagonal > 0, diagonal, 1.0)
        return lambda R: self.balanced(R / diagonal)

    def balanced(self, V: Array) -> Array:
        """V without what changes no prediction and has no curvature: one constant added to all intercepts."""
        if self.shift_free:
            V[:, -1] -= V[:, -1].mean()
        return V

    def step(self, at: Iterate, S: Array, slope: float) -> Iterate:
        """The step -S, halved until the objective falls; ``at`` where no length of it does.

        After one that had to be short the next direction is exact, with a factor of its own.
        """
        t = 1.0
        while t > 1e-8:
            candidate = self.loss.at(at.W - t * S, self.penalty)
            if candidate.value <= at.value - 1e-4 * t * slope + ROUNDING * abs(at.value):
                self.in_trouble = t < SHORT and self.may_have_factor
                return candidate
            t /= 2
        return at


def _dot(A: Array, B: Array) -> float:
    return float(A.reshape(-1) @ B.reshape(-1))


def _norm(A: Array) -> float:
    return _dot(A, A) ** 0.5
