"""What any model has to be better than: one answer to all rows."""

from __future__ import annotations

import copy

import torch

from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows


def majority(labeled: Rows, model: LogisticRegression) -> LogisticRegression:
    """A model of intercepts alone, (K, d + 1): the commonest class of the labelled rows is the likeliest of
    every row, and the class shares are the probabilities. Every class has a labelled row.
    """
    logits = torch.bincount(labeled.y, minlength=model.n_classes).double().log()
    logits = logits[1:] - logits[:1] if model.n_classes == 2 else logits - logits.logsumexp(0)
    constant = copy.copy(model)
    constant.fit_intercept = True
    constant.coef_ = torch.zeros(len(logits), labeled.X.shape[1] + 1).to(logits)
    constant.coef_[:, -1] = logits
    return constant
