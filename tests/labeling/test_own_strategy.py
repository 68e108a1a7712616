"""Strategies of the user's own: no labelling mixes rounds of two codes."""

import os
import sys
import time

import pytest

from salutary.labeling import state
from salutary.system import environment

from .labelings import FILES

STRATEGY = """
from pathlib import Path
from salutary.strategies.salutary_greedy import SalutaryGreedy

class Own(SalutaryGreedy):
    def propose(self, model, view, budget, rng):
        with Path("calls").open("a") as file:
            file.write("x")
        if len(Path("calls").read_text()) == 3 and Path("broken").exists():
            raise RuntimeError("out of luck")
        return super().propose(model, view, budget, rng)
"""
OTHER = STRATEGY + "# another\n"
SETTINGS = (*FILES, "rounds=4", "folds=0", "strategy._target_=mine.Own", "output=found.csv")


@pytest.fixture
def label(salutary_label, files, tmp_path, monkeypatch):
    """The command, as a process that has loaded nothing of mine.py yet."""
    source = tmp_path / "mine.py"
    source.write_text(STRATEGY)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def run(*settings):
        sys.modules.pop("mine", None)
        os.utime(source, (time.time() - 9, time.time() - 9))
        monkeypatch.setattr(environment, "STARTED", time.time())
        (tmp_path / "calls").unlink(missing_ok=True)
        return salutary_label(*SETTINGS, *settings)

    yield run
    sys.modules.pop("mine", None)


@pytest.fixture
def interrupted(label, monkeypatch):
    """It was stopped after its second round."""
    add = state.State.add

    def stopped(self, record):
        add(self, record)
        if record.number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state.State, "add", stopped)
        assert label()[0] == 130


def test_the_same_code_goes_on(interrupted, label, tmp_path):
    status, out, err = label()
    assert status == 0, err
    assert "starts over" not in out and (tmp_path / "calls").read_text() == "xx"


def test_another_code_starts_over(interrupted, label, tmp_path):
    (tmp_path / "mine.py").write_text(OTHER)
    status, out, err = label()
    assert status == 0, err
    assert "found.csv starts over: mine.py changed since" in out.splitlines()
    assert (tmp_path / "calls").read_text() == "xxxx"


def test_an_exception_in_it_starts_over(label, tmp_path):
    (tmp_path / "broken").touch()
    with pytest.raises(RuntimeError, match="out of luck"):
        label()
    assert (tmp_path / "found.partial" / "round-00002.npz").exists()
    (tmp_path / "broken").unlink()
    status, out, err = label()
    assert status == 0, err
    assert "found.csv starts over: a class of your own failed in it" in out.splitlines()
    assert (tmp_path / "calls").read_text() == "xxxx"
