"""Configurations as the command line would compose them."""

import copy
import functools

from hydra import compose, initialize_config_dir

from salutary.system.conf import config_dir


def composed(*overrides: str, config_dirs: tuple[str, ...] = ()):
    """The configuration for these overrides, as ``salutary-run`` would compose it."""
    return copy.deepcopy(_once(overrides, config_dirs))


@functools.cache
def _once(overrides: tuple[str, ...], config_dirs: tuple[str, ...]):
    path = [f"hydra.searchpath=[{','.join('file://' + str(d) for d in config_dirs)}]"] if config_dirs else []
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return compose("config", [*path, *overrides])
