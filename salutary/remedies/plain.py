"""Training on L, on V, and on both."""

from __future__ import annotations

from salutary.remedies import LabelledData, Remedy, TrainingRows


class Labeled(Remedy):
    """L alone: what there is without V."""

    name = "labeled"
    about = "labelled rows alone"

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, validation=0.0, tuned_on="labeled")


class Validation(Remedy):
    """V alone: what there is without L."""

    name = "validation"
    about = "validation rows alone"

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, use=0.0)


class LabeledAndValidation(Remedy):
    """L and V alike: the plain alternative that all others have to be better than."""

    name = "labeled_and_validation"
    about = "labelled + validation rows"
    suits_all = True
    is_plain = True

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, tuned_on="all")


class Weighted(Remedy):
    """L and V, a row of V counting as ``weight`` of L: V is of the population that matters.

    Shimodaira, "Improving predictive inference under covariate shift by weighting the log-likelihood
    function", J. Statist. Planning Inf. 2000, with one weight for all rows of a set.
    """

    def __init__(self, weight: int):
        self.weight = weight
        self.name = f"weighted_{weight}"
        self.about = f"labelled + validation rows, these {weight}-fold"
        self.suits_all = weight == 4

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, validation=self.weight)
