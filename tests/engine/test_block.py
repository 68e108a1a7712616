"""Many right-hand sides at once, against a dense solve in float64; and the buckets that they are made by."""

import numpy as np
import pytest
import torch
from oracles import blobs

from salutary.engine import Hessian, MeanLoss, block
from salutary.engine.block import BlockSolver
from salutary.engine.objective import Buckets
from salutary.errors import SalutaryError

M = 7


def system(n, d, n_classes, fit_intercept, l2, scale=1.0, weights=False):
    """A Hessian whose first column has another scale, and right-hand sides such as occur: G (M, K, D)."""
    rng = torch.Generator().manual_seed(0)
    X, _ = blobs(n, d, n_classes, seed=1)
    X[:, 0] *= scale
    K = 1 if n_classes == 2 else n_classes
    W = 0.3 * torch.randn(K, d + fit_intercept, generator=rng, dtype=torch.float64)
    W[:, 0] /= scale
    penalty = torch.full_like(W, l2)
    penalty[:, d:] = 0
    w = torch.rand(n, generator=rng, dtype=torch.float64) if weights else None
    G = torch.randn(M, *W.shape, generator=rng, dtype=torch.float64)
    G[:, :, 0] *= scale
    return Hessian.at(W, X, penalty, w), G - G.mean(1, keepdim=True) if K > 1 else G


def errors(hessian, G, S):
    """Of each solution, relative to it, in the norm of H."""
    exact = torch.linalg.solve(hessian.dense(), G.flatten(1).T).T.reshape(G.shape)
    of = [float(((s - e) * (hessian @ (s - e))).sum()) for s, e in zip(S, exact, strict=True)]
    return (np.array(of) / (exact * G).sum((1, 2)).numpy()) ** 0.5


@pytest.mark.parametrize("n, d", [(12, 30), (40, 30), (200, 6)], ids=["few rows", "more", "few features"])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("l2", [50, 1, 1e-3])
@pytest.mark.parametrize("scale", [1, 1e4])
def test_equals_a_dense_solve(n, d, n_classes, fit_intercept, l2, scale):
    hessian, G = system(n, d, n_classes, fit_intercept, l2, scale)
    # Of many rows errors are small in the norm of H's diagonal, which a shift of all classes exceeds.
    few = n < d
    for rtol in (1e-2, 1e-3, *([1e-8] if scale == 1 and (few or l2 >= 1) else [])):
        assert errors(hessian, G, BlockSolver(hessian).solve(G, rtol)).max() < rtol * (1 if few else 5)


@pytest.mark.parametrize("n, d", [(12, 30), (200, 6)])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_weights_of_the_rows_and_blocks_of_them(n, d, n_classes, monkeypatch):
    hessian, G = system(n, d, n_classes, True, 0.1, weights=True)
    expected = BlockSolver(hessian).solve(G)
    assert errors(hessian, G, expected).max() < 1e-8
    monkeypatch.setattr("salutary.engine.softmax.MIN_ROWS", 5)
    monkeypatch.setitem(block.row_blocks.__globals__["BLOCK_BYTES"], "cpu", 1)
    torch.testing.assert_close(BlockSolver(hessian).solve(G), expected)


def test_rows_and_columns_have_one_solution(monkeypatch):
    hessian, G = system(20, 30, 4, True, 0.1)
    of_rows = BlockSolver(hessian).solve(G)
    monkeypatch.setattr(block, "MOST_ROWS", 0)
    of_columns = BlockSolver(hessian).solve(G)
    torch.testing.assert_close(of_rows, of_columns, rtol=1e-7, atol=1e-9)


def test_penalties_that_differ_are_solved_as_they_are():
    hessian, G = system(12, 30, 3, True, 1.0)
    penalty = hessian.penalty * torch.linspace(0.5, 2, 31, dtype=torch.float64)
    penalty[:, -1] = 0.7
    mixed = Hessian(hessian.X, hessian.P, penalty)
    assert errors(mixed, G, BlockSolver(mixed).solve(G)).max() < 1e-7


def test_equal_rows_and_nothing_to_solve():
    hessian, G = system(12, 30, 3, False, 1.0)
    twice = Hessian(hessian.X.repeat(2, 1), hessian.P.repeat(2, 1), hessian.penalty)
    G[0] = 0
    S = BlockSolver(twice).solve(G, 1e-3)
    assert not S[0].any() and errors(twice, G[1:], S[1:]).max() < 1e-3


def test_what_does_not_converge_is_an_error(monkeypatch):
    hessian, G = system(40, 30, 3, False, 1e-3)
    monkeypatch.setattr(block._System, "conjugate_gradients", lambda self, R, goal: torch.zeros_like(R))
    with pytest.raises(SalutaryError, match=r"did not converge: raise model\.l2"):
        BlockSolver(hessian).solve(G)


# -- signs in buckets --------------------------------------------------------------------------------


@pytest.mark.parametrize("n, rank", [(60, 16), (64, 16), (5, 16), (1, 1)])
def test_buckets_hold_each_row_once(n, rank):
    buckets = Buckets.draw(n, rank, np.random.default_rng(0), "cpu")
    held = buckets.signs != 0
    assert sorted(buckets.rows[held].tolist()) == list(range(n))
    assert held.sum(1).max() - held.sum(1).min() <= 1
    assert buckets.signs.abs()[held].eq(1).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sketch_is_right_in_the_mean_and_as_precise_as_documented(n_classes):
    X, y = blobs(90, 3, n_classes, seed=1)
    y, order = y.sort()  # in an order that buckets of neighbours would suffer from
    mean_loss = MeanLoss(X[order], y)
    W = torch.as_tensor(np.random.default_rng(1).normal(size=(1 if n_classes == 2 else n_classes, 4)))
    g, covariance = mean_loss.moments(W)
    rng, rank = np.random.default_rng(0), 16
    v = torch.as_tensor(rng.normal(size=W.numel()))
    drawn = []
    for _ in range(2_000):
        mean, z = mean_loss.sketch(W, Buckets.draw(90, rank, rng, "cpu"))
        drawn.append(float((z.flatten(1) @ v).square().sum()))
    torch.testing.assert_close(mean.flatten(), g)
    relative = np.array(drawn) / float(v @ covariance @ v)
    assert relative.mean() == pytest.approx(1, abs=4 * relative.std() / len(drawn) ** 0.5)
    assert relative.std() < 1.05 * (2 / rank) ** 0.5
