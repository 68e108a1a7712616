"""A threshold for each group, by fairlearn: whoever predicts has to know the group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from salutary.remedies import LabelledData, Part, TrainingRows
from salutary.remedies.base_models import Linear, Logistic
from salutary.remedies.decisions import Decider, Told
from salutary.remedies.fair import GapRemedy, as_library, columns_of, criterion_of, known_rows
from salutary.remedies.plain import LabeledAndValidation

CONSTRAINTS = {
    "demographic_parity": "demographic_parity",
    "equal_opportunity": "true_positive_rate_parity",
    "equalized_odds": "equalized_odds",
}


@dataclass(frozen=True)
class GroupThresholds(Decider):
    """The decisions by a linear model, with thresholds of each group, between two of which may be drawn.

    ``thresholds``: fairlearn's, of the groups that it was fitted to, None without any. A row of another
    group, or of none, is decided as the model does.
    """

    model: Linear
    thresholds: Any
    groups: tuple[int, ...]
    positive: int

    def decisions(self, X: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
        D = Told.of_probabilities(self.model.probabilities(X)).D
        rows = np.flatnonzero(np.isin(groups, self.groups)) if groups is not None else np.empty(0, int)
        if groups is not None and len(rows):
            with as_library():
                found = self.thresholds._pmf_predict(X[rows], sensitive_features=groups[rows])[:, 1]
            D[rows] = columns_of(found, self.positive)
        return D


class ThresholdOptimizer(GapRemedy):
    """The model of L + V, decided by thresholds of each group that have no gap in training.

    Hardt, Price & Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016, by
    :class:`fairlearn.postprocessing.ThresholdOptimizer`. Thresholds are chosen on the rows of V, and of L,
    whose group is known. A group of which only one class is there has the model's own threshold.
    """

    name = "threshold_optimizer"
    about = "model of labelled + validation rows, thresholds of each group"
    package = "fairlearn"
    group_in = "in V; in L too where it is known there; of all that is predicted"
    compared_only = "it needs the group of whoever is predicted, and draws decisions at random"

    def rows(self, data: LabelledData) -> TrainingRows:
        return LabeledAndValidation().rows(data)

    def fitted(self, data: LabelledData, rows: TrainingRows) -> GroupThresholds:
        from fairlearn import postprocessing

        criterion, model = criterion_of(data), Logistic().fit(rows, data)
        part = _of_both_classes(known_rows(data.labeled, data.validation))
        if not len(part):
            return GroupThresholds(model, None, (), criterion.number)
        assert part.groups is not None
        found = postprocessing.ThresholdOptimizer(
            estimator=_Scores(model, criterion.number),
            constraints=CONSTRAINTS[criterion.name],
            prefit=True,
            predict_method="predict_proba",
        )
        target = (part.y == criterion.number).astype(int)
        with as_library():
            found.fit(part.X, target, sensitive_features=part.groups)
        return GroupThresholds(model, found, tuple(np.unique(part.groups)), criterion.number)


def _of_both_classes(part: Part) -> Part:
    """The rows of the groups that have rows of more than one class; fairlearn refuses others."""
    assert part.groups is not None
    kept = [group for group in np.unique(part.groups) if len(np.unique(part.y[part.groups == group])) > 1]
    return part[np.isin(part.groups, kept)]


class _Scores(ClassifierMixin, BaseEstimator):
    """A linear model as fairlearn takes it: fitted, the positive class last."""

    def __init__(self, model: Linear, positive: int):
        self.model, self.positive = model, positive

    def fit(self, X: np.ndarray, y: np.ndarray) -> _Scores:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        p = self.model.probabilities(X)[:, self.positive]
        return np.stack([1 - p, p], 1)
