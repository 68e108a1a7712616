"""The model of a run as a classifier of scikit-learn, for the strategies of other libraries."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.models import Predictor, is_network, warm_starts


@dataclass(frozen=True)
class Fit:
    """A fitted model, and the rows (l, d) and classes (l,) that it was fitted to; nobody changes them."""

    model: Predictor
    X: Tensor
    y: Tensor

    def __deepcopy__(self, memo: dict) -> Fit:
        return self  # copied with every classifier otherwise, thousands of times


class Refitted(ClassifierMixin, BaseEstimator):
    """``fit`` fits a copy of the run's model, with the penalty that the run has settled on.

    What predicts without a ``fit``, such as a network's classifier, stands for the fit to the rows that it
    was made of, and to no others.

    Parameters
    ----------
    of: the fitted model, which is left as it is.
    n_classes: C; ``predict_proba`` gives all of them.
    only_seen: whether it gives those alone that are among the labels, as scikit-learn's classifiers do; the
        probabilities of the others are shared out in proportion.
    """

    def __init__(self, of: Fit, n_classes: int, only_seen: bool = False):
        self.of = of
        self.n_classes = n_classes
        self.only_seen = only_seen

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Self:
        """``sample_weight``: how often each row counts, whole numbers, as a committee draws them.

        Raises SalutaryError where the model cannot be fitted, or not to these rows.
        """
        if sample_weight is not None:
            times = np.asarray(sample_weight)
            if (times != np.floor(times)).any():
                raise SalutaryError("sample_weight must be whole numbers: how often a row counts")
            X, y = (np.repeat(each, times.astype(np.int64), axis=0) for each in (X, y))
        rows = torch.as_tensor(np.asarray(X), device=self.of.X.device)
        labels = torch.as_tensor(np.asarray(y, np.int64), device=self.of.X.device)
        self.fitted_ = self._fitted(rows, labels)
        seen = np.unique(np.asarray(y, np.int64))
        self.classes_ = seen if self.only_seen else np.arange(self.n_classes)
        return self

    def _fitted(self, X: Tensor, y: Tensor) -> Any:
        model = copy.deepcopy(self.of.model)
        if warm_starts(model):
            return model.update(X, y)
        if hasattr(model, "fit"):
            return model.fit(X, y)
        if torch.equal(X, self.of.X) and torch.equal(y, self.of.y):
            return model
        raise SalutaryError("a network's classifier is fitted to no other rows")

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, C), or fewer columns with ``only_seen``; float64."""
        rows = torch.as_tensor(np.asarray(X), device=self.of.X.device)
        P = self.fitted_.predict_proba(rows).double().numpy(force=True)
        if not self.only_seen or P.shape[1] == len(self.classes_):
            return P
        return P[:, self.classes_] / P[:, self.classes_].sum(1, keepdims=True)

    def predict(self, X: np.ndarray) -> np.ndarray:
        """The likeliest class of each row, (n,)."""
        return self.classes_[self.predict_proba(X).argmax(1)]


def committee_of(classifier: Refitted, n_members: int, seed: int) -> BaggingClassifier:
    """A committee of models, each fitted to a bootstrap sample of the labelled rows (Breiman 1996)."""
    return BaggingClassifier(classifier, n_estimators=n_members, random_state=seed)


def require_refits(setting: str, model: object) -> None:
    """Raises SalutaryError for a network: the classifier that strategies see of it cannot be fitted again."""
    if is_network(model):
        raise SalutaryError(f"{setting} fits the model to other rows, which takes model=logistic")
