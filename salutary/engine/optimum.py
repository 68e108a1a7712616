"""A model at the optimum of its objective, and what is to fall: all that an influence is made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from salutary.engine.block import BlockSolver
from salutary.engine.hessian import Hessian
from salutary.engine.objective import MeanLoss, Objective
from salutary.engine.scores import score_labels
from salutary.engine.solvers import by_factor, cholesky, is_kept, solve, substituted
from salutary.system import moved


@dataclass(frozen=True)
class Optimum:
    """The optimum W of J, the rows that its Hessian is taken over, and the objective whose fall is predicted.

    ``W`` (K, D) must be an optimum of J with this ``penalty`` (K, D). ``X`` (n, d): the points of the
    Hessian, the labelled set (the paper's equation) or the pool (the authors' code). ``objective``: mostly
    the mean validation loss. ``y`` (n,): the labels of X, which only refits need. ``weights`` (n,) >= 0
    multiply the points' losses in J; None is one for each. ``y`` may be the weight of each label (n, C),
    which ``weights`` then is the sum of. Section 4.2 of the paper, eq. (2).
    """

    W: Tensor
    penalty: Tensor
    X: Tensor
    objective: Objective
    y: Tensor | None = None
    weights: Tensor | None = None

    @cached_property
    def hessian(self) -> Hessian:
        """H, the Hessian of J at W."""
        return Hessian.at(self.W, self.X, self.penalty, self.weights)

    @cached_property
    def factor(self) -> Tensor:
        """Lower Cholesky factor of H, (K D, K D). Raises SalutaryError as ``cholesky`` does."""
        return cholesky(self.hessian)

    @cached_property
    def gradient(self) -> Tensor:
        """g_V (K, D), the gradient of the objective at W."""
        return self.objective.gradient(self.W)

    def solve(self, G: Tensor, solver: str = "auto") -> Tensor:
        """H^-1 G (K, D); ``solver`` and errors are those of :func:`salutary.engine.solve`."""
        if by_factor(solver, self.hessian):
            # A factor that is there serves; on a device none in float64 is made for this alone.
            if self.X.device.type == "cpu" or "factor" in self.__dict__:
                return substituted(self.factor, G)
            return solve(self.hessian, G, "cholesky")
        if solver == "auto" and len(self.X) < self.X.shape[1] and not is_kept(self.hessian.X):
            return BlockSolver(self.hessian).solve(G[None])[0]
        return solve(self.hessian, G, solver)

    def direction(self, solver: str = "auto") -> Tensor:
        """S = H^-1 g_V (K, D), from which all influences follow."""
        return self.solve(self.gradient, solver)

    def influence(self, X: Tensor, solver: str = "auto") -> Tensor:
        """Predicted fall of the objective if a row of X (n, d) joins with a label, (n, C). Positive helps."""
        return score_labels(self.W, self.direction(solver), X)


def validation_direction(
    W: Tensor,
    penalty: Tensor,
    *,
    X_hessian: Tensor,
    X_validation: Tensor,
    y_validation: Tensor,
    solver: str = "auto",
) -> Tensor:
    """Old name of :meth:`Optimum.direction`."""
    moved.tell("salutary.engine.validation_direction", "salutary.engine.Optimum.direction")
    return Optimum(W, penalty, X_hessian, MeanLoss(X_validation, y_validation)).direction(solver)


def label_influence(
    W: Tensor,
    penalty: Tensor,
    *,
    X_pool: Tensor,
    X_hessian: Tensor,
    X_validation: Tensor,
    y_validation: Tensor,
    solver: str = "auto",
) -> Tensor:
    """Old name of :meth:`Optimum.influence`."""
    moved.tell("salutary.engine.label_influence", "salutary.engine.Optimum.influence")
    return Optimum(W, penalty, X_hessian, MeanLoss(X_validation, y_validation)).influence(X_pool, solver)
