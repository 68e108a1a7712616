"""The remedies there are."""

from __future__ import annotations

from collections.abc import Sequence

from salutary.errors import SalutaryError
from salutary.remedies import Remedy
from salutary.remedies.cleaned import Cleaned
from salutary.remedies.noise import GoldLossCorrection, NoiseModel, NoisePerSource
from salutary.remedies.plain import Labeled, LabeledAndValidation, Validation, Weighted
from salutary.remedies.salutary import Salutary, SalutaryAndValidation
from salutary.remedies.soft import soft_remedies
from salutary.remedies.sources import ChosenSources
from salutary.remedies.transfer import Calibrated, FineTuned


def all_remedies() -> list[Remedy]:
    """Each with its settings, plain training on L + V among them."""
    return [
        *(Labeled(), LabeledAndValidation(), Validation(), Weighted(4), Weighted(16)),
        *(FineTuned(), Calibrated(), Cleaned(), Cleaned(4)),
        *(GoldLossCorrection(3), GoldLossCorrection(30)),
        *(NoiseModel(3), NoiseModel(10), NoiseModel(30)),
        *(NoisePerSource(), ChosenSources(), Salutary(), SalutaryAndValidation()),
        *soft_remedies(),
    ]


def named(names: Sequence[str], setting: str = "remedies") -> list[Remedy]:
    """Those of these names. Raises SalutaryError, with the ``setting``, for one that there is not."""
    known = {remedy.name: remedy for remedy in all_remedies()}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SalutaryError(f"{setting}: {unknown[0]!r} is none of {', '.join(known)}")
    return [remedy for name, remedy in known.items() if name in names]
