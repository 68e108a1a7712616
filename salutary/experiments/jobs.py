"""The jobs of a sweep, and their configurations: of what is typed, or of the arguments of ``salutary.run``.

Composing takes Hydra 50 ms, setting a value almost nothing: jobs that differ in values only, such as seeds,
are composed once.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from salutary.errors import SalutaryError
from salutary.experiments.grids import combined


class Jobs:
    """All combinations of values, of one grid or several.

    ``loader``, ``config``: Hydra's, and what it composed of all that is swept over by no job. ``params``:
    values swept over if nothing else is said (``{"seed": "range(5)"}``). ``grids``: several such mappings,
    each with ``params`` a grid of its own; the jobs are their union.
    """

    def __init__(
        self,
        loader: ConfigLoader,
        config: DictConfig,
        params: Mapping[str, str] | None = None,
        grids: Sequence[Mapping[str, str]] | None = None,
    ):
        self.loader: Any = loader  # its repository is not in the interface
        self.config = config
        self.params = params or {}
        self.grids = grids or [{}]
        self._compositions: dict[tuple[str, ...], tuple[DictConfig, DictConfig]] = {}
        self._overrides: dict[str, Override] = {}

    def of(self, arguments: list[str]) -> list[list[str]]:
        """The overrides of each job, without repetitions; ``arguments`` win over ``params`` and ``grids``."""
        params = self._choices(_texts(self.params))
        grids = combined(
            [self._choices(_texts(grid)) for grid in self.grids], self._choices(arguments), self._has_group
        )
        choices = [{**params, **grid} for grid in grids]
        for name in ("output_dir", "experiment"):
            if len({text for each in choices for text in each.get(name, [])}) > 1:
                raise SalutaryError(f"{name} cannot be swept: give one at a time")
        jobs = [list(job) for each in choices for job in itertools.product(*each.values())]
        return list({frozenset(job): job for job in jobs}.values())

    def composed(self, job: list[str]) -> tuple[DictConfig, DictConfig]:
        """The job's configuration and its choices of the groups.

        Raises what Hydra raises for a bad override.
        """
        overrides = self._parsed(job)
        values = [o for o in overrides if o.type == OverrideType.CHANGE and not self._is_group(o)]
        groups = tuple(text for text, o in zip(job, overrides, strict=True) if o not in values)
        if groups not in self._compositions:
            composed = self.loader.load_sweep_config(self.config, list(groups))
            choices = composed.hydra.runtime.choices
            with open_dict(composed):
                del composed["hydra"]
            self._compositions[groups] = composed, choices
        composed, choices = self._compositions[groups]
        cfg = copy.deepcopy(composed)
        try:
            for override in values:
                OmegaConf.update(cfg, override.key_or_group, override.value(), merge=True)
        except OmegaConfBaseException:
            self.loader.load_sweep_config(self.config, job)  # says it in Hydra's words
            raise
        return cfg, choices

    def _choices(self, texts: list[str]) -> dict[str, list[str]]:
        """For each key the overrides to choose from; of two texts for one key the later."""
        choices = {}
        for override in self._parsed(texts):
            key = override.get_key_element()
            if not override.is_sweep_override():
                choices[key] = [f"{key}={override.get_value_element_as_str()}"]
            elif override.is_discrete_sweep():
                choices[key] = [f"{key}={value}" for value in override.sweep_string_iterator()]
            else:
                raise HydraException(f"{override.input_line}: list the values, or use range or glob")
        return choices

    def _parsed(self, texts: list[str]) -> list[Override]:
        """The overrides; each text is parsed once, since jobs share theirs."""
        new = [text for text in dict.fromkeys(texts) if text not in self._overrides]
        parser = OverridesParser.create(self.loader)
        self._overrides |= dict(zip(new, parser.parse_overrides(new), strict=True))
        return [self._overrides[text] for text in texts]

    def _is_group(self, override: Override) -> bool:
        return self._has_group(override.key_or_group)

    def _has_group(self, name: str) -> bool:
        return self.loader.repository.group_exists(name)


def _texts(values: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in values.items()]
