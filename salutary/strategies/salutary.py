"""Salutary labelling: the paper's method."""

from __future__ import annotations

import numpy as np

from salutary.split import PoolView
from salutary.strategies import InfluenceStrategy, Proposal, top


class Salutary(InfluenceStrategy):
    """The points with the highest influence over all labels, each with its best label; no human.

    score(x) = max over c of I(x, c), label(x) = argmax over c of I(x, c) (the lower class of
    equals). Section 4.2 of the paper, eq. (2) and algorithm 1.
    """

    is_baseline = False

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        influence, labels = self.influence(model, view, view.pool).max(dim=1)
        indices = top(influence, budget)
        return Proposal(indices, labels[indices], influence[indices])
