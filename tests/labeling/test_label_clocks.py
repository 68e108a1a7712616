"""Clocks that are set back and forth while ``salutary-label`` works: the same labels, and it goes on."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from salutary.labeling import cli
from salutary.labeling.state import State

from .label_processes import NUMBERS, contents, label_to_the_end, said, undisturbed

SHORT = (*NUMBERS, "rounds=3", "folds=0", "pool={}/parts", "predictions=predicted.parquet")
YEAR = 365 * 86_400
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)


@pytest.fixture(scope="module")
def expected(read, tmp_path_factory):
    return undisturbed(tmp_path_factory.mktemp("expected"), read, *SHORT)


def jumping():
    """A preparation: each look at the clock shows it a year back or ahead."""
    chance, now = random.Random(0), time.time
    time.time = lambda: now() + chance.choice([-YEAR, 0, YEAR])


def jumping_and_killed():
    jumping()
    add = State.add

    def last(self, record):
        add(self, record)
        if record.number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    State.add = last


def seconds_of(folder):
    facts = json.loads((folder / "labels" / "facts.json").read_text())
    lines = (folder / "labels" / "curves.csv").read_text().splitlines()[1:]
    return [facts["seconds"], *(float(line.rsplit(",", 1)[1]) for line in lines)]


def test_a_clock_that_jumps(read, expected, tmp_path):
    assert label_to_the_end(tmp_path, read, *SHORT, prepare=jumping_and_killed) == -signal.SIGKILL
    before = sorted((tmp_path / "labels.partial").glob("round-*"))
    assert label_to_the_end(tmp_path, read, *SHORT, prepare=jumping) == 0, said(tmp_path)
    assert len(before) == 2 and contents(tmp_path) == expected
    assert all(0 <= each < 3600 for each in seconds_of(tmp_path))


# Sets the clock before each round, and dies after round 1 where it is asked to.
PROGRAM = """
import os, signal, sys, time
from salutary.labeling import cli
from salutary.labeling.state import State
clock, dies = sys.argv[1], sys.argv[2] == "dies"
del sys.argv[1:3]
add = State.add
def set_and_add(self, record):
    before = time.time()
    with open(clock, "w") as file:
        file.write(["-400d", "+400d", "-3650d", "+1d x1000"][record.number % 4])
    assert abs(time.time() - before) > 80_000, "the clock was not set"
    add(self, record)
    print("added round", record.number, flush=True)
    if dies and record.number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
State.add = set_and_add
cli.main()
"""


@pytest.mark.slow
@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_the_clock_of_the_machine_is_set(read, expected, tmp_path):
    """By libfaketime, in every library: a year back, ahead, ten years back, and a thousand times as fast."""
    clock = tmp_path / "clock"
    settings = [each.replace("{}", str(read)) for each in SHORT]
    arguments = [f"labeled={read}/train.csv", f"validation={read}/val.csv", *settings]
    folder = tmp_path / "work"
    folder.mkdir()
    for dies, status, rounds in (("dies", -signal.SIGKILL, "01"), ("lives", 0, "23")):
        clock.write_text("+0d")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(clock), dies, *arguments],
            cwd=folder, capture_output=True, text=True,
            env={
                **os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "SALUTARY_CACHE_DIR": "cache",
                "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1",
                "NO_FAKE_STAT": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",  # of a machine, too, these two are not changed
            },
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        added = [line[-1] for line in done.stdout.splitlines() if line.startswith("added round ")]
        assert "".join(added) == rounds
    assert contents(folder) == expected
    assert all(0 <= each < 3600 for each in seconds_of(folder))
