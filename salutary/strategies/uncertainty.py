"""Uncertainty sampling by modAL's three measures, on two classes one and the same ranking.

Nguyen, Shaker & Huellermeier, "How to measure uncertainty in uncertainty sampling for active learning",
Machine Learning 2022.
"""

from __future__ import annotations

import numpy as np
from modAL.uncertainty import classifier_entropy, classifier_margin, classifier_uncertainty

from salutary.models import Predictor
from salutary.strategies import PoolView, ScoreStrategy


class ModalClassifier:
    """A fitted model as modAL expects one: ``predict_proba`` in NumPy, over the pool.

    modAL's measures take a classifier; its ``ActiveLearner`` is not used, since its ``teach``
    breaks with scikit-learn 1.8 and later.
    """

    def __init__(self, model: Predictor, view: PoolView):
        self.model = model
        self.view = view

    def predict_proba(self, X: object) -> np.ndarray:
        """Class probabilities (u, C) of the pool; ``X`` is what modAL passes through, unused."""
        return self.model.predict_proba(self.view.pool).numpy(force=True)


class UncertaintyStrategy(ScoreStrategy[Predictor]):
    """Base of the three."""

    same_on_two_classes = ("entropy", "margin", "uncertainty")


class Entropy(UncertaintyStrategy):
    """Highest predictive entropy, - sum over c of p_c log p_c; the true labels are bought.

    Settles & Craven, "An analysis of active learning strategies for sequence labeling tasks",
    EMNLP 2008.
    """

    def scores(self, model: Predictor, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return classifier_entropy(ModalClassifier(model, view), None)


class Margin(UncertaintyStrategy):
    """Smallest difference between the two highest probabilities; the true labels are bought.

    Balcan, Broder & Zhang, "Margin based active learning", COLT 2007.
    """

    def scores(self, model: Predictor, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return -classifier_margin(ModalClassifier(model, view), None)


class Uncertainty(UncertaintyStrategy):
    """Lowest probability of the predicted class; the true labels are bought."""

    def scores(self, model: Predictor, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return classifier_uncertainty(ModalClassifier(model, view), None)
