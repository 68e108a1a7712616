"""How good a model is on some rows."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from salutary.models import Predictor, states_of

if TYPE_CHECKING:  # readers of records need no torch
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

    @classmethod
    def of(cls, values: dict[str, float]) -> Metrics:
        """From those that are there; the others are NaN."""
        return cls(**{**dict.fromkeys((each.name for each in fields(cls)), float("nan")), **values})


@dataclass(frozen=True)
class HeldOut:
    """Mean losses on ``n`` validation rows, in natural logarithms: ``before`` any labelling, and ``after``
    it.

    ``change``: the second minus the first, with its standard error: of the rows, by their paired differences,
    and for a network of the trainings (:func:`salutary.experiments.held_out.training_noise`). ``folds``: each
    fold of the rows was measured by a labelling that the others chose; of 0 it is the trial run that was
    chosen (``strategy.judge``), on the rows that judged it.
    """

    n: int
    folds: int
    before: float
    after: float
    change: float
    standard_error: float

    @property
    def got_worse(self) -> bool:
        """By more than a standard error."""
        return self.change > self.standard_error

    def sentence(self) -> str:
        """What is said of it."""
        is_better = self.change < -self.standard_error
        verdict = "worse" if self.got_worse else "better" if is_better else "no clear change"
        rows = f"{self.n:,} validation rows that did not choose"
        trial = f"In the chosen trial run the loss on {rows} its labels"
        where = f"On {rows} the labels the loss" if self.folds else trial
        return (
            f"{where} went from {self.before:.4f} to {self.after:.4f}"
            f" ({self.change:+.4f}, standard error {self.standard_error:.4f}): {verdict}."
        )


def evaluate(model: Predictor, X: Tensor, y: Tensor) -> Metrics:
    """Metrics of a fitted model on (X, y); the mean over its last states if it keeps several."""
    each = [score(state.predict_proba(X), y) for state in states_of(model)]
    columns = zip(*map(astuple, each), strict=True)
    return Metrics(*(float(np.mean(column)) for column in columns))


def row_losses(model: Predictor, X: Tensor, y: Tensor) -> np.ndarray:
    """Negative log-likelihood of each row of (X, y), (n,); the mean over the model's last states."""
    each = [_losses(state.predict_proba(X), y) for state in states_of(model)]
    return np.mean(each, 0)


def score(probabilities: Tensor, y: Tensor) -> Metrics:
    """Metrics of predicted probabilities (n, C) against class numbers y (n,)."""
    p, true = probabilities.numpy(force=True), y.numpy(force=True)
    n_classes = p.shape[1]
    # scikit-learn's functions spend more time on checks than a round on its influences.
    confusion = np.bincount(true * n_classes + p.argmax(1), minlength=n_classes**2).reshape(n_classes, -1)
    correct, actual, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    present = actual > 0
    recall = correct[present] / actual[present]
    f1 = 2 * correct[present] / (actual + predicted)[present]
    return Metrics(
        loss=float(_losses(probabilities, y).mean()),
        accuracy=float(correct.sum() / len(true)),
        balanced_accuracy=float(recall.mean()),
        macro_f1=float(f1.mean()),
    )


def _losses(probabilities: Tensor, y: Tensor) -> np.ndarray:
    p, true = probabilities.numpy(force=True), y.numpy(force=True)
    of_true = p[np.arange(len(true)), true].astype(np.float64)
    return -np.log(of_true.clip(min=np.finfo(np.float64).tiny))
