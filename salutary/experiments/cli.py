"""``salutary-run``: build the parts that the configuration names, run the loop, write the records."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from salutary.errors import SalutaryError
from salutary.experiments.identity import Identity
from salutary.experiments.journal import Note, duration, note
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_finished
from salutary.experiments.settings import Settings
from salutary.system.commands import build, explain, one_line_errors, threads_per_worker
from salutary.system.conf import config_dir

if TYPE_CHECKING:
    from salutary.datasets import Table


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def run(cfg: DictConfig) -> float:
    """One run; the validation accuracy at its end, which a sweeper that optimises maximises."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        with _quiet():
            return _job(cfg)
    return one_line_errors(_single)(cfg)


def run_directory(config: dict, choices: Mapping[str, str], keep_failures: bool = False) -> RunDirectory:
    """Where a resolved configuration writes; raises SalutaryError for a setting out of range."""
    settings = Settings.of(config)
    names = (choices[group] for group in ("dataset", "strategy", "model", "protocol"))
    return RunDirectory(settings.output_dir, Identity(*names, settings.seed), config, keep_failures)


def _single(cfg: DictConfig) -> float:
    """A run by itself shows its rounds and a summary."""
    from salutary.experiments import terminal

    directory = run_directory(_resolved(cfg), HydraConfig.get().runtime.choices)
    if not _execute(cfg, directory):
        print("This run was finished before; force=true runs it again.")
    record = read_finished(directory.path)
    twins, seconds = record.facts["same_strategies"], record.facts["seconds"]
    terminal.summarise(directory.identity, record.rounds, record.references, twins, seconds, directory.path)
    return record.rounds[-1].validation.accuracy


def _job(cfg: DictConfig) -> float:
    """A run of a sweep notes in the sweep's journal what becomes of it."""
    settings = HydraConfig.get()
    directory, started = None, time.perf_counter()

    def tell(state: str, text: str = "") -> None:
        name = directory.path.name if directory else " ".join(settings.overrides.task)
        note(Path(settings.sweep.dir), Note(settings.job.num, name, state, text))

    try:
        directory = run_directory(_resolved(cfg), settings.runtime.choices, keep_failures=True)
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
    """Do what is left of a run; False if it was finished before.

    Heavy imports wait until here, so that mistakes in the command line are told at once.
    """
    settings = Settings.of(directory.config)
    if directory.finished and not settings.force:
        return False
    from salutary.experiments import loop, terminal
    from salutary.experiments.problem import Problem, as_set
    from salutary.experiments.references import reference_lines
    from salutary.experiments.split import split_table
    from salutary.models import keeps_checkpoint

    started = time.perf_counter()
    with directory:
        if directory.finished and not settings.force:  # by the process that held the lock
            return False
        device = build(cfg, "device", **threads_per_worker(cfg))
        strategy = build(cfg, "strategy")
        study = build(cfg, "study") if cfg.get("study") else None
        table = shared_table(json.dumps(directory.config["dataset"]), directory.identity.dataset)
        split = split_table(table, build(cfg, "protocol.splitter"), settings.n_init, settings.seed)
        split, given = as_set(split, table, settings, strategy.is_baseline)
        problem = Problem.prepare(table, split, device, given)
        model = build(cfg, "model", n_classes=table.n_classes)
        if keeps_checkpoint(model):
            model.checkpoint = directory.checkpoint

        settings = settings.sized(len(problem.split.pool))
        if study:
            study.check(problem, model, strategy)
        done = directory.resume(settings.force)
        initial = [record.test for record in done[:1]]
        rounds = loop.run(problem, model, strategy, settings.rounds, settings.budget, settings.seed, done)
        for record in terminal.progress(rounds, settings.rounds, directory.identity, len(done), shown):
            initial.append(record.test)
            directory.append(record)
        if study:
            directory.add_tables(study.measure(problem, model, strategy, settings.budget, settings.seed))
        if problem.features:
            directory.add_file("preprocessor.skops", problem.features.dumps())
        references = reference_lines(problem, model, initial[0])
        twins = strategy.same_on_two_classes if table.n_classes == 2 else ()
        directory.finish(references, table, device.description, time.perf_counter() - started, twins)
    return True


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


def _resolved(cfg: DictConfig) -> dict:
    return OmegaConf.to_container(cfg, resolve=True)


@functools.lru_cache(maxsize=16)
def shared_table(dataset: str, name: str) -> Table:
    """The table of a resolved configuration, as JSON; the runs of a sweep load it once."""
    from salutary.datasets import load

    return load(build(OmegaConf.create({"dataset": json.loads(dataset)}), "dataset"), name)


def main() -> None:
    """Hand the command line to Hydra; see ``__main__`` for ``--help``."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its errors to one_line_errors
    sys.path.append(os.getcwd())  # where a user's own strategies and data sets are
    for position, argument in enumerate(sys.argv):  # no shell expands it behind the equals sign
        if argument.startswith("output_dir=~"):
            sys.argv[position] = "output_dir=" + os.path.expanduser(argument.removeprefix("output_dir="))
    one_line_errors(run)()
