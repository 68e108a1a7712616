"""What a model is to be good at: the settings of an objective, before there are rows to take it on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine.objective import MeanLoss, OfLogits
from salutary.engine.softmax import to_logits
from salutary.errors import SalutaryError
from salutary.system import rules

Numbers = Tensor | np.ndarray | Sequence


@dataclass(frozen=True)
class Criterion(ABC):
    """A differentiable objective, to be low, and the figure that people report of it.

    ``name``: of the setting ``objective``. ``needs_groups``: whether rows need groups, ``needs_positive``:
    whether ``objective.positive`` must name a class. ``figure_name``, ``higher_is_better``: of the figure.
    ``RULES``: what its settings may be. Order of use: :meth:`check`, :meth:`resolved` once the classes are
    known, then the others. Groups are numbers; a row of group -1 belongs to none.
    """

    name: ClassVar[str]
    figure_name: ClassVar[str]
    higher_is_better: ClassVar[bool]
    needs_groups: ClassVar[bool] = False
    needs_positive: ClassVar[bool] = False
    RULES: ClassVar[Mapping[str, rules.Rule]] = {}

    @property
    def about(self) -> dict[str, object]:
        """What records say of it."""
        kind = {"figure": self.figure_name, "higher_is_better": self.higher_is_better}
        return {"name": self.name, **kind, **asdict(self)}

    def check(self) -> None:
        """Raises SalutaryError for settings that make no sense whatever the classes are."""
        rules.check(self, self.RULES, "objective.")

    def resolved(self, class_names: Sequence[object]) -> Self:
        """A copy that knows classes by number instead of by name.

        Raises SalutaryError for settings that do not fit ``class_names``.
        """
        self.check()
        return self

    def on(self, X: Tensor, y: Tensor, groups: Tensor | None = None, *, n_classes: int) -> OfLogits:
        """The objective on rows X (n, d) of class numbers y (n,) and ``groups`` (n,).

        Raises SalutaryError where these rows do not determine it.
        """
        if self.needs_groups and groups is None:
            raise SalutaryError(f"objective={self.name} needs the group of each validation row")
        return self._on(X, y, torch.full_like(y, -1) if groups is None else groups, n_classes)

    @abstractmethod
    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> OfLogits: ...

    def row_values(self, P: Tensor, y: Tensor, groups: Tensor | None = None) -> Tensor:
        """(n,), whose mean is the objective where probabilities P (n, C) are predicted, and whose spread is
        its error, see :meth:`OfLogits.row_values_at`. NaN where the rows do not determine it."""
        try:
            objective = self.on(P.new_empty(len(P), 0), y, groups, n_classes=P.shape[1])
        except SalutaryError:
            return torch.full_like(y, torch.nan, dtype=torch.float64)
        return objective.row_values_at(to_logits(P))

    def figure(self, P: Numbers, y: Numbers, groups: Numbers | None = None) -> float:
        """The figure of the decisions by probabilities P (n, C), the likeliest class each (the lower one of
        equals), or of decisions (n,) themselves. NaN where the rows do not determine it."""
        P = torch.as_tensor(P)
        decisions = P.argmax(1) if P.ndim == 2 else P.long()
        n_classes = 1 + max(int(decisions.max()), int(torch.as_tensor(y).max()), self._highest_class)
        return self.expected_figure(torch.nn.functional.one_hot(decisions, n_classes), y, groups)

    def expected_figure(self, D: Numbers, y: Numbers, groups: Numbers | None = None) -> float:
        """The figure of randomised decisions, D (n, C) the probability of each: with every rate in it at its
        exact expectation. NaN where the rows do not determine it."""
        D, y = torch.as_tensor(D).double(), torch.as_tensor(y)
        if self.needs_groups and groups is None:
            raise ValueError(f"the figure of objective={self.name} needs groups")
        groups = torch.full_like(y, -1) if groups is None else torch.as_tensor(groups)
        return float(self._figure(D, y.long(), groups.long()))

    @abstractmethod
    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor: ...

    @property
    def _highest_class(self) -> int:
        """Decisions reach to this class at least."""
        return 0


def objective_on(
    criterion: Criterion | None, X: Tensor, y: Tensor, groups: Tensor | None, n_classes: int
) -> OfLogits:
    """What a criterion says of validation rows, see :meth:`Criterion.on`; the mean log-loss without one."""
    return criterion.on(X, y, groups, n_classes=n_classes) if criterion else MeanLoss(X, y)


class _ClassName(rules.Rule):
    def accepts(self, value: object) -> bool:
        return value is None or (isinstance(value, str | int | float | bool) and value != "")

    def __str__(self) -> str:
        return "the name of a class"


@dataclass(frozen=True)
class OfAPositiveClass(Criterion):
    """``positive``: the name of the class whose decisions are compared, ``positive_class`` its number, which
    :meth:`resolved` finds."""

    positive: str | int | float | bool | None = None
    positive_class: int | None = None

    def __post_init__(self) -> None:
        if isinstance(self.positive, np.generic):  # as of an array of labels
            object.__setattr__(self, "positive", self.positive.item())

    needs_positive: ClassVar[bool] = True
    RULES: ClassVar[Mapping[str, rules.Rule]] = {"positive": _ClassName()}

    def check(self) -> None:
        super().check()
        if self.positive is None and self.positive_class is None:
            raise SalutaryError(f"set objective.positive: objective={self.name} needs the name of a class")

    def resolved(self, class_names: Sequence[object]) -> Self:
        """See :meth:`Criterion.resolved`. A number or truth value names the class that reads like it."""
        self.check()
        if self.positive is None:
            return self
        number = class_number(class_names, self.positive)
        if number is None:
            classes = ", ".join(str(each) for each in class_names)
            raise SalutaryError(
                f"objective.positive={self.positive} is not among the classes: these are {classes}"
            )
        return replace(self, positive_class=number)

    @property
    def number(self) -> int:
        """Of the positive class."""
        if self.positive_class is None:
            raise ValueError("resolve the criterion first: its positive class has no number yet")
        return self.positive_class

    @property
    def _highest_class(self) -> int:
        return self.number


def class_number(class_names: Sequence[object], name: object) -> int | None:
    """Which class a name means: the one of that text, else the one that reads as the same number or truth
    value; None if there is none."""
    for same in (_same_text, _same_value):
        for number, each in enumerate(class_names):
            if same(str(each), name):
                return number
    return None


def _same_text(text: str, name: object) -> bool:
    return text == str(name)


def _same_value(text: str, name: object) -> bool:
    if isinstance(name, str):
        return False
    if isinstance(name, bool):
        return text.lower() == str(name).lower()
    try:
        return float(text) == name
    except ValueError:
        return False
