"""The settings at the top of conf/, the objects it names, and mistakes explained in one line."""

from __future__ import annotations

import difflib
import functools
import math
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
)
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from salutary.config_dir import config_dir
from salutary.errors import SalutaryError, require_bool, require_number, require_whole

MISTAKES = (
    SalutaryError,
    HydraException,
    OmegaConfBaseException,
    YAMLError,
    UnicodeDecodeError,
    OSError,
)


@dataclass(frozen=True)
class Settings:
    """The settings at the top of the configuration, checked.

    ``budget`` may be a share of the pool such as ``"1%"``, and ``rounds`` the share after which to end;
    :meth:`sized` makes numbers of them.
    """

    seed: int
    rounds: int | str
    budget: int | str
    n_init: int
    n_validation: int | None
    n_pool: int | None
    label_noise: float
    baselines_use_validation: bool
    output_dir: str
    data_dir: str | None
    force: bool

    def __post_init__(self) -> None:
        """Raises SalutaryError for a value of the wrong type or out of range."""
        for name, smallest in {"seed": 0, "rounds": 0, "budget": 1, "n_init": 1}.items():
            if name not in ("rounds", "budget") or not _share(name, getattr(self, name)):
                require_whole(name, getattr(self, name), smallest)
        for name in ("n_validation", "n_pool"):
            if getattr(self, name) is not None:
                require_whole(name, getattr(self, name), 2)
        require_number("label_noise", self.label_noise, 0, 1)
        if self.seed >= 2**32:
            raise SalutaryError(f"seed must be below 2**32, not {self.seed}")
        if not isinstance(self.output_dir, str) or not self.output_dir:
            raise SalutaryError(f"output_dir must be the name of a folder, not {self.output_dir!r}")
        if self.data_dir is not None and (not isinstance(self.data_dir, str) or not self.data_dir):
            raise SalutaryError(f"data_dir must be the name of a folder or null, not {self.data_dir!r}")
        for name in ("baselines_use_validation", "force"):
            require_bool(name, getattr(self, name))

    def sized(self, n_pool: int) -> Settings:
        """The same settings with ``budget`` and ``rounds`` as numbers, for a pool of so many rows."""
        budget, rounds = self.budget, self.rounds
        if share := _share("budget", budget):
            budget = max(1, round(share * n_pool))
        if share := _share("rounds", rounds):
            rounds = math.ceil(round(share * n_pool / budget, 9))  # 11 / 5 * 5 is 11
        return replace(self, budget=budget, rounds=rounds)

    @classmethod
    def of(cls, config: dict) -> Settings:
        """The settings of a resolved configuration; raises SalutaryError for a missing one too."""
        names = [field.name for field in fields(cls)]
        for name in names:
            if name not in config:
                raise SalutaryError(f"the setting {name} is missing")
        return cls(**{name: config[name] for name in names})


def _share(name: str, value: object) -> float | None:
    """0.01 for ``"1%"``; None for what is no percentage. Raises SalutaryError beyond (0, 100]."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?) ?%", value) if isinstance(value, str) else None
    if not match:
        return None
    if not 0 < float(match[1]) <= 100:
        raise SalutaryError(f"{name} must be a share of the pool in (0%, 100%], not {value}")
    return float(match[1]) / 100


def build(cfg: DictConfig, name: str, **arguments: object):
    """The object that ``_target_`` of the group ``name`` (``protocol.splitter``) names.

    Raises SalutaryError if there is none; one from its constructor comes out as it is.
    """
    node = OmegaConf.select(cfg, name)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise SalutaryError(f"{name} must be a choice whose YAML file has a _target_; see --help")
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, SalutaryError):
            raise error.__cause__ from None
        raise


def threads_per_worker(cfg: DictConfig) -> dict[str, int]:
    """Keyword argument for the device: CPU threads such that workers times threads fit the cores.

    Nothing for one process; with ``hydra/launcher=joblib`` its ``n_jobs`` share the cores.
    """
    workers = OmegaConf.select(HydraConfig.get().launcher, "n_jobs")
    if workers is None:
        return {}
    cores = os.cpu_count() or 1
    share = max(1, cores // (workers if workers > 0 else cores))
    return {"threads": min(share, cfg.device.threads or share)}


def one_line_errors(function: Callable, command: str = "salutary-run") -> Callable:
    """Turn mistakes of the user into one line on standard error and exit status 1.

    Anything else is a fault of the program and keeps its traceback; with SALUTARY_TRACEBACK=1 in the
    environment, so does everything.
    """

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object):
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last finished round", file=sys.stderr)
            sys.exit(130)
        except (*MISTAKES, ValueError) as error:
            is_mistake = isinstance(error, MISTAKES) or _raised_by_hydra(error)
            if not is_mistake or os.environ.get("SALUTARY_TRACEBACK"):
                raise
            message = " ".join(explain(error).split())
        sys.exit(f"{command}: {message}")

    return wrapped


def _raised_by_hydra(error: Exception) -> bool:
    """Whether Hydra itself raised it, as it does a plain ValueError for ``dataset=null``."""
    frame = error.__traceback__
    while frame.tb_next:
        frame = frame.tb_next
    return frame.tb_frame.f_globals["__name__"].startswith("hydra.")


def explain(error: Exception) -> str:
    """What is wrong with the command line, a YAML file or a path, with near matches if any."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        return f"{error.filename or 'output'}: {error.strerror or error}"
    if isinstance(error, (YAMLError, UnicodeDecodeError)):
        return f"a YAML file cannot be read: {error}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error)
    unknown = re.search(r"Key '(.+?)' is not in struct", f"{error} {error.__cause__}")
    if isinstance(error, ConfigCompositionException) and unknown:
        near = _near(unknown[1], _known_settings())
        return f"there is no setting {unknown[1]!r}{near}; see --help"
    said = error.__cause__ is None or str(error.__cause__) in str(error)
    text = str(error) if said else f"{error} ({error.__cause__})"
    return text.replace("set env var HYDRA_FULL_ERROR=1 to see chained exception", "")


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or [])
    listed = ", ".join(options)
    return f"there is no {group or 'configuration'} {choice!r}{_near(choice, options)}; known: {listed}"


def _known_settings() -> list[str]:
    """Every key of every file in conf/, and the groups."""
    files = Path(config_dir()).rglob("*.yaml")
    keys = (re.findall(r"^\s*(?:override )?(\w+):", file.read_text(), re.MULTILINE) for file in files)
    groups = (path.name for path in Path(config_dir()).iterdir() if path.is_dir())
    return sorted({*groups, *(key for found in keys for key in found)})


def _near(word: str, known: list[str]) -> str:
    matches = [match for match in difflib.get_close_matches(word, known, n=2) if match != word]
    return f", did you mean {' or '.join(matches)}?" if matches else ""
