"""Mean log-loss: the paper's objective."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from salutary.engine.objective import MeanLoss
from salutary.engine.objectives.criterion import Criterion
from salutary.engine.objectives.figures import accuracy_of_rows


@dataclass(frozen=True)
class MeanLogLoss(Criterion):
    """Mean log-loss over all rows; its figure is the accuracy."""

    name: ClassVar[str] = "loss"
    figure_name: ClassVar[str] = "accuracy"
    higher_is_better: ClassVar[bool] = True

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> MeanLoss:
        return MeanLoss(X, y)

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        return accuracy_of_rows(D, y).mean()
