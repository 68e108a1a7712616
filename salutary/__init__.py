"""Active learning without a human: salutary labelling and the strategies it is compared with.

    from salutary import SalutaryClassifier, influence

Both are loaded when first used, so that the command line starts at once.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from salutary.estimator import SalutaryClassifier
    from salutary.fitted import influence

__version__ = "0.3.0"
__all__ = ["SalutaryClassifier", "__version__", "influence"]


def __getattr__(name: str) -> object:
    if name == "SalutaryClassifier":
        from salutary.estimator import SalutaryClassifier

        return SalutaryClassifier
    if name == "influence":
        from salutary.fitted import influence

        return influence
    raise AttributeError(f"module 'salutary' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
