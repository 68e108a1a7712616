"""The model of a run as a classifier of scikit-learn, for the strategies of other libraries."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.models import Predictor, is_network, warm_starts
from salutary.strategies import PoolView


class Refitted(ClassifierMixin, BaseEstimator):
    """``fit`` fits a copy of the run's model, with the penalty that the run has settled on.

    What predicts without a ``fit``, such as a network's classifier, stands for the fit to the labelled rows that
    it was made of, and to no others.

    Parameters
    ----------
    model: the fitted model, which is left as it is.
    labeled, labels: what it was fitted to, X (l, d) and class numbers (l,).
    n_classes: C; ``predict_proba`` gives all of them.
    only_seen: whether it gives those alone that are among the labels, as scikit-learn's classifiers do; the
        probabilities of the others are shared out in proportion.
    """

    def __init__(
        self, model: Predictor, labeled: Tensor, labels: Tensor, n_classes: int, only_seen: bool = False
    ):
        self.model = model
        self.labeled = labeled
        self.labels = labels
        self.n_classes = n_classes
        self.only_seen = only_seen

    @classmethod
    def of(cls, model: Predictor, view: PoolView, only_seen: bool = False) -> Refitted:
        """The model and the rows it was fitted to."""
        return cls(model, view.labeled, view.labels, view.n_classes, only_seen)

    def __sklearn_clone__(self) -> Refitted:
        """Shares the model and the rows, which nobody changes."""
        return type(self)(**self.get_params(deep=False))

    def __deepcopy__(self, memo: dict) -> Refitted:
        copied = self.__sklearn_clone__()
        copied.__dict__.update(self.__dict__)
        return copied

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Raises SalutaryError where the model cannot be fitted, or not to these rows."""
        rows = torch.as_tensor(np.asarray(X), device=self.labeled.device)
        labels = torch.as_tensor(np.asarray(y, np.int64), device=self.labeled.device)
        self.fitted_ = self._fitted(rows, labels)
        seen = np.unique(np.asarray(y, np.int64))
        self.classes_ = seen if self.only_seen else np.arange(self.n_classes)
        return self

    def _fitted(self, X: Tensor, y: Tensor) -> Any:
        model = copy.deepcopy(self.model)
        if warm_starts(model):
            return model.update(X, y)
        if hasattr(model, "fit"):
            return model.fit(X, y)
        if torch.equal(X, self.labeled) and torch.equal(y, self.labels):
            return model
        raise SalutaryError("a network's classifier is fitted to no other rows")

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """(n, C), or fewer columns with ``only_seen``; float64."""
        X = torch.as_tensor(np.asarray(X), device=self.labeled.device)
        P = self.fitted_.predict_proba(X).double().numpy(force=True)
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
    """Raises SalutaryError for a network, of which strategies see a classifier that cannot be fitted again."""
    if is_network(model):
        raise SalutaryError(f"{setting} fits the model to other rows, which takes model=logistic")
