"""The ground-truth twin of salutary labelling ("Ours w/ GT" in the paper)."""

from __future__ import annotations

import numpy as np

from salutary.strategies import PoolView, Proposal
from salutary.strategies.salutary import Salutary


class SalutaryGroundTruth(Salutary):
    """The rule of ``salutary`` chooses the points, with its own labels; then the true ones are bought.

    ``influence`` remains that of the salutary label, for which the point was chosen.
    """

    labels_alone = False

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        chosen = super().propose(model, view, budget, rng)
        return Proposal(chosen.indices, influence=chosen.influence)
