"""A mixture of classifiers with a bounded gap between groups, by fairlearn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from salutary.remedies import LabelledData, Part, TrainingRows
from salutary.remedies.base_models import Linear, Logistic
from salutary.remedies.decisions import Decider
from salutary.remedies.fair import GapRemedy, as_library, columns_of, criterion_of, has_gap, known, known_rows

# fairlearn's names of the criteria.
CONSTRAINTS = {
    "demographic_parity": "DemographicParity",
    "equal_opportunity": "TruePositiveRateParity",
    "equalized_odds": "EqualizedOdds",
}
# Steps of L-BFGS for each classifier.
STEPS = 1000


@dataclass(frozen=True)
class Mixture(Decider):
    """Linear classifiers, one of which is drawn for each decision.

    ``W`` (M, d + 1): their parameters, the intercept last; ``shares`` (M,): how often each is drawn, summing
    to 1. One decides for the class ``positive`` where its logit is above 0.
    """

    W: np.ndarray
    shares: np.ndarray
    positive: int

    def decisions(self, X: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
        return columns_of((X @ self.W[:, :-1].T + self.W[:, -1] > 0) @ self.shares, self.positive)


class ExponentiatedGradient(GapRemedy):
    """The classifier of least error whose gap between groups in training is below a bound, drawn at random
    for each decision from a mixture.

    Agarwal, Beygelzimer, Dudik, Langford & Wallach, "A reductions approach to fair classification", ICML
    2018, by :class:`fairlearn.reductions.ExponentiatedGradient`. Its classifiers are logistic regressions,
    with the penalty that is chosen for plain training on the same rows: those of L and V, or of V, whose
    group is known. (Where these do not show a gap, it is plain training.) No group is needed to predict. The
    mean log-loss of its answers is that of its decisions, clipped: it gives no probabilities.
    """

    package = "fairlearn"
    compared_only = "it draws its decisions at random, which no saved model does"

    def __init__(self, bound: float, on_labeled: bool):
        """``bound``: of the difference between groups. ``on_labeled``: whether of L and V, not V alone."""
        self.bound, self.groups_of_labeled = bound, on_labeled
        where, parts = (
            ("", "labelled + validation rows") if on_labeled else ("_validation", "validation rows")
        )
        self.name = f"exponentiated_gradient{where}_{percent(bound)}"
        self.about = f"mixture of classifiers of {parts}, gap below {text(bound)}"
        self.group_in = "in L and V" if on_labeled else "in V"

    def rows(self, data: LabelledData) -> TrainingRows:
        of_validation = known(data.validation).astype(float)
        if not self.groups_of_labeled:
            return TrainingRows.of(data, use=0.0, validation=of_validation)
        of_labeled = known(data.labeled).astype(float)
        return TrainingRows.of(data, use=of_labeled, validation=of_validation, tuned_on="all")

    def fitted(self, data: LabelledData, rows: TrainingRows) -> Mixture:
        from fairlearn import reductions

        criterion, part, plain = criterion_of(data), self._part(data), Logistic().fit(rows, data)
        if not has_gap(criterion, part):
            return _single(plain, data.intercept, criterion.number)
        estimator = LogisticRegression(C=1 / plain.l2, fit_intercept=data.intercept, max_iter=STEPS)
        constraint = getattr(reductions, CONSTRAINTS[criterion.name])(difference_bound=self.bound)
        found = reductions.ExponentiatedGradient(estimator, constraint)
        with as_library():
            found.fit(part.X, (part.y == criterion.number).astype(int), sensitive_features=part.groups)
        return mixture_of(found, part.X.shape[1], criterion.number)

    def _part(self, data: LabelledData) -> Part:
        return (
            known_rows(data.labeled, data.validation)
            if self.groups_of_labeled
            else known_rows(data.validation)
        )


def _single(model: Linear, has_intercept: bool, positive: int) -> Mixture:
    """A model of two classes as the only one that is drawn."""
    W = model.W if has_intercept else np.append(model.W, [[0.0]], 1)
    return Mixture(W if positive else -W, np.ones(1), positive)


def mixture_of(found: Any, n_features: int, positive: int) -> Mixture:
    """The classifiers that fairlearn's fitted reduction draws from, in parts."""
    shares = found.weights_[found.weights_ > 0]
    W = np.stack([_parameters(found.predictors_[place], n_features) for place in shares.index])
    return Mixture(W, shares.to_numpy() / shares.sum(), positive)


def _parameters(classifier: Any, n_features: int) -> np.ndarray:
    """Of a logistic regression; where all weighted labels are one, fairlearn has a constant instead."""
    if isinstance(classifier, LogisticRegression):
        return np.append(classifier.coef_[0], classifier.intercept_)
    always = float(classifier.predict(np.zeros((1, n_features)))[0])
    return np.append(np.zeros(n_features), 2 * always - 1)


def percent(bound: float) -> str:
    """``05`` of .05, for names."""
    return f"{100 * bound:02.0f}"


def text(bound: float) -> str:
    """``.05`` of .05."""
    return f"{bound:g}".removeprefix("0")
