"""Losses of rows, and whether they are predicted rightly."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from salutary.engine import loss
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows

# Losses (n,), and whether the likeliest class is the true one (n,), of a model on the same rows.
Measured: TypeAlias = tuple[np.ndarray, np.ndarray]


def row_losses(model: LogisticRegression, rows: Rows) -> Measured:
    """Loss of each row (n,), and whether its class is the likeliest (n,)."""
    losses = loss(rows.X, rows.y, model.coef_)
    hits = model.predict_proba(rows.X).argmax(1) == rows.y
    return losses.numpy(force=True), hits.numpy(force=True)


def held_out_losses(models: list[tuple[LogisticRegression, np.ndarray]], validation: Rows) -> Measured | None:
    """Losses and hits (n_V,) of each validation row by the model that goes with it; None without models."""
    if not models:
        return None
    losses, hits = np.empty(len(validation)), np.empty(len(validation), bool)
    for model, rows in models:
        losses[rows], hits[rows] = row_losses(model, validation[rows])
    return losses, hits
