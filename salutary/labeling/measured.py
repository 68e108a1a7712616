"""Losses of rows, or what another objective is the mean of, and whether they are predicted rightly."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from scipy.stats import binomtest

from salutary.engine import loss
from salutary.engine.objectives import Criterion
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows

# Losses or values (n,), and whether the likeliest class is the true one (n,), of a model on the same rows.
Measured: TypeAlias = tuple[np.ndarray, np.ndarray]
CONFIDENCE = 0.95


def standard_error(losses: np.ndarray) -> float | None:
    """Of the mean of (n,); None of one row."""
    return float(losses.std(ddof=1) / len(losses) ** 0.5) if len(losses) > 1 else None


def accuracy_interval(hits: np.ndarray) -> list[float]:
    """Wilson's interval of :data:`CONFIDENCE` for the accuracy of which (n,) are a sample."""
    found = binomtest(int(hits.sum()), len(hits)).proportion_ci(CONFIDENCE, method="wilson")
    return [float(found.low), float(found.high)]


def told(measured: Measured) -> dict[str, Any]:
    """Mean loss and accuracy, with how far they are known, as facts.json has them."""
    losses, hits = measured
    means = {"loss": float(losses.mean()), "accuracy": float(hits.mean()), "n": len(losses)}
    return means | {"standard_error": standard_error(losses), "accuracy_interval": accuracy_interval(hits)}


def row_losses(model: LogisticRegression, rows: Rows, criterion: Criterion | None = None) -> Measured:
    """Loss of each row (n,), or its value by a ``criterion``, and whether its class is the likeliest (n,)."""
    P = model.predict_proba(rows.X)
    values = criterion.row_values(P, rows.y, rows.groups) if criterion else loss(rows.X, rows.y, model.coef_)
    return values.numpy(force=True), (P.argmax(1) == rows.y).numpy(force=True)


def held_out_losses(
    models: list[tuple[LogisticRegression, np.ndarray]],
    validation: Rows,
    criterion: Criterion | None = None,
) -> Measured | None:
    """Losses, or values, and hits (n_V,) of each validation row by the model that goes with it; None without
    models.

    The values of a criterion are those of all rows together.
    """
    if not models:
        return None
    losses, hits = np.empty(len(validation)), np.empty(len(validation), bool)
    P = torch.empty(len(validation), models[0][0].n_classes, dtype=torch.float64, device=validation.y.device)
    for model, rows in models:
        losses[rows], hits[rows] = row_losses(model, validation[rows])
        P[rows] = model.predict_proba(validation.X[rows])
    if criterion:
        losses = criterion.row_values(P, validation.y, validation.groups).numpy(force=True)
    return losses, hits
