"""Is the estimate right? Influences of pool points beside what adding them really does."""

from __future__ import annotations

from typing import cast

import torch

from salutary.engine.added_point import AddedPoint
from salutary.engine.solvers import is_dense
from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.studies import Study, initial_state, require_labels
from salutary.models import ConvexModel, Model
from salutary.strategies import Strategy, check_convex
from salutary.strategies.influence import optimum_of, real_fall
from salutary.system import rules
from salutary.system.rules import Whole
from salutary.system.seeding import stream


class AddedPoints(Study):
    """Estimated and real fall of the mean validation loss for ``n`` random pool points with true labels.

    Section 5.3 and figure 3 of the paper. Estimates: ``gradient`` (the influence, eq. (1), Hessian over the
    labelled set), ``pool_hessian`` (the same as the authors' code takes it), ``newton`` and
    ``second_order`` (:mod:`salutary.engine.added_point`), empty for models of too many parameters.
    ``actual``: the model refitted.
    """

    RULES = {"n": Whole(1)}

    def __init__(self, n: int = 300):
        self.n = n

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:
        """Raises SalutaryError for a model that is not convex, or more points than the pool has."""
        rules.check(self, self.RULES, "study.")
        check_convex(self, model)
        require_labels(problem)
        if self.n > len(problem.split.pool):
            raise SalutaryError(f"study.n={self.n} is more than the pool, {len(problem.split.pool)} rows")

    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """One table, ``added_points``."""
        rows = torch.as_tensor(stream(seed, "study").choice(problem.split.pool, self.n, replace=False))
        state, view = initial_state(problem, model)
        fitted = cast(ConvexModel, state)
        X, y = problem.X[rows], problem.y[rows]
        optimum = optimum_of(fitted, view)

        def of_label(falls: torch.Tensor) -> list[float]:
            return falls.gather(1, y[:, None])[:, 0].tolist()

        def added(second_order: bool) -> list[float] | list[None]:
            if not is_dense("estimate", optimum.W.numel()):
                return [None] * len(X)
            return of_label(AddedPoint.at(optimum, second_order).fall(X))

        columns = {
            "sample_id": rows.tolist(),
            "true_label": y.tolist(),
            "actual": real_fall(fitted, view, X, y).tolist(),
            "gradient": of_label(optimum.influence(X)),
            "pool_hessian": of_label(optimum_of(fitted, view, "pool").influence(X)),
            "newton": added(second_order=False),
            "second_order": added(second_order=True),
        }
        values = zip(*columns.values(), strict=True)
        return {"added_points": [dict(zip(columns, row, strict=True)) for row in values]}
