"""The group that fares worst."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from salutary.engine.objectives.combination import SmoothMaximum
from salutary.engine.objectives.criterion import Criterion
from salutary.engine.objectives.figures import accuracy_of_rows, least, means_over, sets_of
from salutary.engine.objectives.of_means import Means, OfMeans
from salutary.engine.objectives.row_statistics import LogLoss
from salutary.errors import SalutaryError
from salutary.system.rules import Number, Rule


@dataclass(frozen=True)
class WorstGroup(Criterion):
    """(1/tau) log of the mean over groups of exp(tau L_g), L_g the mean log-loss of group g and tau the
    ``sharpness``: a smooth maximum, at most log(G) / tau below the largest. Figure: the least accuracy of a
    group. (The objective of Sagawa et al., "Distributionally robust neural networks", ICLR 2020, made
    smooth.)"""

    sharpness: float = 20.0

    name: ClassVar[str] = "worst_group"
    figure_name: ClassVar[str] = "worst_group_accuracy"
    higher_is_better: ClassVar[bool] = True
    needs_groups: ClassVar[bool] = True
    RULES: ClassVar[Mapping[str, Rule]] = {"sharpness": Number(0, excluded=True)}

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> OfMeans:
        sets = sets_of(groups)
        if len(sets) < 2:
            raise SalutaryError(f"objective={self.name} needs two groups among the validation rows")
        return OfMeans(X, (Means.over(LogLoss(y), *sets),), SmoothMaximum(float(self.sharpness)))

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        return least(means_over(accuracy_of_rows(D, y), sets_of(groups)))
