"""Which run is which: a run is a function of its resolved configuration, and so is its name."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass

from salutary.system import __version__


@dataclass(frozen=True)
class Identity:
    """The names a run is known by: those of its YAML files, and the seed."""

    dataset: str
    strategy: str
    model: str
    protocol: str
    seed: int


def run_name(identity: Identity, config: dict) -> str:
    """Directory name: readable, then a hash of the version and of all settings that change the result."""
    text = json.dumps([__version__, what_matters(config)], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    names = [identity.dataset, identity.strategy, identity.model, identity.protocol]
    return "-".join([*names, f"seed{identity.seed}", digest])


def what_matters(config: dict) -> dict:
    """The settings without those that say where and how fast, which do not change the result."""
    config = copy.deepcopy(config)
    for group in (config["dataset"], config.get("model", {})):
        if group.get("data_dir") == config.get("data_dir"):  # files in a folder of its own do matter
            group.pop("data_dir", None)
    for name in ("cache_dir", "device"):
        config["dataset"].pop(name, None)
    for name in ("data_dir", "cache_dir", "output_dir", "force"):
        config.pop(name, None)
    for name in ("name", "threads"):
        config["device"].pop(name, None)
    return _canonical(config)


def _canonical(value: object) -> object:
    """The same value, with 1.0 as 1."""
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
