"""Values of programs that have types as columns of pandas, none of them changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

# Whole numbers up to here are the same as a float64.
EXACT = 2**53


def typed(values: Sequence[Any]) -> pd.Series:
    """Numbers, truth values and times as such, nullable where there are gaps (None); all else as it is."""
    kinds = {type(value) for value in values} - {type(None)}
    gaps = any(value is None for value in values)
    if kinds == {bool}:
        return pd.Series(values, dtype=pd.BooleanDtype() if gaps else bool)
    if kinds == {int} and _fit(values):
        return pd.Series(values, dtype=pd.Int64Dtype() if gaps else np.int64)
    if kinds and kinds <= {int, float} and all(abs(each) <= EXACT for each in values if type(each) is int):
        return pd.Series(values, dtype=np.float64)
    if kinds == {datetime} and not any(value.tzinfo for value in values if value is not None):
        return pd.Series(np.array(values, "datetime64[us]"))
    return pd.Series(list(values), dtype=object)


def _fit(values: Sequence[int | None]) -> bool:
    present = [value for value in values if value is not None]
    return min(present) >= -(2**63) and max(present) < 2**63
