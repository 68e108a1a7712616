"""Every class counts the same, however rare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from salutary.engine.objectives.combination import Quadratic
from salutary.engine.objectives.criterion import Criterion
from salutary.engine.objectives.figures import accuracy_of_rows, means_over, sets_of
from salutary.engine.objectives.of_means import Means, OfMeans
from salutary.engine.objectives.row_statistics import LogLoss


@dataclass(frozen=True)
class Balanced(Criterion):
    """Mean over the classes present of the mean log-loss of a class's rows; figure: balanced accuracy, the
    mean recall of the classes present (Brodersen et al., "The balanced accuracy and its posterior
    distribution", ICPR 2010)."""

    name: ClassVar[str] = "balanced"
    figure_name: ClassVar[str] = "balanced_accuracy"
    higher_is_better: ClassVar[bool] = True

    def _on(self, X: Tensor, y: Tensor, groups: Tensor, n_classes: int) -> OfMeans:
        means = Means.over(LogLoss(y), *sets_of(y))
        return OfMeans(X, (means,), Quadratic.mean(means.A.shape[1], X.device))

    def _figure(self, D: Tensor, y: Tensor, groups: Tensor) -> Tensor:
        return means_over(accuracy_of_rows(D, y), sets_of(y)).mean()
