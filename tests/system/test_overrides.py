"""Texts on the command line: Hydra takes them as they were typed."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st

from salutary.system import overrides
from salutary.system.overrides import with_lists_quoted, with_texts_quoted

TEXTS = ["dataset.path"]


def taken(typed: str, sweeps: bool = False) -> list[str]:
    """The values that Hydra sees behind ``dataset.path=``."""
    (argument,) = with_texts_quoted([f"dataset.path={typed}"], TEXTS, sweeps)
    override = OverridesParser.create().parse_override(argument)
    if not override.is_sweep_override():
        return [override.value()]
    return [
        OverridesParser.create().parse_override(f"x={each}").value()
        for each in override.sweep_string_iterator()
    ]


def is_plain(text: str) -> bool:
    """Whether Hydra's own ways of quoting do not come into it."""
    return text != "null" and "\\" not in text and not text.startswith(("'", '"', "~")) and "\0" not in text


@given(st.text(st.characters(codec="utf-8")).filter(is_plain))
@example("rows (1).csv")
@example("a=b,c#d.csv")
@example("it's {here}[1]: 'a' and \"b\".csv")
@example("données 数据.csv")
@example(" lead and trail ")
@example("1e5")
@example("[a,b]")
@example("choice(a,b)")
def test_a_text_is_taken_as_it_is(text):
    assert taken(text) == [text]


@pytest.mark.parametrize(
    "typed, value",
    [
        ("'a, b.csv'", "a, b.csv"),
        ('"it\'s.csv"', "it's.csv"),
        ("'it\\'s.csv'", "it's.csv"),
        (r"rows\ \(1\).csv", "rows (1).csv"),
        (r"a\,b.csv", "a,b.csv"),
        ("'a' and 'b'", "'a' and 'b'"),
        ("C:\\data\\rows.csv", "C:\\data\\rows.csv"),
        ("C:\\data\\", "C:\\data\\"),
        ("null", None),
        ("${oc.env:ROWS}", "${oc.env:ROWS}"),
        ("${oc.env:ROWS,'a b'}/c (1).csv", "${oc.env:ROWS,'a b'}/c (1).csv"),
    ],
)
def test_what_is_quoted_already_stays(typed, value):
    assert taken(typed) == [value]


@pytest.mark.parametrize(
    "typed, values",
    [
        ("a.csv,b.csv", ["a.csv", "b.csv"]),
        ("it's.csv,b (1).csv", ["it's.csv", "b (1).csv"]),
        ("'a,1.csv',b=c.csv", ["a,1.csv", "b=c.csv"]),
        (r"a\,b.csv,c", ["a,b.csv", "c"]),
        ("'a,b.csv'", ["a,b.csv"]),
        ("${oc.env:X,y},b", ["${oc.env:X,y}", "b"]),
        ("choice(a,b)", ["a", "b"]),
        ("null,5", [None, "5"]),
    ],
)
def test_commas_separate_the_values_of_a_sweep(typed, values):
    assert taken(typed, sweeps=True) == values


def test_other_settings_are_left_alone():
    arguments = [
        "-m",
        "seed=0,1",
        "model.l2=choice(1,2)",
        "--config-dir",
        "a b",
        "~strategy",
        "dataset.paths=a b",
    ]
    assert with_texts_quoted(arguments, TEXTS, sweeps=True) == arguments
    assert with_texts_quoted(["+dataset.path=a b", "dataset.path"], TEXTS, False) == [
        "+dataset.path='a b'",
        "dataset.path",
    ]


def test_a_users_folder(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of (me)")
    assert taken("~/rows.csv") == ["/home/of (me)/rows.csv"]


def test_the_command_is_shown_as_it_was_typed(monkeypatch):
    typed = ["-m", "dataset.path=rows (1).csv", "seed=range(2)"]
    monkeypatch.setattr("sys.argv", ["salutary-run", *typed])
    overrides.remember()
    assert shlex.split(overrides.command("salutary-run")) == ["salutary-run", *typed]


@pytest.mark.parametrize(
    "typed, texts",
    [
        ("[NA,?,-999]", ["NA", "?", "-999"]),
        ("[null, 1e5,1_000,NaN,TRUE,007]", ["null", "1e5", "1_000", "NaN", "TRUE", "007"]),
        ("[€,größe]", ["€", "größe"]),
        ("['a,b',\"c d\",it's]", ["a,b", "c d", "it's"]),
        (r"[a\,b]", ["a,b"]),
        ("[#N/A,(x),a=b]", ["#N/A", "(x)", "a=b"]),
        ("[]", []),
    ],
)
def test_texts_in_lists_are_what_was_typed(typed, texts):
    (argument,) = with_lists_quoted([f"dataset.missing={typed}"], ["dataset.missing"])
    assert OverridesParser.create().parse_override(argument).value() == texts
    several = ["dataset.missing=[a],[b]", "other=[1e5]", "dataset.missing=null", "dataset.missing=[${x}]"]
    assert with_lists_quoted(several, ["dataset.missing"]) == several
