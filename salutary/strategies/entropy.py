"""Entropy sampling."""

from __future__ import annotations

import numpy as np
from modAL.uncertainty import classifier_entropy

from salutary.strategies import PoolView
from salutary.strategies.modal import ModalClassifier, UncertaintyStrategy


class Entropy(UncertaintyStrategy):
    """Highest predictive entropy, - sum over c of p_c log p_c; the true labels are bought.

    On two classes entropy, margin and uncertainty are one and the same ranking.
    Settles & Craven, "An analysis of active learning strategies for sequence labeling tasks",
    EMNLP 2008.
    """

    def scores(self, model, view: PoolView, rng: np.random.Generator) -> np.ndarray:
        return classifier_entropy(ModalClassifier(model, view), None)
