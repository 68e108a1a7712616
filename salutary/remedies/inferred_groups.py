"""Thresholds by groups that are inferred from the features, by OxonFair."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from salutary.engine.soft_regression import of_classes
from salutary.remedies import LabelledData, Part, TrainingRows
from salutary.remedies.base_models import Linear, Logistic
from salutary.remedies.exponentiated_gradient import percent, text
from salutary.remedies.fair import GapRemedy, as_library, criterion_of, has_gap, known_rows
from salutary.remedies.plain import Labeled, LabeledAndValidation

# OxonFair's names of the criteria.
METRICS = {
    "demographic_parity": "demographic_parity",
    "equal_opportunity": "equal_opportunity",
    "equalized_odds": "equalized_odds_max",
}
# Thresholds of each group are tried with each of every other, which more groups than that make too few.
MOST_GROUPS = 5
# A row whose likeliest group is less likely than that is of no group: OxonFair's default.
SURE = 2 / 3
# Thresholds stay so far within (0, 1).
WITHIN = 1e-6


@dataclass(frozen=True)
class InferredThresholds:
    """A linear model whose logits are shifted by the group that another infers.

    ``inferring``: the model of the group. ``thresholds`` (G + 1,): of the positive class's probability, first
    of rows whose group is not sure. Decides for the class ``positive`` above it; probabilities are those of
    the model, their log-odds lowered by the threshold's.
    """

    model: Linear
    inferring: Linear
    thresholds: np.ndarray
    positive: int

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        t = np.clip(self.thresholds[hard(self.inferring.probabilities(X))], WITHIN, 1 - WITHIN)
        sign = 1 if self.positive else -1
        return of_classes(self.model.logits(X) - sign * np.log(t / (1 - t))[:, None])


class InferredGroups(GapRemedy):
    """The model of L, or of L + V, decided by thresholds of groups that a logistic regression of V infers.

    Delaney, Fu, Wachter, Mittelstadt & Russell, "OxonFair: a flexible toolkit for algorithmic fairness",
    NeurIPS 2024, by :class:`oxonfair.FairPredictor`: of all thresholds on V whose gap is below ``bound``,
    those of the highest accuracy; of three groups and more the mean gap between two. Groups are needed in V
    only.
    """

    package = "oxonfair"
    group_in = "in V"
    compared_only = "its thresholds by inferred groups are no model that can be saved"

    def __init__(self, bound: float, with_validation: bool):
        """``with_validation``: whether the model is of L + V, not of L."""
        self.bound, self.with_validation = bound, with_validation
        where, parts = (
            ("", "labelled + validation rows") if with_validation else ("_labeled", "labelled rows")
        )
        self.name = f"inferred_groups{where}_{percent(bound)}"
        self.about = f"model of {parts}, thresholds by inferred groups, gap below {text(bound)}"

    def lacks(self, data: LabelledData) -> str:
        groups = data.validation.groups
        found = 0 if groups is None else len(np.unique(groups[groups >= 0]))
        if found > MOST_GROUPS:
            return f"it takes {MOST_GROUPS} groups, and there are {found}"
        return super().lacks(data)

    def rows(self, data: LabelledData) -> TrainingRows:
        return (LabeledAndValidation() if self.with_validation else Labeled()).rows(data)

    def fitted(self, data: LabelledData, rows: TrainingRows) -> InferredThresholds:
        model, part = Logistic().fit(rows, data), known_rows(data.validation)
        inferring = group_model(part, data)
        thresholds = self._thresholds(data, model, inferring, part)
        return InferredThresholds(model, inferring, thresholds, criterion_of(data).number)

    def _thresholds(self, data: LabelledData, model: Linear, inferring: Linear, part: Part) -> np.ndarray:
        """(G + 1,), all 1/2 where the rows do not determine the gap."""
        from oxonfair import FairPredictor, group_metrics

        # That no thresholds are below the bound is seen in the figure, and need not be logged.
        logging.getLogger("oxonfair").setLevel(logging.ERROR)
        criterion, P = criterion_of(data), inferring.probabilities(part.X)
        thresholds = np.full(P.shape[1] + 1, 0.5)
        if not has_gap(criterion, part):
            return thresholds
        p = model.probabilities(part.X)[:, criterion.number]
        # OxonFair 0.3 fails where there is no row of a group, and so it sees only those that there are.
        inferred, places = np.unique(hard(P), return_inverse=True)
        rows = {"data": part.X, "target": (part.y == criterion.number).astype(int), "groups": part.groups}
        metric = getattr(group_metrics, METRICS[criterion.name])
        found = FairPredictor(
            lambda X: np.stack([1 - p, p], 1),
            rows,
            inferred_groups=lambda X: np.eye(len(inferred))[places],
            threshold=0,
        )
        with as_library():
            found.fit(group_metrics.accuracy, metric, self.bound)
        thresholds[inferred] -= found.offset / 2
        return thresholds


def group_model(part: Part, data: LabelledData) -> Linear:
    """Of the groups (n,) that the rows have, numbered anew."""
    assert part.groups is not None
    groups = np.unique(part.groups, return_inverse=True)[1]
    every = np.arange(len(part))
    q = np.eye(max(2, groups.max(initial=0) + 1))[groups]
    weights = np.ones(len(part))
    return Logistic().fit(TrainingRows(part.X, q, weights, every, weights, q, data.l2), data)


def hard(P: np.ndarray) -> np.ndarray:
    """Number of the likeliest group by probabilities P (n, G), from 1; 0 where it is not sure: (n,)."""
    return np.where(P.max(1) < SURE, 0, P.argmax(1) + 1)
