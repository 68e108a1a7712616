"""modAL's query functions in our loop: the picks of its own learner, and what is refused."""

import numpy as np
import pytest
import torch
from own_loops import mixed, modal_loop, picks
from situations import rng, situation

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.models.logistic import LogisticRegression
from salutary.strategies.modal import COMMITTEES, MODULES, Modal, _function
from salutary.strategies.uncertainty import Entropy, Margin, Uncertainty


@pytest.mark.parametrize("name", [name for name in MODULES if name != "expected_error_reduction"])
def test_picks_of_its_own_learner(name):
    data = mixed()
    theirs = modal_loop(_function(name), data, committee=name in COMMITTEES)
    assert picks(Modal(name), data) == theirs


@pytest.mark.parametrize("arguments", [{}, {"loss": "log"}, {"p_subsample": 0.5, "random_tie_break": True}])
def test_picks_of_its_own_learner_with_a_model_for_each_answer(arguments):
    """Also where modAL draws from NumPy's global generator."""
    data = mixed(30)
    theirs = modal_loop(_function("expected_error_reduction"), data, rounds=2, budget=5, **arguments)
    assert picks(Modal("expected_error_reduction", arguments), data, 2, 5) == theirs


def test_arguments_reach_the_function():
    data = mixed()
    theirs = modal_loop(_function("uncertainty_batch_sampling"), data, metric="cosine")
    assert picks(Modal("uncertainty_batch_sampling", {"metric": "cosine"}), data) == theirs
    assert picks(Modal("uncertainty_batch_sampling"), data) != theirs


@pytest.mark.parametrize(
    "name, ours",
    [
        ("entropy_sampling", Entropy()),
        ("margin_sampling", Margin()),
        ("uncertainty_sampling", Uncertainty()),
    ],
)
def test_the_same_measures_as_ours(name, ours):
    model, view = situation("multiclass")
    a, b = (each.propose(model, view, 10, rng()).indices for each in (Modal(name), ours))
    assert set(a.tolist()) == set(b.tolist())


def test_expected_error_where_a_class_is_missing():
    """modAL takes the columns of the probabilities for the labels it has seen, in their order."""
    model, view = situation("missing class")
    chosen = Modal("expected_error_reduction").propose(model, view, 3, rng()).indices.tolist()
    P, seen = model.predict_proba(view.pool).numpy()[:, [0, 1, 3]], [0, 1, 3]
    P, errors = P / P.sum(1, keepdims=True), []
    for row in range(80):
        rest, risk = np.delete(np.arange(80), row), 0.0
        for column, label in enumerate(seen):
            X = torch.cat([view.labeled, view.pool[row : row + 1]])
            y = torch.cat([view.labels, torch.tensor([label])])
            Q = LogisticRegression(4, 1.0).fit(X, y).predict_proba(view.pool[rest]).numpy()[:, seen]
            risk += P[row, column] * (1 - (Q / Q.sum(1, keepdims=True)).max(1)).sum()
        errors.append(risk)
    assert set(chosen) == set(np.argsort(errors)[:3].tolist())


@pytest.mark.parametrize("name", ["max_disagreement_sampling", "uncertainty_batch_sampling"])
def test_an_interrupted_run_goes_on_as_it_would_have(name):
    def run(done=()):
        model = LogisticRegression(3, 1.0)
        return list(loop.run(mixed(), model, Modal(name), 4, 10, 0, tuple(done)))

    whole = run()
    rest = run(whole[:3])
    ids = [[[query.sample_id for query in record.queries] for record in each] for each in (whole[3:], rest)]
    assert ids[0] == ids[1]
    assert whole[-1].n_human_labels == 40


@pytest.mark.parametrize(
    "name, message",
    [
        ("entropy", "modAL has no query function 'entropy'; it has consensus_entropy_sampling, "),
        ("max_std_sampling", "max_std_sampling is for regression"),
        ("max_EI", "max_EI is for Bayesian optimisation"),
        ("mc_dropout_bald", "needs a network with dropout"),
        ("avg_score", "is for several labels of a row"),
        (None, "strategy.query must be the name of a query function"),
    ],
)
def test_what_cannot_run_here(name, message):
    with pytest.raises(SalutaryError, match=message):
        Modal(name).check(LogisticRegression(2))


def test_bad_arguments():
    with pytest.raises(SalutaryError, match="no argument 'los' to set; it has loss, p_subsample, random_tie"):
        Modal("expected_error_reduction", {"los": "log"}).check(LogisticRegression(2))
    model, view = situation("binary")
    with pytest.raises(SalutaryError, match="fails: AssertionError: loss must be 'binary' or 'log'"):
        Modal("expected_error_reduction", {"loss": "zero"}).propose(model, view, 5, rng())
