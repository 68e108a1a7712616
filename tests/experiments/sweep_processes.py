"""``salutary-run`` in processes that may be killed, and what their records hold."""

import csv
import json
from collections import Counter
from pathlib import Path

import processes

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
    """Start ``salutary-run`` from ``folder`` in a copy of this process; its process id."""

    def prepared():
        logged_appends(folder / "appended.txt")
        if prepare:
            prepare()

    command = ["salutary-run", *arguments]
    return processes.forked(folder, __main__.main, command, {"SALUTARY_CACHE_DIR": CACHE}, prepared)


def logged_appends(log: Path) -> None:
    """Note every round that was computed and wholly written."""
    append = RunDirectory.append

    def append_and_note(self, record):
        append(self, record)
        with log.open("a") as file:
            file.write(f"{self.path.name} {record.round}\n")

    RunDirectory.append = append_and_note


def run_to_the_end(folder: Path, *arguments: str, prepare=None) -> int:
    return processes.status_of(forked(folder, *arguments, prepare=prepare))


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
