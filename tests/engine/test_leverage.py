"""Leverages against the inverse of the matrix, by columns and by rows."""

import numpy as np
import pytest

from salutary.engine import leverage
from salutary.engine.soft_regression import SoftRegression, logits


def drawn(n, d):
    rng = np.random.default_rng(0)
    weights = rng.uniform(0, 0.25, n) * (np.arange(n) != 2)  # one of no weight
    return 3 * rng.normal(size=(n, d)), weights, np.arange(0, n, 2)


def inverse(X, weights, penalty):
    return np.linalg.inv((X.T * weights) @ X + np.diag(penalty))


@pytest.mark.parametrize("l2", [300.0, 0.1])
@pytest.mark.parametrize("free", [None, 1e-9, 2.0])
@pytest.mark.parametrize(("n", "d"), [(12, 12), (9, 30), (40, 5)])
def test_leverages_are_those_of_the_inverse(n, d, free, l2):
    X, weights, rows = drawn(n, d)
    whole = X if free is None else np.column_stack([X, np.ones(n)])
    penalty = np.full(whole.shape[1], l2)
    penalty[d:] = free
    A = whole @ inverse(whole, weights, penalty) @ whole.T
    expected = A.diagonal()[rows]
    by_columns = leverage.by_columns(whole, weights, penalty, rows)
    np.testing.assert_allclose(by_columns, expected, rtol=1e-8)
    np.testing.assert_allclose(leverage.by_rows(X @ X.T, weights, l2, free, rows), expected, rtol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_penalty_that_is_chosen_is_that_by_columns(n_classes, intercept, monkeypatch):
    """More columns than parameters that fit densely, so that rows left out go by leverages."""
    rng = np.random.default_rng(1)
    y = np.arange(60) % n_classes
    X = rng.normal(size=(60, 1300)) + 0.2 * rng.normal(size=(n_classes, 1300))[y]
    rows, q = np.arange(30), np.eye(n_classes)[y]
    monkeypatch.setattr("salutary.engine.soft_regression.DENSE", 30)

    def found():
        regression = SoftRegression(X, q, np.ones(60), intercept)
        l2, W = regression.tune(rows)
        penalty = regression.penalty(l2)
        return l2, W, regression.left_out(W, penalty, rows) - logits(X[rows], W)

    l2, W, change = found()
    monkeypatch.setattr(SoftRegression, "_is_few", lambda self, penalty: False)
    other, V, expected = found()
    assert l2 == other and np.abs(expected).max() > 0.01
    np.testing.assert_array_equal(W, V)
    np.testing.assert_allclose(change, expected, rtol=1e-8, atol=1e-10)
