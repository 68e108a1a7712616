"""Groups have equal true positive rates and equal false positive rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from salutary.engine.objectives.gaps import GroupGaps


@dataclass(frozen=True)
class EqualizedOdds(GroupGaps):
    """Groups are compared over the rows of the positive class, and over the other rows (Hardt, Price &
    Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016). Figure: the larger of the largest
    differences of true and of false positive rates."""

    name: ClassVar[str] = "equalized_odds"
    figure_name: ClassVar[str] = "equalized_odds_difference"

    def sets(self, y: Tensor) -> dict[str, Tensor]:
        name, positive = self.positive_name, y == self.number
        return {f"rows of class {name}": positive, f"rows not of class {name}": ~positive}
