"""``salutary-run``: from the command line to a run, or to the jobs of a sweep."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from salutary.errors import SalutaryError
from salutary.experiments import help, terminal
from salutary.experiments.journal import Note, duration, note
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_finished
from salutary.experiments.settings import LISTS, NEVER_NUMBERS, TEXTS, Settings
from salutary.experiments.sweep import ended
from salutary.system import conf
from salutary.system.commands import explain, one_line_errors, resolved, threads_per_worker
from salutary.system.conf import config_dir
from salutary.system.overrides import remember, with_lists_quoted, with_texts_quoted
from salutary.system.progress import Pace

# Of hydra-ray-launcher, if that is installed, too.
OTHERS = ("ray.yaml",)


@hydra.main(version_base="1.3", config_path=config_dir(), config_name="config")
def salutary_run(cfg: DictConfig) -> float:
    """One run; the validation accuracy at its end, which a sweeper that optimises maximises."""
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        with terminal.quiet():
            return _job(cfg)
    return one_line_errors(_single)(cfg)


def _single(cfg: DictConfig) -> float:
    """A run by itself shows its rounds and a summary."""
    directory = RunDirectory.of(resolved(cfg, NEVER_NUMBERS), HydraConfig.get().runtime.choices)
    if not _execute(cfg, directory):
        print("This run was finished before; force=true runs it again.")
    record = read_finished(directory.path)
    terminal.summarise(directory, record)
    return record.rounds[-1].validation.accuracy


def _job(cfg: DictConfig) -> float:
    """A run of a sweep notes in the sweep's journal what becomes of it."""
    settings = HydraConfig.get()
    directory: RunDirectory | None = None
    started, pace = time.perf_counter(), Pace()

    def tell(state: str, text: str = "") -> None:
        typed: Any = OmegaConf.to_container(settings.overrides.task, resolve=False)
        name = directory.path.name if directory else " ".join(typed)
        folder = str(directory.path.parent) if directory else ""
        note(Path(settings.sweep.dir), Note(settings.job.num, name, state, text, folder))

    def told(step: str) -> None:
        if pace.is_due():
            tell("running", step)

    try:
        directory = RunDirectory.of(
            resolved(cfg, NEVER_NUMBERS), settings.runtime.choices, keep_failures=True
        )
        tell("running")
        executed = _execute(cfg, directory, told, lambda line: tell("found", line))
        record = read_finished(directory.path)
        last, compared = record.rounds[-1], record.held_out
    except Exception as error:
        text = " ".join(explain(error).split()) or type(error).__name__
        kept = directory and directory.partial / "error.txt"
        tell("failed", f"{text} (see {kept})" if kept and kept.exists() else text)
        raise SalutaryError(text) from None  # whatever it was, it reaches the sweeper from any process
    seconds = duration(time.perf_counter() - started)
    early = terminal.early_end(last, directory.config["rounds"])
    worse = ", worse on held-out rows" if compared and compared.got_worse else ""
    accuracy = f"{100 * last.test.accuracy:.2f}% {f'ended {early}' if early else f'after round {last.round}'}"
    tell("finished" if executed else "skipped", f"{accuracy}{worse}, {seconds}" if executed else "")
    return last.validation.accuracy


def _execute(cfg: DictConfig, directory: RunDirectory, *told: Callable[..., None]) -> bool:
    """Do what is left of a run; False if it was finished before. ``told``: as of :func:`execute`."""
    if directory.finished and not Settings.of(directory.config).force:
        return False
    from salutary.experiments.job import Parts, execute

    workers = threads_per_worker(OmegaConf.create(directory.config))
    return execute(Parts(directory, device=workers), *told)


def main() -> None:
    """Hand the command line to Hydra; see ``__main__`` for ``--help``."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then leaves its errors to one_line_errors
    sys.path.append(os.getcwd())  # where a user's own strategies and data sets are
    remember()
    sys.argv[1:] = with_texts_quoted(sys.argv[1:], TEXTS, sweeps=_is_sweep(sys.argv[1:]))
    sys.argv[1:] = with_lists_quoted(sys.argv[1:], LISTS)
    one_line_errors(_run_or_sweep)()


def _run_or_sweep() -> None:
    Plugins.instance()  # all that are installed have told what they have by then
    for each in OTHERS:  # where another has the name of a file in conf/, Hydra would mix the two
        ConfigStore.instance().repo.get("hydra", {}).get("launcher", {}).pop(each, None)
    with ended():
        salutary_run()


def _is_sweep(arguments: list[str]) -> bool:
    """Whether a comma separates values: with ``-m``, or for an experiment that is a sweep."""
    if {"-m", "--multirun", "hydra.mode=MULTIRUN"} & set(arguments):
        return True
    files = conf.choices([Path(config_dir()), *help.config_dirs(arguments)]).get("experiment", {})
    names = [each.partition("=")[2] for each in arguments if each.startswith(("experiment=", "+experiment="))]
    texts = [files[name].read_text(errors="replace") for name in names if name in files]
    return any(re.search(r"^ *mode: *MULTIRUN\b", text, re.MULTILINE) for text in texts)
