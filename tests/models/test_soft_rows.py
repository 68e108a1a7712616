"""Logistic regression fitted to label distributions: scikit-learn on weighted copies, and influences."""

import copy

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Reference

from salutary.engine import MeanLoss, Optimum
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows

CASES = pytest.mark.parametrize(
    ("n_classes", "d", "intercept"), [(2, 5, True), (2, 90, True), (3, 5, True), (3, 5, False), (3, 90, True)]
)


def case(n_classes, d, seed=0):
    """Rows, the first half with a class and a weight of 1, the others with distributions; V."""
    rng = np.random.default_rng(seed)
    X, V = torch.tensor(rng.normal(size=(60, d))), torch.tensor(rng.normal(size=(50, d)))
    q, weights = rng.dirichlet(np.ones(n_classes), 60), rng.uniform(0.2, 3, 60)
    q[:30], weights[:30] = np.eye(n_classes)[np.arange(30) % n_classes], 1
    return X, torch.tensor(weights[:, None] * q), V, torch.arange(50) % n_classes


@CASES
def test_a_fit_is_that_of_weighted_copies_with_each_class(n_classes, d, intercept):
    X, M, *_ = case(n_classes, d)
    model = LogisticRegression(n_classes, 0.8, intercept).fit(X, M)
    reference = Reference(C=1 / 0.8, fit_intercept=intercept, solver="newton-cg", tol=1e-12, max_iter=10_000)
    copies = X.numpy().repeat(n_classes, 0), np.tile(np.arange(n_classes), len(X))
    reference.fit(*copies, sample_weight=M.numpy().ravel())
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X.numpy()), atol=1e-6)
    assert model.gradient_norm_ < 1e-8


@CASES
def test_an_update_ends_where_a_fit_does(n_classes, d, intercept):
    X, M, *_ = case(n_classes, d)
    model = LogisticRegression(n_classes, 0.8, intercept).fit(X[:30], M[:30].argmax(1))
    updated = copy.copy(model).update(X, M)
    np.testing.assert_allclose(updated.coef_, model.fit(X, M).coef_, atol=1e-8)


@CASES
def test_influences_are_the_slopes_of_refits(n_classes, d, intercept):
    """By the weight of a row that joins, at the optimum of rows with distributions and weights."""
    X, M, V, v = case(n_classes, d)
    objective = MeanLoss(V, v)
    model = LogisticRegression(n_classes, 0.8, intercept).fit(X, M)
    optimum = Optimum(model.coef_, model.penalty_, X, objective, weights=M.sum(1))
    x = V[:1] + 0.3
    found = optimum.influence(x)[0]
    for c in range(n_classes):

        def value(weight, c=c):
            joined = torch.cat([M, weight * torch.eye(n_classes, dtype=M.dtype)[[c]]])
            refitted = copy.copy(model).update(torch.cat([X, x]), joined)
            return float(objective.value(refitted.coef_))

        h = 1e-4
        slope = (-3 * value(0.0) + 4 * value(h) - value(2 * h)) / (2 * h)
        assert float(found[c]) == pytest.approx(-slope, rel=2e-4, abs=1e-6)


def test_rows_of_classes_alone_are_fitted_as_ever():
    X, M, *_ = case(3, 5)
    rows = Rows(X, M.argmax(1), soft_labels=M)
    assert rows.targets is M
    assert torch.equal(rows[:30].targets, rows.y[:30]) and rows[:31].targets.shape == (31, 3)
    np.testing.assert_array_equal(
        LogisticRegression(3, 1.0).fit(X[:30], rows[:30].targets).coef_,
        LogisticRegression(3, 1.0).fit(X[:30], rows.y[:30]).coef_,
    )


def test_the_intercept_of_a_class_that_only_distributions_have_is_free():
    X, M, *_ = case(3, 5)
    y = torch.arange(30) % 2  # the third class has no row of its own
    model = LogisticRegression(3, 1.0)
    assert (model.fit(X[:30], y).penalty_[:, -1] == 1).all()
    rows = Rows(X[:30], y).joined(X[30:], M[30:].argmax(1), M[30:])
    assert (model.fit(rows.X, rows.targets).penalty_[:, -1] == 0).all()
