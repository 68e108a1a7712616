"""How good a model is on some rows."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from sklearn.metrics import f1_score, recall_score
from torch import Tensor


@dataclass(frozen=True)
class Metrics:
    """``loss``: mean negative log-likelihood, natural logarithm; the others are shares in [0, 1].

    Balanced accuracy (mean recall) and macro F1 are means over the classes present in the labels.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float


def evaluate(model, X: Tensor, y: Tensor) -> Metrics:
    """Metrics of a fitted model on (X, y); the mean over its last states if it keeps several."""
    states = getattr(model, "states_", [model])
    each = [score(state.predict_proba(X), y) for state in states]
    columns = zip(*map(astuple, each), strict=True)
    return Metrics(*(float(np.mean(column)) for column in columns))


def score(probabilities: Tensor, y: Tensor) -> Metrics:
    """Metrics of predicted probabilities (n, C) against class numbers y (n,)."""
    p = probabilities.numpy(force=True).astype(np.float64)
    y = y.numpy(force=True)
    predicted = p.argmax(1)
    of_true = p[np.arange(len(y)), y].clip(min=np.finfo(np.float64).tiny)
    present = np.unique(y)
    options = {"labels": present, "average": "macro", "zero_division": 0}
    return Metrics(
        loss=float(-np.log(of_true).mean()),
        accuracy=float((predicted == y).mean()),
        balanced_accuracy=float(recall_score(y, predicted, **options)),
        macro_f1=float(f1_score(y, predicted, **options)),
    )
