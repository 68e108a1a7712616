"""A fitted model of scikit-learn with all that ``influence`` takes."""

from dataclasses import dataclass

import numpy as np
import sklearn
import torch
from oracles import blobs
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight

from salutary.integrations.fitted import influence

SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NAMES = np.array(["ash", "beech", "cedar"])


@dataclass
class Case:
    """Rows, labels that are names, and a fitted model. ``weights``: sample weight times class weight."""

    model: LogisticRegression
    X: np.ndarray
    y: np.ndarray
    pool: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    sample_weight: np.ndarray | None
    weights: np.ndarray

    @classmethod
    def of(cls, n_classes=3, sample_weight=False, **settings):
        (X, y), (pool, _), (X_val, y_val) = (
            [part.numpy() for part in blobs(n, 4, n_classes, seed, spread=1.5)]
            for n, seed in ((60, 1), (12, 2), (40, 3))
        )
        y, y_val = NAMES[y], NAMES[y_val]
        weight = np.random.default_rng(0).uniform(0.2, 3, len(y)) if sample_weight else None
        model = exact(**settings).fit(X, y, sample_weight=weight)
        return cls(model, X, y, pool, X_val, y_val, weight, effective_weights(model, y, weight))

    def arguments(self, **changed):
        """What ``influence`` takes besides the model."""
        rows = {"X_train": self.X, "X_pool": self.pool, "X_val": self.X_val}
        labels = {"y_train": self.y, "y_val": self.y_val, "sample_weight": self.sample_weight}
        return {**rows, **labels, **changed}

    def influence(self, **changed):
        return influence(self.model, **self.arguments(**changed))

    def numbers(self, y):
        return torch.as_tensor(np.searchsorted(self.model.classes_, y))


def exact(**settings):
    """A model that its fit brings as near its optimum as rounding allows."""
    return LogisticRegression(**{"tol": 1e-12, "max_iter": 100_000, "solver": "newton-cholesky", **settings})


def effective_weights(model, y, sample_weight):
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    counted = {"sample_weight": weights} if SKLEARN >= (1, 7) else {}
    of_class = compute_class_weight(model.class_weight, classes=model.classes_, y=y, **counted)
    return weights * of_class[np.searchsorted(model.classes_, y)]
