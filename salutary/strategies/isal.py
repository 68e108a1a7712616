"""ISAL: influence selection for active learning."""

from __future__ import annotations

import numpy as np

from salutary.split import PoolView
from salutary.strategies import InfluenceStrategy, Proposal, top


class Isal(InfluenceStrategy):
    """Highest influence I(x, y^) with the predicted label y^; the true labels are bought.

    The gradient is that of the validation set (the original script takes it on test data). The
    expectation of I over all classes, weighted by p, would be zero for every point.
    Liu et al., "Influence selection for active learning", ICCV 2021.
    """

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        predicted = model.predict_proba(view.pool).argmax(dim=1, keepdim=True)
        influence = self.influence(model, view, view.pool).gather(1, predicted)[:, 0]
        indices = top(influence, budget)
        return Proposal(indices, influence=influence[indices])
