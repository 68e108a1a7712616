"""``hydra/launcher=ray``, with conf/hydra/launcher/ray.yaml. Hydra imports it at every start, but not Ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from salutary.system.moved import tell


class RayLauncher(Launcher):
    """Jobs as tasks on a Ray cluster: that at ``address``, else of RAY_ADDRESS or this machine, else one that
    is started here and ends with the sweep.

    ``num_cpus``, ``num_gpus``: what each job holds; its threads are as many as its cores. ``n_jobs``: at most
    so many at once; None for as many as there is room for. ``max_retries``: times that a job is started again
    whose worker or machine was lost; it goes on after its last finished round. ``ray``: settings of 0.3.0,
    ``init`` for ``ray.init`` and ``remote`` for its tasks, until 0.5.0.
    """

    def __init__(
        self,
        address: str | None = None,
        num_cpus: float = 1,
        num_gpus: float = 0,
        n_jobs: int | None = None,
        max_retries: int = 3,
        ray: Mapping[str, Mapping[str, Any]] | None = None,
    ):
        if ray:
            tell("hydra.launcher.ray", "hydra.launcher.address and those beside it")
        older: Any = OmegaConf.to_container(OmegaConf.create(dict(ray or {})), resolve=True)
        self.settings = {
            **{"address": address, "num_cpus": num_cpus, "num_gpus": num_gpus},
            **{"n_jobs": n_jobs, "max_retries": max_retries},
            **{"init": older.get("init", {}), "remote": older.get("remote", {})},
        }

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.context, self.task_function, self.config = hydra_context, task_function, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """What became of each job, in their order. Raises SalutaryError for a setting of this launcher."""
        from salutary.experiments import ray_jobs

        home = ray_jobs.Home.here(self.context, self.config, self.task_function)
        return ray_jobs.results(self.settings, home, [list(each) for each in job_overrides], initial_job_idx)
