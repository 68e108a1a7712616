"""Standard errors of influences, and the strategy that picks one point at a time by them."""

import copy
from dataclasses import replace

import numpy as np
import oracles
import pandas as pd
import pytest
import torch
from oracles import blobs
from situations import problem

from salutary import engine
from salutary.analysis.sections.confidence import FEW as FEW_IN_THE_STUDY
from salutary.engine import softmax
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView, salutary_greedy
from salutary.strategies.influence import optimum_of
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import FEW, SalutaryGreedy

CASES = [
    pytest.param((n_classes, fit_intercept), id=f"C={n_classes},intercept={fit_intercept}")
    for n_classes in (2, 3, 5)
    for fit_intercept in (False, True)
]


def situation(n_classes, fit_intercept=True, l2=1.0, n_pool=40, n_validation=60):
    X, y = blobs(80, 4, n_classes, seed=1)
    model = LogisticRegression(n_classes, l2, fit_intercept).fit(X, y)
    pool, _ = blobs(n_pool, 4, n_classes, seed=2)
    return model, PoolView(pool, X, y, *blobs(n_validation, 4, n_classes, seed=3), len(X), n_classes)


@pytest.fixture(params=CASES)
def case(request):
    return situation(*request.param)


def scorer(model, view):
    return ConfidentInfluence.at(optimum_of(model, view), np.random.default_rng(0))


def each_validation_point(model, view):
    """The influence on each validation point's own loss, (n_V, n, C), one at a time by dense algebra."""
    H = oracles.hessian(model.coef_, view.labeled, view.labels, model.penalty_)
    inverse = torch.linalg.pinv(H, hermitian=True)

    def gradients(X, labels):
        rows = [
            oracles.gradient(model.coef_, x[None], c[None]).flatten() for x, c in zip(X, labels, strict=True)
        ]
        return torch.stack(rows)

    of_validation = gradients(view.validation, view.validation_labels) @ inverse
    labels = [torch.full((len(view.pool),), c) for c in range(view.n_classes)]
    return torch.stack([of_validation @ gradients(view.pool, each).T for each in labels], 2)


def test_moments_of_the_gradients(case):
    model, view = case
    W = model.coef_
    each = [
        oracles.gradient(W, x[None], c[None]).flatten().numpy()
        for x, c in zip(view.validation, view.validation_labels, strict=True)
    ]
    mean, covariance = engine.MeanLoss(view.validation, view.validation_labels).moments(W)
    np.testing.assert_allclose(mean, np.mean(each, 0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(covariance, np.cov(np.array(each).T), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_validation", [3, 9, 60])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_standard_error_is_that_of_the_mean_over_validation_points(n_classes, fit_intercept, n_validation):
    model, view = situation(n_classes, fit_intercept, n_validation=n_validation)
    influence, error = scorer(model, view).score(view.pool)
    each = each_validation_point(model, view)
    torch.testing.assert_close(influence, each.mean(0), rtol=1e-7, atol=1e-11)
    expected = each.std(0, correction=1) / len(each) ** 0.5
    torch.testing.assert_close(error, expected, rtol=1e-7, atol=1e-11)


def test_standard_error_is_the_spread_over_resampled_validation_sets():
    model, view = situation(3, n_validation=300)
    each = each_validation_point(model, view)
    rng = np.random.default_rng(0)
    resampled = [each[rng.integers(len(each), size=len(each))].mean(0) for _ in range(1000)]
    _, error = scorer(model, view).score(view.pool)
    ratio = error / torch.stack(resampled).std(0)
    assert ratio.min() > 0.9 and ratio.max() < 1.1


@pytest.mark.parametrize("n_classes", [2, 4])
def test_sketch_is_close(n_classes, monkeypatch):
    model, view = situation(n_classes, n_validation=200)
    influence, expected = scorer(model, view).score(view.pool)
    monkeypatch.setitem(DENSE, "standard_error", 1)
    sketch = scorer(model, view)
    assert sketch.M is None
    same, error = sketch.score(view.pool)
    torch.testing.assert_close(same, influence, rtol=1e-6, atol=1e-10)
    ratio = error / expected
    assert 0.8 < ratio.mean() < 1.2 and ratio.min() > 0.5 and ratio.max() < 1.6


def test_blocks_of_rows_change_nothing(case, monkeypatch):
    model, view = case
    whole = scorer(model, view).score(view.pool)
    monkeypatch.setattr("salutary.engine.softmax.MIN_ROWS", 7)
    monkeypatch.setitem(softmax.BLOCK_BYTES, "cpu", 1)
    for blocked, expected in zip(scorer(model, view).score(view.pool), whole, strict=True):
        torch.testing.assert_close(blocked, expected)


# -- one point at a time -----------------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kappa", [0, 1.0])
def test_exact_greedy_is_refit_score_and_pick(n_classes, kappa):
    model, view = situation(n_classes, l2=0.5)
    picks, taken = [], set()
    grown, trial = view, copy.copy(model)
    for _ in range(8):
        each = each_validation_point(trial, grown)
        bound = each.mean(0) - kappa * each.std(0, correction=1) / len(each) ** 0.5
        bound[list(taken)] = -torch.inf
        if bound.max() <= 0:
            break
        row, label = divmod(int(bound.argmax()), n_classes)
        picks.append((row, label, float(each.mean(0)[row, label])))
        taken.add(row)
        X = torch.cat([grown.labeled, view.pool[row][None]])
        grown = replace(grown, labeled=X, labels=torch.cat([grown.labels, torch.tensor([label])]))
        trial = copy.copy(trial).fit(grown.labeled, grown.labels)
    assert len(picks) > 1
    found = SalutaryGreedy(kappa, exact=True).propose(model, view, 8, np.random.default_rng(0))
    assert list(zip(found.indices.tolist(), found.labels.tolist(), strict=True)) == [p[:2] for p in picks]
    np.testing.assert_allclose(found.influence, [p[2] for p in picks], rtol=1e-6)
    assert (found.stop is None) == (len(picks) == 8)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kappa, rerank", [(0, 5), (1.0, 5), (0.5, 1000)])
def test_reranking_picks_the_largest_real_fall(n_classes, kappa, rerank):
    model, view = situation(n_classes, l2=0.5)
    each = each_validation_point(model, view)
    mean, error = each.mean(0), each.std(0, correction=1) / len(each) ** 0.5
    bound, labels = (mean - kappa * error).max(1)
    before = engine.loss(view.validation, view.validation_labels, model.coef_).mean()
    worth = {}
    for row in bound.argsort(descending=True)[:rerank].tolist():
        if bound[row] <= 0:
            continue
        X = torch.cat([view.labeled, view.pool[row][None]])
        refit = copy.copy(model).fit(X, torch.cat([view.labels, labels[row][None]]))
        fall = float(before - engine.loss(view.validation, view.validation_labels, refit.coef_).mean())
        worth[row] = fall * float(bound[row] / mean[row, labels[row]]), fall
    best = max(worth, key=worth.get)
    strategy = SalutaryGreedy(kappa, exact=True, rerank=rerank)
    found = strategy.propose(model, view, 1, np.random.default_rng(0))
    assert (found.indices.item(), found.labels.item()) == (best, int(labels[best]))
    assert found.influence.item() == pytest.approx(worth[best][1], rel=1e-4)


def test_reranking_stops_where_nothing_really_helps(monkeypatch):
    model, view = situation(2)
    monkeypatch.setattr(salutary_greedy, "real_fall", lambda model, view, X, y: -torch.ones(len(y)))
    found = SalutaryGreedy(0, rerank=4).propose(model, view, 3, np.random.default_rng(0))
    assert not len(found.indices) and found.stop == "no point with a positive lower bound"


TABLES = ["bank", "wine", "electrical", "waveform", "musk_v2", "diabetic", "celeba"]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n == "celeba" else ()) for n in TABLES]
)
def test_newton_steps_end_where_refits_end(name, data_dir, prepared):
    """Fifty picks: the test losses with one update after each pick, and with a refit, within 2%."""
    losses = {}
    for exact in (False, True):
        data, model, _, _ = prepared(f"dataset={name}", f"data_dir={data_dir}", "protocol=standard")
        strategy = SalutaryGreedy(1.0, exact)
        losses[exact] = [r.test.loss for r in loop.run(data, model, strategy, 1, 50, 0)]
    assert losses[False][0] == losses[True][0]
    assert losses[False][-1] == pytest.approx(losses[True][-1], rel=0.02)


def test_nothing_is_certain_enough():
    records = list(loop.run(problem(), LogisticRegression(3, 1.0), SalutaryGreedy(1e6), 5, 10, 0))
    assert [r.n_labeled for r in records] == [40, 40]
    assert records[1].stop == "no point with a positive lower bound"
    assert (records[1].queries, records[1].label_agreement) == ((), None)
    assert records[1].test == records[0].test


@pytest.mark.parametrize("n_validation, kappa", [(60, 2), (299, 2), (300, 1)])
def test_automatic_confidence(n_validation, kappa):
    model, view = situation(3, n_validation=n_validation)
    auto, fixed = (s.propose(model, view, 8, None) for s in (SalutaryGreedy(), SalutaryGreedy(kappa)))
    assert torch.equal(auto.indices, fixed.indices) and auto.stop == fixed.stop
    assert FEW == FEW_IN_THE_STUDY


def test_stop_is_recorded(salutary_run, tmp_path):
    assert salutary_run("strategy=salutary_greedy", "strategy.confidence=1000000")[0] == 0
    (path,) = tmp_path.glob("outputs/*/rounds.csv")
    assert pd.read_csv(path)["stop"].iloc[-1] == "no point with a positive lower bound"


def test_whole_pool_can_be_taken():
    model, view = situation(2, n_pool=6)
    proposal = SalutaryGreedy(0).propose(model, view, 6, np.random.default_rng(0))
    assert sorted(proposal.indices.tolist()) == list(range(6))


@pytest.mark.parametrize("setting", [{"confidence": -1}, {"confidence": "abc"}, {"exact": 1}, {"rerank": -1}])
def test_settings_that_make_no_sense(setting):
    (name,) = setting
    with pytest.raises(SalutaryError, match=f"strategy.{name}"):
        SalutaryGreedy(**setting).check(LogisticRegression(2))


# -- the paper's rule with confidence ------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 3])
def test_salutary_with_confidence_takes_the_highest_lower_bounds(n_classes):
    model, view = situation(n_classes, n_pool=300)
    influence, error = scorer(model, view).score(view.pool)
    lower = influence - 1.5 * error
    proposal = Salutary(confidence=1.5).propose(model, view, 10, np.random.default_rng(0))
    best = lower.amax(1).argsort(descending=True)[:10]
    assert proposal.indices.tolist() == best.tolist()
    assert proposal.labels.tolist() == lower.argmax(1)[best].tolist()
    torch.testing.assert_close(proposal.influence, influence[best, proposal.labels])


def test_confidence_needs_the_gradient_estimate():
    with pytest.raises(SalutaryError, match="estimate=gradient"):
        Salutary(estimate="newton", confidence=1).check(LogisticRegression(2))


@pytest.mark.parametrize("setting", [{"confidence": 1}, {"estimate": "newton"}])
def test_conjugate_gradients_are_not_ignored(setting):
    Salutary(solver="cholesky", **setting).check(LogisticRegression(2))
    with pytest.raises(SalutaryError, match=r"strategy\.solver=cg"):
        Salutary(solver="cg", **setting).check(LogisticRegression(2))
