"""A fitted model and its view, and a small problem, for the tests of strategies and of the loop."""

import numpy as np
from oracles import blobs

from salutary.experiments.problem import Problem
from salutary.experiments.split import Split
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView


def rng(seed=0):
    return np.random.default_rng(seed)


def situation(kind: str) -> tuple[LogisticRegression, PoolView]:
    """A fitted model and a view of 80 pool points."""
    n_classes = 2 if kind == "binary" else 4
    X, y = blobs(240, 5, n_classes, seed=11, spread=1.5)
    if kind == "constant columns":
        X[:, 2] = 1.0
    labeled, pool, validation = slice(0, 40), slice(40, 120), slice(120, 240)
    X_labeled, y_labeled, X_pool = X[labeled], y[labeled], X[pool].clone()
    if kind == "missing class":
        X_labeled, y_labeled = X_labeled[y_labeled != 2], y_labeled[y_labeled != 2]
    if kind == "duplicates":
        X_pool[40:] = X_pool[:40]
    if kind == "all rows alike":
        X_pool[:] = X_pool[0]
    l2 = 1e-3 if kind == "confident float32" else 1.0
    if "float32" in kind:
        X, X_labeled, X_pool = X.float(), X_labeled.float(), X_pool.float()
    model = LogisticRegression(n_classes, l2).fit(X_labeled, y_labeled)
    n_initial = len(y_labeled) - 10
    view = PoolView(X_pool, X_labeled, y_labeled, X[validation], y[validation], n_initial, n_classes)
    return model, view


def problem(y_pool_shift: int = 0) -> Problem:
    """100 pool rows; the shift changes the hidden labels of the pool, and nothing else."""
    X, y = blobs(300, 5, 3, seed=12, spread=1.5)
    rows = np.arange(300)
    split = Split(rows[:40], rows[40:140], rows[140:220], rows[220:], rows[:140], rows[:0])
    y = y.clone()
    y[40:140] = (y[40:140] + y_pool_shift) % 3
    return Problem(X, y, split, ("a", "b", "c"))
