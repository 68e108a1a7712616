"""How records name objects."""

import collections
import enum
import functools
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from salutary.errors import SalutaryError
from salutary.experiments.objects import described, name_of
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


def offset_rule(k):
    def rule(model, view, budget, rng):
        return [k]

    return rule


def with_default(k):
    def rule(model, view, budget, rng, k=k):
        return [k]

    return rule


class Slots:
    __slots__ = ("k",)

    def __init__(self, k):
        self.k = k


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    "make",
    [
        offset_rule,
        with_default,
        Slots,
        lambda k: [lambda: 1, lambda: 2][k],
        lambda k: type("A", (), {"W": [k]}),
        lambda k: type("A", (), {"f": functools.partialmethod(score, rng=k)}),
        lambda k: type("A", (), {"f": functools.cached_property(offset_rule(k))}),
        lambda k: type("A", (), {"f": functools.lru_cache(offset_rule(k))}),
        lambda k: type("A", (), {"Nested": type("B", (), {"w": k})}),
        lambda k: type("A", (), {"f": property(None, offset_rule(k))}),
        lambda k: Rule(k).scores,
        lambda k: np.float64(k),
        lambda k: Colour(k + 1),
        lambda k: Path(str(k)),
        lambda k: np.timedelta64(k, "s"),
        lambda k: bytes([k]),
        lambda k: [torch.float32, torch.float64][k],
        lambda k: np.random.default_rng(k),
        lambda k: torch.nn.Linear(1, 1 + k),
        lambda k: "\ud800" + str(k),
        lambda k: collections.OrderedDict(a=k),
        lambda k: collections.Counter([k]),
    ],
)
def test_what_an_object_holds_tells_it_apart(make):
    torch.manual_seed(0)
    one, other = (described(Rule(weights=make(k)), "strategy") for k in (0, 1))
    assert one != other
    torch.manual_seed(0)
    assert described(Rule(weights=make(0)), "strategy") == one
    assert yaml.safe_load(yaml.safe_dump(one)) == one


def test_what_refers_to_itself_is_described():
    loop = [1]
    loop.append(loop)
    one, other = Rule(weights=loop), Rule(weights=[1, [1]])
    one.myself = one
    assert described(one, "strategy") != described(other, "strategy")


def test_a_helper_of_ones_own_counts():
    """What a method calls in its module, or a constant that it names."""
    found = []
    for helper, limit in ((1, 1), (2, 1), (1, 2)):
        space: dict = {"__name__": "mine"}
        code = f"LIMIT = {limit}\ndef helper():\n    return {helper}\n"
        exec(code + "class Mine:\n    def scores(self):\n        return helper() + LIMIT", space)
        found.append(described(space["Mine"](), "strategy")["source"])
    assert len(set(found)) == 3


def test_descriptions_are_the_same_in_another_process(tmp_path):
    (tmp_path / "mine.py").write_text(
        "from salutary.experiments.objects import described\n\n\n"
        "class Rule:\n    names = {'b', 'a', 'c'}\n\n    def __init__(self, weights):\n"
        "        self.weights = weights\n\n"
        "    def scores(self, x):\n        return x in {'u', 'v', 'w'}\n\n\n"
        "print(described(Rule({'a': {1, 'b', (2, 3)}, 'f': described}), 'strategy'))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "mine.py"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_a_set_has_no_order():
    sets = [{0, 8}, {8, 0}]  # whose elements come in another order
    assert [*sets[0]] != [*sets[1]]
    assert len({str(described(Rule(weights=each), "strategy")) for each in sets}) == 1


def compiled(body: str) -> type:
    """A class whose source is not to be had."""
    space: dict = {"__name__": "__main__"}
    exec(f"class Typed:\n    limit = 1\n    def scores(self):\n        {body}", space)
    return space["Typed"]


def source(kind: type) -> str:
    return described(kind(), "strategy")["source"]


def test_a_class_is_another_one_if_its_code_is():
    assert source(compiled("return 1")) == source(compiled("return 1")) != source(compiled("return 2"))
    changed = compiled("return 1")
    changed.limit = 2
    assert source(changed) != source(compiled("return 1"))


def test_the_code_of_a_base_counts():
    one, other = (type("Sub", (compiled(body),), {}) for body in ("return 1", "return 2"))
    assert source(one) != source(other)


def test_estimators_have_their_parameters():
    from sklearn.linear_model import RidgeClassifier

    about = described(RidgeClassifier(alpha=3), "model")
    assert about["parameters"]["alpha"] == 3
    X, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 0, 1])
    fitted = [RidgeClassifier(alpha=3).fit(X, each) for each in (y, 1 - y)]
    assert described(fitted[0], "model") != described(fitted[1], "model") != about


@pytest.mark.parametrize("value", [(n for n in "ab"), np, iter([1]), threading.Lock()])
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
