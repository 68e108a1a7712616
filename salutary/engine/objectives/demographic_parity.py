"""Groups get the positive decision equally often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from salutary.engine.objectives.gaps import GroupGaps


@dataclass(frozen=True)
class DemographicParity(GroupGaps):
    """Groups are compared over all rows (Calders, Kamiran & Pechenizkiy, "Building classifiers with
    independency constraints", ICDMW 2009). Figure: the largest difference of two groups' shares of positive
    decisions."""

    name: ClassVar[str] = "demographic_parity"
    figure_name: ClassVar[str] = "demographic_parity_difference"

    def sets(self, y: Tensor) -> dict[str, Tensor]:
        return {"rows": torch.ones_like(y, dtype=torch.bool)}
