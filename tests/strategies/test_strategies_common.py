"""What holds for every strategy in conf/strategy/, found by looking there: no list to maintain."""

import copy
import dataclasses
import importlib.util
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from compositions import composed
from situations import problem, rng, situation

from salutary.experiments import loop
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Strategy
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.system.commands import build
from salutary.system.conf import config_dir

NAMES = sorted(path.stem for path in Path(config_dir(), "strategy").glob("*.yaml"))
CASES = [
    "binary",
    "multiclass",
    "missing class",
    "duplicates",
    "constant columns",
    "all rows alike",
    "float32",
    "confident float32",
]


@pytest.fixture(params=NAMES)
def strategy(request) -> Strategy:
    if request.param == "skactiveml":
        pytest.importorskip("skactiveml", reason="needs the extra activeml")
    return build(composed(f"strategy={request.param}", "protocol=standard"), "strategy")


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("budget", [1, 10, 80])
def test_proposals_keep_the_contract(strategy, kind, budget):
    model, view = situation(kind)
    proposal = strategy.propose(model, view, budget, rng())
    loop.check_proposal(proposal, len(view.pool), budget, view.n_classes)
    assert (proposal.stop is None) == (len(proposal.indices) == budget)
    if proposal.influence is not None and not isinstance(strategy, SalutaryGreedy):
        assert (proposal.influence[:-1] >= proposal.influence[1:]).all()  # all are of one model


def test_pool_of_one_row(strategy):
    model, view = situation("multiclass")
    view = dataclasses.replace(view, pool=view.pool[:1])
    assert strategy.propose(model, view, 1, rng()).indices.tolist() == [0]


def test_same_arguments_same_answer(strategy):
    model, view = situation("multiclass")
    a, b = (strategy.propose(model, view, 10, rng()) for _ in range(2))
    assert a.stop == b.stop
    for name in ("indices", "labels", "influence"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None and y is None) or torch.equal(x, y)


def _global_state() -> tuple:
    return repr(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002


def test_global_random_states_are_untouched(strategy):
    model, view = situation("multiclass")
    before = _global_state()
    strategy.propose(model, view, 10, rng())
    assert _global_state() == before


def test_model_and_view_are_untouched(strategy):
    model, view = situation("multiclass")
    model_before, view_before = copy.deepcopy(vars(model)), copy.deepcopy(view)
    strategy.propose(model, view, 10, rng())
    assert vars(model).keys() == model_before.keys()
    for name, value in model_before.items():
        now = getattr(model, name)
        assert torch.equal(now, value) if isinstance(value, torch.Tensor) else now == value
    for field in dataclasses.fields(view):
        now, then = getattr(view, field.name), getattr(view_before, field.name)
        assert torch.equal(now, then) if isinstance(then, torch.Tensor) else now == then


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_permuting_the_pool_permutes_the_answer(strategy, kind):
    """Ties aside: the pool's points are distinct, and a strategy that ties them has its rule to go by."""
    model, view = situation(kind)
    a = strategy.propose(model, view, 10, rng(0))
    if not torch.equal(a.indices, strategy.propose(model, view, 10, rng(1)).indices):
        pytest.skip("draws by chance, so the answer depends on the order of the pool")
    order = torch.as_tensor(rng(5).permutation(len(view.pool)))
    b = strategy.propose(model, dataclasses.replace(view, pool=view.pool[order]), 10, rng(0))
    if a.influence is not None and a.influence.unique().numel() < 10:
        torch.testing.assert_close(b.influence, a.influence)  # tied: other points, equal scores
    else:
        assert torch.equal(order[b.indices], a.indices)
        assert a.labels is None or torch.equal(a.labels, b.labels)


def test_constructor_only_stores(strategy):
    parameters = inspect.signature(type(strategy).__init__).parameters
    names = [name for name, p in parameters.items() if name != "self" and p.kind == p.POSITIONAL_OR_KEYWORD]
    assert set(vars(strategy)) == set(names)
    settings = {name: object() for name in names}
    assert vars(type(strategy)(**settings)) == settings


def finished(strategy, problem, rounds=3, budget=10):
    model = LogisticRegression(3, 1.0)
    return list(loop.run(problem, model, strategy, rounds, budget, seed=0))


def test_human_labels_are_those_that_were_asked_for(strategy):
    """A strategy that assigns labels buys none and cannot tell when the hidden ones change."""
    a, b = finished(strategy, problem()), finished(strategy, problem(1))
    model, view = situation("multiclass")
    assigns = strategy.propose(model, view, 10, rng()).labels is not None
    for record in a:
        assert record.n_human_labels == (0 if assigns else 10 * record.round)
    if assigns:
        picks = [[(q.sample_id, q.assigned_label) for r in run for q in r.queries] for run in (a, b)]
        assert picks[0] == picks[1]
        assert [r.test for r in a] == [r.test for r in b]
    else:
        assert all(q.assigned_label == q.true_label for r in a for q in r.queries)


def test_last_round_takes_what_is_left(strategy):
    if isinstance(strategy, SalutaryGreedy):
        strategy = SalutaryGreedy(confidence=0)  # otherwise it stops by itself
    records = finished(strategy, problem(), rounds=9, budget=30)
    assert [r.n_labeled for r in records] == [40, 70, 100, 130, 140]
    assert len({q.sample_id for r in records for q in r.queries}) == 100


def test_salutary_is_the_only_kind_without_human_labels():
    """The type says it: only proposals that carry labels cost none."""
    there = [name for name in NAMES if name != "skactiveml" or importlib.util.find_spec("skactiveml")]
    kinds = {name: build(composed(f"strategy={name}"), "strategy") for name in there}
    model, view = situation("multiclass")
    free = {n for n, s in kinds.items() if s.propose(model, view, 5, rng()).labels is not None}
    assert "salutary" in free
    assert free.isdisjoint({"random", "entropy", "margin", "uncertainty", "isal", "ibds", "salutary_gt"})
