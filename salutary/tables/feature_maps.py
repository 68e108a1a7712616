"""Features made of features, so that a linear model can follow what is not linear.

A map leaves the features as they are and puts others behind them: the linear part stays, and what takes the
features of the table alone finds them in front.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import pdist
from sklearn.compose import ColumnTransformer
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

LINEAR, SPLINES, NYSTROEM = KINDS = ("linear", "splines", "nystroem")
AUTO = "auto"
# Of each spline, at quantiles of the different values; a feature of fewer values than FEWEST stays linear.
# With 3 the losses of some hundred rows were lower than with 4, 5 or 7.
KNOTS, FEWEST = 3, 10
# Features that differ by less are the same but for rounding.
SAME = 1e-4
# Rows that a kernel is computed with, at most.
COMPONENTS = 100
# Rows whose distances are measured, at most.
MEASURED = 1000


def fitted_map(kind: str, X: np.ndarray, rng: np.random.Generator) -> ColumnTransformer | None:
    """The map of ``kind``, fitted to the features X (n, d) of labelled rows; None for ``linear``, and where
    there is nothing to map: no feature of ten values, or no two rows that differ.

    - ``splines``: cubic B-splines of each feature, constant beyond the outer knots, so that an outlier
      moves the linear part alone. An additive model (Eilers & Marx, "Flexible smoothing with B-splines and
      penalties", Statistical Science 1996).
    - ``nystroem``: the Gaussian kernel ``exp(-gamma |x - x'|^2)`` to rows drawn by ``rng``, orthonormalised
      (Williams & Seeger, "Using the Nyström method to speed up kernel machines", NeurIPS 2001); gamma is half
      the inverse of the median squared distance of rows.

    Splines are standardised, and what the kernel makes has together the variance d, as standardised features
    have, so that one penalty does for all.
    """
    made = {LINEAR: _nothing, SPLINES: _splines, NYSTROEM: _kernel}[kind](X, rng)
    if made is None:
        return None
    more, columns = made
    parts = [("plain", "passthrough", [*range(X.shape[1])]), (kind, more, columns)]
    fitted = ColumnTransformer(parts).fit(X)
    if kind == NYSTROEM:
        scaler = fitted.named_transformers_[kind][-1]
        scaler.scale_ = np.full_like(scaler.var_, np.sqrt(scaler.var_.sum() / X.shape[1]))
    return fitted


def mapped(fitted: ColumnTransformer, X: np.ndarray) -> np.ndarray:
    """The features X (n, d) and those made of them, (n, D).

    As ``fitted.transform`` gives them, but for rounding: a row is the same to the last bit whatever rows are
    beside it, so that blocks may have any size.
    """
    X = np.ascontiguousarray(X)
    _, more, columns = fitted.transformers_[1]
    first, scaler = more
    made = _kernel_features(first, X) if isinstance(first, Nystroem) else first.transform(X[:, columns])
    return np.hstack([X, scaler.transform(made)])


def _nothing(X: np.ndarray, rng: np.random.Generator) -> None:
    return None


def _splines(X: np.ndarray, rng: np.random.Generator) -> tuple[Pipeline, list[int]] | None:
    values = [np.unique(column) for column in X.T]
    columns = [
        place
        for place, different in enumerate(values)
        if len(different) >= FEWEST and np.ptp(different) > SAME
    ]
    if not columns:
        return None
    # Quantiles of all rows' values may coincide, and then there is no spline.
    at = np.linspace(0, 1, KNOTS)
    knots = np.column_stack([np.quantile(values[place], at) for place in columns])
    splines = SplineTransformer(knots=knots, degree=3, extrapolation="constant", include_bias=False)
    return make_pipeline(splines, StandardScaler()), columns


def _kernel(X: np.ndarray, rng: np.random.Generator) -> tuple[Pipeline, list[int]] | None:
    seed, n_components = int(rng.integers(2**31)), min(len(X), COMPONENTS)
    some = X[rng.permutation(len(X))[:MEASURED]] if len(X) > MEASURED else X
    distances = pdist(some, "sqeuclidean")
    apart = distances[distances > 0]
    if not len(apart):
        return None
    kernel = Nystroem(gamma=0.5 / np.median(apart), n_components=n_components, random_state=seed)
    return make_pipeline(kernel, StandardScaler()), [*range(X.shape[1])]


def _kernel_features(kernel: Nystroem, X: np.ndarray) -> np.ndarray:
    """(n, m); products of matrices would round a row by where it stands among the others."""
    C = kernel.components_
    products = np.matmul(X[:, None], C.T)[:, 0]
    distances = (X * X).sum(1)[:, None] + (C * C).sum(1) - 2 * products
    similar = np.exp(-kernel.gamma * np.maximum(distances, 0))
    return np.matmul(similar[:, None], kernel.normalization_.T)[:, 0]
