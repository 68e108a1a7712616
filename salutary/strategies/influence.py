"""What the strategies of the influence family share."""

from __future__ import annotations

from torch import Tensor

from salutary.engine import SOLVERS, score_labels, validation_direction
from salutary.engine.refit import refitted_fall
from salutary.errors import SalutaryError
from salutary.strategies import PoolView, Strategy


class InfluenceStrategy(Strategy):
    """Base of the strategies that score by influence.

    ``hessian``: ``labeled`` (the paper's equation) or ``pool`` (the authors' code).
    ``solver``: ``auto``, ``cholesky`` or ``cg``, see :func:`salutary.engine.solve`.
    """

    needs_convex = True
    solvers = SOLVERS

    def __init__(self, hessian: str = "labeled", solver: str = "auto"):
        self.hessian = hessian
        self.solver = solver

    def check(self, model) -> None:
        super().check(model)
        for name, known in {"hessian": ("labeled", "pool"), "solver": self.solvers}.items():
            value = getattr(self, name)
            if value not in known:
                raise SalutaryError(f"strategy.{name} must be {' or '.join(known)}, not {value!r}")

    def influence(self, model, view: PoolView, X: Tensor) -> Tensor:
        """Influence of adding each row of ``X`` (n, d) with each label, (n, C)."""
        return score_labels(model.coef_, self.direction(model, view), X)

    def direction(self, model, view: PoolView) -> Tensor:
        """S = H^-1 g_V, (K, D), from which all influences follow."""
        return validation_direction(model.coef_, model.penalty_, **self.rows(view), solver=self.solver)

    def rows(self, view: PoolView) -> dict[str, Tensor]:
        """The rows that an influence is made of, as the functions of ``salutary.engine`` take them."""
        return influence_rows(view, view.pool if self.hessian == "pool" else view.labeled)


def influence_rows(view: PoolView, X_hessian: Tensor) -> dict[str, Tensor]:
    """Keyword arguments: the rows of the Hessian, and the validation set."""
    return {
        "X_hessian": X_hessian,
        "X_validation": view.validation,
        "y_validation": view.validation_labels,
    }


def real_fall(model, view: PoolView, X: Tensor, y: Tensor) -> Tensor:
    """Fall of the mean validation loss by a refit with each row of X (m, d), labels y (m,), alone: (m,)."""
    return refitted_fall(
        model.coef_,
        model.penalty_,
        X=view.labeled,
        y=view.labels,
        X_new=X,
        y_new=y,
        X_validation=view.validation,
        y_validation=view.validation_labels,
    )
