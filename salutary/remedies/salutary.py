"""L, and pool rows with the labels that lower V's loss."""

from __future__ import annotations

from salutary.remedies import LabelledData, Remedy, TrainingRows


class Salutary(Remedy):
    """L and the pool rows that salutary labelling labelled, V choosing: V's rows are not trained on.

    Xiao & Liu, "Salutary labeling with zero human annotation".
    """

    name = "salutary"
    about = "labelled rows + pool rows with salutary labels"

    def applies(self, data: LabelledData) -> bool:
        return data.assigned is not None

    def rows(self, data: LabelledData) -> TrainingRows:
        assert data.assigned is not None
        return TrainingRows.of(data, validation=0.0, assigned=True, tuned_on="labeled", l2=data.assigned.l2)


class SalutaryAndValidation(Salutary):
    """The same pool rows with the same labels, on top of L and V."""

    name = "salutary_and_validation"
    about = "labelled + validation rows + pool rows with salutary labels"

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, assigned=True, tuned_on="all")
