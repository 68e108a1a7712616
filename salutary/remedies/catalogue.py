"""The remedies there are."""

from __future__ import annotations

from collections.abc import Sequence

from salutary.engine.objectives import Balanced, Cost, Criterion, WorstGroup
from salutary.engine.objectives.gaps import GroupGaps
from salutary.errors import SalutaryError
from salutary.remedies import Remedy
from salutary.remedies.cleaned import Cleaned
from salutary.remedies.exponentiated_gradient import ExponentiatedGradient
from salutary.remedies.fair_weights import ClassWeighted, CostWeighted, GroupWeighted, Reweighed
from salutary.remedies.inferred_groups import InferredGroups
from salutary.remedies.noise import GoldLossCorrection, NoiseModel, NoisePerSource
from salutary.remedies.plain import Labeled, LabeledAndValidation, Validation, Weighted
from salutary.remedies.salutary import Salutary, SalutaryAndValidation
from salutary.remedies.soft import soft_remedies
from salutary.remedies.sources import ChosenSources
from salutary.remedies.threshold_optimizer import ThresholdOptimizer
from salutary.remedies.transfer import Calibrated, FineTuned


def all_remedies(criterion: Criterion | None = None) -> list[Remedy]:
    """Each with its settings, plain training on L + V among them; and those of a ``criterion``."""
    return [
        *(Labeled(), LabeledAndValidation(), Validation(), Weighted(4), Weighted(16)),
        *(FineTuned(), Calibrated(), Cleaned(), Cleaned(4)),
        *(GoldLossCorrection(3), GoldLossCorrection(30)),
        *(NoiseModel(3), NoiseModel(10), NoiseModel(30)),
        *(NoisePerSource(), ChosenSources(), Salutary(), SalutaryAndValidation()),
        *soft_remedies(),
        *fair_remedies(criterion),
    ]


def fair_remedies(criterion: Criterion | None) -> list[Remedy]:
    """What the field has for a criterion: for the mean log-loss nothing that is not tried anyway.

    Whether one of them applies to the data, or what it lacks, :meth:`salutary.remedies.Remedy.lacks` says.
    """
    if isinstance(criterion, GroupGaps):
        return [
            Reweighed(),
            *(
                ExponentiatedGradient(bound, on_labeled)
                for on_labeled in (True, False)
                for bound in (0.05, 0.01)
            ),
            *(InferredGroups(bound, with_both) for with_both in (True, False) for bound in (0.1, 0.02)),
            ThresholdOptimizer(),
        ]
    weighted: dict[type, Remedy] = {
        Balanced: ClassWeighted(),
        Cost: CostWeighted(),
        WorstGroup: GroupWeighted(),
    }
    return [weighted[type(criterion)]] if type(criterion) in weighted else []


def named(
    names: Sequence[str], setting: str = "remedies", criterion: Criterion | None = None
) -> list[Remedy]:
    """Those of these names, of all that there are for the criterion.

    Raises SalutaryError, with the ``setting``, for one that there is not.
    """
    known = {remedy.name: remedy for remedy in all_remedies(criterion)}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SalutaryError(f"{setting}: {unknown[0]!r} is none of {', '.join(known)}")
    return [remedy for name, remedy in known.items() if name in names]
