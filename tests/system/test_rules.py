"""Rules of settings: what they accept, and the one line of the checker."""

import re
from types import SimpleNamespace

import pytest

from salutary.errors import SalutaryError
from salutary.system.rules import NULL, Choice, Flag, Number, Text, Texts, Whole, check

CASES = [
    (Whole(1), [1, 7], [0, 1.0, True, "1", None], "a whole number >= 1"),
    (Number(0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), True, "0"], "a number in [0, 1]"),
    (Number(0, excluded=True), [1e-9, 5], [0, float("inf")], "a number in (0, inf]"),
    (Flag(), [True, False], [0, 1, "true"], "true or false"),
    (Choice("a", "b", "c"), ["a", "c"], ["d", None, 1], "a, b or c"),
    (Choice("auto") | Whole(1), ["auto", 3], ["cv", 0], "auto or a whole number >= 1"),
    (Text("a file"), ["x"], ["", None, 1], "a file"),
    (Text("a file") | NULL, ["x", None], ["", 1], "a file or null"),
    (Texts("a list of columns"), [[], ["a"], ("a", "b")], ["a", [1], None], "a list of columns"),
]


@pytest.mark.parametrize("rule, accepted, refused, text", CASES, ids=[case[-1] for case in CASES])
def test_what_a_rule_accepts(rule, accepted, refused, text):
    assert all(rule.accepts(value) for value in accepted)
    assert not any(rule.accepts(value) for value in refused)
    assert str(rule) == text


def test_the_first_setting_that_is_wrong_is_named():
    settings = SimpleNamespace(budget=10, rounds="many", folds=-1)
    rules = {"budget": Whole(1), "rounds": Choice("auto") | Whole(1), "folds": Whole(0)}
    line = "label.rounds must be auto or a whole number >= 1, not 'many'"
    with pytest.raises(SalutaryError, match=f"^{re.escape(line)}$"):
        check(settings, rules, "label.")
    settings.rounds, settings.folds = 3, 0
    check(settings, rules)
