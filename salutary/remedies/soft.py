"""L, and pool rows with label distributions that lower an objective on V."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from salutary.engine.objective import AtLogits, OfLogits
from salutary.engine.objectives import objective_on
from salutary.engine.soft_labels import RHOS, SoftLabels, SoftStep
from salutary.engine.soft_regression import SoftRegression
from salutary.errors import SalutaryError
from salutary.remedies import LabelledData, Remedy, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled, LabeledAndValidation


class SalutarySoft(Remedy):
    """L, or L and V, and a sample of the pool, as heavy as they are, with soft labels by influence.

    V's groups are all that is known of groups.

    ``rho``: how much leaving the prediction of the model without them costs; ``beyond``: whether the labels
    are those that go on where the objective no longer falls on V, see :mod:`salutary.engine.soft_labels`.
    ``with_validation``, and only ``beyond``: V's rows are trained on, too. The objective's gradient is then
    taken at the logits of models without each of them: at those of the model itself V is fitted, and a gap
    looks smaller than it is elsewhere. For criteria other than the mean log-loss: of that, L + V makes more.
    """

    def __init__(self, stage: str, rho: float, beyond: bool = False, with_validation: bool = False):
        self.name = f"salutary_soft_{stage}" + "_and_validation" * with_validation
        self.rho, self.beyond, self.with_validation = rho, beyond, with_validation
        way = "overshooting" if beyond else "by their path"
        trained = "labelled + validation rows" if with_validation else "labelled rows"
        self.about = f"{trained} + pool rows with soft salutary labels, {way}, rho {rho:.2g}"

    def applies(self, data: LabelledData) -> bool:
        return data.criterion is not None and data.pool is not None

    def rows(self, data: LabelledData) -> TrainingRows:
        rows = (LabeledAndValidation() if self.with_validation else Labeled()).rows(data)
        objective = _objective(data)
        if objective is None or data.pool is None or not len(data.pool):
            return rows
        fitted = Logistic().fit(rows, data)
        regression = SoftRegression(rows.X, rows.q, rows.weights, data.intercept)
        penalty = regression.penalty(fitted.l2)
        if self.with_validation:
            objective = left_out_of(regression, fitted.W, penalty, objective, len(data.labeled))
        labels = SoftLabels(rows.X, rows.q, data.pool, penalty, objective)
        joined = labels.regression(self._step(labels).q)
        return replace(rows, X=joined.X, q=joined.q, weights=joined.weights, l2=fitted.l2)

    def _step(self, labels: SoftLabels) -> SoftStep:
        if self.beyond:
            return labels.beyond(self.rho)
        return labels.path([*(rho for rho in RHOS if rho > self.rho), self.rho])[-1]


def soft_remedies() -> list[Remedy]:
    """From little to much: the lower the objective is to be, the later, at the price of the loss."""
    return [
        SalutarySoft("early", RHOS[3]),
        SalutarySoft("middle", 1.0, beyond=True),
        SalutarySoft("late", 0.3, beyond=True),
        SalutarySoft("middle", 1.0, beyond=True, with_validation=True),
        SalutarySoft("late", 0.3, beyond=True, with_validation=True),
    ]


def left_out_of(
    regression: SoftRegression, W: np.ndarray, penalty: np.ndarray, objective: OfLogits, n_labeled: int
) -> AtLogits:
    """The objective of V's rows, which are those after the first ``n_labeled`` of the regression with the
    optimum W, with gradients at the logits that models without each of them give it.
    """
    rows = np.arange(n_labeled, len(regression.X))
    return AtLogits(objective, torch.from_numpy(regression.left_out(W, penalty, rows)))


def _objective(data: LabelledData) -> OfLogits | None:
    """None where V's rows do not say what to aim for, as in a fold that lacks a group."""
    V = data.validation
    groups = None if V.groups is None else torch.from_numpy(V.groups)
    try:
        return objective_on(
            data.criterion, torch.from_numpy(V.X), torch.from_numpy(V.y), groups, data.n_classes
        )
    except SalutaryError:
        return None
