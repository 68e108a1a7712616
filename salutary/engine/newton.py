"""The optimum of J, by Newton's method.

Each step solves H S = G by conjugate gradients, preconditioned by the average block of a class or by the
diagonal, and no more exactly than the step deserves (Dembo, Eisenstat & Steihaug, 1982). Once a step has cost
as much as a Cholesky factor of H, that is made, if memory allows, and preconditions this step and the next
ones, until one costs as much again. So no problem takes much more than twice the cheaper way, and the scale
of columns hardly matters. On a device the costs are others: few parameters have a factor at each step, the
tensors of few rows stay where they are (:mod:`salutary.engine.kept_system`), and the numbers that a step
decides by are waited for once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine import costs
from salutary.engine.iteration import dot
from salutary.engine.kept_system import System
from salutary.engine.solvers import (
    FEW_ITERATIONS,
    SMALL_FACTOR,
    Factor,
    direct,
    is_dense,
    iterate,
    iterations_of_a_factor,
)
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

    ``gradient_norm``: of J at W, and ``scale``: at W = 0. ``steps``: of Newton's that led there.
    """

    W: Tensor
    gradient_norm: float
    scale: float
    steps: int


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
        self.may_have_factor = is_dense("factor", penalty.numel(), penalty.device)
        self.patience = iterations_of_a_factor(*loss.shape, penalty.device)
        on_device = penalty.device.type != "cpu"
        self.is_small = on_device and penalty.numel() <= SMALL_FACTOR and self.patience <= FEW_ITERATIONS
        self.averaged = _averages(*loss.shape, not on_device, loss.is_kept)
        self.factor: Factor | None = None
        self.in_trouble = False
        self.weakest, self.shift_free = 1.0, False
        if penalty.numel():
            self.weakest, of_intercepts = loss.read(self.penalty[:, 0].min(), abs(self.penalty[:, -1]).max())
            self.shift_free = loss.intercept and loss.n_outputs > 1 and not of_intercepts

    def run(self, start: Tensor | None, max_iter: int) -> Minimum:
        loss = self.loss
        at = loss.at(self.penalty * 0, self.penalty)
        G = self.gradient(at)
        value, square = loss.read(at.value, dot(G, G))
        norm = square**0.5
        scale = max(norm, 1e-30)
        if start is not None:
            near = loss.at(loss.array(loss.inwards(start)), self.penalty)
            near_G = self.gradient(near)
            near_value, square = loss.read(near.value, dot(near_G, near_G))
            if near_value < value:
                at, G, value, norm = near, near_G, near_value, square**0.5
        excess, stalled, steps = float("inf"), 0, 0
        for _ in range(max_iter):
            small = norm <= self.tol * scale
            at_rounding = norm <= self.tol * self.weakest * scale or stalled >= ROUNDED
            if (small and at_rounding and excess <= self.tol**2) or stalled >= HOPELESS:
                break
            tolerance = min(EXACT if self.in_trouble else 0.5, (norm / scale) ** 0.5)
            S = self.direction(at, G, tolerance)
            following = self.step(at, value, S, G)
            if following is None and self.is_small:  # there may have been no factor
                self.is_small = False
                continue
            if following is None:
                break
            before, previous = value, norm
            at, G, value, norm, slope = following
            steps += 1
            # Of a quadratic an inexact step leaves so much.
            excess = tolerance**2 * slope / max(abs(value), 1e-300)
            moves = norm <= previous / 2 or before - value > MOVES * abs(before)
            stalled = 0 if moves else stalled + 1
        return Minimum(loss.outwards(torch.as_tensor(at.W)), norm, scale, steps)

    @property
    def is_by_graph(self) -> bool:
        """Whether tensors that are kept give the directions: cheaply, so that more beat better ones."""
        return self.loss.is_kept and not self.factor

    def gradient(self, at: Iterate) -> Array:
        return self.loss.adjoint(at.R) + self.penalty * at.W

    def direction(self, at: Iterate, G: Array, tolerance: float) -> Array:
        """H^-1 G, about."""
        if self.is_small:
            return self.balanced(direct(self.loss.hessian(at.W, self.penalty_tensor), G))

        def product(V: Array) -> Array:
            return self.loss.curvature(at.P, V) + self.penalty * V

        patience, S, found = self.factor.patience if self.factor else self.patience, None, False
        if self.is_by_graph:
            S, found = self.by_kept_system(at, G, tolerance)
        else:
            S, found = iterate(
                product, G, self.precondition(at), tolerance, patience, captures=not self.factor
            )
        if not found and self.may_have_factor:
            self.factor = self.loss.factor(at.W, self.penalty_tensor) or self.factor
            patience = self.factor.patience if self.factor else self.patience
            S, _ = iterate(
                product, G, self.precondition(at), tolerance, patience, S, captures=not self.factor
            )
        return S

    def precondition(self, at: Iterate) -> Callable[[Array], Array]:
        """Product with the inverse of a matrix near H."""
        if self.factor:
            factor = self.factor
            return lambda R: self.balanced(factor.solve(R))
        if self.averaged:
            inverse = self.loss.averaged_inverse(at.P, self.penalty)
            return lambda R: self.balanced(R @ inverse)
        diagonal = self.diagonal(at)
        return lambda R: self.balanced(R / diagonal)

    def diagonal(self, at: Iterate) -> Array:
        diagonal = self.loss.diagonal(at.P) + self.penalty
        return self.loss.xp.where(diagonal > 0, diagonal, 1.0)

    def by_kept_system(self, at: Iterate, G: Array, tolerance: float) -> tuple[Array, bool]:
        """The same as with :meth:`precondition` in tensors that are kept; H plus 1 1^T for the intercepts."""
        averaged = self.averaged
        inverse = self.loss.averaged_inverse(at.P, self.penalty) if averaged else 1 / self.diagonal(at)
        system = System(self.loss.X, at.P, self.penalty, float(self.shift_free), inverse)
        S, found = system.solve(G, tolerance, self.patience)
        return self.balanced(S), found

    def balanced(self, V: Array) -> Array:
        """V without what changes no prediction and has no curvature: one constant added to all intercepts."""
        if self.shift_free:
            V[:, -1] -= V[:, -1].mean()
        return V

    def step(
        self, at: Iterate, before: float, S: Array, G: Array
    ) -> tuple[Iterate, Array, float, float, float] | None:
        """The step -S, halved until the objective falls from ``before``; None where no length of it does.

        With the gradient there, the objective, the norm of the gradient, and the slope G . S. After a step
        that had to be short the next direction is exact.
        """
        t, slope = 1.0, dot(G, S)
        while t > 1e-8:
            candidate = self.loss.at(at.W - t * S, self.penalty)
            following = self.gradient(candidate)
            numbers = self.loss.read(slope, candidate.value, dot(following, following))
            if np.isnan(numbers[0]):
                return None
            if numbers[1] <= before - 1e-4 * t * numbers[0] + ROUNDING * abs(before):
                self.in_trouble = t < SHORT and self.may_have_factor and not self.is_by_graph
                return candidate, following, numbers[1], numbers[2] ** 0.5, numbers[0]
            t /= 2
        return None


def _averages(n: int, K: int, D: int, on_cpu: bool, is_captured: bool) -> bool:
    """Whether the average block is cheap enough to precondition: some iterations' worth."""
    if on_cpu:
        return n * D * D + D**3 + 6e5 <= 12 * (4 * n * K * D + 20 * n * K + 1.2e5)
    return costs.average_block(n, K, D) <= 12 * costs.iteration(n, K, D, is_captured)
