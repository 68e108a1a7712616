"""Each strategy's own rule, against the rule written out."""

import importlib
from dataclasses import replace

import numpy as np
import oracles
import pytest
import torch
from situations import rng, situation
from sklearn.tree import DecisionTreeRegressor

from salutary.engine.selection import top
from salutary.errors import SalutaryError
from salutary.strategies import ScoreStrategy
from salutary.strategies.ibds import Ibds, _at_round_zero, _whole
from salutary.strategies.isal import Isal
from salutary.strategies.salutary import Salutary, SalutaryGroundTruth
from salutary.strategies.uncertainty import Entropy, Margin, Uncertainty

KINDS = pytest.mark.parametrize("kind", ["binary", "multiclass", "missing class"])


def brute_force(model, view):
    return oracles.label_influence(
        model.coef_,
        model.penalty_,
        view.pool,
        view.labeled,
        view.labels,
        view.validation,
        view.validation_labels,
    ).numpy()


@pytest.mark.parametrize(
    "strategy, rule",
    [
        (Entropy(), lambda p: -(p * np.log(p)).sum(1)),
        (Margin(), lambda p: np.sort(p)[:, -2] - np.sort(p)[:, -1]),
        (Uncertainty(), lambda p: 1 - p.max(1)),
    ],
)
@KINDS
def test_uncertainty_measures(strategy, rule, kind):
    model, view = situation(kind)
    scores = np.asarray(strategy.scores(model, view, rng()))
    np.testing.assert_allclose(scores, rule(model.predict_proba(view.pool).numpy()), atol=1e-12)


@pytest.mark.parametrize("old, kind", [("entropy", Entropy), ("margin", Margin)])
def test_old_modules_work_and_say_the_new_one(old, kind):
    with pytest.warns(FutureWarning, match=rf"strategies\.uncertainty\.{kind.__name__} now"):
        assert getattr(importlib.import_module(f"salutary.strategies.{old}"), kind.__name__) is kind
    with pytest.warns(FutureWarning, match=r"strategies\.salutary\.SalutaryGroundTruth now"):
        twin = importlib.import_module("salutary.strategies.salutary_gt").SalutaryGroundTruth
    assert twin is SalutaryGroundTruth


def test_entropy_of_certain_points_is_zero():
    """p log p at p = 0 is 0, not nan."""
    model, view = situation("binary")
    model.coef_ = model.coef_ * 1e6
    assert np.isfinite(Entropy().scores(model, view, rng())).all()


def test_uncertainty_measures_are_one_ranking_on_two_classes():
    model, view = situation("binary")
    chosen = [
        s.propose(model, view, 20, rng()).indices.tolist() for s in (Entropy(), Margin(), Uncertainty())
    ]
    assert chosen[0] == chosen[1] == chosen[2]


@KINDS
def test_salutary_takes_the_best_label_of_the_best_points(kind):
    model, view = situation(kind)
    expected = brute_force(model, view)
    proposal = Salutary().propose(model, view, 10, rng())
    best = np.argsort(-expected.max(1), kind="stable")[:10]
    assert proposal.indices.tolist() == best.tolist()
    assert proposal.labels.tolist() == expected.argmax(1)[best].tolist()
    np.testing.assert_allclose(proposal.influence, expected.max(1)[best], rtol=1e-8)


def test_ground_truth_twin_chooses_the_same_points():
    model, view = situation("multiclass")
    ours, twin = (s.propose(model, view, 10, rng()) for s in (Salutary(), SalutaryGroundTruth()))
    assert torch.equal(ours.indices, twin.indices)
    assert twin.labels is None


@KINDS
def test_isal_scores_the_predicted_label(kind):
    model, view = situation(kind)
    predicted = model.predict_proba(view.pool).argmax(1).numpy()
    expected = brute_force(model, view)[np.arange(len(predicted)), predicted]
    proposal = Isal().propose(model, view, 10, rng())
    assert proposal.indices.tolist() == np.argsort(-expected, kind="stable")[:10].tolist()
    assert proposal.labels is None


def test_ibds_learns_from_the_initial_set_only():
    """What was queried since is back in the pool, so the tree is that of round 0."""
    model, view = situation("multiclass")
    n = view.n_initial
    start = replace(view, labeled=view.labeled[:n], labels=view.labels[:n])
    first = type(model)(4, 1.0).fit(start.labeled, start.labels)
    later = Ibds().propose(model, view, 10, rng())
    assert torch.equal(later.indices, Ibds().propose(first, start, 10, rng()).indices)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_ibds_grows_one_tree_in_a_run(kind):
    """With the Hessian over the pool too: queried rows go back, in an order that never changes."""
    model, view = situation(kind)
    n = view.n_initial
    start = replace(view, pool=torch.cat([view.labeled[n:], view.pool]), labeled=view.labeled[:n])
    start = replace(start, labels=view.labels[:n])
    shuffled = replace(start, pool=start.pool[torch.as_tensor(rng(1).permutation(len(start.pool)))])
    later = [_at_round_zero(v) for v in (view, start, shuffled)]
    assert torch.equal(later[0].pool, later[1].pool)
    assert torch.equal(later[0].pool, later[2].pool)
    first = type(model)(view.n_classes, 1.0).fit(start.labeled, start.labels)
    targets = [Ibds("pool").influence(first, v, v.labeled) for v in later]
    assert torch.equal(targets[0], targets[1]) and torch.equal(targets[0], targets[2])


def test_refitted_ibds_learns_from_all_labels_under_the_current_model():
    model, view = situation("multiclass")
    X, y = view.labeled, view.labels
    target, _ = _whole(Ibds().influence(model, view, X).gather(1, y[:, None])[:, 0])
    tree = DecisionTreeRegressor(random_state=42).fit(X, target)
    predicted = tree.predict(view.pool)
    chosen = Ibds(refit=True).propose(model, view, 10, rng()).indices.tolist()
    assert chosen == np.argsort(-predicted, kind="stable")[:10].tolist()
    assert chosen != Ibds().propose(model, view, 10, rng()).indices.tolist()


def test_ibds_does_not_turn_on_the_last_bits(monkeypatch):
    """Features of few values: many splits are the same by another feature, but for the order of a sum."""
    model, view = situation("multiclass")
    view = replace(view, labeled=view.labeled.round(), pool=view.pool.round())
    chosen = Ibds().propose(model, view, 10, rng())
    exact = Ibds.influence

    def disturbed(self, *arguments):
        influence = exact(self, *arguments)
        return influence + influence.abs().max() * torch.as_tensor(
            noise.uniform(-1e-10, 1e-10, influence.shape)
        )

    noise = rng(5)
    monkeypatch.setattr(Ibds, "influence", disturbed)
    for _ in range(20):
        again = Ibds().propose(model, view, 10, rng())
        assert torch.equal(again.indices, chosen.indices)
        torch.testing.assert_close(again.influence, chosen.influence)


def test_ibds_learns_whole_numbers_of_seven_digits():
    target = torch.tensor([-0.0123456789, 0.0012345678, 0.0, 1e-12], dtype=torch.float64)
    whole, unit = _whole(target)
    assert unit == pytest.approx(1e-8) and whole.tolist() == [-1234568, 123457, 0, 0]
    assert _whole(torch.zeros(3))[0].tolist() == [0, 0, 0]


def test_hessian_of_the_pool_differs_from_that_of_the_labelled_set():
    model, view = situation("multiclass")
    pool, labeled = (Salutary(h).influence(model, view, view.pool) for h in ("pool", "labeled"))
    assert (pool - labeled).abs().max() > 0.01 * labeled.abs().max()
    with pytest.raises(SalutaryError, match=r"strategy\.hessian must be labeled or pool"):
        Salutary("both").check(model)


def test_top_breaks_ties_by_position():
    scores = torch.tensor([1.0, 3.0, 2.0, 3.0, 2.0, 2.0])
    assert top(scores, 4).tolist() == [1, 3, 2, 4]
    assert top(np.zeros(7), 3).tolist() == [0, 1, 2]
    assert top(torch.tensor([-np.inf, 0.0, -np.inf]), 3).tolist() == [1, 0, 2]


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(SalutaryError, match="not a number"):
        top(torch.tensor([0.0, float("nan")]), 1)


def test_scores_of_the_wrong_shape_are_refused():
    class Short(ScoreStrategy):
        def scores(self, model, view, rng):
            return torch.zeros(50)

    model, view = situation("binary")
    with pytest.raises(SalutaryError, match="must return 80 scores"):
        Short().propose(model, view, 10, rng())
