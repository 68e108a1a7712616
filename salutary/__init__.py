"""Active learning without a human: salutary labelling and the strategies it is compared with.

    from salutary import SalutaryClassifier, influence, load_model, run

They are loaded when first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING

from salutary.system import __version__, moved

if TYPE_CHECKING:
    from salutary.integrations.classifier import SalutaryClassifier
    from salutary.integrations.fitted import influence
    from salutary.integrations.loaded import load_model
    from salutary.integrations.result import Result
    from salutary.integrations.run import run
    from salutary.integrations.uncut import Uncut
    from salutary.tables.rows import read_rows

__all__ = [
    "Result",
    "SalutaryClassifier",
    "Uncut",
    "__version__",
    "influence",
    "load_model",
    "read_rows",
    "run",
]
_HOMES = {
    "Result": "integrations.result",
    "SalutaryClassifier": "integrations.classifier",
    "Uncut": "integrations.uncut",
    "influence": "integrations.fitted",
    "load_model": "integrations.loaded",
    "read_rows": "tables.rows",
    "run": "integrations.run",
}

moved.install()


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"salutary.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'salutary' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
