"""Labelled data with planted faults: what is wrong with L is known, and fresh rows measure what a model
is worth.
"""

from dataclasses import replace

import numpy as np

from salutary.engine.soft_regression import of_classes
from salutary.remedies import LabelledData, Part


def drawn(n, d, n_classes, rng, strength=1.5):
    """Rows of a linear model: its probabilities (n, C) too."""
    W = strength * np.random.default_rng(7).normal(size=(n_classes, d))
    X = rng.normal(size=(n, d))
    P = of_classes(np.column_stack([X @ W.T, np.zeros(n)])[:, :n_classes])
    y = (P.cumsum(1) > rng.random((n, 1))).argmax(1)
    return Part(X, y)


def planted(n_classes=2, n_labeled=200, n_validation=80, d=4, seed=0, n_test=2000, **settings):
    """Clean L and V, and test rows, of one linear model with planted parameters."""
    rng = np.random.default_rng(seed)
    L, V, test = (drawn(n, d, n_classes, rng) for n in (n_labeled, n_validation, n_test))
    return LabelledData(L, V, n_classes, **settings), test


def grouped(
    criterion, n_labeled=200, n_validation=120, n_test=3000, seed=0, n_groups=2, n_classes=2, **settings
):
    """L, V and test rows of groups that differ in a feature and in how often they are of a higher class.

    The feature says a little of the class within a group, and more of the group.
    """
    rng = np.random.default_rng(seed)

    def rows(n):
        groups = rng.integers(0, n_groups, n)
        X = rng.normal(size=(n, 4))
        X[:, 0] += 2.0 * groups
        score = X[:, 1] + 0.5 * X[:, 0] + 0.7 * groups + rng.normal(size=n)
        edges = np.linspace(-1, 1 + 2 * (n_groups - 1), n_classes + 1)[1:-1] if n_classes > 2 else [0.9]
        return Part(X, np.searchsorted(edges, score), groups=groups)

    L, V, test = (rows(n) for n in (n_labeled, n_validation, n_test))
    return LabelledData(L, V, n_classes, criterion=criterion, seed=seed, **settings), test


def with_labels(data, y):
    return replace(data, labeled=Part(data.labeled.X, y))


def noisy(data, matrix, seed=0):
    """L's labels redrawn by the noise matrix (C, C) or by that of each source (S, C, C)."""
    rng = np.random.default_rng([seed, 1])
    y = data.labeled.y
    rows = np.asarray(matrix)[y] if np.ndim(matrix) == 2 else np.asarray(matrix)[data.sources, y]
    return with_labels(data, (rows.cumsum(1) > rng.random((len(y), 1))).argmax(1))


def shuffled(data, seed=0):
    """V's labels in another order: V knows nothing."""
    V = data.validation
    return replace(data, validation=Part(V.X, np.random.default_rng([seed, 2]).permutation(V.y)))


def symmetric(n_classes, wrong):
    """A noise matrix: so large a share of labels is wrong, of any kind."""
    matrix = np.full((n_classes, n_classes), wrong / (n_classes - 1))
    np.fill_diagonal(matrix, 1 - wrong)
    return matrix


def loss(model, test):
    """Mean loss of test rows."""
    return float(-np.log(model.probabilities(test.X)[np.arange(len(test)), test.y]).mean())
