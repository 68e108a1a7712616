"""The jobs of a sweep as tasks on a Ray cluster: what ``hydra/launcher=ray`` does.

A worker that is lost costs its job a new start, and no other job anything.
"""

from __future__ import annotations

import os
import socket
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn, JobStatus, run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from salutary.errors import SalutaryError
from salutary.experiments.journal import Note, note
from salutary.system import __version__
from salutary.system.ray_cluster import HERE, imported_ray, start_ray
from salutary.system.rules import NULL, Number, Text, Whole

RULES = {
    "address": Text("the address of a Ray cluster") | NULL,
    "num_cpus": Number(0),
    "num_gpus": Number(0),
    "n_jobs": Whole(1) | NULL,
    "max_retries": Whole(0),
}
# Jobs that Ray knows of at once, at most: of more it would keep books for nothing.
IN_SIGHT = 1000
# Variables that each machine has of its own.
OF_A_MACHINE = ("RAY_", "CUDA_", "SLURM_", "HIP_", "ROCR_")
OURS = "SALUTARY_"


@dataclass(frozen=True)
class Home:
    """What a worker must know to do a job as the process that started the sweep would."""

    context: HydraContext
    config: DictConfig
    task: TaskFunction
    singletons: dict
    folder: str
    sweep_dir: str
    path: list[str]
    variables: dict[str, str]
    version: str = __version__

    @classmethod
    def here(cls, context: HydraContext, config: DictConfig, task: TaskFunction) -> Self:
        """Of this process, with the folder of the sweep, which is made."""
        sweep_dir = Path(str(config.hydra.sweep.dir))
        sweep_dir.mkdir(parents=True, exist_ok=True)
        folders = os.getcwd(), str(sweep_dir.absolute())
        variables = {n: v for n, v in os.environ.items() if not n.startswith(OF_A_MACHINE)}
        return cls(context, config, task, Singleton.get_state(), *folders, list(sys.path), variables)

    def enter(self) -> None:
        """Raises SalutaryError if this machine does not see the folders, or has another version."""
        here = socket.gethostname()
        if self.version != __version__:
            raise SalutaryError(f"{here} has salutary {__version__}, the sweep is of {self.version}")
        for folder in (self.folder, self.sweep_dir):
            if not Path(folder).is_dir():
                raise SalutaryError(
                    f"{here} does not see {folder}: sweep in a folder that all machines share"
                )
        os.chdir(self.folder)
        sys.path += [each for each in self.path if each not in sys.path]
        for name, value in self.variables.items():
            if name.startswith(OURS) or name not in os.environ:
                os.environ[name] = value


def results(
    settings: Mapping[str, Any], home: Home, jobs: Sequence[list[str]], first: int
) -> list[JobReturn]:
    """What became of each job, in their order; one whose worker is lost for good is one that failed.

    ``settings``: those of RULES, and ``init`` and ``remote``, more of ``ray.init`` and of a task. ``first``:
    number of the first job. Joins the cluster that this process has joined, or one that it leaves at the end.
    Raises SalutaryError for a wrong setting.
    """
    for name, rule in RULES.items():
        if not rule.accepts(settings[name]):
            raise SalutaryError(rule.complaint(f"hydra.launcher.{name}", settings[name]))
    ray = imported_ray()
    is_joined = ray.is_initialized()
    if not is_joined:
        start_ray(**{"address": settings["address"], **settings["init"]})
    try:
        _check_room(ray, settings, home, first)
        return _Tasks(ray, home, settings).results(jobs, first)
    finally:
        if not is_joined:
            ray.shutdown()


def _check_room(ray: Any, settings: Mapping[str, Any], home: Home, first: int) -> None:
    """Tell if no machine can do a job, for which Ray would wait without a word: others may join a cluster.

    Raises SalutaryError where the cluster is this machine.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for name, resource in {"num_cpus": "CPU", "num_gpus": "GPU"}.items():
        most = max((each.get(resource, 0) for each in machines), default=0)
        if settings[name] > most:
            said = f"hydra.launcher.{name}={settings[name]}: machines of the cluster have {most:g} at most"
            if (settings["address"] or os.environ.get("RAY_ADDRESS") or HERE) == HERE:
                raise SalutaryError(said)
            note(Path(home.sweep_dir), Note(first, "", "found", f"{said}; the jobs wait for one"))


class _Tasks:
    """The jobs of one sweep, as far as Ray knows of them."""

    def __init__(self, ray: Any, home: Home, settings: Mapping[str, Any]):
        self.ray = ray
        self.at_once = settings["n_jobs"] or IN_SIGHT
        self.max_retries = settings["max_retries"]
        self.sweep_dir = Path(home.sweep_dir)
        self.home = ray.put(home)
        held = {name: settings[name] for name in ("num_cpus", "num_gpus")}
        self.task = ray.remote(_job).options(**{**held, **settings["remote"], "max_retries": 0})
        self.running: dict[Any, tuple[int, list[str]]] = {}
        self.lost: dict[int, int] = {}

    def results(self, jobs: Sequence[list[str]], first: int) -> list[JobReturn]:
        waiting = deque(enumerate(jobs, first))
        results: dict[int, JobReturn] = {}
        try:
            while waiting or self.running:
                while waiting and len(self.running) < self.at_once:
                    number, overrides = waiting.popleft()
                    self.running[self.task.remote(self.home, number, overrides)] = number, overrides
                done, _ = self.ray.wait(list(self.running))
                for ref in done:
                    number, overrides = self.running.pop(ref)
                    result = self._result(ref, number, overrides)
                    if result:
                        results[number] = result
                    else:
                        waiting.appendleft((number, overrides))
        finally:
            for ref in self.running:  # of a sweep that was interrupted
                self.ray.cancel(ref, force=True)
        return [results[first + i] for i in range(len(jobs))]

    def _result(self, ref: Any, number: int, overrides: list[str]) -> JobReturn | None:
        """What the job returned, or why it did not; None if it is to be started again."""
        from ray.exceptions import RayError, RayTaskError

        try:
            return self.ray.get(ref)
        except RayError as error:
            is_lost = not isinstance(error, RayTaskError)  # which the job raised before it was one
            cause = error.cause if isinstance(error, RayTaskError) else error
        name, said = " ".join(overrides), f"{type(cause).__name__}: {_first_line(cause)}"
        self.lost[number] = self.lost.get(number, 0) + 1
        if is_lost and self.lost[number] <= self.max_retries:
            again = f"{self.lost[number]} of {self.max_retries}"
            said = f"{name} is started again ({again}), its worker was lost: {said}"
            self._tell(number, name, "found", said)
            return None
        if isinstance(cause, SalutaryError):
            said = str(cause)
        if is_lost and self.lost[number] > 1:
            said = f"its worker was lost {self.lost[number]} times: {said}"
        self._tell(number, name, "failed", said)
        return JobReturn(overrides=overrides, status=JobStatus.FAILED, _return_value=SalutaryError(said))

    def _tell(self, number: int, name: str, state: str, text: str) -> None:
        note(self.sweep_dir, Note(number, name, state, text))


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [""]
    return lines[0].strip()


def _job(home: Home, number: int, overrides: list[str]) -> JobReturn:
    """One job, in a worker."""
    home.enter()
    setup_globals()
    Singleton.set_state(home.singletons)
    config = home.context.config_loader.load_sweep_config(home.config, overrides)
    with open_dict(config):
        config.hydra.job.id = f"{config.hydra.job.name}_{number}"
        config.hydra.job.num = number
    HydraConfig.instance().set_config(config)
    return run_job(
        task_function=home.task,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=home.context,
    )
