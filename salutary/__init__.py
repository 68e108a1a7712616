"""Active learning without a human: salutary labelling and the strategies it is compared with.

    from salutary import SalutaryClassifier, influence, read_rows

They are loaded when first used, so that the command line starts at once.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salutary.estimator import SalutaryClassifier
    from salutary.fitted import influence
    from salutary.tables.rows import read_rows

__version__ = "0.3.0"
__all__ = ["SalutaryClassifier", "__version__", "influence", "read_rows"]
_HOMES = {"SalutaryClassifier": "estimator", "influence": "fitted", "read_rows": "tables.rows"}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(importlib.import_module(f"salutary.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'salutary' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
