"""scikit-activeml's strategies in our loop: the picks of its own loop, what is refused, and its faults."""

import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from own_loops import mixed, picks, skactiveml_loop
from situations import rng, situation

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.models.logistic import LogisticRegression
from salutary.strategies.skactiveml import ScikitActiveml

pool = pytest.importorskip("skactiveml.pool", reason="needs the extra activeml")

SEED = {"random_state": 7}
# KMeans that is given no seed draws from NumPy's global generator.
SEEDED = {**SEED, "cluster_algo_dict": {"random_state": 7}}
CASES = {
    "UncertaintySampling": (["clf"], SEED),
    "RandomSampling": ([], SEED),
    "TypiClust": ([], SEED),
    "ProbCover": ([], {**SEED, "n_classes": 3}),
    "CoreSet": ([], SEED),
    "QueryByCommittee": (["ensemble"], SEED),
    "GreedyBALD": (["ensemble"], SEED),
    "BatchBALD": (["ensemble"], SEED),
    "Badge": (["clf"], SEED),
    "DropQuery": (["clf"], SEEDED),
    "Falcun": (["clf"], SEED),
    "CostEmbeddingAL": ([], {**SEED, "classes": [0, 1, 2]}),
    "Quire": ([], {**SEED, "classes": [0, 1, 2]}),
    "ContrastiveAL": (["clf"], SEED),
    "MaxHerding": ([], SEED),
}


@pytest.mark.parametrize("name", CASES)
def test_picks_of_its_own_loop(name):
    """One query strategy over four rounds, rows in the order of the table, as in its documentation."""
    needs, arguments = CASES[name]
    theirs = skactiveml_loop(lambda: getattr(pool, name)(**arguments), mixed(), needs)
    ours = ScikitActiveml(name, {key: each for key, each in arguments.items() if key != "classes"})
    assert picks(ours, mixed()) == theirs


@pytest.mark.parametrize("name", ["MonteCarloEER", "ValueOfInformationEER"])
def test_picks_of_its_own_loop_with_a_model_for_each_answer(name):
    data = mixed(20)
    theirs = skactiveml_loop(lambda: getattr(pool, name)(**SEED), data, ["clf"], rounds=2, budget=3)
    assert picks(ScikitActiveml(name, SEED), data, 2, 3) == theirs


def test_a_strategy_around_another_one():
    def make():
        return pool.SubSamplingWrapper(pool.UncertaintySampling(**SEED), max_candidates=30, **SEED)

    theirs = skactiveml_loop(make, mixed(), ["clf"])
    arguments = {"query_strategy": pool.UncertaintySampling(**SEED), "max_candidates": 30, **SEED}
    assert picks(ScikitActiveml("SubSamplingWrapper", arguments), mixed()) == theirs


def test_arguments_reach_the_strategy():
    theirs = skactiveml_loop(lambda: pool.TypiClust(k=1, **SEED), mixed())
    assert picks(ScikitActiveml("TypiClust", {"k": 1, **SEED}), mixed()) == theirs
    assert picks(ScikitActiveml("TypiClust", SEED), mixed()) != theirs


def test_the_seed_is_that_of_the_run_and_differs_from_round_to_round():
    data = mixed()
    first, again = (list(run(data, ScikitActiveml("RandomSampling"), seed)) for seed in (0, 0))
    other = list(run(data, ScikitActiveml("RandomSampling"), 1))
    assert ids(first) == ids(again) != ids(other)
    model, view = situation("multiclass")
    strategy = ScikitActiveml("RandomSampling")
    assert not torch.equal(*(strategy.propose(model, view, 10, rng(seed)).indices for seed in (1, 2)))


def run(data, strategy, seed=0, done=()):
    return loop.run(data, LogisticRegression(3, 1.0), strategy, 4, 10, seed, tuple(done))


def ids(records):
    return [[query.sample_id for query in record.queries] for record in records]


@pytest.mark.parametrize("name", ["TypiClust", "ProbCover", "QueryByCommittee", "Badge", "DropQuery"])
def test_an_interrupted_run_goes_on_as_it_would_have(name):
    whole = list(run(mixed(), ScikitActiveml(name)))
    rest = list(run(mixed(), ScikitActiveml(name), done=whole[:3]))
    assert ids(rest) == ids(whole[3:])
    assert [record.test for record in rest] == [record.test for record in whole[3:]]
    assert whole[-1].n_human_labels == 40


def test_the_classifier_has_the_penalty_that_the_run_has_tuned():
    model, view = situation("multiclass")
    model = LogisticRegression(4, "cv").tune(view.labeled, view.labels, rng())
    model.fit(view.labeled, view.labels)
    assert model.l2_ != 1.0
    P = model.predict_proba(view.pool).numpy()
    chosen = ScikitActiveml("UncertaintySampling").propose(model, view, 10, rng()).indices
    assert set(chosen.tolist()) == set(np.argsort(P.max(1))[:10].tolist())


# -- its faults --------------------------------------------------------------------------------------


def test_rows_that_come_twice_are_asked_for_again(caplog):
    """Where labelled rows cover every cluster, TypiClust draws the rest with replacement."""
    model, view = situation("all rows alike")
    with caplog.at_level(logging.INFO):
        chosen = ScikitActiveml("TypiClust").propose(model, view, 20, rng()).indices.tolist()
    assert len(set(chosen)) == 20
    assert "strategy.query=TypiClust gave rows twice" in caplog.text


def test_a_strategy_that_always_gives_one_row_still_fills_the_batch(monkeypatch):
    """Batches of ten: the first free row, ten times."""

    def query(self, X, y, candidates=None, batch_size=1, return_utilities=False):
        free = np.flatnonzero(np.isnan(y)) if candidates is None else candidates
        return np.repeat(free[0], batch_size), np.zeros((batch_size, len(X)))

    monkeypatch.setattr(pool.RandomSampling, "query", query)
    model, view = situation("multiclass")
    assert ScikitActiveml("RandomSampling").propose(model, view, 10, rng()).indices.tolist() == [*range(10)]


@pytest.mark.parametrize(
    "row, utility, message",
    [
        (0, 0.0, "chose rows that are not in the pool"),
        (50, float("nan"), "chose a row by a utility that is not a number"),
    ],
)
def test_nonsense_is_refused(row, utility, message, monkeypatch):
    """Row 0 is labelled, row 50 is not."""

    def query(self, X, y, candidates=None, batch_size=1, return_utilities=False):
        return np.array([row]), np.full((1, len(X)), utility)

    monkeypatch.setattr(pool.RandomSampling, "query", query)
    model, view = situation("multiclass")
    with pytest.raises(SalutaryError, match=f"strategy.query=RandomSampling {message}"):
        ScikitActiveml("RandomSampling").propose(model, view, 1, rng())


def test_utilities_that_are_no_numbers_are_refused():
    """Those of BatchBALD with fewer samples than members; argmax takes the first of them, a labelled row."""
    model, view = situation("multiclass")
    strategy = ScikitActiveml("BatchBALD", {"n_MC_samples": 1}, committee=3)
    with pytest.raises(SalutaryError, match="BatchBALD chose a row by a utility that is not a number"):
        strategy.propose(model, view, 10, rng())


def test_a_classifier_that_cannot_be_fitted_is_no_warning():
    """scikit-activeml would go on with the shares of the labels."""

    class Spoilt(LogisticRegression):
        def update(self, X, y):
            raise SalutaryError("it is spoilt")

    model, view = situation("multiclass")
    model.__class__ = Spoilt
    with pytest.raises(SalutaryError, match="it is spoilt"):
        ScikitActiveml("UncertaintySampling").propose(model, view, 5, rng())


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, message",
    [
        ("Typiclust", "has no pool strategy 'Typiclust'; it has Badge, BatchBALD, .*TypiClust"),
        ("vote_entropy", "has no pool strategy 'vote_entropy'"),
        ("ExpectedModelOutputChange", "ExpectedModelOutputChange is for regression"),
        ("StreamRandomSampling", "StreamRandomSampling is for streams"),
        ("IntervalEstimationThreshold", "is for several annotators of a row"),
        ("FourDs", "FourDs needs a MixtureModelClassifier"),
        ("ProbabilisticAL", "needs a classifier that counts"),
        ("ExpectedErrorReduction", "take one of them"),
        (3, "strategy.query must be the name of a strategy"),
    ],
)
def test_what_cannot_run_here(name, message):
    with pytest.raises(SalutaryError, match=message):
        ScikitActiveml(name).check(LogisticRegression(2))


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"q": 1}, "TypiClust has no argument 'q' to set; it has random_state, .* k$"),
        ({"missing_label": -1}, "no argument 'missing_label' to set"),
        ([1], "strategy.arguments must be names and values such as"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(SalutaryError, match=message):
        ScikitActiveml("TypiClust", arguments).check(LogisticRegression(2))


def test_a_bad_value_is_told_in_its_words():
    model, view = situation("binary")
    with pytest.raises(SalutaryError, match=r"TypiClust fails: ValueError: `k`") as told:
        ScikitActiveml("TypiClust", {"k": 0}).propose(model, view, 5, rng())
    assert len(str(told.value).splitlines()) == 1


def test_images_are_refused():
    model, view = situation("binary")
    with pytest.raises(SalutaryError, match="needs features"):
        ScikitActiveml().propose(model, replace(view, pool=torch.zeros(4, 1, 2, 2)), 2, rng())


def test_without_scikit_activeml():
    code = """
import sys
sys.modules["skactiveml"] = None
from salutary.models.logistic import LogisticRegression
from salutary.strategies.skactiveml import ScikitActiveml
try:
    ScikitActiveml().check(LogisticRegression(2))
except ValueError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "scikit-activeml is not installed: pip install 'salutary[activeml]'\n", done.stderr
