"""ISAL: influence selection for active learning."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from salutary.engine import Hessian, lissa, probabilities, score_labels
from salutary.engine.selection import top
from salutary.models import ConvexModel
from salutary.strategies import PoolView, Proposal
from salutary.strategies.influence import InfluenceStrategy, optimum_of
from salutary.system.rules import Choice, Number, Whole


class Isal(InfluenceStrategy):
    """Highest influence I(x, y^) with the predicted label y^; the true labels are bought.

    The gradient is always that of the validation set (the original script takes it on test data).
    The expectation of I over all classes, weighted by p, would be zero for every point.
    Liu et al., "Influence selection for active learning", ICCV 2021.

    ``solver``: ``auto``, ``cholesky``, ``cg``, or ``lissa``: the original's stochastic estimate over
    labelled batches, the mean of ``repeats`` recursions of ``steps`` steps, whatever ``hessian`` says.
    Its published constants, kept as defaults, leave it close to a multiple of the plain gradient.
    """

    RULES = {
        **InfluenceStrategy.RULES,
        "solver": InfluenceStrategy.RULES["solver"] | Choice("lissa"),
        **dict.fromkeys(("steps", "repeats", "batch_size"), Whole(1)),
        "damping": Number(0, 1),
        "scale": Number(1e-9),
    }

    def __init__(
        self,
        hessian: str = "labeled",
        solver: str = "auto",
        damping: float = 0.01,
        scale: float = 1e4,
        steps: int = 250,
        repeats: int = 4,
        batch_size: int = 32,
    ):
        super().__init__(hessian, solver)
        self.damping = damping
        self.scale = scale
        self.steps = steps
        self.repeats = repeats
        self.batch_size = batch_size

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        predicted = model.predict_proba(view.pool).argmax(dim=1, keepdim=True)
        if self.solver == "lissa":
            scores = score_labels(model.coef_, self._lissa(model, view, rng), view.pool)
        else:
            scores = self.influence(model, view, view.pool)
        influence = scores.gather(1, predicted)[:, 0]
        indices = top(influence, budget)
        return Proposal(indices, influence=influence[indices])

    def _lissa(self, model: ConvexModel, view: PoolView, rng: np.random.Generator) -> Tensor:
        W = model.coef_
        g = optimum_of(model, view).gradient
        hessian = Hessian(view.labeled, probabilities(view.labeled, W), model.penalty_)
        runs = [
            lissa(hessian, g, self._batches(len(view.labeled), rng), damping=self.damping, scale=self.scale)
            for _ in range(self.repeats)
        ]
        return torch.stack(runs).mean(0)

    def _batches(self, n: int, rng: np.random.Generator) -> Iterator[Tensor]:
        size = min(self.batch_size, n)
        return (torch.as_tensor(rng.choice(n, size, replace=False)) for _ in range(self.steps))
