"""How good a model is on some rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import MISSING, asdict, astuple, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from salutary.experiments.probability_metrics import brier, calibration_error, kappa, ranking
from salutary.models import Predictor, states_of

if TYPE_CHECKING:  # readers of records need no torch
    from torch import Tensor

    from salutary.engine.objectives import Criterion


@dataclass(frozen=True)
class Metrics:
    """``loss``: mean negative log-likelihood, natural logarithm; the others are shares in [0, 1].

    Balanced accuracy (mean recall) and macro F1 are means over the classes present in the labels. Where
    the mean loss is not what the model is to be good at: the ``objective``, and its ``figure``, of
    decisions; NaN where a group or class is missing.

    What probabilities are worth (:mod:`salutary.experiments.probability_metrics`): ``auroc`` and
    ``average_precision``, of one class against the rest, means over the classes present; ``brier``, the
    mean sum over classes of squared errors, in [0, 2]; ``ece``, the expected calibration error in 15
    bins; and Cohen's ``kappa`` of the decisions. NaN where that is not defined, such as for rows of a
    single class; None in records of before.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    objective: float | None = field(default=None, metadata={"late": True})
    figure: float | None = field(default=None, metadata={"late": True})
    auroc: float | None = field(default=None, metadata={"late": True})
    average_precision: float | None = field(default=None, metadata={"late": True})
    brier: float | None = field(default=None, metadata={"late": True})
    ece: float | None = field(default=None, metadata={"late": True})
    kappa: float | None = field(default=None, metadata={"late": True})

    @classmethod
    def of(cls, values: dict[str, Any]) -> Metrics:
        """From those that are there; the others are NaN, or None where they may be."""
        nothing: dict[str, Any] = {each.name: math.nan for each in fields(cls) if each.default is MISSING}
        return cls(**{**nothing, **values})

    @property
    def facts(self) -> dict[str, Any]:
        """By name, for JSON, which knows no NaN: None where it stands for what is not defined."""
        undefined = {each.name for each in fields(self) if each.default is None}
        values = asdict(self)
        return {
            name: None if name in undefined and value is not None and math.isnan(value) else value
            for name, value in values.items()
        }


@dataclass(frozen=True)
class HeldOut:
    """Mean losses on ``n`` validation rows, in natural logarithms: ``before`` any labelling, and
    ``after`` it.

    ``change``: the second minus the first, with its standard error: of the rows, by their paired
    differences, and for a network of the trainings
    (:func:`salutary.experiments.held_out.training_noise`). ``folds``: each fold of the rows was measured
    by a labelling that the others chose; of 0 it is the trial run that was chosen (``strategy.judge``),
    on the rows that judged it. ``what``: the loss, or another objective.
    """

    n: int
    folds: int
    before: float
    after: float
    change: float
    standard_error: float
    what: str = "loss"

    @property
    def got_worse(self) -> bool:
        """By more than a standard error."""
        return self.change > self.standard_error

    def sentence(self) -> str:
        """What is said of it."""
        is_better = self.change < -self.standard_error
        verdict = "worse" if self.got_worse else "better" if is_better else "no clear change"
        rows = f"{self.n:,} validation rows that did not choose"
        trial = f"In the chosen trial run the {self.what} on {rows} its labels"
        where = f"On {rows} the labels the {self.what}" if self.folds else trial
        return (
            f"{where} went from {self.before:.4f} to {self.after:.4f}"
            f" ({self.change:+.4f}, standard error {self.standard_error:.4f}): {verdict}."
        )


def evaluate(
    model: Predictor,
    X: Tensor,
    y: Tensor,
    groups: Tensor | None = None,
    criterion: Criterion | None = None,
    full: bool = True,
) -> Metrics:
    """Metrics of a fitted model on (X, y); the mean over its last states if it keeps several.

    ``full``: as of :func:`score`.
    """
    each = [score(P, y, groups, criterion, full) for P in predictions(model, X)]
    columns = zip(*map(astuple, each), strict=True)
    means: Any = (None if column[0] is None else float(np.mean(column)) for column in columns)
    return Metrics(*means)


def predictions(model: Predictor, X: Tensor) -> list[Tensor]:
    """Probabilities (n, C) of the rows X (n, d), by each of the model's last states."""
    return [state.predict_proba(X) for state in states_of(model)]


def row_values(
    each: Sequence[Tensor], y: Tensor, groups: Tensor | None = None, criterion: Criterion | None = None
) -> np.ndarray:
    """(n,), whose mean is the objective and whose spread says how sure it is, of :func:`predictions`.

    Without a ``criterion`` the negative log-likelihood of each row.
    """
    if criterion is None:
        return np.mean([_losses(P, y) for P in each], 0)
    return np.mean([criterion.row_values(P, y, groups).numpy(force=True) for P in each], 0)


def score(
    probabilities: Tensor,
    y: Tensor,
    groups: Tensor | None = None,
    criterion: Criterion | None = None,
    full: bool = True,
) -> Metrics:
    """Metrics of predicted probabilities (n, C) against class numbers y (n,), and of the criterion.

    ``full``: with what the probabilities are worth, which takes sorting them by each class.
    """
    p, true = probabilities.numpy(force=True), y.numpy(force=True)
    n_classes = p.shape[1]
    # scikit-learn's functions spend more time on checks than a round on its influences.
    confusion = np.bincount(true * n_classes + p.argmax(1), minlength=n_classes**2).reshape(n_classes, -1)
    correct, actual, predicted = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    present = actual > 0
    recall = correct[present] / actual[present]
    f1 = 2 * correct[present] / (actual + predicted)[present]
    found = Metrics(
        loss=float(_losses(probabilities, y).mean()),
        accuracy=float(correct.sum() / len(true)),
        balanced_accuracy=float(recall.mean()),
        macro_f1=float(f1.mean()),
        objective=float(criterion.row_values(probabilities, y, groups).mean()) if criterion else None,
        figure=criterion.figure(probabilities, y, groups) if criterion else None,
    )
    if not full:
        return found
    auroc, average_precision = ranking(p, true)
    return replace(
        found,
        auroc=auroc,
        average_precision=average_precision,
        brier=brier(p, true),
        ece=calibration_error(p, true),
        kappa=kappa(confusion),
    )


def _losses(probabilities: Tensor, y: Tensor) -> np.ndarray:
    p, true = probabilities.numpy(force=True), y.numpy(force=True)
    of_true = p[np.arange(len(true)), true].astype(np.float64)
    return -np.log(of_true.clip(min=np.finfo(np.float64).tiny))
