"""Interrupted runs of the user's own classes: no record mixes rounds of two codes, or of one that failed."""

import json
import sys
import time
from pathlib import Path

import pytest

from salutary.system import environment

from .sweep_processes import run_to_the_end

STRATEGY = """
import os
from pathlib import Path

from rule import score
from salutary.strategies import ScoreStrategy


class Own(ScoreStrategy):
    def scores(self, model, view, rng):
        with Path("calls").open("a") as file:
            file.write("x")
        if Path("late").exists():
            import late
        if len(view.labeled) > 46 and Path("killed").exists():
            os._exit(9)
        if len(view.labeled) > 46 and Path("broken").exists():
            raise RuntimeError("out of luck")
        return score(model.predict_proba(view.pool))
"""
RULE = """
def score(probabilities):
    return probabilities.max(1).values
"""
OTHER_RULE = RULE.replace("probabilities.max", "-probabilities.max")
SETTINGS = ("dataset=breast_cancer", "strategy=own", "rounds=3", "budget=5")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Own.py, which imports rule.py, and a YAML file that names it."""
    (tmp_path / "own.py").write_text(STRATEGY)
    (tmp_path / "rule.py").write_text(RULE)
    (tmp_path / "conf/strategy").mkdir(parents=True)
    (tmp_path / "conf/strategy/own.yaml").write_text("_target_: own.Own\n")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Status and output of a process that has loaded nothing of the folder yet."""

    def prepare():
        environment.STARTED = time.time()
        sys.dont_write_bytecode = True

    flags = [each for each in arguments if each.startswith("-")]
    settings = [each for each in arguments if each not in flags]
    (folder / "output.txt").unlink(missing_ok=True)
    status = run_to_the_end(folder, *flags, "--config-dir", "conf", *SETTINGS, *settings, prepare=prepare)
    return status, (folder / "output.txt").read_text()


def queries(folder: Path) -> str:
    (file,) = folder.glob("outputs/*/queries.csv")
    return file.read_text()


def interrupted(folder: Path, how: str, *arguments: str) -> int:
    """How a run ends that is stopped in its third round."""
    (folder / how).touch()
    status, _ = run(folder, *arguments)
    (folder / how).unlink()
    (folder / "calls").unlink()
    return status


def test_the_same_code_goes_on(folder):
    assert run(folder, "output_dir=whole")[0] == 0
    (folder / "calls").unlink()
    assert interrupted(folder, "killed") == 9
    (partial,) = folder.glob("outputs/*.partial")
    assert {Path(path).name for path in json.loads((partial / "code.json").read_text())} >= {
        "own.py",
        "rule.py",
    }
    status, output = run(folder)
    assert (status, "starts over" in output) == (0, False)
    assert (folder / "calls").read_text() == "x"  # the third round only
    (whole,) = folder.glob("whole/*/queries.csv")
    assert queries(folder) == whole.read_text()
    assert not list(folder.glob("outputs/*/code.json"))


@pytest.mark.parametrize(
    "name, content",
    [
        ("rule.py", OTHER_RULE),
        pytest.param("own.py", STRATEGY.replace("return score", "return -score"), marks=pytest.mark.slow),
    ],
)
def test_another_code_starts_over(name, content, folder):
    assert interrupted(folder, "killed") == 9
    (folder / name).write_text(content)
    status, output = run(folder)
    assert status == 0, output
    (line,) = (line for line in output.splitlines() if "starts over" in line)
    assert line.endswith(f"starts over: {name} changed since")
    assert (folder / "calls").read_text() == "xxx"
    found = queries(folder)
    assert run(folder, "force=true")[0] == 0
    assert found == queries(folder)  # what the new code does by itself


def test_what_a_class_imports_while_it_works_counts(folder):
    (folder / "late").touch()
    (folder / "late.py").write_text("")
    assert interrupted(folder, "killed") == 9
    (folder / "late.py").write_text("# another\n")
    assert "starts over: late.py changed since" in run(folder)[1]


JUDGED = """
import os
from pathlib import Path

import torch
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Proposal, Strategy


class Net(LogisticRegression):  # of one layer
    surrogate_l2 = "auto"

    def features(self, X):
        return X

    @property
    def classifier(self):
        return self


class Own(Strategy):
    labels_alone = True
    judge = "retrained"
    judge_penalties = (1.0, 10.0)

    def propose(self, model, view, budget, rng):
        import late
        with Path("calls").open("a") as file:
            file.write("x")
        if Path("calls").read_text() == "xx":
            os._exit(9)
        rows = torch.arange(budget)
        return Proposal(rows, torch.zeros_like(rows))
"""


def test_trial_runs_of_another_code_are_made_again(folder):
    (folder / "own.py").write_text(JUDGED)
    (folder / "late.py").write_text("")
    (folder / "conf/model").mkdir()
    (folder / "conf/model/net.yaml").write_text("_target_: own.Net\n")
    settings = ("rounds=1", "model=net")
    assert run(folder, *settings)[0] == 9  # in the second trial run
    (folder / "late.py").write_text("# another\n")
    status, output = run(folder, *settings)
    assert status == 0, output
    assert "starts over: late.py changed since" in output
    assert (folder / "calls").read_text()[:4] == "xxxx"  # both of them


def test_a_code_that_is_not_the_runs_does_not_matter(folder):
    assert interrupted(folder, "killed") == 9
    (folder / "other.py").write_text("")
    assert "starts over" not in run(folder)[1]
    assert (folder / "calls").read_text() == "x"


@pytest.mark.parametrize("sweep", [(), pytest.param(("-m",), marks=pytest.mark.slow)])
def test_an_exception_in_it_starts_over(sweep, folder):
    assert interrupted(folder, "broken", *sweep) in (1, 70)
    assert list(folder.glob("outputs/*.partial/rounds.csv"))
    status, output = run(folder, *sweep)
    assert status == 0, output
    assert "starts over: a class of your own failed in it" in output
    assert (folder / "calls").read_text() == "xxx"
