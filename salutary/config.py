"""Where conf/ is, the settings at its top, and one-line explanations of mistakes in a command."""

from __future__ import annotations

import difflib
import functools
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
)
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from salutary.errors import SalutaryError


def config_dir() -> str:
    """Absolute path of conf/: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


@dataclass(frozen=True)
class Settings:
    """The settings at the top of the configuration, checked."""

    seed: int
    rounds: int
    budget: int
    n_init: int
    baselines_use_validation: bool
    output_dir: str

    def __post_init__(self) -> None:
        """Raises SalutaryError for a value of the wrong type or below its smallest."""
        for name, smallest in {"seed": 0, "rounds": 0, "budget": 1, "n_init": 1}.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
                raise SalutaryError(f"{name} must be a whole number >= {smallest}, not {value!r}")

        if not isinstance(self.baselines_use_validation, bool):
            value = self.baselines_use_validation
            raise SalutaryError(f"baselines_use_validation must be true or false, not {value!r}")

    @classmethod
    def of(cls, config: dict) -> Settings:
        return cls(**{field.name: config[field.name] for field in fields(cls)})


def build(node: DictConfig, **arguments: object):
    """The object that ``node._target_`` names; a SalutaryError in its constructor comes out as it is."""
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, SalutaryError):
            raise error.__cause__ from None
        raise


def one_line_errors(function: Callable) -> Callable:
    """Turn mistakes of the user into one line on standard error and exit status 1.

    Anything else is a fault of the program and keeps its traceback.
    """

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object):
        try:
            return function(*args, **kwargs)
        except SalutaryError as error:
            message = str(error)
        except (HydraException, OmegaConfBaseException) as error:
            message = explain(error)
        except KeyboardInterrupt:
            message = "interrupted"
        sys.exit(f"salutary-run: {message}")

    return wrapped


def explain(error: HydraException | OmegaConfBaseException) -> str:
    """One line about a mistake in the command line or a YAML file, with near matches if any."""
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error)
    unknown = re.search(r"Key '(.+?)' is not in struct", f"{error} {error.__cause__}")
    if isinstance(error, ConfigCompositionException) and unknown:
        known = OmegaConf.load(Path(config_dir()) / "config.yaml")
        groups = (path.name for path in Path(config_dir()).iterdir() if path.is_dir())
        near = _near(unknown[1], [*map(str, known), *groups])
        return f"there is no setting {unknown[1]!r}{near}; see salutary-run --help"
    text = str(error) if error.__cause__ is None else f"{error} ({error.__cause__})"
    return " ".join(text.split())


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or [])
    listed = ", ".join(options)
    return f"there is no {group or 'configuration'} {choice!r}{_near(choice, options)}; known: {listed}"


def _near(word: str, known: list[str]) -> str:
    matches = difflib.get_close_matches(word, known, n=2)
    return f", did you mean {' or '.join(matches)}?" if matches else ""
