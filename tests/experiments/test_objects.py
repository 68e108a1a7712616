"""How records name objects."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch

from salutary.errors import SalutaryError
from salutary.experiments.objects import described, name_of, source_checksum
from salutary.strategies import ScoreStrategy


class Rule(ScoreStrategy):
    def __init__(self, column=0, weights=None):
        self.column = column
        self.weights = weights

    def scores(self, model, view, rng):
        return view.pool[:, self.column]


def score(model, view, rng):
    return view.pool[:, 0]


def test_an_object_is_its_class_source_and_parameters():
    about = described(Rule(3), "strategy")
    assert about["object"] == f"{__name__}.Rule"
    assert about["parameters"] == {"column": 3, "weights": None}
    assert about["source"].startswith("sha256:")
    assert described(Rule(3), "strategy") == about
    assert described(Rule(4), "strategy") != about


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(3), np.arange(4)),
        (np.arange(3), np.arange(3.0)),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (torch.arange(3), torch.tensor([0, 1, 3])),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"b": [1]})),
        (pd.Series([1, 2]), pd.Series([2, 1])),
        (np.array(["a", None], object), np.array(["a", "None"], object)),
        ({1: 2}, {1: 3}),
        ([1, 2], [2, 1]),
        (Rule(1), Rule(2)),
        (functools.partial(score, rng=1), functools.partial(score, rng=2)),
    ],
)
def test_parameters_that_differ_are_told_apart(one, other):
    assert described(Rule(weights=one), "strategy") != described(Rule(weights=other), "strategy")
    assert described(Rule(weights=one), "strategy") == described(Rule(weights=one), "strategy")


def test_a_set_has_no_order():
    sets = [{0, 8}, {8, 0}]  # whose elements come in another order
    assert [*sets[0]] != [*sets[1]]
    assert len({str(described(Rule(weights=each), "strategy")) for each in sets}) == 1


def compiled(body: str) -> type:
    """A class whose source is not to be had."""
    space: dict = {"__name__": "__main__"}
    exec(f"class Typed:\n    limit = 1\n    def scores(self):\n        {body}", space)
    return space["Typed"]


def test_a_class_is_another_one_if_its_code_is():
    same = source_checksum(compiled("return 1")), source_checksum(compiled("return 1"))
    assert same[0] == same[1]
    assert source_checksum(compiled("return 2")) != same[0]
    changed = compiled("return 1")
    changed.limit = 2
    assert source_checksum(changed) != same[0]


def test_the_code_of_a_base_counts():
    one, other = (type("Sub", (compiled(body),), {}) for body in ("return 1", "return 2"))
    assert source_checksum(one) != source_checksum(other)


def test_estimators_have_their_parameters():
    from sklearn.linear_model import RidgeClassifier

    about = described(RidgeClassifier(alpha=3), "model")
    assert about["parameters"]["alpha"] == 3
    assert "coef_" not in about["parameters"]


@pytest.mark.parametrize("value", [(n for n in "ab"), np, Rule().scores, object()])
def test_what_cannot_be_named_is_refused(value):
    with pytest.raises(SalutaryError, match=r"strategy\.weights is a \w+, which no record can name"):
        described(Rule(weights=value), "strategy")


@pytest.mark.parametrize("value", [3, None, [1], np.zeros(3)])
def test_a_group_is_a_name_or_an_object(value):
    with pytest.raises(SalutaryError, match="model must be a name or an object"):
        described(value, "model")


def test_names():
    assert [name_of(each) for each in (Rule(), Rule, score, functools.partial(score, rng=1))] == [
        *("Rule", "Rule", "score", "score")
    ]
