"""Hydra's plugin folder: the sweeper of ``salutary-run -m``. Hydra imports it at every start."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from salutary.errors import SalutaryError
from salutary.system.commands import resolved
from salutary.system.files import as_path
from salutary.system.overrides import command

if TYPE_CHECKING:
    from salutary.experiments.journal import Watch


class GridSweeper(Sweeper):
    """All combinations of the values on the command line, as Hydra's own sweeper, or of several grids.

    ``params``: values swept over if the command line does not say otherwise (``{"seed": "range(5)"}``).
    ``grids``: several such mappings, each with ``params`` a grid of its own; the sweep is their union. The
    command line wins over both. Runs that are finished are not launched; a job that fails does not keep
    the others from running.
    """

    def __init__(
        self,
        params: Mapping[str, str] | None = None,
        grids: Sequence[Mapping[str, str]] | None = None,
    ):
        self.params = params
        self.grids = grids

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from salutary.experiments.jobs import Jobs

        self.config = config
        self.jobs = Jobs(hydra_context.config_loader, config, self.params, self.grids)
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> None:
        """Launch every unfinished job, show how they go, then gather all records of the folder.

        Raises SalutaryError if a job failed, at the end; Ctrl-C ends with status 130.
        """
        from salutary.experiments.collect import collect_all
        from salutary.experiments.journal import Watch, duration
        from salutary.system.urls import without_secrets

        jobs, started = self.jobs.of(arguments), time.perf_counter()
        skips = not self.config.force and self._may_be_finished()
        sweep_dir = Path(self.config.hydra.sweep.dir)
        sweep_dir.mkdir(parents=True, exist_ok=True)
        command_of_it = without_secrets(OmegaConf.to_yaml(self.config))
        (sweep_dir / "multirun.yaml").write_text(command_of_it, encoding="utf-8")
        watch = Watch(sweep_dir, len(jobs))
        results, broken, launched = [], None, False
        with watch.watching(), _noticed_interrupt() as interrupted:
            try:
                todo = [job for job in jobs if not self._is_finished(job, watch, skips)]
                if len(todo) < len(jobs):
                    print(f"{len(jobs) - len(todo)} of {len(jobs)} jobs were finished before")
                launched = True
                results = self.launcher.launch(todo, initial_job_idx=0) if todo else []
            except (KeyboardInterrupt, Exception) as error:
                if not interrupted and (not launched or isinstance(error, SalutaryError)):
                    raise  # a mistake in the command
                broken = error  # such as a worker that was killed
        if interrupted:
            goes_on = "starts again (force=true)" if self.config.force else "goes on"
            print(f"interrupted: {watch.summary()}. The same command {goes_on}:\n  {command('salutary-run')}")
            sys.exit(130)
        print(f"{watch.summary()} in {duration(time.perf_counter() - started)}")
        for said in collect_all(watch.folders):
            print(said)
        if broken:
            lost = ", ".join(watch.running.values()) or "none noted"
            text = " ".join(str(broken).split())[:300]
            raise SalutaryError(f"the launcher broke down ({type(broken).__name__}: {text}); running: {lost}")
        self._raise_failures(todo, results, watch)

    def _raise_failures(self, jobs: list[list[str]], results: Sequence[JobReturn], watch: Watch) -> None:
        """Raises SalutaryError, after listing them, if jobs failed."""
        from salutary.system.urls import without_secrets

        failed = [f"{entry.run}: {entry.text}" for entry in watch.failed.values()]
        for number, (job, result) in enumerate(zip(jobs, results, strict=True)):
            if result.status != JobStatus.COMPLETED and number not in watch.failed:  # could not even say so
                failed.append(without_secrets(f"{' '.join(job)}: {result._return_value!r}"))
        if failed:
            print("failed:", *failed, sep="\n  ")
            raise SalutaryError(f"{len(failed)} jobs failed; the same command tries them again")

    def _may_be_finished(self) -> bool:
        """Whether there is any run in the output folder; where jobs have folders of their own, maybe."""
        from salutary.experiments.sweep import shared_folder

        folder = shared_folder(self.config)
        is_one = folder == OmegaConf.to_container(self.config, resolve=False)["output_dir"]
        return not is_one or any(as_path(folder).glob("*/run.json"))

    def _is_finished(self, job: list[str], watch: Watch, skips: bool) -> bool:
        """Whether the job's run is finished, which is noted. Raises what Hydra raises for a bad override.

        ``skips``: whether there is a finished run at all; where there is none, jobs need no names.
        """
        from salutary.experiments.journal import Note
        from salutary.experiments.records import RunDirectory
        from salutary.experiments.settings import NEVER_NUMBERS

        cfg, choices = self.jobs.composed(job)
        if not skips:
            return False
        try:
            config = resolved(cfg, NEVER_NUMBERS)
            directory = RunDirectory.of(config, choices)
        except (SalutaryError, OmegaConfBaseException):
            return False  # the job will say so, or can read what only jobs can
        if config["force"] or not directory.finished:
            return False
        folder = str(directory.path.parent)
        watch.show(Note(-1 - len(watch.ended), directory.path.name, "skipped", folder=folder))
        return True


@contextlib.contextmanager
def _noticed_interrupt() -> Iterator[list[int]]:
    """Gives a list that is not empty once Ctrl-C was pressed, whatever the libraries make of it."""
    pressed: list[int] = []

    def notice(number: int, frame: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.signal(signal.SIGINT, notice)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="salutary",
    node={"_target_": f"{__name__}.GridSweeper", "params": None, "grids": None},
    provider="salutary",
)
