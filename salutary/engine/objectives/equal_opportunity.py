"""Those who deserve the positive decision get it equally often in every group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from salutary.engine.objectives.gaps import GroupGaps


@dataclass(frozen=True)
class EqualOpportunity(GroupGaps):
    """Groups are compared over the rows of the positive class (Hardt, Price & Srebro, "Equality of
    opportunity in supervised learning", NeurIPS 2016). Figure: the largest difference of two groups' true
    positive rates."""

    name: ClassVar[str] = "equal_opportunity"
    figure_name: ClassVar[str] = "equal_opportunity_difference"

    def sets(self, y: Tensor) -> dict[str, Tensor]:
        return {f"rows of class {self.positive_name}": y == self.number}
