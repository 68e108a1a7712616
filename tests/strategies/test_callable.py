"""A plain function as a strategy."""

import functools
import os

import pytest
import torch
from situations import rng, situation

from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Proposal
from salutary.strategies.callable import OwnFunction, least_confident
from salutary.strategies.uncertainty import Uncertainty


def test_the_example_is_uncertainty_sampling():
    model, view = situation("multiclass")
    ours, same = (
        each.propose(model, view, 10, rng()) for each in (OwnFunction(least_confident), Uncertainty())
    )
    assert torch.equal(ours.indices, same.indices)
    assert ours.labels is None


@pytest.mark.parametrize("made", [[3, 1], (3, 1), torch.tensor([3, 1]), Proposal(torch.tensor([3, 1]))])
def test_what_a_function_may_return(made):
    model, view = situation("binary")
    proposal = OwnFunction(lambda model, view, budget, rng: made).propose(model, view, 2, rng())
    assert proposal.indices.tolist() == [3, 1]


def test_a_function_may_give_labels_and_take_arguments():
    def rule(model, view, budget, rng, label):
        return Proposal(torch.arange(budget), torch.full((budget,), label))

    model, view = situation("binary")
    proposal = OwnFunction(functools.partial(rule, label=1)).propose(model, view, 3, rng())
    assert proposal.labels.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "function, message",
    [("my_code.rule", "strategy.function must be a function, such as"), (None, "must be a function")],
)
def test_what_is_no_function(function, message):
    with pytest.raises(SalutaryError, match=message):
        OwnFunction(function).check(LogisticRegression(2))


def too_short(model, view, budget):
    return [0]


def with_power(model, view, budget, rng, *, power):
    return [power]


@pytest.mark.parametrize(
    "function, message",
    [
        (functools.partial(os.getcwd), "strategy.function, getcwd, cannot .*: too many positional"),
        (functools.partial(least_confident, k=3), "least_confident, .* unexpected keyword argument 'k'"),
        (functools.partial(least_confident, budget=3), "multiple values for argument 'budget'"),
        (too_short, "too_short, .*: too many positional"),
        (with_power, "with_power, .*: missing a required .*'power'"),
    ],
)
def test_what_cannot_be_called_is_told_before_anything_is_done(function, message):
    with pytest.raises(SalutaryError, match=message) as caught:
        OwnFunction(function).check(LogisticRegression(2))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "function",
    [least_confident, functools.partial(with_power, power=2), lambda *_: [0], torch.add],
)
def test_what_fits_or_has_no_signature_is_let_be(function):
    OwnFunction(function).check(LogisticRegression(2))
    assert OwnFunction(function).function is function


@pytest.mark.parametrize(
    "made, message", [(None, "returned nothing"), ([0.5, 1.5], "must be whole numbers"), (["a"], "positions")]
)
def test_what_a_function_may_not_return(made, message):
    model, view = situation("binary")
    with pytest.raises(SalutaryError, match=message):
        OwnFunction(lambda *_: made).propose(model, view, 2, rng())
