"""Labels that a network judges: what is tried, what stays, and what is said of it."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from situations import problem

from salutary.engine.paired import Difference
from salutary.errors import SalutaryError
from salutary.experiments import held_out, loop
from salutary.experiments.judge import NONE_HELPS, Judge, Tried, chosen
from salutary.experiments.metrics import HeldOut, row_losses
from salutary.models.head import TwoLayerHead
from salutary.models.logistic import LogisticRegression
from salutary.models.network import Network
from salutary.strategies import Proposal
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.surrogate import Guide, guide_of
from salutary.strategies.track import Rows, Track
from salutary.system.seeding import stream


def network():
    return Network(3, TwoLayerHead(hidden=8), epochs=20, batch_size=16, learning_rate=1e-2)


def judged(penalties=(1.0, 100.0), **settings):
    return Salutary(judge="retrained", judge_penalties=penalties, **settings)


def rounds_of(strategy, data=None, rounds=2, budget=5):
    return list(loop.run(data or problem(), network(), strategy, rounds, budget, seed=0))


def tried(l2, losses, before):
    nothing = torch.empty(0, dtype=torch.int64)
    guide = Guide(None, None, 1.0, l2)
    losses = np.asarray(losses)
    return Tried(guide, Proposal(nothing, nothing), nothing, nothing, losses, Difference.of(losses, before))


def test_of_those_that_help_the_strongest_that_is_about_as_good_as_the_best():
    before = np.linspace(0.9, 1.1, 50)
    wave = 0.02 * np.sin(np.arange(50))
    weak, strong, stronger = tried(1, before - 0.1, before), tried(10, before - 0.099 + wave, before), None
    assert chosen([strong, weak]) is strong
    stronger = tried(100, before - 0.05, before)
    assert chosen([stronger, strong, weak]) is strong
    assert chosen([tried(100, before + 0.01, before), weak]) is weak
    assert chosen([tried(100, before, before), tried(1, before + wave - wave.mean(), before)]) is None


def test_a_trial_is_the_network_trained_with_points_that_one_half_of_v_chose():
    """By hand: the halves, the surrogate, its points, the training and the losses."""
    data, model, strategy = problem(), network(), judged()
    X, y = data.part("initial")
    model.tune(X, y, stream(3, "model"), data.part("validation")).fit(X, y)
    order = stream(3, "validation", 0).permutation(80)
    X_val, y_val = data.part("validation")
    seen = Rows(X_val[order[:40]], y_val[order[:40]])
    judge = Judge(strategy, Rows(X_val, y_val), 30, seed=3)
    view = Track.start(Rows(X, y), seen, 3).view(data.part("pool")[0])
    first, second = judge.tried(model, view, lambda: np.random.default_rng(0))
    assert (first.guide.l2, second.guide.l2) == (100, 1)
    for each in (first, second):
        weak = copy.copy(model)
        weak.surrogate_l2 = each.guide.l2
        guide = guide_of(weak, view, True)
        proposal = Salutary().propose(guide.model, guide.view, 30, None)
        assert each.rows.tolist() == proposal.indices.tolist() and len(each.rows) == 30
        assert each.labels.tolist() == proposal.labels.tolist()
        retrained = copy.copy(model).fit(
            torch.cat([X, view.pool[proposal.indices]]), torch.cat([y, proposal.labels])
        )
        judging = X_val[order[40:]], y_val[order[40:]]
        np.testing.assert_array_equal(each.losses, row_losses(retrained, *judging))
        gap = each.losses - row_losses(model, *judging)
        assert each.change.mean == gap.mean() and each.change.error == gap.std(ddof=1) / 40**0.5


def test_the_rounds_points_are_the_first_of_those_that_were_judged():
    data = problem()
    last = rounds_of(judged(), data)[-1]
    assert last.round == 2 and len(last.trials) == 2
    (best,) = (trial for trial in last.trials if trial.chosen)
    assert best.l2 == last.surrogate_l2 and best.fall > best.standard_error
    assert all(trial.n_points == 10 and trial.round == 2 for trial in last.trials)
    assert len(last.queries) == 5 and last.n_human_labels == 0
    alone = rounds_of(judged((best.l2,)), data)
    assert alone[1].queries == rounds_of(judged((best.l2,)), data)[1].queries


def test_a_judge_that_sees_no_gain_ends_the_run():
    """Labels of V are shuffled in the judging half: nothing chosen by the other half helps there."""
    data = problem()
    order = stream(0, "validation", 0).permutation(80)
    y = data.y.clone()
    judging = torch.as_tensor(data.split.validation[order[40:]])
    y[judging] = (y[judging] + 1) % 3
    records = rounds_of(judged(), dataclasses.replace(data, y=y))
    last = records[-1]
    assert last.round == 1 and last.queries == () and last.stop == NONE_HELPS
    assert [trial.chosen for trial in last.trials] == [0, 0]
    assert all(trial.fall <= trial.standard_error for trial in last.trials)
    assert last.test == records[0].test


def test_what_is_chosen_does_not_see_the_judging_half():
    """Other labels there change what is chosen only through the judge's word."""
    data, strategy = problem(), judged((10.0,))
    order = stream(0, "validation", 0).permutation(80)
    judge = Judge(strategy, Rows(*data.part("validation")), 10, 0)
    assert judge.choosing.y.tolist() == data.part("validation")[1][order[:40]].tolist()
    assert judge.judging.y.tolist() == data.part("validation")[1][order[40:]].tolist()


def test_three_rows_are_no_two_halves():
    X, y = problem().part("validation")
    with pytest.raises(SalutaryError, match="needs 4 validation rows, not 3"):
        Judge(judged(), Rows(X[:3], y[:3]), 10, 0)


def test_greedy_labels_are_judged_too():
    strategy = SalutaryGreedy(confidence=0, judge="retrained", judge_penalties=(10.0,))
    records = rounds_of(strategy, rounds=1)
    assert len(records[-1].trials) == 1


def test_a_run_that_has_ended_leaves_the_model_of_its_last_round():
    data, model = problem(), LogisticRegression(3, 1.0)
    records = tuple(loop.run(data, model, Salutary(), 2, 5, 0))
    again = LogisticRegression(3, 1.0)
    assert list(loop.run(data, again, Salutary(), 2, 5, 0, done=records)) == []
    torch.testing.assert_close(again.coef_, model.coef_)


class TestHeldOut:
    def test_by_hand(self):
        """Two folds: for each the labelling that the other fold chose, and the losses before and after it."""
        data, strategy = problem(), Salutary()
        model = LogisticRegression(3, 1.0)
        found = held_out.compared(data, model, strategy, 3, 5, 7, folds=2)
        assert not hasattr(model, "coef_")  # the run's own model stays as it is
        X, y = data.part("validation")
        before, after = np.zeros(80), np.zeros(80)
        for seen, left in held_out._folds(y.numpy(), 2, 7):
            split = dataclasses.replace(data.split, validation=data.split.validation[seen])
            fitted = LogisticRegression(3, 1.0)
            list(loop.run(dataclasses.replace(data, split=split), fitted, strategy, 3, 5, 7))
            after[left] = row_losses(fitted, X[left], y[left])
            initial = LogisticRegression(3, 1.0).fit(*data.part("initial"))
            before[left] = row_losses(initial, X[left], y[left])
            assert not set(seen) & set(left)
        gaps = after - before
        assert (found.n, found.folds) == (80, 2)
        np.testing.assert_allclose([found.before, found.after], [before.mean(), after.mean()], rtol=1e-9)
        np.testing.assert_allclose(found.change, gaps.mean(), rtol=1e-6)
        np.testing.assert_allclose(found.standard_error, gaps.std(ddof=1) / 80**0.5, rtol=1e-6)

    def test_where_batches_are_judged_the_judging_rows_do(self):
        data, model, strategy = problem(), network(), judged()
        records = list(loop.run(data, model, strategy, 2, 5, 0))
        found = held_out.compared(data, model, strategy, 2, 5, 0, "auto")
        judge = Judge(strategy, Rows(*data.part("validation")), 1, 0)
        assert (found.n, found.folds) == (40, 0)
        assert found.after == judge.losses(model).mean()
        initial = copy.copy(model).fit(*data.part("initial"))
        assert found.before == judge.losses(initial).mean()
        assert len(records) > 1

    @pytest.mark.parametrize("folds, model, n", [("auto", LogisticRegression(3, 1.0), None), (0, None, None)])
    def test_nothing_is_compared_unasked(self, folds, model, n):
        assert held_out.compared(problem(), model or network(), Salutary(), 1, 5, 0, folds) is n

    def test_sentences(self):
        worse = HeldOut(100, 2, 0.5, 0.6, 0.1, 0.02)
        assert worse.got_worse and worse.sentence() == (
            "On 100 validation rows that did not choose the labels the loss went from 0.5000 to 0.6000"
            " (+0.1000, standard error 0.0200): worse."
        )
        unclear, better = HeldOut(100, 0, 0.5, 0.51, 0.01, 0.02), HeldOut(100, 0, 0.5, 0.4, -0.1, 0.02)
        assert not unclear.got_worse and unclear.sentence().endswith("no clear change.")
        assert "On 100 judging validation rows" in better.sentence() and better.sentence().endswith("better.")


SETTINGS = ["dataset=digits", "model=head", "model.max_steps=200", "n_init=60", "n_pool=400"]


def test_what_is_written_and_said(salutary_run, tmp_path):
    judge = ["strategy.judge=retrained", "strategy.judge_penalties=[10,50]"]
    status, out, err = salutary_run(*SETTINGS, *judge, "rounds=2", "output_dir=judged")
    assert status == 0, err
    assert "judging validation rows the loss went from" in out
    (file,) = tmp_path.glob("judged/*/trials.csv")
    trials = pd.read_csv(file)
    names = ["round", "l2", "n_points", "label_agreement", "fall", "standard_error", "chosen"]
    assert list(trials) == names and set(trials["l2"]) == {10, 50}
    status, out, err = salutary_run(*SETTINGS, "rounds=1", "output_dir=plain")
    assert status == 0, err
    assert "validation rows that did not choose the labels the loss went from" in out
    assert not list(tmp_path.glob("plain/*/trials.csv"))


def test_trials_of_an_interrupted_run_are_written_once(salutary_run, tmp_path, monkeypatch):
    settings = [*SETTINGS, "strategy.judge=retrained", "strategy.judge_penalties=[50]", "rounds=3"]
    assert salutary_run(*settings, "output_dir=whole")[0] == 0
    tried, times = Judge.tried, []

    def interrupted(*arguments):
        times.append(1)
        if len(times) == 2:
            raise KeyboardInterrupt
        return tried(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Judge, "tried", interrupted)
        assert salutary_run(*settings, "output_dir=halves")[0] == 130
    (file,) = tmp_path.glob("halves/*.partial/trials.csv")
    with file.open("a") as text:
        text.write("2,50,15,0.5,0.1,0.0\n2,5")  # a round that was not finished, and half a line
    assert salutary_run(*settings, "output_dir=halves")[0] == 0
    whole, halves = (next(tmp_path.glob(f"{name}/*/trials.csv")) for name in ("whole", "halves"))
    assert whole.read_text() == halves.read_text()


@pytest.mark.parametrize(
    "settings, message",
    [
        (["strategy.judge=retrained"], "strategy.judge is for networks, such as model=cnn"),
        (["model=head", "strategy.judge=yes"], "strategy.judge must be retrained or null, not"),
        (
            ["model=head", "strategy.judge=retrained", "strategy.judge_penalties=[]"],
            "strategy.judge_penalties must be a list of numbers > 0, not []",
        ),
        (["folds=1"], "folds must be auto, 0 or a whole number >= 2, not 1"),
        (
            ["model=head", "strategy=salutary_gt", "+strategy.judge=retrained"],
            "for strategies that ask nobody",
        ),
    ],
)
def test_mistakes(settings, message, salutary_run):
    status, _, err = salutary_run("dataset=digits", *settings)
    assert status == 1 and message in err and "Traceback" not in err, err
