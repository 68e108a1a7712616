"""Labels that a network judges: what is tried, what stays, and what is said of it."""

import dataclasses
import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch
from situations import problem

from salutary.errors import SalutaryError
from salutary.experiments import held_out, judge, loop
from salutary.experiments.held_out import parts_of, repeated, training_noise
from salutary.experiments.judge import NONE_HELPS, NoLabels, Trial, best, trials
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import HeldOut, predictions, row_values
from salutary.models.head import TwoLayerHead
from salutary.models.logistic import LogisticRegression
from salutary.models.network import Network
from salutary.strategies import Proposal, Strategy
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.surrogate import guide_of
from salutary.strategies.track import Rows, Track
from salutary.system.seeding import stream


def row_losses(model, X, y):
    return row_values(predictions(model, X), y)


def network():
    return Network(3, TwoLayerHead(hidden=8), epochs=20, batch_size=16, learning_rate=1e-2)


def judged(penalties=(1.0, 100.0), **settings):
    return Salutary(judge="retrained", judge_penalties=penalties, **settings)


def trial(l2, change, error=0.02):
    return Trial(l2, 10, 1.0, 50, 1.0, 1.0 + change, change, error)


def test_of_those_that_help_the_one_of_the_lowest_loss():
    weak, middle, strong = trial(1, -0.1), trial(10, -0.085), trial(100, -0.1)
    for order in itertools.permutations([weak, middle, strong]):
        assert best(order) is strong  # of equals
    assert best([trial(100, -0.3, 0.4), middle]) is middle  # the other one is not sure
    assert best([trial(1, -0.02, 0.02), trial(10, 0.0, 0.0)]) is None  # a fall of one standard error is none


def test_a_trial_is_a_run_that_one_half_of_v_chose_and_the_other_half_measures():
    """By hand: the halves, the surrogates, their points, the trainings and the losses."""
    data, strategy = problem(), judged()
    plan = Plan(data, network(), strategy, 2, 5, 3)
    ((choosing, judging), _) = parts_of(plan, 2)
    assert sorted([*choosing, *judging]) == list(range(80)) and len(judging) == 40
    X_val, y_val = data.part("validation")
    for found in trials(plan):
        X, y = data.part("initial")
        model = network().tune(X, y, stream(3, "model"))
        model.surrogate_l2 = found.l2
        losses = [row_losses(model.fit(X, y), X_val[judging], y_val[judging])]
        pool, true = data.part("pool")
        right = []
        for _ in range(2):
            view = Track.start(Rows(X, y), Rows(X_val[choosing], y_val[choosing]), 3).view(pool)
            guide = guide_of(model, view, True)
            proposal = Salutary().propose(guide.model, guide.view, 5, None)
            right += (proposal.labels == true[proposal.indices]).tolist()
            X, y = torch.cat([X, pool[proposal.indices]]), torch.cat([y, proposal.labels])
            left = torch.ones(len(pool), dtype=torch.bool)
            left[proposal.indices] = False
            pool, true = pool[left], true[left]
            losses.append(row_losses(model.fit(X, y), X_val[judging], y_val[judging]))
        gap, noise = losses[-1] - losses[0], training_noise([each.mean() for each in losses])
        assert (found.n, found.n_points, found.label_agreement) == (40, 10, sum(right) / 10)
        assert [found.before, found.after] == [losses[0].mean(), losses[-1].mean()]
        assert found.change == gap.mean() and noise > 0
        assert found.standard_error == pytest.approx((gap.var(ddof=1) / 40 + 2 * noise) ** 0.5)


def test_training_noise_is_what_is_left_of_a_trend():
    noise = np.random.default_rng(0).normal(scale=0.02, size=2000)
    assert training_noise(noise) == pytest.approx(0.02**2, rel=0.1)
    assert training_noise(noise - 0.05 * np.arange(2000)) == pytest.approx(training_noise(noise))
    assert training_noise([1.0, 0.9]) == training_noise([1.0]) == 0  # one step may be anything


def test_the_standard_error_has_the_noise_of_trainings():
    """Two networks of the same rows and other seeds: the errors say what they differ by."""
    data, z = problem(), []
    for seed in range(12):
        plan = Plan(data, network(), Salutary(), 4, 5, seed)
        choosing, left = parts_of(plan, 2)[0]
        course = repeated(plan, choosing, left)
        other = [network().tune(*data.part("initial"), np.random.default_rng(seed + k)) for k in (100, 200)]
        X, y = (each[left] for each in data.part("validation"))
        a, b = (row_losses(each.fit(*data.part("initial")), X, y) for each in other)
        rows = (a - b).var(ddof=1) / len(a)
        z.append((a - b).mean() / (rows + 2 * course.noise) ** 0.5)
    assert 0.2 < np.std(z) < 1.5


def test_trials_that_are_known_are_not_made_again():
    data, strategy = problem(), judged()
    plan = Plan(data, network(), strategy, 2, 5, 0)
    first, second = trials(plan)
    other = dataclasses.replace(first, after=7.0)
    again = list(trials(plan, [other]))
    assert again == [other, second]


def test_without_a_word_for_any_penalty_nothing_is_labelled():
    records = list(loop.run(problem(), network(), NoLabels(), 2, 5, 0))
    last = records[-1]
    assert last.round == 1 and last.queries == () and last.stop == NONE_HELPS
    assert last.test == records[0].test


def test_greedy_labels_are_judged_too():
    strategy = SalutaryGreedy(confidence=0, judge="retrained", judge_penalties=(10.0,))
    (found,) = trials(Plan(problem(), network(), strategy, 1, 5, 0))
    assert found.n_points == 5


def test_three_rows_are_no_two_halves():
    data = problem()
    data = dataclasses.replace(data, split=dataclasses.replace(data.split, validation=np.arange(140, 143)))
    with pytest.raises(SalutaryError, match="needs 4 validation rows, not 3"):
        list(trials(Plan(data, network(), judged(), 1, 5, 0)))


class TestHeldOut:
    def test_by_hand(self):
        """Two folds: for each the labelling that the other fold chose, and the losses before and after it."""
        data, strategy = problem(), Salutary()
        model = LogisticRegression(3, 1.0)
        plan = Plan(data, model, strategy, 3, 5, 7)
        found = held_out.compared(plan, folds=2)
        assert not hasattr(model, "coef_")  # the run's own model stays as it is
        X, y = data.part("validation")
        before, after = np.zeros(80), np.zeros(80)
        for seen, left in parts_of(plan, 2):
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
        # An optimum has no noise of trainings.
        np.testing.assert_allclose(found.standard_error, gaps.std(ddof=1) / 80**0.5, rtol=1e-6)

    @pytest.mark.parametrize("folds, model, n", [("auto", LogisticRegression(3, 1.0), None), (0, None, None)])
    def test_nothing_is_compared_unasked(self, folds, model, n):
        plan = Plan(problem(), model or network(), Salutary(), 1, 5, 0)
        assert held_out.compared(plan, folds) is n

    def test_sentences(self):
        worse = HeldOut(100, 2, 0.5, 0.6, 0.1, 0.02)
        assert worse.got_worse and worse.sentence() == (
            "On 100 validation rows that did not choose the labels the loss went from 0.5000 to 0.6000"
            " (+0.1000, standard error 0.0200): worse."
        )
        unclear, better = HeldOut(100, 0, 0.5, 0.51, 0.01, 0.02), HeldOut(100, 0, 0.5, 0.4, -0.1, 0.02)
        assert not unclear.got_worse and unclear.sentence().endswith("no clear change.")
        assert better.sentence() == (
            "In the chosen trial run the loss on 100 validation rows that did not choose its labels went"
            " from 0.5000 to 0.4000 (-0.1000, standard error 0.0200): better."
        )


class Alone(Strategy):
    """The labels that the model gives the first rows, by a baseline."""

    labels_alone = True

    def propose(self, model, view, budget, rng):
        rows = torch.arange(budget)
        return Proposal(rows, model.predict_proba(view.pool[rows]).argmax(1))


def test_rows_that_are_training_data_compare_and_judge_nothing():
    data, strategy = problem(), Alone()
    assert held_out.compared(Plan(data, network(), strategy, 1, 5, 0), folds=2).n == 80
    data = dataclasses.replace(data, split=data.split.with_validation_as_labels())
    assert held_out.compared(Plan(data, network(), strategy, 1, 5, 0), folds=2) is None
    with pytest.raises(SalutaryError, match="baselines_use_validation=false"):
        list(trials(Plan(data, network(), strategy, 1, 5, 0)))


def test_labels_of_a_strategy_that_knows_no_such_words_are_not_compared():
    class Old:
        is_baseline, needs_convex, same_on_two_classes = True, False, ()

        def check(self, model):
            pass

        def propose(self, model, view, budget, rng):
            return Proposal(torch.arange(budget))

    assert held_out.compared(Plan(problem(), network(), Old(), 1, 5, 0), folds=2) is None


SETTINGS = ["dataset=digits", "model=head", "model.max_steps=200", "n_init=60", "n_pool=400"]


def test_what_is_written_and_said(salutary_run, tmp_path):
    judge = ["strategy.judge=retrained", "strategy.judge_penalties=[10,50]"]
    status, out, err = salutary_run(*SETTINGS, *judge, "rounds=2", "output_dir=judged")
    assert status == 0, err
    assert "In the chosen trial run the loss on" in out
    (file,) = tmp_path.glob("judged/*/trials.csv")
    table = pd.read_csv(file)
    assert list(table) == [*Trial.__dataclass_fields__, "chosen"] and list(table["l2"]) == [10, 50]
    (l2,) = table.loc[table["chosen"] == 1, "l2"]
    (file,) = tmp_path.glob("judged/*/rounds.csv")
    assert set(pd.read_csv(file)["surrogate_l2"].dropna()) == {l2}
    status, out, err = salutary_run(*SETTINGS, "rounds=1", "output_dir=plain")
    assert status == 0, err
    assert "validation rows that did not choose the labels the loss went from" in out
    assert not list(tmp_path.glob("plain/*/trials.csv"))


def test_a_run_that_no_trial_speaks_for_labels_nothing(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setattr("salutary.experiments.judge.best", lambda tried: None)
    judge = ["strategy.judge=retrained", "strategy.judge_penalties=[50]", "rounds=2"]
    status, out, err = salutary_run(*SETTINGS, *judge)
    assert status == 0, err
    assert f"Ended in round 1 of 2: {NONE_HELPS}." in out and "no points added" in out


def test_a_sweep_tells_of_trial_runs_and_comparisons_as_of_rounds(salutary_run, monkeypatch):
    monkeypatch.setattr("salutary.system.progress.SECONDS_BETWEEN_LINES", 0.0)
    judge = ["strategy.judge=null,retrained", "strategy.judge_penalties=[10,50]"]
    status, out, err = salutary_run("-m", *SETTINGS, *judge, "rounds=1", "budget=5")
    assert status == 0, err
    lines = out.splitlines()
    assert all(line.startswith(("running", "1/2", "2/2", "2 jobs", "2 runs")) for line in lines if line), out
    told = [line.rpartition(": ")[2] for line in lines if line.startswith("running")]
    assert [each for each in told if "trial" in each] == ["trial round 1 of 2", "trial round 2 of 2"]
    assert [each for each in told if "held-out" in each] == ["held-out round 1 of 2", "held-out round 2 of 2"]


def test_an_interrupted_run_goes_on_with_the_trials_it_has(salutary_run, tmp_path, monkeypatch):
    settings = [*SETTINGS, "strategy.judge=retrained", "strategy.judge_penalties=[10,50]", "rounds=2"]
    assert salutary_run(*settings, "output_dir=whole", "cache_dir=first")[0] == 0
    repeated, times = judge.repeated, []

    def interrupted(*arguments):
        times.append(1)
        if len(times) == 2:
            raise KeyboardInterrupt
        return repeated(*arguments)

    monkeypatch.setattr(judge, "repeated", interrupted)
    settings += ["output_dir=halves", "cache_dir=second"]  # where no reference line is kept
    assert salutary_run(*settings)[0] == 130
    assert salutary_run(*settings)[0] == 0
    assert len(times) == 3  # the first trial was not made again
    for name in ("trials.csv", "queries.csv"):
        whole, halves = (next(tmp_path.glob(f"{folder}/*/{name}")) for folder in ("whole", "halves"))
        assert whole.read_text() == halves.read_text()
    whole, halves = (
        json.loads(next(tmp_path.glob(f"{folder}/*/run.json")).read_text()) for folder in ("whole", "halves")
    )
    assert whole["references"] == halves["references"] and whole["held_out"] == halves["held_out"]


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
