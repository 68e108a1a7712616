"""What the three uncertainty strategies share: modAL's measures of a pool's predictions."""

from __future__ import annotations

import numpy as np

from salutary.strategies import PoolView, ScoreStrategy


class ModalClassifier:
    """A fitted model as modAL expects one: ``predict_proba`` in NumPy, over the pool.

    modAL's measures take a classifier; its ``ActiveLearner`` is not used, since its ``teach``
    breaks with scikit-learn 1.8 and later.
    """

    def __init__(self, model, view: PoolView):
        self.model = model
        self.view = view

    def predict_proba(self, X: object) -> np.ndarray:
        """Class probabilities (u, C) of the pool; ``X`` is what modAL passes through, unused."""
        return self.model.predict_proba(self.view.pool).numpy(force=True)


class UncertaintyStrategy(ScoreStrategy):
    """Base of entropy, margin and uncertainty sampling, on two classes one and the same ranking."""

    same_on_two_classes = ("entropy", "margin", "uncertainty")
