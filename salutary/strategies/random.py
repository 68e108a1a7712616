"""Random sampling: the baseline that every other strategy must beat."""

from __future__ import annotations

import numpy as np
import torch

from salutary.models import Predictor
from salutary.strategies import PoolView, Proposal, Strategy


class Random(Strategy[Predictor]):
    """Uniform draws without replacement; the true labels are bought."""

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        drawn = rng.choice(len(view.pool), size=budget, replace=False)
        return Proposal(torch.as_tensor(drawn, device=view.pool.device))
