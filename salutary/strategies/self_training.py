"""Self-training: the model labels what it is surest of."""

from __future__ import annotations

import numpy as np

from salutary.engine.selection import top
from salutary.models import Predictor
from salutary.strategies import PoolView, Proposal, Strategy
from salutary.system.rules import NULL, Number


class SelfTraining(Strategy[Predictor]):
    """The most confident pool points, each with its predicted label; no human.

    ``threshold=null``: the ``budget`` most confident points a round. With a ``threshold``: those of
    them whose highest probability exceeds it, so that a round may add fewer, and the run ends when it
    adds none (``budget`` as large as the pool gives the classical rule, all above the threshold).
    Yarowsky, "Unsupervised word sense disambiguation rivaling supervised methods", ACL 1995.
    """

    RULES = {"threshold": Number(0, 1) | NULL}

    def __init__(self, threshold: float | None = None):
        self.threshold = threshold

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        confidence, labels = model.predict_proba(view.pool).max(dim=1)
        indices = top(confidence, budget)
        if self.threshold is not None:
            indices = indices[confidence[indices] > self.threshold]
        return Proposal(indices, labels[indices])
