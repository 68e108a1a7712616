"""Labelling a pool: the rounds against the experiment loop, cross-fitting against separate labellings, and
stopping rules.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from compositions import composed

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.experiments.problem import Problem
from salutary.experiments.split import Split
from salutary.labeling import labeler
from salutary.labeling.measured import row_losses
from salutary.labeling.stopping import Stopping
from salutary.labeling.track import FittedTrack
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Proposal
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows, Track
from salutary.system.commands import build

from .labelings import make, parts, picked, rows, table


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("strategy", [SalutaryGreedy(0.5), SalutaryGreedy(0, rerank=5), Salutary()])
def test_the_result_is_that_of_the_experiment_loop(n_classes, strategy):
    found = tuple(make(n_classes, strategy).rounds(Stopping(rounds=3)))
    X, y = table(n_classes)
    initial, validation, pool = np.arange(30), np.arange(30, 90), np.arange(90, len(y))
    split = Split(initial, pool, validation, validation, initial, initial)
    problem = Problem(torch.tensor(X), torch.tensor(y), split, tuple(map(str, range(n_classes))))
    expected = list(loop.run(problem, LogisticRegression(n_classes, 1.0), strategy, 3, 5, 0))
    expected = [record for record in expected if not record.round or record.queries]
    assert len(found) == len(expected) > 2
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert (90 + ours.picks[0].rows).tolist() == [query.sample_id for query in theirs.queries]
        assert ours.picks[0].labels.tolist() == [int(query.assigned_label) for query in theirs.queries]
        assert ours.picks[0].influence.tolist() == [query.influence for query in theirs.queries]
        assert ours.validation[0] == pytest.approx(theirs.validation.loss, rel=1e-12)


def test_each_fold_is_a_labelling_that_saw_the_other_folds_only():
    whole = make(strategy=SalutaryGreedy(1.0, rerank=3))
    found = tuple(whole.rounds(Stopping(rounds=3)))
    (_, _), (X_val, y_val), _ = parts()
    held_out = np.concatenate([track.held_out for track in whole.tracks[1:]])
    assert sorted(held_out) == list(range(len(y_val)))
    for number, track in enumerate(whole.tracks[1:], start=1):
        seen = np.setdiff1d(np.arange(len(y_val)), track.held_out)
        alone = make(strategy=SalutaryGreedy(1.0, rerank=3), folds=0)
        alone.validation = rows(X_val[seen], y_val[seen])
        alone.__post_init__()
        expected = tuple(alone.rounds(Stopping(rounds=3)))
        assert picked(found, number) == picked(expected)
        losses, hits = row_losses(alone.tracks[0].model, rows(X_val[track.held_out], y_val[track.held_out]))
        np.testing.assert_allclose(found[-1].held_out[0][track.held_out], losses, rtol=1e-10)
        assert (found[-1].held_out[1][track.held_out] == hits).all()


def test_held_out_rows_change_nothing_of_what_is_measured_on_them():
    """Were a held-out label to reach its own track, changing it would change that track's picks."""
    first, second = make(), make()
    fold = first.tracks[1].held_out
    y = second.validation.y.clone()
    y[fold] = 1 - y[fold]
    seen = Rows(second.validation.X, y)[np.setdiff1d(np.arange(len(y)), fold)]
    second.tracks[1] = FittedTrack.of(Track.start(second.labeled, seen, 2), second.model, fold, 0)
    stopping = Stopping(rounds=2)
    assert picked(tuple(first.rounds(stopping)), 1) == picked(tuple(second.rounds(stopping)), 1)


@pytest.mark.parametrize("shortlist", [5, 37, 10_000])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_shortlist_of_any_length_gives_salutary_the_same_points(shortlist, n_classes, monkeypatch):
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 30 * 8 * 17)
    found = tuple(make(n_classes, Salutary(), shortlist=shortlist).rounds(Stopping(rounds=4)))
    assert picked(found) == picked(tuple(make(n_classes, Salutary()).rounds(Stopping(rounds=4))))
    everything = np.concatenate([each.picks[0].rows for each in found[1:]])
    assert len(set(everything)) == len(everything) == 20


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("confidence", [1, 2])
def test_a_labelling_that_stops_has_left_no_sure_point(n_classes, confidence, monkeypatch):
    """Of the whole pool, though its rounds look first at the points of the highest influence."""
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 30 * 8 * 17)
    pool = torch.tensor(parts(n_classes)[2][0])
    n_labels = []
    for shortlist in (5, 10_000):
        found = make(n_classes, SalutaryGreedy(confidence), shortlist=shortlist, folds=2)
        tuple(found.rounds(Stopping(rounds=60, patience=60)))
        assert found.stop == labeler.NOTHING_SURE
        (track, *_) = found.tracks
        influence, error = track.confident(None).score(pool)
        lower = (influence - confidence * error).amax(1)
        left = np.setdiff1d(np.arange(len(pool)), track.taken)
        assert lower[left].max() <= 1e-12
        n_labels.append(len(track.taken))
    assert n_labels[0] >= 0.6 * n_labels[1] > 5


def test_a_pool_is_labelled_to_its_end():
    found = make(strategy=SalutaryGreedy(0), budget=200, folds=0)
    rounds = tuple(found.rounds(Stopping(rounds=50)))
    taken = np.concatenate([each.picks[0].rows for each in rounds[1:]])
    assert len(set(taken)) == len(taken) <= len(found.pool)
    assert found.stop in ("the pool is exhausted", "no point with a positive influence, as sure as was asked")


RULES = [
    (Stopping(rounds=2), "rounds=2"),
    (Stopping(rounds=9, max_labels=7), "max_labels=7"),
    (Stopping(rounds=9, min_influence=1e3), "no influence above min_influence=1000"),
    (Stopping(rounds=9, max_seconds=0), "max_seconds=0"),
    (Stopping(rounds=200), "the pool is exhausted"),
    (Stopping(), "the loss has not fallen for 3 rounds"),
]


@pytest.mark.parametrize("stopping, why", RULES, ids=[why for _, why in RULES])
def test_stopping_rules(stopping, why):
    found = make(strategy=Salutary(), n=20, budget=10, folds=2)
    rounds = tuple(found.rounds(stopping))
    assert found.stop == why
    assert sum(len(each.picks[0]) for each in rounds[1:]) == {"rounds=2": 20, "max_labels=7": 7}.get(
        why, len(found.tracks[0].taken)
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fold_that_has_taken_the_whole_pool_takes_nothing_more(n_classes):
    found = make(n_classes)
    everything = np.arange(len(found.pool))
    y = torch.tensor(parts(n_classes)[2][1])
    found.tracks[2] = found.tracks[2].add(everything, found._features(everything), y)
    before = found.tracks[2].model.coef_.clone()
    (_, record) = tuple(found.rounds(Stopping(rounds=1)))
    assert [len(picks) > 0 for picks in record.picks] == [True, True, False, True]
    assert record.picks[2].influences.shape == (0, n_classes)
    assert torch.equal(found.tracks[2].model.coef_, before)


def test_confidence_stops_what_is_not_sure():
    found = make(strategy=SalutaryGreedy(1e6))
    assert len(tuple(found.rounds(Stopping(rounds=5)))) == 1
    assert found.stop == "no point with a positive influence, as sure as was asked"


@pytest.mark.parametrize(
    "losses, reason, kept",
    [
        ([3, 2, 1], None, 2),
        ([3, 1, 2, 2], None, 1),
        ([3, 1, 2, 2, 1], "the loss has not fallen for 3 rounds", 1),
        ([1, 2, 3, 4], "the loss has not fallen for 3 rounds", 0),
    ],
)
def test_patience_and_what_is_kept(losses, reason, kept):
    stopping = Stopping(rounds="auto", patience=3)
    assert stopping.reason(losses, 5, 5, 0.0) == reason
    assert stopping.kept(losses) == kept
    assert Stopping(rounds=len(losses) - 1).kept(losses) == len(losses) - 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"budget": 0}, "budget must be a whole number >= 1"),
        ({"folds": 1}, "folds must be 0, for no cross-fitting, or at least 2"),
        ({"shortlist": 4}, "shortlist must be a whole number >= 5"),
        ({"strategy": Salutary(hessian="pool")}, "Hessian of the labelled set"),
    ],
)
def test_settings_of_a_labeller(settings, message):
    with pytest.raises(SalutaryError, match=message):
        make(**settings)


class Lowest(SalutaryGreedy):
    """A user's own: the points that salutary_greedy proposes, the last first; notes what it was shown."""

    def __init__(self, *settings, **named):
        super().__init__(*settings, **named)
        self.shown = []

    def propose(self, model, view, budget, rng):
        self.shown.append((len(view.validation), self.confidence))
        best = super().propose(model, view, budget, rng)
        return Proposal(best.indices.flip(0), best.labels.flip(0), best.influence.flip(0))


def test_a_subclass_proposes_in_the_result_and_in_every_fold():
    own = Lowest("auto", rerank=3)
    found = make(strategy=own, folds=3)
    rounds = tuple(found.rounds(Stopping(rounds=2)))
    assert own.shown == [(60, 2), (40, 2), (40, 2), (40, 2)] * 2  # auto is that of all 60 rows
    assert own.confidence == "auto"
    expected = tuple(make(strategy=SalutaryGreedy("auto", rerank=3), folds=3).rounds(Stopping(rounds=1)))
    for track in range(4):
        (ours, *_), (theirs, *_) = picked(rounds, track), picked(expected, track)
        assert ours == (theirs[0][::-1], theirs[1][::-1])


@pytest.mark.parametrize("missing", ["labels", "influence"])
def test_a_strategy_that_leaves_out_what_a_labelling_needs(missing):
    class Silent(Salutary):
        def propose(self, model, view, budget, rng):
            return replace(super().propose(model, view, budget, rng), **{missing: None})

    with pytest.raises(SalutaryError, match="must give each point a label and an influence"):
        tuple(make(strategy=Silent()).rounds(Stopping(rounds=1)))


def test_strategies_that_ask_a_human_are_refused():
    for name in ("margin", "salutary_gt", "self_training", "random"):
        with pytest.raises(
            SalutaryError, match="only salutary_greedy, salutary and salutary_soft label without a human"
        ):
            make(strategy=build(composed(f"strategy={name}"), "strategy"))
