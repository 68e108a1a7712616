"""docs/tutorial/index.md from its first command to its last block, with small sizes; and what it prints."""

import re
from pathlib import Path

import pandas as pd
import pytest
from pages import ROOT, commands, fenced

import salutary
from salutary.analysis import report
from salutary.labeling import cli

PAGE = ROOT / "docs" / "tutorial" / "index.md"
FAST = ("rounds=2", "strategy.rerank=0", "folds=2", "model.candidates=[logistic]")
REMEDIES = "remedies=[labeled,labeled_and_validation,cleaned]"


@pytest.fixture
def label(command):
    """A function: the documented command of that number, with other settings, to what it printed."""

    def run(number: int, *others: str) -> str:
        documented = [each for each in commands(PAGE) if each.startswith("salutary-label ")]
        status, out, err = command(cli.main, *documented[number].split(), *others)
        assert status == 0, err
        return out

    return run


def block(number: int, names: dict) -> dict:
    exec(compile(fenced(PAGE, "python")[number], "docs/tutorial/index.md", "exec"), names)
    return names


def test_rows_are_labelled(label, capsys):
    names = block(0, {})
    assert len(names["labeled"]) == 80 and len(names["validation"]) == 100 and len(names["pool"]) == 389
    assert "no human asked" in label(0, *FAST, REMEDIES)
    capsys.readouterr()
    names = block(1, names)
    printed = [float(each) for each in re.findall(r"[\d.]+$", capsys.readouterr().out, re.MULTILINE)]
    assert printed[0] > 0.85 and printed[1] > 0.85 and Path("labels/audit.html").exists()
    label(1, "folds=2")
    audit = block(2, names)["audit"]
    assert audit["wrong_probability"].is_monotonic_decreasing
    assert set(names["wrong"]) & set(audit.head(8)["id"])


def test_strategies_are_compared(salutary_run, command, capsys, monkeypatch):
    (sweep,) = [each for each in commands(PAGE) if each.startswith("salutary-run ")]
    words = sweep.replace("range(5)", "range(1)").replace("'", "").split()[1:]
    status, _, err = salutary_run(*words, "rounds=1", "budget=2")
    assert status == 0, err
    status, _, err = command(report.report, "salutary-report")
    assert status == 0 and Path("report/report.html").exists(), err
    run = salutary.run
    monkeypatch.setattr(salutary, "run", lambda *a, **k: run(*a, **(k | {"rounds": 1}), progress=False))
    result = block(3, {"salutary": salutary})["result"]
    assert len(result.final) == 4
    assert "test_accuracy" in capsys.readouterr().out


@pytest.mark.slow
def test_the_labelling_prints_what_the_page_says(label):
    block(0, {})
    told = " ".join(label(0).split())
    printed = PAGE.read_text().partition("It ends with")[2].partition("\nRead it")[0]
    for line in filter(None, map(str.strip, printed.splitlines()[1:])):
        words = " ".join(line.partition("; 1")[0].split())  # without the seconds
        assert words in told or words == "...", line
    assert len(pd.read_csv("labels.csv")) == 100
