"""Modules of 0.3.0 that have other names since 0.4.0: the old ones work until 0.5.0, and say the new one.

They stand in users' imports and in the ``_target_`` of their YAML files. :func:`install` lets Python look
here for a module of the package that is not there.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

LAST = "0.5.0"  # the first version without the old names
# Old module: where its names are now, the first of them first.
MOVED = {
    "analysis.collect": ["experiments.collect"],
    "analysis.confidence": ["analysis.sections.confidence"],
    "analysis.experiments": ["analysis.sections"],
    "analysis.label_page": ["labeling.page"],
    "analysis.pictures": ["system.pictures"],
    "analysis.runs": ["experiments.runs"],
    "augmentation": ["models.augmentation"],
    "cli": ["experiments.cli"],
    "config": ["system.commands", "experiments.settings"],
    "config_dir": ["system.conf"],
    "datasets.sources": ["system.sources"],
    "device": ["system.device"],
    "embeddings": ["encoders"],
    "embeddings.efficientnet_lite0": ["encoders.efficientnet_lite0"],
    "embeddings.images": ["encoders.images"],
    "embeddings.resnet34": ["encoders.resnet34"],
    "embeddings.texts": ["encoders.texts"],
    "estimator": ["integrations.classifier"],
    "files": ["system.files"],
    "fitted": ["integrations.fitted"],
    "help": ["experiments.help"],
    "identity": ["experiments.records"],
    "labeling.encoded_pool": ["labeling.pool"],
    "loop": ["experiments.loop", "strategies"],
    "memory": ["system.memory"],
    "metrics": ["experiments.metrics"],
    "models.surrogate": ["strategies.surrogate"],
    "parts": ["experiments.parts"],
    "pools": ["labeling.pool", "labeling.shortlist"],
    "pools.best": ["labeling.shortlist"],
    "pools.matrices": ["labeling.pool"],
    "problem": ["experiments.problem"],
    "records": ["experiments.records"],
    "references": ["experiments.references"],
    "resume": ["experiments.resume"],
    "rounds": ["experiments.rounds"],
    "seeding": ["system.seeding"],
    "split": ["experiments.split", "strategies", "experiments.loop"],
    "strategies.entropy": ["strategies.uncertainty"],
    "strategies.margin": ["strategies.uncertainty"],
    "strategies.modal": ["strategies.uncertainty"],
    "strategies.salutary_gt": ["strategies.salutary"],
    "studies": ["experiments.studies"],
    "studies.added_points": ["experiments.studies.added_points"],
    "studies.relabelled_bins": ["experiments.studies.relabelled_bins"],
    "studies.selection_cost": ["experiments.studies.selection_cost"],
    "sweeps": ["experiments.journal"],
    "terminal": ["experiments.terminal", "system.progress"],
    "tracking": ["experiments.mlflow"],
}
PACKAGE = "salutary"


class _Moved(MetaPathFinder, Loader):
    """Finds old modules; each is a module whose names are those of its successors."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, old = name.partition(".")
        return ModuleSpec(name, self, is_package=True) if package == PACKAGE and old in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        successors = MOVED[module.__name__.removeprefix(f"{PACKAGE}.")]

        def successor(name: str) -> object:
            for home in (
                [] if name.startswith("__") else successors
            ):  # inspect asks every module for such names
                new = importlib.import_module(f"{PACKAGE}.{home}")
                if hasattr(new, name):
                    tell(f"{module.__name__}.{name}", f"{new.__name__}.{name}")
                    return getattr(new, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = successor  # type: ignore[method-assign]


def successor(path: str) -> str:
    """The dotted path of a class now, such as that of ``salutary.split.PaperSplit``."""
    package, _, rest = path.partition(".")
    module, _, name = rest.rpartition(".")
    return f"{PACKAGE}.{MOVED[module][0]}.{name}" if package == PACKAGE and module in MOVED else path


def install() -> None:
    """Let Python find old modules, after all others. Once is enough."""
    if not any(isinstance(finder, _Moved) for finder in sys.meta_path):
        sys.meta_path.append(_Moved())


def names(module: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a module with names that are elsewhere now; ``homes``: name to module."""

    def successor(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        new = f"{PACKAGE}.{homes[name]}"
        tell(f"{module}.{name}", f"{new}.{name}")
        return getattr(importlib.import_module(new), name)

    return successor


def tell(old: str, new: str) -> None:
    """Warn the caller of the caller that ``old`` has another name."""
    warnings.warn(f"{old} is {new} now, and gone in {LAST}", FutureWarning, stacklevel=3)
