"""Judged models as scikit-learn has them, to be saved."""

from __future__ import annotations

import copy

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.dummy import DummyClassifier

from salutary.models.logistic import LogisticRegression
from salutary.remedies.average import Average
from salutary.remedies.base_models import MIXED, Fitted, Linear
from salutary.tables.votes import soft_vote


def to_sklearn(average: Average, model: LogisticRegression, classes: np.ndarray) -> ClassifierMixin:
    """A logistic regression where all members are linear, else a soft vote; ``model``: settings of the first.

    ``classes`` (C,): as the user has them.
    """
    if average.is_linear:
        assert average.linear is not None
        return _linear(average.linear, model, classes)
    members, weights = [], []
    numbers = np.arange(len(classes))
    if average.linear is not None:
        members.append(("linear", _linear(average.linear, model, numbers)))
        weights.append(average.linear_weight)
    shares = np.zeros(len(numbers))
    for name, (fitted, weight) in average.others.items():
        assert isinstance(fitted, Fitted)
        members.append((name, fitted.estimator))
        weights.append((1 - MIXED) * weight)
        shares += MIXED * weight * fitted.shares
    members.append(("class_shares", _constant(shares / shares.sum())))
    weights.append(shares.sum())
    return soft_vote(members, weights, classes)


def _linear(linear: Linear, model: LogisticRegression, classes: np.ndarray) -> ClassifierMixin:
    fitted = copy.copy(model)
    fitted.coef_, fitted.l2_ = torch.from_numpy(linear.W), linear.l2
    return fitted.to_sklearn(classes)


def _constant(shares: np.ndarray) -> DummyClassifier:
    """Predicts the shares of the classes, whatever the row."""
    numbers = np.arange(len(shares))
    constant = DummyClassifier(strategy="prior").fit(np.zeros((len(shares), 1)), numbers)
    constant.class_prior_ = shares
    return constant
