"""Which sources of labels to take."""

from __future__ import annotations

import numpy as np

from salutary.engine.soft_regression import SoftRegression, cross_entropy
from salutary.remedies import LabelledData, Remedy, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.noise import NoisePerSource
from salutary.remedies.plain import LabeledAndValidation

WEIGHTS = (1, 4, 16)


class ChosenSources(Remedy):
    """V, and the sources of L's labels with which the loss of V's rows, each left out, is least.

    The sources go one after another, the one first that EM finds to be right least often, and V's rows weigh
    1, 4 or 16. Backward selection (Kohavi & John, "Wrappers for feature subset selection", Artificial
    Intelligence 1997), in an order that is known, so that many sources take one fit each.
    """

    name = "chosen_sources"
    about = "the sources that help + validation rows"

    def applies(self, data: LabelledData) -> bool:
        return data.n_sources > 1

    def rows(self, data: LabelledData) -> TrainingRows:
        assert data.sources is not None
        right = NoisePerSource().estimate(data).right(data.sources, data.labeled.y)
        rank = np.argsort(np.argsort(right, kind="stable"))[data.sources]  # 0: the worst source
        l2 = min(Logistic().fit(LabeledAndValidation().rows(data), data).l2, 30.0)
        tried = [
            (_left_out_loss(data, rank >= gone, weight, l2), gone, weight)
            for weight in WEIGHTS
            for gone in range(data.n_sources + 1)
        ]
        _, gone, weight = min(tried)
        return TrainingRows.of(data, use=(rank >= gone).astype(float), validation=weight)


def _left_out_loss(data: LabelledData, keeps: np.ndarray, weight: int, l2: float) -> float:
    """Mean loss of V's rows, each left out, with the rows of L that are kept."""
    rows = TrainingRows.of(data, use=keeps.astype(float), validation=weight)
    regression = SoftRegression(rows.X, rows.q, rows.weights, data.intercept)
    penalty = regression.penalty(l2)
    Z = regression.left_out(regression.fit(penalty), penalty, rows.tuned_on)
    return float(cross_entropy(Z, regression.targets[rows.tuned_on]).mean())
