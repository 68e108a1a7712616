"""Inverses near the Hessian's, against those of dense matrices."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from oracles import blobs

from salutary.engine import Hessian, MeanLoss, Optimum, near_inverse
from salutary.engine.near_inverse import ByRows, Points
from salutary.engine.refit import Refits, refitted_fall
from salutary.engine.softmax import probabilities, with_ones
from salutary.engine.solvers import DENSE
from salutary.models.logistic import LogisticRegression


def optimum_of(n_classes, d=6, n=30, l2=0.5, intercept=True):
    X, y = blobs(n, d, n_classes, seed=1)
    model = LogisticRegression(n_classes, l2, intercept).fit(X, y)
    return Optimum(model.coef_, model.penalty_, X, MeanLoss(*blobs(50, d, n_classes, seed=3)), y)


def as_matrix(inverse, K, D):
    eye = torch.eye(K * D, dtype=torch.float64).reshape(-1, K, D)
    return inverse(eye).reshape(K * D, K * D)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("weighted", [False, True])
def test_with_all_columns_it_is_the_inverse(n_classes, weighted, monkeypatch):
    monkeypatch.setattr(near_inverse, "SMALL_SHARE", 0.0)
    optimum = optimum_of(n_classes, intercept=False)
    weights = torch.linspace(0.5, 2, 30, dtype=torch.float64) if weighted else None
    hessian = Hessian.at(optimum.W, optimum.X, optimum.penalty, weights)
    found = as_matrix(ByRows(hessian), *optimum.W.shape)
    torch.testing.assert_close(found, torch.linalg.inv(hessian.dense()), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("most", [0, 7, 1000])
def test_with_fewer_it_is_definite_and_near(n_classes, most, monkeypatch):
    monkeypatch.setattr(near_inverse, "MOST_COLUMNS", most)
    hessian = optimum_of(n_classes, intercept=False).hessian
    found = as_matrix(ByRows(hessian), *hessian.penalty.shape)
    torch.testing.assert_close(found, found.T, rtol=1e-9, atol=1e-12)
    eigenvalues = torch.linalg.eigvals(found @ hessian.dense()).real
    assert eigenvalues.min() > 0
    if most == 1000:
        assert eigenvalues.max() / eigenvalues.min() < 3


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_joined_point_is_a_term_of_the_inverse(n_classes):
    optimum = optimum_of(n_classes, intercept=False)
    x, _ = blobs(3, 6, n_classes, seed=2)
    K, D = optimum.W.shape
    inverse = near_inverse.by_factor(optimum.factor)
    P = probabilities(x, optimum.W)
    A = torch.diag_embed(P) - P[:, :, None] * P[:, None, :] if K > 1 else (P[:, :1] * P[:, 1:])[:, :, None]
    joined = Points.of(x, inverse, K, D).joined(inverse, A)
    G = torch.as_tensor(np.random.default_rng(0).normal(size=(3, K, D)))
    for row in range(3):
        ones = with_ones(x[row][None], D)[0]
        H = optimum.hessian.dense() + torch.kron(A[row], torch.outer(ones, ones))
        expected = torch.linalg.solve(H, G[row].flatten()).reshape(K, D)
        torch.testing.assert_close(joined(G)[row], expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("intercept", [True, False])
def test_in_the_span_of_rows_all_falls_are_the_same(n_classes, intercept, monkeypatch):
    """Embeddings: fewer rows than columns, and too many parameters for an inverse of their square."""
    optimum = optimum_of(n_classes, d=60, n=25, l2=0.01, intercept=intercept)
    x, _ = blobs(6, 60, n_classes, seed=2)
    labels = torch.arange(6) % n_classes
    expected = refitted_fall(optimum, x, labels)
    monkeypatch.setitem(DENSE, "precondition", 0)
    monkeypatch.setattr("salutary.engine.refit._spanned", lambda optimum, X: (optimum, X, None))
    torch.testing.assert_close(refitted_fall(optimum, x, labels), expected, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("dense", [True, False])
def test_what_joined_for_good_is_as_a_row_of_the_optimum(n_classes, dense, monkeypatch):
    """A distribution that joins is rows of each class, with its shares for weights."""
    if not dense:
        monkeypatch.setitem(DENSE, "precondition", 0)
    optimum = optimum_of(n_classes)
    x, _ = blobs(5, 6, n_classes, seed=2)
    q = torch.as_tensor(np.random.default_rng(0).dirichlet(np.ones(n_classes)))
    joined = Refits.of(optimum, x).joined(x[0], q)
    X, y = (
        torch.cat([optimum.X, x[:1].expand(n_classes, -1)]),
        torch.cat([optimum.y, torch.arange(n_classes)]),
    )
    rows = replace(optimum, X=X, y=y, weights=torch.cat([torch.ones(30).double(), q]))
    expected = Refits.of(rows, x)
    torch.testing.assert_close(joined.W, expected.W, rtol=1e-5, atol=1e-7)
    labels = torch.arange(5) % n_classes
    found, slow = (torch.cat(list(each.each(x, labels))) for each in (joined, expected))
    torch.testing.assert_close(found, slow, rtol=1e-5, atol=1e-7)
