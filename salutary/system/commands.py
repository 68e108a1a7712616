"""The settings at the top of conf/, the objects it names, and mistakes explained in one line."""

from __future__ import annotations

import difflib
import functools
import os
import re
import sys
import traceback
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

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

from salutary.errors import SalutaryError
from salutary.system.conf import config_dir, default_choices
from salutary.system.files import FULL
from salutary.system.threads import free_cores
from salutary.system.urls import without_secrets

CONFIGS = {"salutary-run": "config.yaml", "salutary-label": "label.yaml"}
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|true|false"
# What launchers call it: Ray's, and submitit's.
CORES_OF_A_JOB = ("num_cpus", "cpus_per_task")
MISTAKES = (
    SalutaryError,
    HydraException,
    OmegaConfBaseException,
    YAMLError,
    UnicodeDecodeError,
    OSError,
)


def build(cfg: DictConfig | dict, name: str, **arguments: object) -> Any:
    """The object that ``_target_`` of the group ``name`` (``protocol.splitter``) names.

    Raises SalutaryError if there is none; one from its constructor comes out as it is.
    """
    node = OmegaConf.select(cfg if isinstance(cfg, DictConfig) else OmegaConf.create(_literal(cfg)), name)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        raise SalutaryError(f"{name} must be a choice whose YAML file has a _target_; see --help")
    try:
        return instantiate(node, **arguments)
    except InstantiationException as error:
        if isinstance(error.__cause__, SalutaryError):
            raise error.__cause__ from None
        raise


def _literal(value: Any) -> Any:
    """Resolved settings such that a text with ``${`` in it is no interpolation; Hydra resolves it twice."""
    if isinstance(value, Mapping):
        return {name: _literal(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_literal(each) for each in value]
    return value.replace("${", "\\\\\\${") if isinstance(value, str) else value


def resolved(cfg: DictConfig, texts: Container[str] = ()) -> dict[str, Any]:
    """A configuration as plain dictionaries and lists, its interpolations resolved.

    What comes from elsewhere, as from the environment by ``${oc.env:SEED}``, is text: it is read as a number
    or a truth value if it looks like one, as on the command line, but for the settings ``texts``.
    """
    return _read(OmegaConf.to_container(cfg, resolve=False), OmegaConf.to_container(cfg, resolve=True), texts)


def _read(raw: Any, value: Any, texts: Container[str], name: str = "") -> Any:
    if isinstance(raw, dict) and isinstance(value, dict):
        return {key: _read(raw[key], value[key], texts, f"{name}.{key}".lstrip(".")) for key in value}
    if isinstance(raw, list) and isinstance(value, list):
        return [_read(*each, texts, name) for each in zip(raw, value, strict=True)]
    is_told = isinstance(raw, str) and isinstance(value, str) and name not in texts
    if is_told and raw != value and re.fullmatch(NUMBER, value):
        return OmegaConf.create({"value": f"${{oc.decode:'{value}'}}"})["value"]
    return value


def threads_per_worker(cfg: DictConfig) -> dict[str, int]:
    """Keyword argument for the device: CPU threads such that workers times threads fit the cores.

    With ``device.threads=auto`` it is the most that auto may take.

    Nothing for one process; with ``hydra/launcher=joblib`` its ``n_jobs`` share the cores, and with others
    each job has as many as it asks for.
    """
    launcher = HydraConfig.get().launcher
    workers, *held = (OmegaConf.select(launcher, name) for name in ("n_jobs", *CORES_OF_A_JOB))
    held = [each for each in held if each is not None]
    if workers is None and not held:
        return {}
    cores = free_cores()
    share = max(1, int(held[0]) if held else cores // (workers if workers > 0 else cores))
    if cfg.device.threads == "auto":
        return {"cores": share}
    return {"threads": min(share, cfg.device.threads or share)}


def one_line_errors(function: Callable, command: str = "salutary-run") -> Callable[..., Any]:
    """Turn mistakes of the user into one line on standard error and exit status 1.

    Anything else is a fault of the program and keeps its traceback; with SALUTARY_TRACEBACK=1 in the
    environment, so does everything.
    """

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object) -> Any:
        try:
            return function(*args, **kwargs)
        except KeyboardInterrupt:
            print("interrupted; the same command goes on from the last finished round", file=sys.stderr)
            sys.exit(130)
        except (*MISTAKES, ValueError) as error:
            is_mistake = isinstance(error, MISTAKES) or _raised_by_hydra(error)
            if not is_mistake or os.environ.get("SALUTARY_TRACEBACK"):
                raise
            message = " ".join(explain(error, command).split())
        sys.exit(f"{command}: {message}")

    return wrapped


def _raised_by_hydra(error: Exception) -> bool:
    """Whether Hydra itself raised it, as it does a plain ValueError for ``dataset=null``."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].startswith("hydra.")


def explain(error: Exception, command: str = "salutary-run") -> str:
    """What is wrong with the command line, a YAML file or a path, with near matches of the command if any."""
    if isinstance(error, OSError) and not isinstance(error, HydraException):
        cannot = " cannot be written" if error.errno in FULL else ""
        return f"{error.filename or 'output'}{cannot}: {error.strerror or error}"
    if isinstance(error, (YAMLError, UnicodeDecodeError)):
        return f"a YAML file cannot be read: {error}"
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        return _unknown_choice(error)
    unknown = re.search(r"Key '(.+?)' is not in struct", f"{error} {error.__cause__}")
    if isinstance(error, ConfigCompositionException) and unknown:
        near = _near(unknown[1], _known_settings(command))
        return f"there is no setting {unknown[1]!r}{near}; see --help"
    cause = error.__cause__
    reason = cause.strerror if isinstance(cause, OSError) and cause.strerror else cause
    said = cause is None or str(reason) in str(error)
    text = str(error) if said else f"{error} ({cause})"
    return without_secrets(text.replace("set env var HYDRA_FULL_ERROR=1 to see chained exception", ""))


def _unknown_choice(error: MissingConfigException) -> str:
    group, _, choice = str(error.missing_cfg_file).rpartition("/")
    options = list(error.options or [])
    listed = ", ".join(options)
    return f"there is no {group or 'configuration'} {choice!r}{_near(choice, options)}; known: {listed}"


def _known_settings(command: str) -> list[str]:
    """Every key of the files in conf/ that a command reads, and the groups."""
    folder = Path(config_dir())
    config = folder / CONFIGS[command]
    groups = [path for path in folder.iterdir() if path.is_dir()]
    if command == "salutary-label":
        groups = [path for path in groups if path.name in default_choices(config)]
    files = [config, *(file for group in groups for file in group.rglob("*.yaml"))]
    keys = (re.findall(r"^\s*(?:override )?(\w+):", file.read_text(), re.MULTILINE) for file in files)
    return sorted({*(group.name for group in groups), *(key for names in keys for key in names)})


def _near(word: str, words: list[str]) -> str:
    """The nearest of some words, and a second one if it is about as near."""
    matches = [match for match in difflib.get_close_matches(word, words, n=2) if match != word]
    near = [difflib.SequenceMatcher(None, word, match).ratio() for match in matches]
    matches = [match for match, share in zip(matches, near, strict=True) if share > near[0] - 0.15]
    return f", did you mean {' or '.join(matches)}?" if matches else ""
