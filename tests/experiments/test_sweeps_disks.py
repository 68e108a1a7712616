"""``salutary-run`` and the commands on its records where a disk is full or may only be read, and where the
clock jumps: one line, and with room the same command goes on to the same bytes.
"""

import os
import random
import signal
import time

import pytest
from disks import fill, mounted, read_only
from processes import OUTPUT, forked, status_of

from salutary.analysis import report
from salutary.experiments import collect

from .sweep_processes import RUN, contents, no_round_twice, run_to_the_end
from .test_sweeps_disturbed import kill_at

YEAR = 365 * 86_400


def last_line(folder):
    output = (folder / OUTPUT).read_text()
    assert "Traceback" not in output, output
    return output.strip().splitlines()[-1]


def elsewhere(folder):
    """A preparation: print into another folder, since the disk takes nothing."""

    def prepare():
        handle = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1), os.dup2(handle, 2)

    return prepare


def test_a_run_on_a_full_disk(undisturbed_run, tmp_path):
    small = tmp_path / "small"
    with mounted(small, "1m"):
        for name in (OUTPUT, "appended.txt"):
            (small / name).touch()
        make_room = fill(small, 8192)
        assert run_to_the_end(small, *RUN, prepare=elsewhere(tmp_path)) == 1
        line = last_line(tmp_path)
        assert "cannot be written: No space left on device; set output_dir" in line
        assert not [path for path in (small / "outputs").glob("*/") if path.suffix != ".partial"]
        make_room()
        assert run_to_the_end(small, *RUN, prepare=elsewhere(tmp_path)) == 0
        assert contents(small) == undisturbed_run
        assert no_round_twice(small)


def test_records_that_may_only_be_read(undisturbed_run, tmp_path):
    """A run says so; so does what gathers them; and a run whose cache cannot be written does without."""
    folder = tmp_path / "work"
    with read_only(tmp_path / "cache"):

        def read_only_cache():
            os.environ["SALUTARY_CACHE_DIR"] = os.environ["HOME"] = str(tmp_path / "cache")

        assert run_to_the_end(folder, *RUN, prepare=read_only_cache) == 0, last_line(folder)
    configs = {name for name in undisturbed_run if name.endswith("config.yaml")}  # which name the cache
    found, expected = (
        {name: each for name, each in run.items() if name not in configs}
        for run in (contents(folder), undisturbed_run)
    )
    assert found == expected
    with read_only(folder / "outputs"):
        for settings in ((*RUN, "seed=1"), ("-m", *RUN, "seed=1,2")):
            assert run_to_the_end(folder, *settings) == 1
            assert last_line(folder).startswith("salutary-run: ") and "outputs" in last_line(folder)
            assert last_line(folder).count("Read-only file system") == 1
        gather = status_of(forked(folder, collect.main, ["salutary-collect", "outputs"]))
        assert gather == 1
        assert "outputs/all_rounds.csv cannot be written: Read-only file system" in last_line(folder)


@pytest.mark.slow
def test_tables_and_reports_of_two_at_once(tmp_path):
    """Each file is whole, and that of one of them."""
    assert run_to_the_end(tmp_path, "-m", *RUN, "seed=0,1") == 0
    expected = (tmp_path / "outputs" / "all_rounds.csv").read_bytes()
    commands = [
        (collect.main, ["salutary-collect", "outputs"]),
        (report.report, ["salutary-report", "outputs"]),
    ]
    pids = [forked(tmp_path, *command) for command in commands for _ in range(3)]
    assert [status_of(pid) for pid in pids] == [0] * 6, (tmp_path / OUTPUT).read_text()
    assert (tmp_path / "outputs" / "all_rounds.csv").read_bytes() == expected
    assert not list(tmp_path.rglob("*.unfinished"))


def test_a_clock_that_jumps(undisturbed_run, tmp_path):
    """Each look at it shows a year back or ahead; killed in the middle, and run again."""

    def jumping():
        chance, now = random.Random(0), time.time
        time.time = lambda: now() + chance.choice([-YEAR, 0, YEAR])

    def jumping_and_killed():
        jumping()
        kill_at(11, "after")()

    assert run_to_the_end(tmp_path, *RUN, prepare=jumping_and_killed) == -signal.SIGKILL
    assert run_to_the_end(tmp_path, *RUN, prepare=jumping) == 0
    assert contents(tmp_path) == undisturbed_run
    assert no_round_twice(tmp_path)
