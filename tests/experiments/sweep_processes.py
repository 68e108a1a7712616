"""``salutary-run`` in processes that may be killed, and what their records hold."""

import csv
import json
import os
import sys
import traceback
from collections import Counter
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra

# What a run imports late is imported here, so that forked processes need not.
from salutary import __main__
from salutary.experiments import cli, collect, loop, problem, records, references, terminal  # noqa: F401
from salutary.experiments.records import RunDirectory

CACHE = "cache"  # in the folder of each, so that none finds what another has trained
TIMINGS = {"select_seconds", "fit_seconds"}
SWEEP = (
    *("-m", "dataset=breast_cancer", "strategy=salutary,badge,random", "seed=range(2)"),
    *("rounds=8", "budget=5"),
)
RUN = ("dataset=breast_cancer", "strategy=badge", "rounds=3", "budget=5")


def forked(folder: Path, *arguments: str, prepare=None) -> int:
    """Start ``salutary-run`` from ``folder`` in a copy of this process; its process id.

    Everything is imported already, so that what is killed is the work and not the imports.
    """
    folder.mkdir(exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        os.chdir(folder)
        os.environ["SALUTARY_CACHE_DIR"] = CACHE
        output = os.open("output.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(output, 1), os.dup2(output, 2)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        sys.argv = ["salutary-run", *arguments]
        GlobalHydra.instance().clear()
        logged_appends(folder / "appended.txt")
        if prepare:
            prepare()
        __main__.main()
        status = 0
    except SystemExit as stop:
        if isinstance(stop.code, str):
            print(stop.code)
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def logged_appends(log: Path) -> None:
    """Note every round that was computed and wholly written."""
    append = RunDirectory.append

    def append_and_note(self, record):
        append(self, record)
        with log.open("a") as file:
            file.write(f"{self.path.name} {record.round}\n")

    RunDirectory.append = append_and_note


def run_to_the_end(folder: Path, *arguments: str, prepare=None) -> int:
    _, status = os.waitpid(forked(folder, *arguments, prepare=prepare), 0)
    return os.waitstatus_to_exitcode(status)


def contents(folder: Path) -> dict[str, object]:
    """Every file of every run, but for what tells the time."""
    found = {}
    for path in sorted((folder / "outputs").glob("*-*/*")):
        name = f"{path.parent.name}/{path.name}"
        if path.name == "rounds.csv":
            with path.open(newline="") as file:
                found[name] = [{k: v for k, v in r.items() if k not in TIMINGS} for r in csv.DictReader(file)]
        elif path.name == "run.log":  # of an interrupted run it says so
            assert path.stat().st_size
        elif path.name == "run.json":
            facts = json.loads(path.read_text())
            found[name] = {k: v for k, v in facts.items() if k not in ("seconds", "finished")}
        else:
            found[name] = path.read_bytes()
    return found


def no_round_twice(folder: Path) -> bool:
    return max(Counter((folder / "appended.txt").read_text().split("\n")[:-1]).values()) == 1
