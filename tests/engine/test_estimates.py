"""Estimates of what an added point does: against dense algebra, and against really adding it."""

import oracles
import pytest
import torch
from oracles import blobs, retrained_fall

from salutary import engine
from salutary.engine.added_point import AddedPoint
from salutary.engine.refit import refitted_fall
from salutary.engine.selection import top, top_by_bound
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.influence import optimum_of
from salutary.strategies.salutary import Salutary

CASES = [
    pytest.param((n_classes, fit_intercept, l2), id=f"C={n_classes},intercept={fit_intercept},l2={l2}")
    for n_classes in (2, 3, 5)
    for fit_intercept in (False, True)
    for l2 in (50, 0.1)
]


def situation(n_classes, fit_intercept=False, l2=1.0, n_pool=15):
    X, y = blobs(80, 4, n_classes, seed=1)
    X_validation, y_validation = blobs(60, 4, n_classes, seed=3)
    model = LogisticRegression(n_classes, l2, fit_intercept).fit(X, y)
    pool, _ = blobs(n_pool, 4, n_classes, seed=2)
    return model, PoolView(pool, X, y, X_validation, y_validation, len(X), n_classes)


@pytest.fixture(params=CASES)
def case(request):
    return situation(*request.param)


def added_point(model, view, second_order):
    return AddedPoint.at(optimum_of(model, view), second_order)


def dense_estimate(model, view, x, c, second_order):
    """Newton's step by the pseudo-inverse of the Hessian with the point, all derivatives by autograd."""
    W, n = model.coef_, len(view.validation)
    y = torch.tensor([c])
    H = oracles.hessian(W, torch.cat([view.labeled, x[None]]), torch.cat([view.labels, y]), model.penalty_)
    step = -torch.linalg.pinv(H, hermitian=True) @ oracles.gradient(W, x[None], y).flatten()
    fall = -oracles.gradient(W, view.validation, view.validation_labels).flatten() @ step / n
    if second_order:
        none = torch.zeros_like(model.penalty_)
        H_V = oracles.hessian(W, view.validation, view.validation_labels, none) / n
        fall = fall - 0.5 * step @ H_V @ step
    return float(fall)


@pytest.mark.parametrize("second_order", [False, True], ids=["newton", "second_order"])
def test_estimates_equal_dense_algebra(case, second_order):
    model, view = case
    found = added_point(model, view, second_order).fall(view.pool)
    expected = [
        [dense_estimate(model, view, x, c, second_order) for c in range(view.n_classes)] for x in view.pool
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=1e-12)


def test_refitted_fall_equals_retraining(case):
    model, view = case
    labels = torch.arange(len(view.pool)) % view.n_classes
    found = refit(model, view, view.pool, labels)
    expected = [
        retrained_fall(model, view.labeled, view.labels, x, int(c), view.validation, view.validation_labels)
        for x, c in zip(view.pool, labels, strict=True)
    ]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-4, atol=1e-9)


def refit(model, view, X_new, y_new):
    return refitted_fall(optimum_of(model, view), X_new, y_new)


def test_refits_in_chunks_and_without_a_dense_preconditioner(monkeypatch):
    model, view = situation(3, True, 0.1)
    labels = torch.arange(len(view.pool)) % 3
    expected = refit(model, view, view.pool, labels)
    monkeypatch.setitem(DENSE, "precondition", 1)
    monkeypatch.setattr("salutary.engine.refit.CHUNK", 4 * 3 * 80)
    torch.testing.assert_close(refit(model, view, view.pool, labels), expected, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize(
    "l2, largest",
    [  # mean absolute error over mean absolute change
        (50.0, {"gradient": 0.18, "newton": 0.165, "second_order": 0.015}),
        (1.0, {"gradient": 0.47, "newton": 0.37, "second_order": 0.2}),
        (0.01, {"gradient": 1.4, "newton": 1.2, "second_order": 0.5}),
    ],
)
def test_closer_estimates_come_closer_on_bank(data_dir, prepared, l2, largest):
    """150 pool points with both labels, really added to the initial set of the authors' notebook."""
    problem, *_ = prepared("dataset=bank", f"data_dir={data_dir}", "protocol=paper", "seed=2026")
    (X, y), (pool, _) = problem.part("initial"), problem.part("pool")
    model = LogisticRegression(2, l2, fit_intercept=False).fit(X, y)
    view = PoolView(pool[:150], X, y, *problem.part("validation"), len(X), 2)
    points, labels = view.pool.repeat_interleave(2, 0), torch.arange(300) % 2
    actual = refit(model, view, points, labels)
    for row in (0, 77, 298):  # the oracle's oracle
        each = points[row], int(labels[row]), view.validation, view.validation_labels
        assert abs(retrained_fall(model, X, y, *each) - actual[row]) < 1e-4 * actual.abs().mean()
    found = {
        "gradient": Salutary().influence(model, view, points),
        "newton": added_point(model, view, False).fall(points),
        "second_order": added_point(model, view, True).fall(points),
    }
    errors = {}
    for name, fall in found.items():
        of_label = fall.gather(1, labels[:, None])[:, 0]
        errors[name] = float((of_label - actual).abs().mean() / actual.abs().mean())
        assert errors[name] < largest[name]
    assert errors["second_order"] < errors["newton"] < errors["gradient"]


# -- the strategy ------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("estimate", ["newton", "second_order"])
def test_strategy_takes_the_best_by_the_estimate(n_classes, estimate):
    model, view = situation(n_classes, n_pool=700)
    falls = added_point(model, view, estimate == "second_order").fall(view.pool)
    proposal = Salutary(estimate=estimate).propose(model, view, 12, None)
    assert torch.equal(proposal.indices, top(falls.amax(1), 12))
    assert torch.equal(proposal.labels, falls.argmax(1)[proposal.indices])
    torch.testing.assert_close(proposal.influence, falls.amax(1)[proposal.indices])


@pytest.mark.parametrize("n_classes", [2, 4])
def test_rerank_orders_the_best_by_real_refits(n_classes):
    model, view = situation(n_classes, l2=0.1, n_pool=200)
    candidates = Salutary().propose(model, view, 40, None)
    falls = refit(model, view, view.pool[candidates.indices], candidates.labels)
    best = falls.argsort(descending=True)[:10]
    proposal = Salutary(rerank=40).propose(model, view, 10, None)
    assert torch.equal(proposal.indices, candidates.indices[best])
    assert torch.equal(proposal.labels, candidates.labels[best])
    torch.testing.assert_close(proposal.influence, falls[best])
    assert not torch.equal(proposal.indices, candidates.indices[:10])


def test_rerank_of_less_than_the_budget_ranks_the_budget():
    model, view = situation(2, n_pool=30)
    proposal = Salutary(rerank=1).propose(model, view, 30, None)
    assert sorted(proposal.indices.tolist()) == list(range(30))


@pytest.mark.parametrize("setting", [{"estimate": "exact"}, {"rerank": -1}, {"rerank": 1.5}])
def test_settings_that_make_no_sense(setting):
    (name,) = setting
    with pytest.raises(SalutaryError, match=f"strategy.{name}"):
        Salutary(**setting).check(LogisticRegression(2))


def test_too_many_parameters_for_a_dense_estimate_are_refused(monkeypatch):
    monkeypatch.setitem(DENSE, "estimate", 3)
    model, view = situation(2)
    with pytest.raises(SalutaryError, match=r"strategy\.estimate=gradient"):
        Salutary(estimate="newton").propose(model, view, 5, None)


@pytest.mark.parametrize("n", [1, 10, 100, 5000, 20_000])
@pytest.mark.parametrize("budget", [1, 10, 200, 1000])
@pytest.mark.parametrize("spread", [0.01, 1.0, 100.0])
def test_top_by_bound_is_top(n, budget, spread):
    """With tight and with useless bounds, with many ties."""
    generator = torch.Generator().manual_seed(n)
    scores = torch.randint(50, (n,), generator=generator).double()
    bounds = scores + spread * torch.rand(n, generator=generator, dtype=torch.float64)
    budget = min(budget, n)
    tried = []
    found = top_by_bound(bounds, lambda rows: tried.append(len(rows)) or scores[rows], budget)
    assert torch.equal(found, top(scores, budget))
    if n == 5000 and budget == 1 and spread < 1:
        assert sum(tried) < 500


def test_influence_of_a_pool_beyond_one_block_is_the_same(monkeypatch):
    model, view = situation(3, n_pool=500)
    expected = added_point(model, view, True).fall(view.pool)
    monkeypatch.setattr("salutary.engine.softmax.MIN_ROWS", 7)
    monkeypatch.setitem(engine.softmax.BLOCK_BYTES, "cpu", 1)
    torch.testing.assert_close(added_point(model, view, True).fall(view.pool), expected)
