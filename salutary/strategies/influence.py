"""What the strategies of the influence family share."""

from __future__ import annotations

from torch import Tensor

from salutary.engine import Optimum
from salutary.engine.refit import refitted_fall
from salutary.errors import SalutaryError
from salutary.models import ConvexModel
from salutary.strategies import PoolView, Strategy
from salutary.system import moved
from salutary.system.rules import Choice


class InfluenceStrategy(Strategy[ConvexModel]):
    """Base of the strategies that score by influence.

    ``hessian``: ``labeled`` (the paper's equation) or ``pool`` (the authors' code).
    ``solver``: ``auto``, ``cholesky`` or ``cg``, see :func:`salutary.engine.solve`.
    """

    needs_convex = True
    RULES = {
        "hessian": Choice("labeled", "pool"),
        "solver": Choice("auto") | Choice("cholesky") | Choice("cg"),
    }

    def __init__(self, hessian: str = "labeled", solver: str = "auto"):
        self.hessian = hessian
        self.solver = solver

    def influence(self, model: ConvexModel, view: PoolView, X: Tensor) -> Tensor:
        """Influence of adding each row of ``X`` (n, d) with each label, (n, C)."""
        return self.optimum(model, view).influence(X, self.solver)

    def direction(self, model: ConvexModel, view: PoolView) -> Tensor:
        """S = H^-1 g_V, (K, D), from which all influences follow."""
        return self.optimum(model, view).direction(self.solver)

    def optimum(self, model: ConvexModel, view: PoolView) -> Optimum:
        """What an influence is made of, with the Hessian that ``hessian`` says."""
        return optimum_of(model, view, self.hessian)


def optimum_of(model: ConvexModel, view: PoolView, hessian: str = "labeled") -> Optimum:
    """The model at its optimum, the rows of its Hessian, and the view's objective.

    ``hessian``: ``labeled``, the set that the model was fitted to, or ``pool``.
    """
    if hessian == "pool":
        return Optimum(model.coef_, model.penalty_, view.pool, view.objective)
    weights = view.weights
    return Optimum(model.coef_, model.penalty_, view.labeled, view.objective, view.labels, weights)


def influence_rows(view: PoolView, X_hessian: Tensor) -> dict[str, Tensor]:
    """What was spread into ``engine.validation_direction``, instead of :func:`optimum_of`."""
    moved.tell(f"{__name__}.influence_rows", f"{__name__}.optimum_of")
    return {
        "X_hessian": X_hessian,
        "X_validation": view.validation,
        "y_validation": view.validation_labels,
    }


def real_fall(model: ConvexModel, view: PoolView, X: Tensor, y: Tensor) -> Tensor:
    """Fall of the view's objective by a refit with each row of X (m, d), labels y (m,), alone: (m,).

    Raises SalutaryError where labelled rows have distributions.
    """
    if view.soft_labels is not None:
        raise SalutaryError("strategy.rerank refits classes only, and labelled rows have distributions")
    return refitted_fall(optimum_of(model, view), X, y)
