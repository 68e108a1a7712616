"""Refits with one more point, against Newton's method with dense matrices, to the end, one by one."""

import numpy as np
import pytest
import torch
from oracles import blobs, gradient

from salutary.engine import Hessian, MeanLoss, Optimum, loss, refit
from salutary.engine.refit import refitted_fall
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression

KINDS = ("blobs", "separable", "scales", "far")


def situation(n_classes, intercept, kind, l2, m=6):
    """An optimum, and points to be added with labels at random: mostly wrong ones."""
    spread = 0.15 if kind == "separable" else 1.0
    X, y = blobs(60, 5, n_classes, seed=1, spread=spread)
    validation = blobs(50, 5, n_classes, seed=3, spread=spread)
    x, _ = blobs(m, 5, n_classes, seed=2, spread=spread)
    rng = np.random.default_rng(0)
    labels = torch.as_tensor(rng.integers(n_classes, size=m))
    if kind == "far":
        x = x * torch.as_tensor(10 ** rng.uniform(0, 2, size=(m, 1)))
    if kind == "scales":
        for rows in (X, x, validation[0]):
            rows[:, 0] *= 1e4
            rows[:, 1] *= 1e-3
    model = LogisticRegression(n_classes, l2, intercept != "none")
    model.penalise_intercept_ = intercept == "penalised"
    model.fit(X, y)
    return Optimum(model.coef_, model.penalty_, X, MeanLoss(*validation), y), x, labels


def exact_optimum(X, y, penalty, W):
    """By Newton's method with a dense, scaled matrix, until its steps are rounding."""

    def objective(W):
        return float(loss(X, y, W).sum() + 0.5 * (penalty * W * W).sum())

    size = np.inf
    for _ in range(300):
        G = gradient(W, X, y) + penalty * W
        H = Hessian.at(W, X, penalty).dense()
        scale = H.diagonal().rsqrt()
        inverse = torch.linalg.pinv(scale[:, None] * H * scale, hermitian=True, rtol=1e-15)
        step = (inverse @ (scale * G.flatten()) * scale).reshape(W.shape)
        slope, before = float((G * step).sum()), size
        size = max(slope, 0) ** 0.5
        if size < 1e-14 or (size < 1e-6 and size > before / 2):
            return W
        t, now = 1.0, objective(W)
        while t > 1e-10 and objective(W - t * step) > now - 1e-4 * t * slope + 1e-13 * abs(now):
            t /= 2
        W = W - t * step
    raise AssertionError("the oracle did not reach the optimum")


def exact_falls(optimum, x, labels):
    X, y, penalty = optimum.X, optimum.y, optimum.penalty
    W = exact_optimum(X, y, penalty, optimum.W)
    grown = [
        exact_optimum(torch.cat([X, row[None]]), torch.cat([y, label[None]]), penalty, W)
        for row, label in zip(x, labels, strict=True)
    ]
    before = optimum.objective.value(W)
    return before - torch.stack([optimum.objective.value(each) for each in grown]), before


def error(found, exact, before):
    """In units of the fall, or of a millionth of the loss."""
    return float(((found - exact).abs() / torch.maximum(exact.abs(), 1e-6 * before)).max())


@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("intercept", ["none", "free", "penalised"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l2", [1e-3, 1])
def test_fall_is_that_of_the_optimum(n_classes, intercept, kind, l2):
    optimum, x, labels = situation(n_classes, intercept, kind, l2)
    assert error(refitted_fall(optimum, x, labels), *exact_falls(optimum, x, labels)) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("l2", [1e-3, 1])
def test_without_a_matrix_it_still_ends_at_the_optimum(kind, l2, monkeypatch):
    optimum, x, labels = situation(3, "free", kind, l2)
    exact = exact_falls(optimum, x, labels)
    monkeypatch.setitem(DENSE, "precondition", 0)
    assert error(refitted_fall(optimum, x, labels), *exact) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", ["none", "free", "penalised"])
def test_fewer_rows_than_features(n_classes, intercept):
    """All is computed in the space of the rows and candidates; not if penalties are of several sizes."""
    X, y = blobs(20, 40, n_classes, seed=1)
    x, labels = blobs(5, 40, n_classes, seed=2)
    model = LogisticRegression(n_classes, 0.1, intercept != "none")
    model.penalise_intercept_ = intercept == "penalised"
    model.fit(X, y)
    objective = MeanLoss(*blobs(50, 40, n_classes, seed=3))
    optimum = Optimum(model.coef_, model.penalty_, X, objective, y)
    assert error(refitted_fall(optimum, x, labels), *exact_falls(optimum, x, labels)) < 1e-4
    uneven = model.penalty_.clone()
    uneven[:, 0] *= 2
    W = exact_optimum(X, y, uneven, model.coef_)
    optimum = Optimum(W, uneven, X, objective, y)
    assert error(refitted_fall(optimum, x, labels), *exact_falls(optimum, x, labels)) < 1e-4


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_model_beside_its_optimum_spoils_nothing(n_classes):
    optimum, x, labels = situation(n_classes, "free", "blobs", 0.01)
    rng = np.random.default_rng(0)
    beside = optimum.W + 1e-3 * torch.as_tensor(rng.normal(size=optimum.W.shape))
    near = Optimum(beside, optimum.penalty, optimum.X, optimum.objective, optimum.y)
    found = refitted_fall(near, x, labels)
    torch.testing.assert_close(found, refitted_fall(optimum, x, labels), rtol=1e-6, atol=1e-10)


def test_no_candidates():
    optimum, x, labels = situation(3, "free", "blobs", 0.01)
    assert refitted_fall(optimum, x[:0], labels[:0]).shape == (0,)


def test_chunks_of_candidates_change_nothing(monkeypatch):
    optimum, x, labels = situation(3, "none", "blobs", 0.1)
    expected = refitted_fall(optimum, x, labels)
    monkeypatch.setattr(refit, "CHUNK", 1)
    torch.testing.assert_close(refitted_fall(optimum, x, labels), expected, rtol=1e-8, atol=1e-12)


def test_an_optimum_that_is_not_reached_is_an_error(monkeypatch):
    optimum, x, labels = situation(3, "free", "far", 1e-3)
    monkeypatch.setattr(refit, "NEWTON_STEPS", 2)
    with pytest.raises(SalutaryError, match=r"did not reach its optimum: raise model\.l2"):
        refitted_fall(optimum, x, labels)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("dense", [True, False])
def test_weights_are_copies(n_classes, dense, monkeypatch):
    """A weight of 2 is the row twice, and one of 0 no row."""
    if not dense:
        monkeypatch.setattr(refit, "is_dense", lambda *of: False)
    weights = torch.tensor([0.0, 1.0, 2.0]).double().repeat(20)
    optimum, x, labels = situation(n_classes, "free", "blobs", 1.0)
    copies = torch.arange(60).repeat_interleave(weights.long())
    X, y = optimum.X[copies], optimum.y[copies]
    W = exact_optimum(X, y, optimum.penalty, optimum.W)
    copied = Optimum(W, optimum.penalty, X, optimum.objective, y)
    weighted = Optimum(W, optimum.penalty, optimum.X, optimum.objective, optimum.y, weights)
    expected = refitted_fall(copied, x, labels)
    np.testing.assert_allclose(refitted_fall(weighted, x, labels), expected, rtol=1e-6, atol=1e-12)


def autograd_loss(X, y, W):
    """(n,), of softmax parameters W (C, d + 1)."""
    Z = torch.cat([X, X.new_ones(len(X), 1)], 1) @ W.T
    return torch.nn.functional.cross_entropy(Z, y, reduction="none")


def test_refits_with_weights_are_optima():
    """The gradient of the weighted objective with the point vanishes, by autograd."""
    weights = torch.as_tensor(np.random.default_rng(0).uniform(0, 2, 60))
    optimum, x, labels = situation(3, "free", "blobs", 1.0)
    weighted = Optimum(optimum.W, optimum.penalty, optimum.X, optimum.objective, optimum.y, weights)
    first, *others = refit.refitted(weighted, x, labels)
    points = [None, *zip(x, labels, strict=True)]
    for W, point in zip(torch.cat([first, *others]), points, strict=True):
        W = W.clone().requires_grad_()
        value = (weights * autograd_loss(optimum.X, optimum.y, W)).sum()
        value = value + 0.5 * (optimum.penalty * W * W).sum()
        if point:
            value = value + autograd_loss(point[0][None], point[1][None], W).sum()
        (G,) = torch.autograd.grad(value, W)
        assert G.abs().max() < 1e-5
