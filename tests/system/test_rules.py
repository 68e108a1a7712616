"""Rules of settings: what they accept, and the one line of the checker."""

import re
from types import SimpleNamespace

import pytest

from salutary.errors import SalutaryError
from salutary.system.rules import (
    NULL,
    Character,
    Choice,
    Flag,
    Needed,
    Number,
    Quoted,
    Text,
    Texts,
    Unless,
    Whole,
    Worded,
    check,
)

CASES = [
    (Whole(1), [1, 7], [0, 1.0, True, "1", None], "a whole number >= 1"),
    (Number(0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), True, "0"], "a number in [0, 1]"),
    (Number(0, excluded=True), [1e-9, 5], [0, float("inf")], "a number in (0, inf]"),
    (Flag(), [True, False], [0, 1, "true"], "true or false"),
    (Choice("a", "b", "c"), ["a", "c"], ["d", None, 1], "a, b or c"),
    (Choice("auto") | Whole(1), ["auto", 3], ["cv", 0], "auto or a whole number >= 1"),
    (Text("a file"), ["x"], ["", None, 1], "a file"),
    (Text("a file") | NULL, ["x", None], ["", 1], "a file or null"),
    (Unless("auto", Whole(1)), ["auto", 3], ["cv", 0, None], "auto or a whole number >= 1"),
    (Unless(None, Number(0)), [None, 0.5], [-1, "soon"], "null or a number in [0, inf]"),
    (Worded(Number(0) | Choice("cv"), "a penalty"), [1, "cv"], [-1, "x", None], "a penalty"),
    (Character(), [";"], ["", "::", None], "one character"),
    (Texts("a list of columns"), [[], ["a"], ("a", "b")], ["a", [1], None], "a list of columns"),
]


@pytest.mark.parametrize("rule, accepted, refused, text", CASES, ids=[case[-1] for case in CASES])
def test_what_a_rule_accepts(rule, accepted, refused, text):
    assert all(rule.accepts(value) for value in accepted)
    assert not any(rule.accepts(value) for value in refused)
    assert str(rule) == text


LINES = [
    (Unless("auto", Whole(1)), "many", "n must be auto or a whole number >= 1, not 'many'"),
    (Unless("auto", Whole(1)), 0, "n must be a whole number >= 1, not 0"),
    (Unless(None, Number(0)), "soon", "n must be a number in [0, inf], not 'soon'"),
    (Needed("a file of rows"), None, "set n: a file of rows"),
    (Needed("a file of rows"), "", "n must be a file of rows, not ''"),
    (Quoted("text"), 7, "n must be text, not 7 (quote numbers twice)"),
]


@pytest.mark.parametrize("rule, value, line", LINES, ids=[line for *_, line in LINES])
def test_what_is_said_of_a_value(rule, value, line):
    with pytest.raises(SalutaryError, match=f"^{re.escape(line)}$"):
        check(SimpleNamespace(n=value), {"n": rule})


def test_the_first_setting_that_is_wrong_is_named():
    settings = SimpleNamespace(budget=10, rounds="many", folds=-1)
    rules = {"budget": Whole(1), "rounds": Choice("auto") | Whole(1), "folds": Whole(0)}
    line = "label.rounds must be auto or a whole number >= 1, not 'many'"
    with pytest.raises(SalutaryError, match=f"^{re.escape(line)}$"):
        check(settings, rules, "label.")
    settings.rounds, settings.folds = 3, 0
    check(settings, rules)
