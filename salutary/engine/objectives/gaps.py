"""Mean log-loss plus squared gaps between groups: what parity, equal opportunity and equalised odds share.

    F = mean log-loss + weight * sum over the sets S of  sum_{g < h} (m_g - m_h)^2 / (G_S - 1),

m_g the mean probability of the positive class over the rows of group g in S. The sets differ: all rows, those
of the positive class, or those and the rest. A group without rows in a set drops out of that set's sum,
G_S groups are left. With two groups each sum is the squared gap.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from salutary.engine.objectives.combination import Quadratic
from salutary.engine.objectives.criterion import OfAPositiveClass
from salutary.engine.objectives.figures import largest_gap, means_over, sets_of
from salutary.engine.objectives.of_means import Means, OfMeans
from salutary.engine.objectives.row_statistics import LogLoss, Probability
from salutary.errors import SalutaryError
from salutary.system.rules import Number, Rule


@dataclass(frozen=True)
class GroupGaps(OfAPositiveClass):
    """``weight``: of the squared gaps, against the mean log-loss. Figure: the largest gap between two groups
    in how often they get the positive decision, and the larger of these gaps where there are several sets."""

    weight: float = 10.0

    higher_is_better: ClassVar[bool] = False
    needs_groups: ClassVar[bool] = True
    RULES: ClassVar[Mapping[str, Rule]] = {**OfAPositiveClass.RULES, "weight": Number(0)}

    @abstractmethod
    def sets(self, y: Tensor) -> dict[str, Tensor]:
        """The rows (n,) within which groups are compared; a name says which they are: "rows of class 1"."""

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> OfMeans:
        if self.number >= n_classes:
            raise SalutaryError(f"objective.positive is class number {self.number} of {n_classes} classes")
        within = [self._groups_within(*each, groups) for each in self.sets(y).items()]
        means = (
            Means.over(LogLoss(y), torch.ones_like(y, dtype=torch.bool)),
            *(Means.over(Probability(self.number), *each) for each in within),
        )
        gaps = Quadratic.loss_and_gaps([len(each) for each in within], float(self.weight), X.device)
        return OfMeans(X, means, gaps)

    def _groups_within(self, name: str, rows: Tensor, groups: Tensor) -> list[Tensor]:
        sets = [each & rows for each in sets_of(groups) if (each & rows).any()]
        if len(sets) < 2:
            raise SalutaryError(
                f"objective={self.name} needs two groups with {name} among the validation rows"
            )
        return sets

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        positive, sets = D[:, self.number], sets_of(groups)
        gaps = [
            largest_gap(means_over(positive, [each & rows for each in sets]))
            for rows in self.sets(y).values()
        ]
        return torch.stack(gaps).max()

    @property
    def positive_name(self) -> str:
        """The positive class as the user knows it."""
        return str(self.number if self.positive is None else self.positive)
