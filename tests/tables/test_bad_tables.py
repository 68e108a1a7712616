"""Tables that are wrong get one line, with file, column and row, and leave nothing behind; what of others
is left out, or may be meant otherwise, is told. The page in docs/ is what is tested here.
"""

import json
import re
import shlex

import pytest
from bad_files_page import PAGE, READ, REFUSED, TOLD, page
from spoilt_tables import LABEL, check_one_line, left, with_changes

from salutary.labeling import cli

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)
BAD = {what: case for cases in REFUSED.values() for what, case in cases.items()}
ODD = {what: case for cases in TOLD.values() for what, case in cases.items()} | READ


def pattern(line):
    """Of a line that ends as another package says it, or as it is here."""
    return "^salutary-label: " + (re.escape(line[:-3]) if line.endswith("...") else re.escape(line) + "$")


@pytest.mark.parametrize("what", BAD)
def test_bad_files(what, salutary, tmp_path):
    spoil, settings, line = BAD[what]
    spoil(tmp_path)
    before = left(tmp_path)
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, settings))
    check_one_line(answer, "salutary-label", pattern(line), tmp_path, before)


TO_AUDIT = [
    "a .parquet cut off",
    "a text among numbers of validation",
    "no such target",
    "an id in two files",
]


@pytest.mark.parametrize("what", TO_AUDIT)
def test_bad_files_to_audit(what, salutary, tmp_path):
    spoil, settings, line = BAD[what]
    spoil(tmp_path)
    before = left(tmp_path)
    arguments = with_changes(LABEL | {"pool": None}, settings | {"audit": "true"})
    answer = salutary(cli.main, "salutary-label", *arguments)
    check_one_line(answer, "salutary-label", pattern(line), tmp_path, before)


@pytest.mark.parametrize("what", ODD)
def test_odd_files(what, salutary, monkeypatch, tmp_path):
    monkeypatch.setattr("salutary.labeling.page.small_png", lambda figure: b"")  # drawing takes longest
    spoil, settings, *lines = ODD[what]
    spoil(tmp_path)
    quickly = {"strategy.confidence": "0", "output": "labels.csv"}
    status, out, err = salutary(cli.main, "salutary-label", *with_changes(LABEL | quickly, settings))
    assert status == 0, err
    told = json.loads((tmp_path / "labels" / "facts.json").read_text())["columns"]["findings"]
    told = [line for line in told if "left out key (" not in line]  # of all files
    assert {*lines} <= {*told} and bool(told) == bool(lines)
    assert {*told} <= {*(out + err).splitlines()}


ADVISED = [what for what, (*_, lines) in ODD.items() if "are numbers with " in lines]


@pytest.mark.parametrize("what", ADVISED)
def test_the_settings_that_a_line_names_read_the_numbers(what, salutary, monkeypatch, tmp_path):
    monkeypatch.setattr("salutary.labeling.page.small_png", lambda figure: b"")
    spoil, settings, line = ODD[what]
    spoil(tmp_path)
    advice = dict(each.split("=", 1) for each in shlex.split(line.partition("are numbers with ")[2]))
    changes = {"strategy.confidence": "0", "output": "labels.csv"} | settings | advice
    status, _, err = salutary(cli.main, "salutary-label", *with_changes(LABEL, changes))
    assert status == 0, err
    columns = json.loads((tmp_path / "labels" / "facts.json").read_text())["columns"]
    column = line.partition("column ")[2].partition(",")[0]
    assert column in columns["numeric"]
    assert not [each for each in columns["findings"] if f"column {column}," in each]


def test_the_page_is_made_of_these_cases():
    """``python tests/bad_files_page.py`` would change nothing."""
    assert page() == PAGE.read_text()
    assert len(BAD) >= 60 and len({*BAD} | {*ODD}) == len(BAD) + len(ODD)
