"""``salutary-run``: from the command line to a run, or to the jobs of a sweep."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from salutary.errors import SalutaryError
from salutary.experiments import terminal
from salutary.experiments.journal import Note, duration, note
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_finished
from salutary.experiments.settings import Settings
from salutary.system.commands import build, explain, one_line_errors, resolved, threads_per_worker
from salutary.system.conf import config_dir


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def salutary_run(cfg: DictConfig) -> float:
    """One run; the validation accuracy at its end, which a sweeper that optimises maximises."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        with _quiet():
            return _job(cfg)
    return one_line_errors(_single)(cfg)


def _single(cfg: DictConfig) -> float:
    """A run by itself shows its rounds and a summary."""
    directory = RunDirectory.of(resolved(cfg), HydraConfig.get().runtime.choices)
    if not _execute(cfg, directory):
        print("This run was finished before; force=true runs it again.")
    record = read_finished(directory.path)
    twins, seconds = record.facts["same_strategies"], record.facts["seconds"]
    terminal.summarise(directory.identity, record.rounds, record.references, twins, seconds, directory.path)
    return record.rounds[-1].validation.accuracy


def _job(cfg: DictConfig) -> float:
    """A run of a sweep notes in the sweep's journal what becomes of it."""
    settings = HydraConfig.get()
    directory: RunDirectory | None = None
    started = time.perf_counter()

    def tell(state: str, text: str = "") -> None:
        name = directory.path.name if directory else " ".join(settings.overrides.task)
        note(Path(settings.sweep.dir), Note(settings.job.num, name, state, text))

    try:
        directory = RunDirectory.of(resolved(cfg), settings.runtime.choices, keep_failures=True)
        tell("running")
        executed = _execute(cfg, directory, shown=False)
        last = read_finished(directory.path).rounds[-1]
    except Exception as error:
        text = " ".join(explain(error).split()) or type(error).__name__
        kept = directory and directory.partial / "error.txt"
        tell("failed", f"{text} (see {kept})" if kept and kept.exists() else text)
        raise SalutaryError(text) from None  # whatever it was, it reaches the sweeper from any process
    seconds = duration(time.perf_counter() - started)
    accuracy = f"{100 * last.test.accuracy:.2f}% after round {last.round}"
    tell("finished" if executed else "skipped", f"{accuracy}, {seconds}" if executed else "")
    return last.validation.accuracy


def _execute(cfg: DictConfig, directory: RunDirectory, shown: bool = True) -> bool:
    """Do what is left of a run; False if it was finished before."""
    if directory.finished and not Settings.of(directory.config).force:
        return False
    from salutary.experiments.job import execute

    def part(name: str, **arguments: object) -> Any:
        if name == "study" and not cfg.get("study"):
            return None
        if name == "device":
            arguments |= threads_per_worker(cfg)
        return build(cfg, name, **arguments)

    return execute(part, directory, shown)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Only warnings are shown of a run among many."""
    logger = logging.getLogger("salutary")
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def main() -> None:
    """Hand the command line to Hydra; see ``__main__`` for ``--help``."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its errors to one_line_errors
    sys.path.append(os.getcwd())  # where a user's own strategies and data sets are
    for position, argument in enumerate(sys.argv):  # no shell expands it behind the equals sign
        if argument.startswith("output_dir=~"):
            sys.argv[position] = "output_dir=" + os.path.expanduser(argument.removeprefix("output_dir="))
    one_line_errors(salutary_run)()
