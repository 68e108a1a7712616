"""Sweeps that are killed, interrupted, out of disk: in the end the records are the same."""

import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from salutary.experiments import cli, records
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_back

from .sweep_processes import RUN, SWEEP, contents, forked, no_round_twice, run_to_the_end


@pytest.mark.slow
def test_killed_at_random_moments(undisturbed, tmp_path):
    """At least thirty SIGKILLs over a sweep's whole life; relaunched until it is done."""
    expected, seconds = undisturbed
    chance, kills, sweep, starts = random.Random(0), 0, 0, 0
    while kills < 30:
        sweep, folder, status = sweep + 1, tmp_path / str(sweep), None
        while status != 0:
            pid, starts = forked(folder, *SWEEP), starts + 1
            time.sleep(chance.uniform(0, seconds))
            os.kill(pid, signal.SIGKILL)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            assert status in (0, -signal.SIGKILL), (folder / "output.txt").read_text()
            kills += status != 0
        assert contents(folder) == expected
        assert no_round_twice(folder)
    print(f"\n{kills} kills, {sweep} sweeps, {starts} starts; no round lost, none done twice")


WRITES = ["write_atomic", "append", "rename"]


def kill_at(number: int, how: str):
    """A preparation: die at the ``number``-th write, before it, half-way or right after."""

    def prepare():
        count = [0]

        def dying(function, half=None):
            def wrapped(*arguments, **keywords):
                count[0] += 1
                if count[0] == number:
                    if how == "after":
                        function(*arguments, **keywords)
                    elif how == "half" and half:
                        half(*arguments)
                    os.kill(os.getpid(), signal.SIGKILL)
                return function(*arguments, **keywords)

            return wrapped

        def half_appended(self, name, text):
            with (self.partial / name).open("a") as file:
                file.write(text[: len(text) // 2])

        records.write_atomic = dying(records.write_atomic, lambda path, _: path.parent.mkdir(exist_ok=True))
        RunDirectory._append = dying(RunDirectory._append, half_appended)
        Path.rename = dying(Path.rename)

    return prepare


# Before a write is after the last one, but for what is computed between them.
@pytest.mark.parametrize(
    "how", [*(pytest.param(each, marks=pytest.mark.slow) for each in ("before", "half")), "after"]
)
def test_killed_at_every_write(how, undisturbed_run, tmp_path):
    for number in range(1, 100):
        folder = tmp_path / str(number)
        status = run_to_the_end(folder, *RUN, prepare=kill_at(number, how))
        if status == 0:
            break
        assert status == -signal.SIGKILL
        assert run_to_the_end(folder, *RUN) == 0
        assert contents(folder) == undisturbed_run
        assert no_round_twice(folder)
    assert number > 12  # headers, rounds and queries of four rounds, run.json, the directory's name


@pytest.mark.slow
def test_killed_while_running_again_by_force(undisturbed_run, tmp_path):
    """At any moment the old record is there, or the whole new one, or the next start brings it."""
    for number in range(1, 100):
        folder = tmp_path / str(number)
        run_to_the_end(folder, *RUN)
        status = run_to_the_end(folder, *RUN, "force=true", prepare=kill_at(number, "after"))
        if status == 0:
            break
        assert run_to_the_end(folder, *RUN) == 0
        found = {name: each for name, each in contents(folder).items() if ".partial" not in name}
        assert found == undisturbed_run
    assert number > 12


def test_power_lost_between_two_files(undisturbed_run, tmp_path):
    """What a file lacks of a round, the other has to give up too."""
    for lost in ("queries.csv", "rounds.csv"):
        folder = tmp_path / lost
        run_to_the_end(folder, *RUN, prepare=kill_at(11, "after"))
        (partial,) = (folder / "outputs").glob("*.partial")
        lines = (partial / lost).read_text().splitlines(keepends=True)
        (partial / lost).write_text("".join(lines[:-2]) + "\0" * 40)
        assert len(read_back(partial)) >= 1
        assert run_to_the_end(folder, *RUN) == 0
        assert contents(folder) == undisturbed_run


def test_other_data_is_not_gone_on_with(tmp_path):
    run_to_the_end(tmp_path, *RUN, prepare=kill_at(11, "after"))
    (partial,) = (tmp_path / "outputs").glob("*.partial")
    file = partial / "queries.csv"
    file.write_text(file.read_text().replace("benign", "unsure"))
    for _ in range(2):  # and what was finished is not thrown away
        assert run_to_the_end(tmp_path, *RUN) == 1
    assert "had other data: force=true starts it afresh" in (tmp_path / "output.txt").read_text()
    assert run_to_the_end(tmp_path, *RUN, "force=true") == 0


def test_full_disk_in_the_middle_of_a_line(tmp_path):
    """Files may not grow beyond 7,000 bytes: the quota ends in the middle of a round's line."""
    long = ("-m", "dataset=breast_cancer", "strategy=random", "rounds=40", "budget=2", "seed=range(2)")
    assert run_to_the_end(tmp_path / "undisturbed", *long) == 0

    def prepare():
        resource.setrlimit(resource.RLIMIT_FSIZE, (7000, resource.RLIM_INFINITY))

    folder = tmp_path / "full"
    assert run_to_the_end(folder, *long, prepare=prepare) == 1
    output = (folder / "output.txt").read_text()
    assert "rounds.csv cannot be written: File too large; set output_dir" in output
    torn = [path.read_text() for path in (folder / "outputs").glob("*.partial/rounds.csv")]
    # Lines differ in length with the seconds in them: now and then the quota ends with one.
    assert [len(text) for text in torn] == [7000, 7000] and not all(text.endswith("\n") for text in torn)
    assert run_to_the_end(folder, *long) == 0
    assert contents(folder) == contents(tmp_path / "undisturbed")
    assert no_round_twice(folder)


def test_full_disk(undisturbed, tmp_path):
    """A real one, of 64 kB: the jobs that do not fit fail, and are done when there is room."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system")
    try:
        assert run_to_the_end(folder, *SWEEP) == 1
        subprocess.run(["mount", "-o", "remount,size=4m", str(folder)], check=True)
        assert run_to_the_end(folder, *SWEEP) == 0
        assert contents(folder) == undisturbed[0]
        assert no_round_twice(folder)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    "launcher", [["basic"], pytest.param(["joblib", "hydra.launcher.n_jobs=2"], marks=pytest.mark.slow)]
)
def test_interrupted_by_hand(launcher, tmp_path):
    """What was in flight may end; no other job is started."""
    name, *settings = launcher
    command = ["-m", "dataset=digits", "strategy=salutary_greedy", "folds=0", "seed=range(50)"]
    process = subprocess.Popen(
        [sys.executable, "-m", "salutary", *command, f"hydra/launcher={name}", *settings],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        start_new_session=True,
    )
    assert any("finished digits-salutary_greedy" in line for line in process.stdout)
    os.killpg(process.pid, signal.SIGSTOP)  # so that nothing ends between the count and the interrupt
    states = noted(tmp_path)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    os.killpg(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, out + err
    assert "interrupted: 50 jobs: " in out
    again = "salutary-run -m dataset=digits strategy=salutary_greedy folds=0 'seed=range(50)'"
    assert f"The same command goes on:\n  {again}" in out
    workers = 1 if name == "basic" else 2
    assert states.count("finished") >= 1 and states.count("running") < 50
    # A worker may have been between the end of a job and its next.
    assert noted(tmp_path).count("running") <= states.count("running") + workers
    n_finished = len(list((tmp_path / "outputs").glob("*/run.json")))
    assert n_finished <= states.count("finished") + 2 * workers


def noted(folder: Path) -> list[str]:
    """The state in each line of the sweep's journal."""
    (journal,) = folder.glob("outputs/multirun/*/jobs.jsonl")
    return [json.loads(line)["state"] for line in journal.read_text().splitlines()]
