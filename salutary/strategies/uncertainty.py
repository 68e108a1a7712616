"""Least-confidence sampling."""

from __future__ import annotations

import numpy as np
from modAL.uncertainty import classifier_uncertainty

from salutary.strategies import PoolView
from salutary.strategies.modal import ModalClassifier, UncertaintyStrategy


class Uncertainty(UncertaintyStrategy):
    """Lowest probability of the predicted class; the true labels are bought.

    On two classes entropy, margin and uncertainty are one and the same ranking.
    Nguyen, Shaker & Huellermeier, "How to measure uncertainty in uncertainty sampling for active
    learning", Machine Learning 2022.
    """

    def scores(self, model, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return classifier_uncertainty(ModalClassifier(model, view), None)
