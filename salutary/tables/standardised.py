"""Features of numbers: what the preprocessor's part for them computes, to the last bit, without its copies.

scikit-learn passes over a table seven times, which takes longer than to read it from Parquet; here a few rows
at a time stay in the cache.
"""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import Pipeline

from salutary.tables.texts import LARGEST

# Numbers that are worked on at a time.
TILE = 2**16


class TooLarge(Exception):
    """A feature beyond float32: its ``row`` and ``column``, as places."""

    def __init__(self, row: int, column: int):
        super().__init__(row, column)
        self.row, self.column = row, column


def standardise(fitted: Pipeline, values: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, int]:
    """Write into the first columns of X (n, k) the features of ``values`` (n, d), NaN where missing: numbers,
    the median where there is none, then what says so of some columns, all standardised by the ``fitted``
    imputer and scaler.

    Gives how many values each column has, (d,), and the number of features. Raises TooLarge for the first
    row with such a feature.
    """
    imputer, scaler = fitted[0], fitted[-1]
    d, indicated = values.shape[1], imputer.indicator_.features_
    width = d + len(indicated)
    n_missing, size = np.zeros(d, np.int64), max(1, TILE // max(d, 1))
    for start in range(0, len(values), size):
        tile = values[start : start + size]
        missing = np.isnan(tile)
        if missing.any():
            n_missing += missing.sum(0)
            tile = np.where(missing, imputer.statistics_, tile)
        found = tile - scaler.mean_[:d]
        found /= scaler.scale_[:d]
        if not max(found.max(), -found.min()) <= LARGEST:
            row, column = np.argwhere(~(np.abs(found) <= LARGEST))[0].tolist()
            raise TooLarge(start + row, column)
        X[start : start + size, :d] = found
        if len(indicated):
            X[start : start + size, d:width] = (missing[:, indicated] - scaler.mean_[d:]) / scaler.scale_[d:]
    return len(values) - n_missing, width
