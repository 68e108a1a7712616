"""Runs in an experiment tracker, by a callback that reads the records; ``tracking=mlflow``."""

from __future__ import annotations

import csv
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from salutary.errors import SalutaryError
from salutary.experiments.collect import flattened
from salutary.experiments.identity import what_matters
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_finished
from salutary.experiments.settings import NEVER_NUMBERS
from salutary.system.commands import resolved

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAMES = ("dataset", "strategy", "model", "protocol")


class MLflow(Callback):
    """Logs every finished run once: its settings, the numbers of rounds.csv by round, and its files.

    ``uri``: the tracking store, a folder or any URI that MLflow takes; ``experiment``: the name to log
    under. Raises SalutaryError if MLflow is not installed.
    """

    def __init__(self, uri: str, experiment: str):
        if not find_spec("mlflow"):
            raise SalutaryError("tracking=mlflow needs MLflow: pip install 'salutary[mlflow]'")
        self.uri = uri
        self.experiment = experiment

    def on_run_start(self, config: DictConfig, **_: Any) -> None:
        self._experiment(self._client())

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """The experiment is made before there are workers that could each make one."""
        self._experiment(self._client())

    def _client(self) -> MlflowClient:
        # MLflow asks this of whoever wants a plain folder, which needs no database.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def _experiment(self, client: MlflowClient) -> str:
        experiment = client.get_experiment_by_name(self.experiment)
        return experiment.experiment_id if experiment else client.create_experiment(self.experiment)

    def on_job_end(self, config: DictConfig, job_return: JobReturn, **_: Any) -> None:
        """Log the job's run, unless it is there already."""
        if job_return.status != JobStatus.COMPLETED or job_return.cfg is None:
            return
        from mlflow.entities import Metric, Param, RunTag

        directory = RunDirectory.of(
            resolved(job_return.cfg, NEVER_NUMBERS), HydraConfig.get().runtime.choices
        )
        client, name = self._client(), directory.path.name
        experiment = self._experiment(client)
        finished = read_finished(directory.path).facts["finished"]
        same = f"attributes.run_name = '{name}' and tags.finished = '{finished}'"
        if client.search_runs([experiment], same):
            return  # a finished run that was asked for again
        run = client.create_run(experiment, run_name=name).info.run_id
        client.log_batch(
            run,
            metrics=[Metric(*each) for each in _numbers(directory.path / "rounds.csv")],
            params=[
                Param(key, str(value)) for key, value in flattened(what_matters(directory.config)).items()
            ],
            tags=[RunTag("finished", finished)]
            + [RunTag(key, getattr(directory.identity, key)) for key in NAMES],
        )
        client.log_artifacts(run, str(directory.path))
        client.set_terminated(run)


def _numbers(rounds: os.PathLike) -> list[tuple[str, float, int, int]]:
    """Name, value, time (none is recorded) and round of every number in rounds.csv."""
    with open(rounds, newline="") as file:
        rows = list(csv.DictReader(file))
    others = {*NAMES, "seed", "round", "stop"}
    return [
        (key, float(value), 0, int(row["round"]))
        for row in rows
        for key, value in row.items()
        if key not in others and value
    ]
