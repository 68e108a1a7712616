"""Margin sampling."""

from __future__ import annotations

import numpy as np
from modAL.uncertainty import classifier_margin

from salutary.strategies import PoolView
from salutary.strategies.modal import ModalClassifier, UncertaintyStrategy


class Margin(UncertaintyStrategy):
    """Smallest difference between the two highest probabilities; the true labels are bought.

    On two classes entropy, margin and uncertainty are one and the same ranking.
    Balcan, Broder & Zhang, "Margin based active learning", COLT 2007.
    """

    def scores(self, model, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return -classifier_margin(ModalClassifier(model, view), None)
