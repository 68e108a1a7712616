"""Mistakes that do not cost the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine.objectives.combination import Quadratic
from salutary.engine.objectives.criterion import Criterion, class_number
from salutary.engine.objectives.of_means import Means, OfMeans
from salutary.engine.objectives.row_statistics import ErrorCosts, LogLoss, Statistic
from salutary.errors import SalutaryError
from salutary.system.rules import Number

_COST = Number(0)


@dataclass(frozen=True)
class Cost(Criterion):
    """Mean over all rows of what is lost, mistakes weighted by ``cost``; figure: the mean cost of a decision.

    ``cost``: of any mistake about a row of a class, one number >= 0 for each class: a mapping from the names
    of all classes, or a list in their order. The objective then is the mean of c_y times the log-loss. Or a
    matrix M >= 0, a row for each true class, a column for each decision, zeros on its diagonal; the objective
    is the mean of sum over k of M[y, k] (-log(1 - p_k)), for two classes the same. (Elkan, "The
    foundations of cost-sensitive learning", IJCAI 2001.)
    """

    cost: Any = None

    name: ClassVar[str] = "cost"
    figure_name: ClassVar[str] = "mean_cost"
    higher_is_better: ClassVar[bool] = False

    def check(self) -> None:
        super().check()
        if self.cost is None:
            raise SalutaryError("set objective.cost: a cost for each class, or a matrix")
        if isinstance(self.cost, str) or not isinstance(self.cost, Mapping | Sequence) or not self.cost:
            raise SalutaryError(
                f"objective.cost must be a cost for each class, or a matrix, not {self.cost!r}"
            )

    def __post_init__(self) -> None:
        if isinstance(self.cost, np.ndarray):
            object.__setattr__(self, "cost", self.cost.tolist())

    def resolved(self, class_names: Sequence[object]) -> Self:
        """See :meth:`Criterion.resolved`: costs in the order of the classes, as tuples."""
        self.check()
        costs = _in_order(self.cost, class_names) if isinstance(self.cost, Mapping) else self.cost
        if any(_is_row(each) for each in costs):
            return replace(self, cost=_matrix(costs, len(class_names)))
        return replace(self, cost=_costs(costs, len(class_names), "objective.cost"))

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> OfMeans:
        if len(self.cost) != n_classes:
            raise SalutaryError(f"objective.cost is for {len(self.cost)} classes, not for {n_classes}")
        means = Means.over(self._statistic(y), torch.ones_like(y, dtype=torch.bool))
        return OfMeans(X, (means,), Quadratic.mean(1, X.device))

    def _statistic(self, y: Tensor) -> Statistic:
        if _is_row(self.cost[0]):
            return ErrorCosts(self._of_decisions(y))
        return LogLoss(y, torch.tensor(self.cost, dtype=torch.float64, device=y.device)[y])

    def _of_decisions(self, y: Tensor) -> Tensor:
        """What each decision about each row costs, (n, C)."""
        costs = torch.tensor(self.cost, dtype=torch.float64, device=y.device)
        if costs.ndim == 1:
            costs = costs[:, None] * (1 - torch.eye(len(costs), dtype=torch.float64, device=y.device))
        return costs[y]

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        return (self._of_decisions(y)[:, : D.shape[1]] * D).sum(1).mean()

    @property
    def _highest_class(self) -> int:
        return len(self.cost) - 1


def _is_row(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _in_order(costs: Mapping[object, object], class_names: Sequence[object]) -> list[object]:
    numbers = {name: class_number(class_names, name) for name in costs}
    for name, number in numbers.items():
        if number is None:
            classes = ", ".join(str(each) for each in class_names)
            raise SalutaryError(f"objective.cost names {name}, not among the classes: these are {classes}")
    for number, each in enumerate(class_names):
        if list(numbers.values()).count(number) != 1:
            times = "does not name" if number not in numbers.values() else "names more than once"
            raise SalutaryError(f"objective.cost {times} the class {each}")
    return [costs[name] for name in sorted(numbers, key=lambda name: numbers[name] or 0)]


def _matrix(rows: Sequence[Any], n_classes: int) -> tuple[tuple[float, ...], ...]:
    if len(rows) != n_classes or not all(_is_row(each) for each in rows):
        raise SalutaryError(f"objective.cost must be a matrix of {n_classes} x {n_classes} numbers")
    matrix = tuple(_costs(row, n_classes, f"row {i + 1} of objective.cost") for i, row in enumerate(rows))
    for c, row in enumerate(matrix):
        if row[c] != 0:
            raise SalutaryError(
                f"objective.cost must have zeros on its diagonal, where decisions are right, not {row[c]:g}"
            )
    if not any(map(any, matrix)):
        raise SalutaryError("objective.cost must have a cost above 0")
    return matrix


def _costs(costs: Sequence[Any], n_classes: int, what: str) -> tuple[float, ...]:
    if len(costs) != n_classes:
        raise SalutaryError(f"{what} must have {n_classes} numbers, one for each class, not {len(costs)}")
    for each in costs:
        if not _COST.accepts(each):
            raise SalutaryError(f"{what} must have numbers >= 0, not {each!r}")
    if what == "objective.cost" and not any(costs):
        raise SalutaryError("objective.cost must have a cost above 0")
    return tuple(map(float, costs))
