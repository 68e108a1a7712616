"""Are there labels better than the true ones? The paper's motivating experiment."""

from __future__ import annotations

import copy
from typing import cast

import numpy as np
import torch
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.experiments.metrics import evaluate
from salutary.experiments.problem import Problem
from salutary.experiments.studies import Study, initial_state, require_labels
from salutary.models import ConvexModel, Model
from salutary.strategies import Strategy, check_convex
from salutary.strategies.influence import InfluenceStrategy
from salutary.system import rules
from salutary.system.rules import Whole


class RelabelledBins(Study):
    """Labelled set and pool in bins of equal size by salutary influence, each bin with either labels.

    Section 3 and figure 1 of the paper. For a bin of the labelled set, the model is trained on the labelled
    set with that bin's labels replaced by the salutary ones; for a bin of the pool, on the labelled set and
    the bin, once with true and once with salutary labels. Influences are those of the strategy.
    """

    HISTOGRAM = 60

    RULES = {"bins": Whole(1)}

    def __init__(self, bins: int = 20):
        self.bins = bins

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:
        """Raises SalutaryError for a strategy that has no influences, or fewer rows than bins."""
        rules.check(self, self.RULES, "study.")
        check_convex(self, model)
        require_labels(problem)
        if not isinstance(strategy, InfluenceStrategy):
            raise SalutaryError("study=relabelled_bins needs the influences of strategy=salutary")
        if self.bins > min(len(problem.split.initial), len(problem.split.pool)):
            raise SalutaryError(f"study.bins={self.bins} is more than there are labelled or pool rows")

    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """Tables ``relabelled_bins`` and ``influence_histogram``."""
        fitted, view = initial_state(problem, model)
        influences = cast(InfluenceStrategy, strategy).influence
        convex = cast(ConvexModel, fitted)
        test = problem.part("test")
        X, y = view.labeled, view.labels

        def accuracy(X: Tensor, y: Tensor) -> float:
            return evaluate(copy.copy(model).fit(X, y), *test).accuracy

        def with_labels(part: str, rows: Tensor, labels: Tensor) -> float:
            if part == "pool":
                return accuracy(torch.cat([X, view.pool[rows]]), torch.cat([y, labels[rows]]))
            changed = y.clone()
            changed[rows] = labels[rows]
            return accuracy(X, changed)

        bins, histogram = [], []
        true = {"labeled": y, "pool": problem.y[torch.as_tensor(problem.split.pool)]}
        for part, X_part in {"labeled": X, "pool": view.pool}.items():
            influence, best = influences(convex, view, X_part).max(1)
            for number, rows in enumerate(influence.argsort(stable=True).tensor_split(self.bins)):
                values = influence[rows]
                bins.append(
                    {
                        "part": part,
                        "bin": number,
                        "n": len(rows),
                        "influence": float(values.mean()),
                        "influence_low": float(values[0]),
                        "influence_high": float(values[-1]),
                        "label_agreement": float((best[rows] == true[part][rows]).double().mean()),
                        "accuracy_true": with_labels(part, rows, true[part]),
                        "accuracy_salutary": with_labels(part, rows, best),
                    }
                )
            histogram += _histogram(part, influence, self.HISTOGRAM)
        return {"relabelled_bins": bins, "influence_histogram": histogram}


def _histogram(part: str, influence: Tensor, bins: int) -> list[dict]:
    """How many influences of a part are between which values."""
    counts, edges = np.histogram(influence.numpy(force=True), bins)
    return [
        {"part": part, "low": low, "high": high, "count": count}
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]
