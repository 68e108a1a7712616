"""Which run is which: a run is a function of its configuration and of its data, and so is its name."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from salutary.errors import SalutaryError
from salutary.system import __version__

NAMES = ("dataset", "strategy", "model", "protocol")
# In a resolved configuration: checksums of the user's files, by the setting of the data set that names them.
CONTENTS = "contents"
# The objective that a run has if nothing is said.
LOSS = {"_target_": "salutary.engine.objectives.MeanLogLoss"}


@dataclass(frozen=True)
class Identity:
    """The names a run is known by: those of its YAML files, and the seed."""

    dataset: str
    strategy: str
    model: str
    protocol: str
    seed: int


def run_name(identity: Identity, config: dict) -> str:
    """Directory name: readable, then a hash of the version and of all that changes the result."""
    text = json.dumps([__version__, what_matters(config)], sort_keys=True, default=str)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    names = [identity.dataset, identity.strategy, identity.model, identity.protocol]
    return "-".join([*names, f"seed{identity.seed}", digest])


def what_matters(config: dict) -> dict:
    """The settings without those that say where and how fast, which do not change the result.

    In place of the names of files is what they hold (:mod:`salutary.experiments.contents`), and in that of a
    network's ``precision: auto`` what that is on the device.
    """
    config = copy.deepcopy(config)
    model = config.get("model", {})
    for group in (config["dataset"], model, model.get("backbone", {})):
        # Files in a folder of its own do matter.
        if isinstance(group, dict) and group.get("data_dir") == config.get("data_dir"):
            group.pop("data_dir", None)
    config["dataset"] |= config.pop(CONTENTS, {})
    if model.get("precision") == "auto":
        model["precision"] = _precision(config["device"].get("name"))
    for name in ("cache_dir", "device"):
        config["dataset"].pop(name, None)
    # A run without these is the one that it was before there were any.
    if not config.get("reference"):
        config.pop("reference", None)
    if (config.get("objective") or LOSS) == LOSS:
        config.pop("objective", None)
    if config["dataset"].get("group") is None:
        for name in ("group", "group_edges", "group_is_feature"):
            config["dataset"].pop(name, None)
    if config["dataset"].get("sheet") is None:
        config["dataset"].pop("sheet", None)
    for name in ("data_dir", "cache_dir", "output_dir", "force", "record"):
        config.pop(name, None)
    for name in ("name", "threads", "turns"):
        config["device"].pop(name, None)
    return _canonical(config)


def _precision(device: object) -> str:
    """What a network's ``auto`` is: bfloat16 on a GPU, where it gives other numbers than float32."""
    from salutary.system.device import Device

    try:
        return "float32" if Device.named(str(device)) == "cpu" else "bfloat16"
    except SalutaryError:  # the run says so
        return "auto"


def _canonical(value: Any) -> Any:
    """The same value, with 1.0 as 1."""
    if isinstance(value, dict):
        return {name: _canonical(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_canonical(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
