"""What the model is to be good at: an objective of the validation rows, and how low its figure is to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from salutary.engine.objectives import Criterion, objective_on
from salutary.errors import SalutaryError
from salutary.strategies.track import Rows
from salutary.system.rules import NULL, Number, check

RULES = {"at_most": Number(0) | NULL}


@dataclass(frozen=True)
class Aim:
    """``criterion``: None for the mean log-loss. ``at_most``: bound of its figure, None without."""

    criterion: Criterion | None = None
    at_most: float | None = None

    @classmethod
    def of(cls, criterion: object, at_most: float | None) -> Aim:
        """Raises SalutaryError for settings that make no sense, whatever the classes are."""
        if not isinstance(criterion, Criterion):
            raise SalutaryError(f"objective must be a Criterion, not a {type(criterion).__name__}")
        criterion.check()
        aim = cls(None if criterion.name == "loss" else criterion, at_most)
        check(aim, RULES, "objective.")
        if at_most is not None and (criterion.name == "loss" or criterion.higher_is_better):
            figure = criterion.figure_name.replace("_", " ")
            raise SalutaryError(
                f"objective.at_most is for figures that are to be low: objective={criterion.name} has the"
                f" {figure}"
            )
        return aim

    @property
    def name(self) -> str:
        """Of what is to fall."""
        return "objective" if self.criterion else "loss"

    @property
    def about(self) -> dict[str, object] | None:
        """What facts.json says of it; None of the mean loss."""
        return self.criterion.about | {"at_most": self.at_most} if self.criterion else None

    @property
    def needs_groups(self) -> bool:
        return self.criterion is not None and self.criterion.needs_groups

    def resolved(self, class_names: Sequence[str], validation: Rows, group: str = "group") -> Aim:
        """For these classes; ``group``: the setting that gives validation rows their groups.

        Raises SalutaryError for settings that do not fit them, and for validation rows that do not determine
        the objective.
        """
        if not self.needs_groups and validation.groups is not None:
            name = self.criterion.name if self.criterion else "loss"
            raise SalutaryError(f"{group}: objective={name} looks at no groups; objective=worst_group does")
        if self.criterion is None:
            return self
        if self.needs_groups and validation.groups is None:
            raise SalutaryError(f"objective={self.criterion.name} needs {group}, of the validation rows")
        criterion = self.criterion.resolved(class_names)
        objective_on(criterion, validation.X, validation.y, validation.groups, len(class_names))
        return replace(self, criterion=criterion)


LOWEST_LOSS = Aim()
