"""L, and pool rows with label distributions that lower an objective on V."""

from __future__ import annotations

import numpy as np
import torch

from salutary.engine.objectives import objective_on
from salutary.engine.soft_labels import RHOS, SoftLabels, SoftStep
from salutary.engine.soft_regression import SoftRegression
from salutary.errors import SalutaryError
from salutary.remedies import LabelledData, Remedy, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled


class SalutarySoft(Remedy):
    """L and a sample of the pool, together as heavy as L, with soft labels by influence, V choosing them: V's
    rows are not trained on, and V's groups are all that is known of groups.

    ``rho``: how much leaving the prediction of L's model costs; ``beyond``: whether the labels are those that
    go on where the objective no longer falls on V, see :mod:`salutary.engine.soft_labels`. For criteria
    other than the mean log-loss: of that, L + V makes more.
    """

    def __init__(self, stage: str, rho: float, beyond: bool = False):
        self.name = f"salutary_soft_{stage}"
        self.rho, self.beyond = rho, beyond
        way = "overshooting" if beyond else "by their path"
        self.about = f"labelled rows + pool rows with soft salutary labels, {way}, rho {rho:.2g}"

    def applies(self, data: LabelledData) -> bool:
        return data.criterion is not None and data.pool is not None

    def rows(self, data: LabelledData) -> TrainingRows:
        rows = Labeled().rows(data)
        fitted = Logistic().fit(rows, data)
        labels = _labels(data, rows, fitted.l2)
        if labels is None:
            return rows
        joined = labels.regression(self._step(labels).q)
        about = np.arange(len(rows.X)), rows.use, rows.labels
        return TrainingRows(joined.X, joined.q, joined.weights, *about, l2=fitted.l2)

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
    ]


def _labels(data: LabelledData, rows: TrainingRows, l2: float) -> SoftLabels | None:
    """None where V's rows do not say what to aim for, as in a fold that lacks a group, and without a pool."""
    assert data.pool is not None
    V = data.validation
    groups = None if V.groups is None else torch.from_numpy(V.groups)
    try:
        objective = objective_on(
            data.criterion, torch.from_numpy(V.X), torch.from_numpy(V.y), groups, data.n_classes
        )
    except SalutaryError:
        return None
    penalty = SoftRegression(rows.X, rows.q, rows.weights, data.intercept).penalty(l2)
    return SoftLabels(rows.X, rows.q, data.pool, penalty, objective) if len(data.pool) else None
