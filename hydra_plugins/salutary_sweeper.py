"""Hydra's plugin folder: the sweeper of ``salutary-run -m``. Hydra imports it at every start."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class GridSweeper(Sweeper):
    """All combinations of the values on the command line, as Hydra's own sweeper, or of several grids.

    ``params``: values swept over if the command line does not say otherwise (``{"seed": "range(5)"}``).
    ``grids``: several such mappings, each with ``params`` a grid of its own; the sweep is their union. The
    command line wins over both.
    """

    def __init__(
        self,
        params: Mapping[str, str] | None = None,
        grids: Sequence[Mapping[str, str]] | None = None,
    ):
        self.params = params or {}
        self.grids = grids or [{}]

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> list:
        """Launch every job; their results."""
        results = self.launcher.launch(self.jobs(arguments), initial_job_idx=0)
        return [result.return_value for result in results]

    def jobs(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each job, without repetitions."""
        grids = [[*_texts({**self.params, **grid}), *arguments] for grid in self.grids]
        jobs = [tuple(job) for grid in grids for job in itertools.product(*self._choices(grid))]
        return [list(job) for job in dict.fromkeys(jobs)]

    def _choices(self, texts: list[str]) -> list[list[str]]:
        """For each key the overrides to choose from; of two texts for one key the later."""
        choices = {}
        for override in OverridesParser.create(self.hydra_context.config_loader).parse_overrides(texts):
            key = override.get_key_element()
            if not override.is_sweep_override():
                choices[key] = [f"{key}={override.get_value_element_as_str()}"]
            elif override.is_discrete_sweep():
                choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
            else:
                raise HydraException(f"{override.input_line}: list the values, or use range or glob")
        return list(choices.values())


def _texts(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]


ConfigStore.instance().store(
    group="hydra/sweeper",
    name="salutary",
    node={"_target_": f"{__name__}.GridSweeper", "params": None, "grids": None},
    provider="salutary",
)
