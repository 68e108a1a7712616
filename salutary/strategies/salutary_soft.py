"""Labels by the influence of many pool points together: ours, beyond the paper."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from salutary.engine import OfLogits
from salutary.engine.objectives import objective_on
from salutary.engine.soft_labels import POOL_ROWS, RHOS, SoftLabels, SoftStep, held_out_values
from salutary.errors import SalutaryError
from salutary.models import ConvexModel
from salutary.strategies import PoolView, Proposal, Strategy
from salutary.system.rules import Number, Whole
from salutary.tables.groups import strata

Folds = list[tuple[np.ndarray, np.ndarray]]


class SalutarySoft(Strategy[ConvexModel]):
    """The points whose soft labels promise most, each with its label distribution; no human.

    Each round, a sample of the pool joins the labelled rows with label distributions q on a path
    (:mod:`salutary.engine.soft_labels`): all of them at once, so that a label is wanted given the others'.
    What is held out in folds of the validation rows says how far to go. Of what comes of it the round takes
    the points of the highest

        sum over c of (q_c - p_c) I(x, c),

    p and I being the prediction and the influence at the labelled rows' model. They join the labelled rows
    with their q: the model is fitted to the distributions, and the next round's path starts from it. (What
    one path over the whole sample makes are the remedies ``salutary_soft_early`` and its like.) Their
    ``influence`` is that sum times their weight: what they change, beyond labels as predicted.

    ``weight``: of the sample on the path, all its rows together, relative to all labelled rows together.
    ``point_weight``: of each point that a round adds, where a row that was labelled from the start weighs 1.
    ``pool_rows``: the size of the sample at most, and at least a round's budget. ``folds``: of the validation
    rows; with 0, and where these do not determine the objective, the path is gone to its last step but one.
    """

    is_baseline = False
    needs_convex = True
    labels_alone = True
    gives_distributions = True
    RULES = {
        **dict.fromkeys(("weight", "point_weight"), Number(0, 1e6, excluded=True)),
        "pool_rows": Whole(1),
        "folds": Whole(0),
    }

    def __init__(
        self,
        weight: float = 1.0,
        pool_rows: int = POOL_ROWS,
        folds: int = 5,
        point_weight: float = 1.0,
    ):
        self.weight = weight
        self.point_weight = point_weight
        self.pool_rows = pool_rows
        self.folds = folds

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        rows = np.sort(rng.permutation(len(view.pool))[: self.n_sampled(budget)])
        validation = _Validation.of(view)
        q_labeled, weights = _labels(view)
        labels = SoftLabels(
            view.labeled.double().numpy(force=True),
            q_labeled,
            view.pool[rows].double().numpy(force=True),
            model.penalty_.numpy(force=True),
            validation.objective(),
            self.weight,
            weights,
        )
        q = self._chosen(labels, validation, rng).q
        promise = ((q - labels.start.q) * labels.influence(labels.start)).sum(1)
        best = np.argsort(-promise, kind="stable")[:budget]
        indices, q_best, influence = (torch.from_numpy(each[best]) for each in (rows, q, promise))
        weight = float(self.point_weight)
        return Proposal(indices, influence=weight * influence, distributions=q_best, weight=weight)

    def n_sampled(self, budget: int) -> int:
        return max(self.pool_rows, budget)

    def _chosen(self, labels: SoftLabels, validation: _Validation, rng: np.random.Generator) -> SoftStep:
        """The step, after the start, of the least objective of held-out rows."""
        path = labels.path(RHOS)

        def path_of(seen: np.ndarray) -> list[np.ndarray]:
            return [step.W for step in replace(labels, objective=validation.objective(seen)).path(RHOS)[1:]]

        try:
            folds = validation.folds(self.folds, rng)
            values = held_out_values(path_of, folds, validation.objective()) if folds else None
        except SalutaryError:  # a fold lacks what the objective is of, such as a group
            values = None
        return path[-2] if values is None else path[1 + int(values.argmin())]


def _labels(view: PoolView) -> tuple[np.ndarray, np.ndarray | None]:
    """Distributions (l, C) and weights (l,) of the labelled rows."""
    if view.soft_labels is None or view.weights is None:
        return np.eye(view.n_classes)[view.labels.numpy(force=True)], None
    weights = view.weights.numpy(force=True)
    return view.soft_labels.numpy(force=True) / weights[:, None], weights


@dataclass(frozen=True)
class _Validation:
    """The validation rows of a view, in float64 on the CPU."""

    view: PoolView

    @classmethod
    def of(cls, view: PoolView) -> _Validation:
        groups = view.validation_groups
        moved = replace(
            view,
            validation=view.validation.double().cpu(),
            validation_labels=view.validation_labels.cpu(),
            validation_groups=None if groups is None else groups.cpu(),
        )
        return cls(moved)

    def objective(self, seen: np.ndarray | slice = slice(None)) -> OfLogits:
        """Measured on these rows. Raises SalutaryError where they do not determine it."""
        view, groups = self.view, self.view.validation_groups
        of = view.validation[seen], view.validation_labels[seen], None if groups is None else groups[seen]
        return objective_on(view.criterion, *of, view.n_classes)

    def folds(self, n: int, rng: np.random.Generator) -> Folds:
        """Rows that are seen and rows held out, ``n`` times, alike in classes and groups; none of less than
        two rows each.
        """
        y, groups = self.view.validation_labels.numpy(), self.view.validation_groups
        if n < 2 or len(y) < 2 * n:
            return []
        kinds = strata(y, None if groups is None else groups.numpy())
        order = rng.permutation(len(y))
        fold = np.empty(len(y), int)
        fold[order[np.argsort(kinds[order], kind="stable")]] = np.arange(len(y)) % n
        return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(n)]
