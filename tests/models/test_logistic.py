"""The model against scikit-learn, and at the edges where scikit-learn does not go."""

import copy

import numpy as np
import pytest
import torch
from oracles import blobs, objective
from sklearn.linear_model import LogisticRegression as ScikitLearn

from salutary.engine import MeanLoss, Optimum
from salutary.errors import SalutaryError
from salutary.models.logistic import L2_GRID, LogisticRegression


@pytest.mark.filterwarnings("ignore:.*(Line search|lbfgs)")  # scikit-learn's, at l2 = 0.01
@pytest.mark.parametrize("l2", [50, 1, 0.01])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes, d", [(2, 5), (3, 5), (7, 5), (4, 120)])
def test_equals_scikit_learn(n_classes, d, fit_intercept, l2):
    X, y = blobs(150, d, n_classes, seed=1, spread=2.0)
    ours = LogisticRegression(n_classes, l2, fit_intercept).fit(X, y)
    theirs = ScikitLearn(
        C=1 / l2, fit_intercept=fit_intercept, solver="newton-cholesky", tol=1e-12, max_iter=1000
    ).fit(X.numpy(), y.numpy())
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X.numpy()), atol=1e-7)


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("l2", [1e3, 1e-4])
def test_gradient_is_zero_at_the_fit(n_classes, l2):
    X, y = blobs(100, 8, n_classes, seed=2)
    model = LogisticRegression(n_classes, l2).fit(X, y)
    at = torch.func.grad(objective)
    start = at(torch.zeros_like(model.coef_), X, y, model.penalty_).norm()
    assert at(model.coef_, X, y, model.penalty_).norm() < 1e-10 * start
    assert model.gradient_norm_ < 1e-10 * start


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_classes_missing_from_the_labels_still_get_probabilities(n_classes, fit_intercept):
    X, y = blobs(60, 3, n_classes, seed=3)
    X, y = X[y != 0], y[y != 0]
    model = LogisticRegression(n_classes, 1.0, fit_intercept).fit(X, y)
    p = model.predict_proba(X)
    assert p.shape == (len(X), n_classes)
    assert ((p > 0) & (p < 1)).all()
    assert p[:, 0].max() < 0.5
    torch.testing.assert_close(p.sum(1), torch.ones(len(X), dtype=torch.float64))


def test_intercept_is_not_penalised_when_all_classes_are_there():
    X, y = blobs(60, 3, 3, seed=3)
    model = LogisticRegression(3, 2.0).fit(X, y)
    assert (model.penalty_[:, -1] == 0).all()
    assert (model.penalty_[:, :-1] == 2).all()


def test_fit_forgets_the_past():
    X, y = blobs(60, 3, 3, seed=3)
    model = LogisticRegression(3, 2.0)
    once = model.fit(X, y).coef_
    model.fit(X[:30], y[:30])
    assert torch.equal(model.fit(X, y).coef_, once)


@pytest.mark.parametrize("l2", [0, -1, float("nan"), float("inf"), "strong", True, None])
def test_bad_penalty_is_refused(l2):
    X, y = blobs(20, 2, 2)
    with pytest.raises(SalutaryError, match=r"model\.l2 must be a positive number"):
        LogisticRegression(2, l2).fit(X, y)


def test_no_optimum_no_model():
    X, y = blobs(50, 3, 2, seed=1)
    with pytest.raises(SalutaryError, match="not at its optimum"):
        LogisticRegression(2, 1.0, max_iter=1).fit(100 * X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_rows_that_are_no_numbers_have_no_optimum(value, n_classes):
    X, y = blobs(50, 3, n_classes, seed=1)
    X[0, 0] = value
    with pytest.raises(SalutaryError, match="not at its optimum"):
        LogisticRegression(n_classes, 1.0).fit(X, y)


def test_cross_validation_takes_the_best_of_the_grid():
    X, y = blobs(60, 20, 2, seed=5, spread=4.0)
    model = LogisticRegression(2, "cv").tune(X, y, np.random.default_rng(0))
    folds = [(np.setdiff1d(np.arange(60), h), h) for h in _folds(y.numpy(), np.random.default_rng(0))]
    losses = {l2: _held_out(X.numpy(), y.numpy(), l2, folds) for l2 in L2_GRID}
    assert model.l2_ == min(losses, key=losses.get)
    assert copy.copy(model).fit(X, y).l2_ == model.l2_


def test_validation_set_takes_the_best_of_the_grid():
    X, y = blobs(60, 20, 2, seed=5, spread=4.0)
    X_validation, y_validation = blobs(200, 20, 2, seed=6, spread=4.0)
    model = LogisticRegression(2, "validation").tune(X, y, None, (X_validation, y_validation))
    everything, rows = torch.cat([X, X_validation]).numpy(), np.arange(60)
    labels = torch.cat([y, y_validation]).numpy()
    folds = [(rows, np.arange(60, 260))]
    losses = {l2: _held_out(everything, labels, l2, folds) for l2 in L2_GRID}
    assert model.l2_ == min(losses, key=losses.get)
    with pytest.raises(SalutaryError, match="must be a positive number, cv or validation"):
        LogisticRegression(2, "validation").tune(X, y, None)


def _folds(y, rng):
    from sklearn.model_selection import StratifiedKFold

    splitter = StratifiedKFold(5, shuffle=True, random_state=int(rng.integers(2**31)))
    return [held_out for _, held_out in splitter.split(y, y)]


def _held_out(X, y, l2, folds):
    total = 0
    for rows, held_out in folds:
        fitted = ScikitLearn(C=1 / l2, tol=1e-10, max_iter=10000).fit(X[rows], y[rows])
        margin = np.where(y[held_out] == 1, 1, -1) * fitted.decision_function(X[held_out])
        total += np.logaddexp(0, -margin).sum()
    return total


@pytest.mark.parametrize("l2", [1e-3, 1.0])
def test_data_whose_optimum_is_zero(l2):
    """The gradient is then nothing but rounding from the start, and no share of it is small."""
    X = torch.tensor([[0.1], [0.2], [-0.3]] * 3, dtype=torch.float64)
    model = LogisticRegression(3, l2).fit(X, torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2]))
    torch.testing.assert_close(model.predict_proba(X), torch.full((9, 3), 1 / 3, dtype=torch.float64))


def test_tuning_passes_over_penalties_too_weak_for_the_columns():
    X, y = blobs(100, 3, 2, seed=0)
    X = 1e6 * torch.cat([X, X], 1)  # of each column twice, a weak penalty says less than rounding
    weak = LogisticRegression(2, 1e-3).fit(X, y)
    with pytest.raises(SalutaryError, match=r"not positive definite to working precision: raise model\.l2"):
        Optimum(weak.coef_, weak.penalty_, X, MeanLoss(X, y)).direction()
    for l2 in ("validation", "cv"):
        model = LogisticRegression(2, l2).tune(X, y, np.random.default_rng(0), (X, y)).fit(X, y)
        assert model.l2_ > 1e-3
