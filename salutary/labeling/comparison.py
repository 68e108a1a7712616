"""The result beside the initial model and the plain alternative, on rows that no choice looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salutary.engine.paired import SURE, Difference
from salutary.labeling.measured import Measured, told

INITIAL, LABELED, ALTERNATIVE = "initial", "salutary", "labeled_and_validation"
# What stands beside the models, and is none.
MAJORITY = "majority"
NAMES = {
    INITIAL: "initial model",
    LABELED: "salutary labelling",
    ALTERNATIVE: "trained on labelled + validation rows",
    MAJORITY: "majority class of the labelled rows",
}


@dataclass(frozen=True)
class ModelComparison:
    """Losses and hits (n,) of each model, and of the majority class, on the same rows. ``where``: which rows
    those are. ``what``: loss, or objective, of which the losses then are the values.
    """

    where: str
    losses: dict[str, np.ndarray]
    hits: dict[str, np.ndarray]
    what: str = "loss"

    @classmethod
    def of(cls, where: str, measured: dict[str, Measured], what: str = "loss") -> ModelComparison:
        losses, hits = ({name: pair[i] for name, pair in measured.items()} for i in (0, 1))
        return cls(where, losses, hits, what)

    @property
    def n(self) -> int:
        return len(self.losses[INITIAL])

    @property
    def gain(self) -> Difference:
        """Salutary labelling against the initial model."""
        return Difference.of(self.losses[LABELED], self.losses[INITIAL])

    @property
    def against_alternative(self) -> Difference:
        return Difference.of(self.losses[LABELED], self.losses[ALTERNATIVE])

    @property
    def models(self) -> list[str]:
        return [name for name in self.losses if name != MAJORITY]

    @property
    def best(self) -> str:
        """The model of the lowest mean loss; the earlier of equals."""
        return min(self.models, key=lambda name: self.losses[name].mean())

    @property
    def unclear(self) -> list[str]:
        """The models that the best is not surely better than."""
        gaps = {name: Difference.of(self.losses[self.best], self.losses[name]) for name in self.models}
        return [name for name, gap in gaps.items() if name != self.best and not gap.is_sure]

    @property
    def is_sure(self) -> bool:
        return not self.unclear

    def verdict(self) -> str:
        """Which of the three is best, and how sure that is, in a sentence or two."""
        unclear = [NAMES[name] for name in self.unclear]
        text = f"Best on {self.where}: {NAMES[self.best]}"
        if not unclear:
            return f"{text}, by more than {SURE:g} standard errors."
        return f"{text}; the difference to {' and '.join(unclear)} is within {SURE:g} standard errors."

    def warning(self) -> str | None:
        """Which of the models that are saved are not better than always answering the majority class."""
        worse = {NAMES[name]: self._no_better(name) for name in (LABELED, ALTERNATIVE)}
        texts = [f"{name} (in {' and '.join(measures)})" for name, measures in worse.items() if measures]
        if not texts:
            return None
        return f"Not better than always answering the {NAMES[MAJORITY]}: {', '.join(texts)}."

    def _no_better(self, name: str) -> list[str]:
        """The measures in which a model is not better than the majority class."""
        if MAJORITY not in self.losses:
            return []
        hits, losses = (each[name].mean() - each[MAJORITY].mean() for each in (self.hits, self.losses))
        worse = {"accuracy": hits <= 0} if self.what == "loss" else {}
        return [measure for measure, no in {**worse, self.what: losses >= 0}.items() if no]

    def facts(self) -> dict:
        """What is written of it; ``majority_warning`` is null where both saved models are better."""
        models = {name: told((self.losses[name], self.hits[name])) for name in self.losses}
        gaps = {"salutary_minus_initial": self.gain, "salutary_minus_alternative": self.against_alternative}
        if MAJORITY in self.losses:
            gaps["salutary_minus_majority"] = Difference.of(self.losses[LABELED], self.losses[MAJORITY])
        differences = {name: {"loss": gap.mean, "standard_error": gap.error} for name, gap in gaps.items()}
        facts = {"rows": self.where, "n": self.n, "models": models, "differences": differences}
        verdicts = {"verdict": self.verdict(), "majority_warning": self.warning()}
        return {**facts, "best": self.best, **verdicts}
