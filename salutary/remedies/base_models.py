"""What is fitted to training rows: the linear model, and classifiers of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from salutary.engine.soft_regression import SoftRegression, logits, of_classes
from salutary.errors import SalutaryError
from salutary.remedies import BaseModel, LabelledData, TrainingRows
from salutary.system.device import one_thread

# Trees are certain of much: so much of a share of the classes is mixed into what they predict.
MIXED = 0.01
# A class of a row that weighs less is left out where classifiers take only classes, as weighted copies of
# rows.
SMALL = 0.02
# Features that a split of the forest looks at, half of them at most.
MOST_FEATURES = 25
# The weight that a class without a row is given one with.
PRESENT = 1e-3
# By this share boosting sees values raised: more than float32 takes from them.
RAISED = 2.0**-22


@dataclass(frozen=True)
class Linear:
    """Parameters W (K, D). ``l2``: their penalty, for the record."""

    W: np.ndarray
    l2: float

    def logits(self, X: np.ndarray) -> np.ndarray:
        """(n, K)."""
        return logits(X, self.W)

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        return of_classes(self.logits(X))


class Logistic:
    """Logistic or softmax regression; its penalty is chosen by the losses of rows left out."""

    name = "logistic"
    is_linear = True

    def fit(self, rows: TrainingRows, data: LabelledData) -> Linear:
        """The optimum of :class:`salutary.engine.soft_regression.SoftRegression`."""
        regression = SoftRegression(rows.X, rows.q, rows.weights, data.intercept)
        if rows.l2 is not None:
            return Linear(regression.fit(regression.penalty(rows.l2)), rows.l2)
        l2, W = regression.tune(rows.tuned_on)
        return Linear(W, l2)

    def takes(self, rows: TrainingRows) -> bool:
        return True


@dataclass(frozen=True)
class Fitted:
    """A fitted classifier whose classes are the numbers 0 .. C - 1, and the ``shares`` (C,) of the
    classes.
    """

    estimator: Any
    shares: np.ndarray

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """What it predicts, with ``MIXED`` of the shares."""
        with one_thread():
            return (1 - MIXED) * self.estimator.predict_proba(X) + MIXED * self.shares


class Estimator:
    """A classifier of scikit-learn's kind.

    Distributions become copies of the row, one for each class, weighted by it. One whose ``fit`` takes no
    ``sample_weight`` is fitted only where there are neither weights nor distributions. It sees the features
    of the table alone, not those that a map made for linear models.
    """

    is_linear = False

    def __init__(self, name: str, estimator: BaseEstimator, most_features: int | None = None):
        """``most_features``: that a split of a forest looks at, a half of them otherwise.

        Raises SalutaryError for what gives no probabilities.
        """
        if not hasattr(estimator, "predict_proba"):
            raise SalutaryError(f"model.candidates: {name} has no predict_proba")
        self.name, self.estimator, self.most_features = name, estimator, most_features
        self._weight = _weight_parameter(estimator)

    @property
    def takes_weights(self) -> bool:
        return self._weight is not None

    def takes(self, rows: TrainingRows) -> bool:
        return self.takes_weights or rows.is_plain

    def fit(self, rows: TrainingRows, data: LabelledData) -> Fitted:
        X_all, y, weights = as_classes(rows)
        X = X_all[:, : data.n_plain]
        estimator = clone(self.estimator)
        random = {name: data.seed for name, value in estimator.get_params().items() if _is_seed(name, value)}
        estimator.set_params(**random)
        if self.most_features:
            estimator.set_params(max_features=min(-(-X.shape[1] // 2), self.most_features))
        weighted = {self._weight: weights} if self._weight and (weights != 1).any() else {}
        # Of a few hundred rows threads make little, and wait for each other on a busy machine.
        with one_thread():
            estimator.fit(_apart(estimator, X), y, **weighted)
        shares = np.bincount(y, weights, data.n_classes)
        if data.n_plain is not None:
            estimator = _of_first(estimator, data.n_plain, X_all)
        return Fitted(estimator, shares / shares.sum())


def _of_first(estimator: BaseEstimator, n: int, X: np.ndarray) -> Pipeline:
    """The fitted estimator for rows X (m, D) of whose features it sees the first ``n``."""
    first = ColumnTransformer([("plain", "passthrough", [*range(n)])]).fit(X[:1])
    return Pipeline([("plain", first), ("model", estimator)])


def _apart(estimator: BaseEstimator, X: np.ndarray) -> np.ndarray:
    """X (n, d), or for boosting a little more: its splits lie on values of rows, those that stand for gaps
    among them, and the pool's rows, which are float32, are to stay on their side of them.
    """
    return X + RAISED * np.abs(X) if isinstance(estimator, HistGradientBoostingClassifier) else X


def _is_seed(name: str, value: object) -> bool:
    return name.rsplit("__", 1)[-1] == "random_state" and value is None


def _weight_parameter(estimator: BaseEstimator) -> str | None:
    """What the weights are called in ``fit``; None if it takes none. A pipeline hands them to its last
    step.
    """
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        inner = _weight_parameter(last)
        return inner and f"{name}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def as_classes(rows: TrainingRows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (m, d), class numbers (m,) and weights (m,): a copy of a row for each class that it may be of.

    Every class has a row, if only one of little weight, so that all of them are predicted.
    """
    weights = rows.weights[:, None] * rows.q
    # No row weighs less for being doubtful: what is left out goes to the classes that are kept.
    kept = (rows.q > min(SMALL, 0.5 / rows.q.shape[1])) * weights
    kept *= (rows.weights / kept.sum(1))[:, None]
    for lacking in np.flatnonzero(~(kept > 0).any(0)):
        kept[weights[:, lacking].argmax(), lacking] = PRESENT
    row, y = np.nonzero(kept)
    return rows.X[row], y, kept[row, y]


def candidates(chosen: list[str | BaseEstimator]) -> list[BaseModel]:
    """The base models of these names, or of classifiers. Raises SalutaryError for a name of none."""
    known: dict[str, Callable[[], BaseModel]] = {
        "logistic": Logistic,
        "hist_gradient_boosting": lambda: Estimator("hist_gradient_boosting", boosting()),
        "random_forest": lambda: Estimator("random_forest", forest(), MOST_FEATURES),
    }
    models: list[BaseModel] = []
    for each in _distinct(chosen):
        if not isinstance(each, str):
            models.append(Estimator(_free_name(type(each).__name__, models), each))
        elif each in known:
            models.append(known[each]())
        else:
            names = ", ".join(known)
            raise SalutaryError(
                f"model.candidates: {each!r} is none of {names}; others are named by _target_"
            )
    if not models:
        raise SalutaryError("model.candidates: at least one is needed")
    return models


def _distinct(chosen: list[str | BaseEstimator]) -> list[str | BaseEstimator]:
    """Without a name that was there before."""
    return [
        each for place, each in enumerate(chosen) if not isinstance(each, str) or each not in chosen[:place]
    ]


def _free_name(name: str, models: list[BaseModel]) -> str:
    """The name, numbered from the second classifier of its kind on."""
    number = sum(model.name.rstrip("0123456789_") == name for model in models) + 1
    return name if number == 1 else f"{name}_{number}"


def boosting() -> BaseEstimator:
    """Shallow trees and wide bins, as some hundred rows bear them, and no rows kept back to stop by.

    (With weights, 255 bins take scikit-learn 20 times as long to find.)
    """
    return HistGradientBoostingClassifier(max_depth=3, max_bins=32, max_features=0.5, early_stopping=False)


def forest() -> BaseEstimator:
    """Trees that see half of the features at each split, as far as that takes no time."""
    return RandomForestClassifier(100, min_samples_leaf=3)
