"""What runs are compared by: where records hold it, what it is called, and which direction is better."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from salutary.errors import SalutaryError


@dataclass(frozen=True)
class Metric:
    """A figure of test rows. ``test_<name>`` of rounds.csv and ``<name>`` of a reference line, times
    ``factor``, are what tables and figures show, with so many ``digits``.
    """

    name: str
    label: str
    higher_is_better: bool = True
    factor: float = 1.0
    digits: int = 3

    @property
    def column(self) -> str:
        return f"test_{self.name}"

    @property
    def title(self) -> str:
        """For an axis: ``test accuracy, %``."""
        return f"test {self.label}{', %' if self.is_share else ''}"

    @property
    def is_share(self) -> bool:
        return self.factor == 100

    @property
    def sentence(self) -> str:
        """For a text: ``accuracy on test rows, per cent, higher is better``."""
        unit = ", per cent" if self.is_share else ""
        return f"{self.label} on test rows{unit}, {'higher' if self.higher_is_better else 'lower'} is better"

    def gain(self, values):
        """Values such that more is better."""
        return values if self.higher_is_better else -values


ACCURACY = Metric("accuracy", "accuracy", factor=100, digits=1)
METRICS = {
    each.name: each
    for each in (
        ACCURACY,
        Metric("balanced_accuracy", "balanced accuracy", factor=100, digits=1),
        Metric("macro_f1", "macro F1", factor=100, digits=1),
        Metric("loss", "log-loss", higher_is_better=False),
        Metric("auroc", "AUROC"),
        Metric("average_precision", "average precision"),
        Metric("brier", "Brier score", higher_is_better=False),
        Metric("ece", "expected calibration error", higher_is_better=False),
        Metric("kappa", "Cohen's kappa"),
        Metric("figure", "figure of the objective"),  # direction and name are the runs': `metric_of`
        Metric("objective", "objective", higher_is_better=False),
    )
}


def metric_named(name: str, facts: pd.DataFrame) -> Metric:
    """:func:`metric_of` a name that may be none. Raises SalutaryError for it, too."""
    if name not in METRICS:
        raise SalutaryError(f"metric={name}: there are {', '.join(METRICS)}")
    return metric_of(name, facts)


def metric_of(name: str, facts: pd.DataFrame) -> Metric:
    """The metric of that name, ``figure`` as the runs' objective has it.

    Raises SalutaryError where the runs report no figure, or several.
    """
    metric = METRICS[name]
    if name not in ("figure", "objective"):
        return metric
    facts = facts[facts["objective"] != "loss"]
    if facts.empty:
        raise SalutaryError(f"metric={name}: no run has another objective than the mean loss")
    if name == "objective":
        several = sorted(facts["objective"].unique())
    else:
        several = sorted(facts["figure"].unique())
        metric = replace(
            metric,
            label=several[0].replace("_", " "),
            higher_is_better=bool(facts["higher_is_better"].iloc[0]),
        )
    if len(several) > 1:
        raise SalutaryError(
            f"metric={name}: the runs have {', '.join(several)}, which do not compare; "
            f"where=\"{name} == '{several[0]}'\" takes one"
        )
    return metric
