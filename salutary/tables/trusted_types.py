"""What may be in the file of a saved model: skops loads the types it knows, and those that it is told of."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from salutary.errors import SalutaryError

# All that skops has to be told of a linear model and its preprocessor.
TRUSTED = ("numpy.dtype",)
# Of forests, boosting and votes. scikit-learn follows the indices in a tree's nodes without looking at
# them: a file that was made for it can crash the process, and so skops leaves trees to its users.
TREES = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.utils._bunch.Bunch",
    # Which the oldest skops does not know.
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    *(f"sklearn._loss.link.{name}" for name in ("Interval", "LogitLink", "MultinomialLogit")),
    *(f"sklearn._loss.loss.{name}" for name in ("HalfBinomialLoss", "HalfMultinomialLoss")),
)
# Of SplineTransformer; a spline holds the function that makes its arrays.
SPLINES = (
    "scipy.interpolate._bsplines.BSpline",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
)


def untrusted_types(data: bytes) -> list[str]:
    """What ``skops.io.load(..., trusted=...)`` has to be given for a saved model: ``["numpy.dtype"]`` for a
    linear one, and more where there are trees.
    """
    import skops.io

    return skops.io.get_untrusted_types(data=data)


def load(path: Path, trusted: Sequence[str] = ()) -> Any:
    """What a file in skops' format holds. Raises SalutaryError if it has types that are neither known nor
    ``trusted``, and what skops raises for a file that is damaged.
    """
    import skops.io

    allowed = [*TRUSTED, *TREES, *SPLINES, *trusted]
    unknown = [name for name in skops.io.get_untrusted_types(file=path) if name not in allowed]
    if unknown:
        raise SalutaryError(
            f"it holds {', '.join(unknown)}, which may be anything: if you know where it comes from,"
            f" load_model(..., trusted={unknown})"
        )
    return skops.io.load(path, trusted=allowed)
