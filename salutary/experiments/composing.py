"""Configurations from Python: Hydra composes, and leaves nothing behind.

Hydra keeps its state once per process. What a notebook, or a program that uses Hydra itself, has of it stays
as it is.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from hydra import initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.singleton import Singleton
from hydra.core.utils import JobRuntime
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import OmegaConf
from omegaconf.basecontainer import BaseContainer

from salutary.errors import SalutaryError
from salutary.experiments.jobs import Jobs
from salutary.experiments.settings import LISTS, NEVER_NUMBERS, TEXTS
from salutary.system.commands import MISTAKES, explain, resolved
from salutary.system.conf import config_dir, documented
from salutary.system.overrides import quoted, with_lists_quoted, with_texts_quoted

SWEEPER = "hydra_plugins.salutary_sweeper.GridSweeper"
# What Hydra keeps once a process, of the program that it runs.
OF_A_PROGRAM = (GlobalHydra, HydraConfig, JobRuntime, VersionBase)
_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Composed:
    """The resolved configuration of a run, and the names of its YAML files, by group."""

    config: dict[str, Any]
    choices: dict[str, str]


def compositions(overrides: Sequence[str], folder: str | Path | None = None) -> list[Composed]:
    """The runs that ``salutary-run -m`` makes of the same words; ``folder``: of YAML files of one's own.

    Raises SalutaryError, with what the command line would say.
    """
    for each in overrides:
        if each.lstrip("+~").startswith("hydra"):
            raise SalutaryError(f"{each} is for the command line: from Python the runs are done here")
    texts = with_lists_quoted(with_texts_quoted(list(overrides), TEXTS, sweeps=True), LISTS)
    if folder is not None:
        texts.append(f"hydra.searchpath=[{quoted('', Path(folder).absolute().as_uri())[1:]}]")
    try:
        with _loader() as loader:
            config = loader.load_configuration("config", texts, RunMode.MULTIRUN, from_shell=False)
            sweeper = config.hydra.sweeper
            if sweeper.get("_target_") != SWEEPER:
                raise SalutaryError("from Python there are no other sweepers: leave hydra/sweeper out")
            jobs = Jobs(loader, config, sweeper.params, sweeper.grids)
            found = map(jobs.composed, jobs.of(list(config.hydra.overrides.task)))
            return [Composed(resolved(cfg, NEVER_NUMBERS), _plain(choices)) for cfg, choices in found]
    except SalutaryError:
        raise
    except (*MISTAKES, ValueError) as error:
        raise SalutaryError(" ".join(explain(error).split())) from error


def override(name: str, value: object) -> str:
    """``name=value`` as the command line has it, of a Python value.

    A text is taken as it is where the setting is one, such as the name of a file; elsewhere it may be
    whatever is typed, such as ``range(5)`` or ``1,2``.
    """
    return f"{name}={_typed(name, value)}"


def choice(name: str, values: Sequence[object]) -> str:
    """``name=first,second``: one run for each of the values. Raises SalutaryError for none."""
    if not values:
        raise SalutaryError(f"{name}: there is no value to choose from")
    return f"{name}={','.join(_typed(name, each) for each in values)}"


@functools.cache
def lists() -> frozenset[str]:
    """Settings whose value is a list, such as ``reference`` and ``dataset.numeric``."""
    folder, found = Path(config_dir()), set()
    for file in (folder / "config.yaml", *folder.glob("*/*.yaml")):
        group = file.parent.name
        is_global = file.parent == folder or "@package _global_" in file.read_text()
        names = [each.name for each in documented(file) if each.value.startswith("[")]
        found |= {name if is_global else f"{group}.{name}" for name in names}
    return frozenset(found)


def _typed(name: str, value: object) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{each}:{_typed(name, one)}" for each, one in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(_typed(name, each) for each in value) + "]"
    if isinstance(value, PurePath) or (isinstance(value, str) and name in NEVER_NUMBERS):
        return quoted("", str(value).replace("${", "\\\\\\${"))[1:]  # which Hydra resolves twice
    if isinstance(value, str | int | float):
        return str(value)
    raise SalutaryError(f"{name} must be a value, a list, a tuple or a range, not a {type(value).__name__}")


@contextlib.contextmanager
def _loader() -> Iterator[ConfigLoader]:
    """Of the program's configuration. What Hydra has found of plugins stays: it is the same for everybody."""
    with _one_at_a_time:
        before, resolvers = Singleton._instances, dict(BaseContainer._resolvers)
        Singleton._instances = {kind: one for kind, one in before.items() if kind not in OF_A_PROGRAM}
        try:
            with initialize_config_dir(config_dir(), job_name="salutary", version_base="1.3"):
                yield GlobalHydra.instance().config_loader()
        finally:
            found = {kind: one for kind, one in Singleton._instances.items() if kind not in OF_A_PROGRAM}
            Singleton._instances = {**found, **before}
            BaseContainer._resolvers = resolvers


def _plain(choices: Any) -> dict[str, str]:
    found: Any = OmegaConf.to_container(choices)
    return found
