"""The weighted soft regression against scikit-learn, autograd, refits without each row, and brute force."""

import numpy as np
import pytest
import torch
from sklearn import linear_model
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from salutary.engine import soft_regression
from salutary.engine.soft_regression import (
    L2_GRID,
    PATIENCE,
    SoftRegression,
    cross_entropy,
    logits,
    of_classes,
    to_probabilities,
)
from salutary.models.logistic import LogisticRegression

LOADERS = {2: load_breast_cancer, 3: load_wine}


def table(n_classes, n=70, d=6, seed=0):
    X, y = LOADERS[n_classes](return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(y))[:n]
    return StandardScaler().fit_transform(X)[rows][:, :d], y[rows]


def problem(n_classes, n=70, d=6, seed=0, intercept=True, soft=True):
    """Real rows, with drawn weights and, if ``soft``, labels that are partly of another class."""
    X, y = table(n_classes, n, d, seed)
    rng = np.random.default_rng(seed + 1)
    q = np.eye(n_classes)[y]
    if soft:
        q = 0.8 * q + 0.2 * rng.dirichlet(np.ones(n_classes), n)
    return SoftRegression(X, q, rng.uniform(0.2, 3, n), intercept)


def objective(regression, W, penalty, prior=0.0):
    """J written from its definition, in torch."""
    X = torch.from_numpy(regression.X)
    if regression.intercept:
        X = torch.cat([X, torch.ones(len(X), 1, dtype=X.dtype)], 1)
    Z = X @ W.T
    if len(W) == 1:
        Z = torch.cat([torch.zeros_like(Z), Z], 1)
    losses = -(torch.from_numpy(regression.q) * torch.log_softmax(Z, 1)).sum(1)
    return (torch.from_numpy(regression.weights) * losses).sum() + 0.5 * (
        torch.as_tensor(penalty) * (W - torch.as_tensor(prior)) ** 2
    ).sum()


def gradient(regression, W, penalty, prior=0.0):
    return torch.func.grad(lambda at: objective(regression, at, penalty, prior))(torch.from_numpy(W)).numpy()


def without(regression, row):
    kept = np.arange(len(regression.X)) != row
    of = regression.X[kept], regression.q[kept], regression.weights[kept]
    return SoftRegression(*of, regression.intercept)


def refitted(regression, penalty, rows, prior=0.0):
    """Logits of these rows by models that were really fitted without each."""
    fits = [without(regression, row).fit(penalty, prior=prior) for row in rows]
    return np.concatenate([logits(regression.X[[row]], W) for row, W in zip(rows, fits, strict=True)])


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_optimum_is_that_of_scikit_learn(n_classes, intercept):
    regression = problem(n_classes, intercept=intercept, soft=False)
    y = regression.q.argmax(1)
    W = regression.fit(regression.penalty(2.0))
    theirs = linear_model.LogisticRegression(C=0.5, fit_intercept=intercept, tol=1e-10, max_iter=5000)
    theirs.fit(regression.X, y, sample_weight=regression.weights)
    np.testing.assert_allclose(W[:, :6], theirs.coef_, atol=1e-4)
    if intercept:  # with more classes than two, intercepts are known up to a number that all share
        free = W[:, -1] if n_classes == 2 else W[:, -1] - W[:, -1].mean()
        shared = theirs.intercept_ if n_classes == 2 else theirs.intercept_ - theirs.intercept_.mean()
        np.testing.assert_allclose(free, shared, atol=1e-4)
    np.testing.assert_allclose(
        of_classes(logits(regression.X, W)), theirs.predict_proba(regression.X), atol=1e-5
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_optimum_is_that_of_the_logistic_model(n_classes, intercept):
    X, y = table(n_classes)
    regression = SoftRegression(X, np.eye(n_classes)[y], np.ones(len(y)), intercept)
    W = regression.fit(regression.penalty(1.0))
    model = LogisticRegression(n_classes, 1.0, intercept).fit(torch.from_numpy(X), torch.from_numpy(y))
    expected = model.predict_proba(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(of_classes(logits(X, W)), expected, atol=5e-5)
    np.testing.assert_array_equal(regression.penalty(1.0), model.penalty_.numpy())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("has_prior", [True, False])
def test_gradient_at_the_optimum_is_zero(n_classes, intercept, has_prior):
    regression = problem(n_classes, intercept=intercept)
    prior = np.random.default_rng(5).normal(size=regression.shape) if has_prior else 0.0
    penalty = regression.penalty(0.7, with_intercept=has_prior)
    W = regression.fit(penalty, prior=prior)
    at_start = np.abs(gradient(regression, np.zeros_like(W), penalty, prior)).max()
    assert np.abs(gradient(regression, W, penalty, prior)).max() < 1e-4 * at_start
    given = regression._gradient(logits(regression.X, W + 0.3), W + 0.3, penalty, prior)
    np.testing.assert_allclose(given, gradient(regression, W + 0.3, penalty, prior), atol=1e-10)
    value = regression._value(W, penalty, prior)[0]
    assert value == pytest.approx(
        float(objective(regression, torch.from_numpy(W), penalty, prior)), rel=1e-12
    )


def test_without_a_class_the_intercepts_are_penalised():
    X, y = table(3)
    q = np.eye(3)[np.minimum(y, 1)]
    regression = SoftRegression(X, q, np.ones(len(y)))
    assert regression.lacks_a_class
    penalty = regression.penalty(1.0)
    assert (penalty == 1).all()
    W = regression.fit(penalty)
    P = of_classes(logits(X, W))
    assert np.isfinite(W).all() and (P > 0).all() and P[:, 2].max() < 0.2
    assert np.abs(gradient(regression, W, penalty)).max() < 1e-3
    soft = SoftRegression(X, 0.9 * q + 0.1 * np.eye(3)[2], np.ones(len(y)))
    assert not soft.lacks_a_class and (soft.penalty(1.0)[:, -1] == 0).all()
    weightless = SoftRegression(X, np.eye(3)[y], (y != 2).astype(float))
    assert weightless.lacks_a_class
    whole = problem(3)
    assert (whole.penalty(2.0)[:, -1] == 0).all() and (whole.penalty(2.0, with_intercept=True) == 2).all()
    only = SoftRegression(X, np.eye(2)[np.zeros(len(y), int)], np.ones(len(y)))
    W = only.fit(only.penalty(1.0))
    assert np.isfinite(W).all() and (of_classes(logits(X, W))[:, 0] > 0.5).all()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("has_prior", [True, False])
def test_many_parameters_have_the_same_optimum(monkeypatch, n_classes, has_prior):
    dense = problem(n_classes)
    penalty = dense.penalty(1.0, with_intercept=has_prior)
    prior = np.random.default_rng(2).normal(size=dense.shape) if has_prior else 0.0
    W = dense.fit(penalty, prior=prior)
    monkeypatch.setattr(soft_regression, "DENSE", 0)
    sparse = problem(n_classes)
    found = sparse.fit(penalty, prior=prior)
    assert dense.is_dense and not sparse.is_dense
    np.testing.assert_allclose(of_classes(logits(sparse.X, found)), of_classes(logits(dense.X, W)), atol=1e-3)
    value = objective(dense, torch.from_numpy(W), penalty, prior)
    assert 0 <= float(objective(dense, torch.from_numpy(found), penalty, prior) - value) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("l2", "tolerance"), [(1.0, 1e-3), (300.0, 1e-4)])
def test_left_out_rows_are_as_refits_without_them(n_classes, l2, tolerance):
    """Nearer than the rows' own fit by far, and exact in the limit of strong penalties."""
    regression = problem(n_classes)
    penalty, rows = regression.penalty(l2), np.arange(0, 70, 7)
    W = regression.fit(penalty)
    expected = of_classes(refitted(regression, penalty, rows))
    error = np.abs(of_classes(regression.left_out(W, penalty, rows)) - expected).mean()
    in_sample = np.abs(of_classes(logits(regression.X[rows], W)) - expected).mean()
    assert error < tolerance and error < in_sample / 30


@pytest.mark.parametrize("n_classes", [2, 3])
def test_left_out_rows_with_a_prior(n_classes):
    regression = problem(n_classes)
    penalty, rows = regression.penalty(30.0, with_intercept=True), np.arange(0, 70, 7)
    prior = np.random.default_rng(3).normal(size=regression.shape)
    W = regression.fit(penalty, prior=prior)
    expected = of_classes(refitted(regression, penalty, rows, prior))
    error = np.abs(of_classes(regression.left_out(W, penalty, rows)) - expected).max()
    assert error < 0.01 and error < np.abs(of_classes(logits(regression.X[rows], W)) - expected).max() / 3


def test_blocks_of_the_hessian_say_nearly_the_same(monkeypatch):
    regression = problem(3)
    penalty, rows = regression.penalty(3.0), np.arange(70)
    W = regression.fit(penalty)
    whole = of_classes(regression.left_out(W, penalty, rows))
    in_sample = of_classes(logits(regression.X, W))
    monkeypatch.setattr(soft_regression, "DENSE", 0)
    blocks = of_classes(problem(3).left_out(W, penalty, rows))
    assert np.abs(blocks - whole).mean() < np.abs(in_sample - whole).mean() / 2
    monkeypatch.setattr(soft_regression, "DENSE", 600)
    of_two = problem(2)  # one block is all of it
    W = of_two.fit(of_two.penalty(3.0))
    whole = of_two.left_out(W, of_two.penalty(3.0), rows)
    monkeypatch.setattr(soft_regression, "DENSE", 0)
    np.testing.assert_allclose(problem(2).left_out(W, of_two.penalty(3.0), rows), whole)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_penalty_is_that_of_the_least_loss(n_classes, seed):
    regression = problem(n_classes, n=40, seed=seed)
    rows = np.arange(10, 40)
    losses = []
    for l2 in L2_GRID:
        penalty = regression.penalty(l2)
        Z = regression.left_out(regression.fit(penalty), penalty, rows)
        losses.append(cross_entropy(Z, regression.targets[rows]).mean())
    best, since = 0, 0
    for place in range(1, len(L2_GRID)):  # the search ends early
        best, since = (place, 0) if losses[place] < losses[best] else (best, since + 1)
        if since == PATIENCE:
            break
    l2, W = regression.tune(rows)
    assert l2 == L2_GRID[best]
    expected = of_classes(logits(regression.X, regression.fit(regression.penalty(l2))))
    np.testing.assert_allclose(of_classes(logits(regression.X, W)), expected, atol=1e-4)
    real = [
        cross_entropy(refitted(regression, regression.penalty(one), rows), regression.targets[rows]).mean()
        for one in (L2_GRID[best], L2_GRID[0])
    ]
    assert real[0] <= real[1]


def test_the_penalty_with_a_prior_is_strong_if_the_prior_is_right():
    regression = problem(2, n=40, soft=False)
    right = problem(2, n=300, soft=False)
    prior = right.fit(right.penalty(1.0))
    assert regression.tune(np.arange(40), prior)[0] > regression.tune(np.arange(40), -prior)[0]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_no_weight_change_nothing(n_classes):
    regression = problem(n_classes)
    weights = regression.weights * (np.arange(70) % 2)
    some = SoftRegression(regression.X, regression.q, weights)
    odd = SoftRegression(regression.X[1::2], regression.q[1::2], regression.weights[1::2])
    penalty = odd.penalty(1.0)
    W = some.fit(penalty)
    np.testing.assert_allclose(W, odd.fit(penalty), atol=1e-6)
    rows = np.array([0, 2, 4])  # left out or not, it is all the same
    np.testing.assert_allclose(some.left_out(W, penalty, rows), logits(regression.X[rows], W), atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (5, 30), (1, 1)])
def test_few_rows(n_classes, intercept, n, d):
    """Also fewer rows than columns, and than classes."""
    rng = np.random.default_rng(0)
    X, q = rng.normal(size=(n, d)), np.eye(n_classes)[np.arange(n) % n_classes]
    regression = SoftRegression(X, q, np.full(n, 16.0), intercept)
    l2, W = regression.tune(np.arange(n))
    assert l2 in L2_GRID and np.isfinite(W).all()
    penalty = regression.penalty(0.1)
    W = regression.fit(penalty)
    assert np.abs(gradient(regression, W, penalty)).max() < 1e-3
    assert np.isfinite(regression.left_out(W, penalty, np.arange(n))).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(n_classes):
    X, y = LOADERS[n_classes](return_X_y=True)
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(y))[:20]
    X = StandardScaler().fit_transform(X)[rows] @ rng.normal(size=(X.shape[1], 60))
    regression = SoftRegression(X, np.eye(n_classes)[y[rows]], np.ones(20))
    penalty = regression.penalty(300.0)
    W = regression.fit(penalty)
    assert np.abs(gradient(regression, W, penalty)).max() < 1e-2
    expected = refitted(regression, penalty, range(20))
    found = regression.left_out(W, penalty, np.arange(20))
    far = np.abs(of_classes(logits(X, W)) - of_classes(expected)).mean()
    assert np.abs(of_classes(found) - of_classes(expected)).mean() < far / 2


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_rotating_rows_into_their_span_is_exact(monkeypatch, n_classes, intercept):
    rng = np.random.default_rng(0)
    X, q, weights = (
        rng.normal(size=(15, 40)),
        np.eye(n_classes)[np.arange(15) % n_classes],
        rng.random(15) + 0.5,
    )
    X[3] = X[2]  # rows of a span of fewer dimensions
    prior, rows = rng.normal(size=(1 if n_classes == 2 else 3, 40 + intercept)), np.arange(15)
    wide = SoftRegression(X, q, weights, intercept)
    penalty = wide.penalty(2.0, with_intercept=True)
    found = [
        wide.fit(penalty),
        wide.fit(penalty, prior=prior),
        wide.left_out(wide.fit(penalty), penalty, rows),
    ]
    assert wide._is_wide(penalty)
    uneven = penalty.copy()
    uneven[:, 3] = 7
    assert not wide._is_wide(uneven)
    at_uneven = wide.fit(uneven, prior=prior)
    assert np.abs(gradient(wide, at_uneven, uneven, prior)).max() < 1e-3
    monkeypatch.setattr(SoftRegression, "_is_wide", lambda self, penalty: False)
    plain = SoftRegression(X, q, weights, intercept)
    expected = [plain.fit(penalty), plain.fit(penalty, prior=prior)]
    expected.append(plain.left_out(expected[0], penalty, rows))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("scale", [1e-3, 1e3, 1e5])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_columns_of_any_scale(n_classes, scale):
    """Rows whose leverage is next to one; the estimate stays finite."""
    X, y = table(n_classes, n=25)
    regression = SoftRegression(X * scale, np.eye(n_classes)[y], np.full(25, 16.0))
    W = regression.tune(np.arange(25))[1]
    assert np.isfinite(W).all()
    penalty = regression.penalty(0.1)
    Z = regression.left_out(regression.fit(penalty), penalty, np.arange(25))
    assert np.isfinite(Z).all()


def test_extreme_logits():
    Z = np.array([[-1e4], [-50.0], [0.0], [50.0], [1e4]])
    P = of_classes(Z)
    np.testing.assert_allclose(P.sum(1), 1)
    np.testing.assert_allclose(P[:, 1], [0, np.exp(-50), 0.5, 1, 1], atol=1e-30)
    np.testing.assert_allclose(P[3, 0], np.exp(-50))  # a small one is not 1 - 1
    np.testing.assert_allclose(cross_entropy(Z, np.ones((5, 1))), [1e4, 50, np.log(2), 0, 0], atol=1e-15)
    three = np.array([[1e4, 0.0, -1e4], [0, 0, 0]])
    np.testing.assert_allclose(to_probabilities(three), [[1, 0, 0], [1 / 3] * 3])
    np.testing.assert_allclose(cross_entropy(three, np.eye(3)[[2, 1]]), [2e4, np.log(3)])
    half = np.full((1, 3), 1 / 3)
    np.testing.assert_allclose(cross_entropy(three[:1], half), [1e4])
    assert logits(np.ones((2, 0)), np.array([[3.0]])).tolist() == [[3.0], [3.0]]
