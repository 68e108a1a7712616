"""Columns of numbers: what is none, or too large, is an error that names the row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import first_row, quoted, shown, where
from salutary.tables.proposals import reads
from salutary.tables.reading import Reading
from salutary.tables.texts import LARGEST, is_real, is_text, is_time, plain, to_texts

# Columns that are worth converting at once.
MANY = 20
# Rows that are looked at first: most columns are not constant.
SOME_ROWS = 20
# In a column of numbers a truth value is one, as a bool is.
TRUTH = {"True": 1.0, "False": 0.0}


def to_numbers(values: pd.Series, path: str | Path, reading: Reading | None = None) -> pd.Series:
    """float64, NaN where missing. Raises SalutaryError for the first value that is no finite number."""
    reading, values = reading or Reading(), plain(values)
    if is_time(values):
        raise SalutaryError(f"{where(path, values.name)}: it holds dates, not numbers")
    if not (is_text(values) or is_real(values)):
        raise SalutaryError(f"{where(path, values.name)}: it holds {values.dtype}, not numbers")
    numbers = reading.numbers(values)
    if numbers.isna().any() and is_text(values):
        numbers = _with_truth_values(numbers, values)
        wrong = numbers.isna() & ~reading.is_gap(values)
        if wrong.any():
            line = not_a_number(values, wrong, path)
            raise SalutaryError(line + reads(values[first_row(wrong)], reading))
    too_large = numbers.abs() > LARGEST
    if too_large.any():
        row = first_row(too_large)
        problem = "is not finite" if np.isinf(numbers[row]) else "is too large"
        raise SalutaryError(f"{where(path, values.name, row)}: {shown(values[row])} {problem}")
    return numbers


def plain_numbers(frame: pd.DataFrame, columns: Sequence[str], reading: Reading) -> pd.DataFrame:
    """Those of the columns that :func:`to_numbers` would take as they are, float64, all at once: one after
    the other takes several times as long.
    """
    kinds = frame.dtypes
    real = [name for name in columns if isinstance(kinds[name], np.dtype) and kinds[name].kind in "fiu"]
    if not real or not len(frame) or len(reading.missing_numbers):
        return frame[[]]
    values = frame[real].to_numpy(np.float64)
    with np.errstate(invalid="ignore"):
        largest = max(values.max(), -values.min())
    if np.isnan(largest):
        largest = np.nanmax(np.abs(values), initial=0)
    return frame[[]] if largest > LARGEST else pd.DataFrame(values, frame.index, real, copy=False)


def surely_numbers(frame: pd.DataFrame, columns: Iterable[str], reading: Reading) -> set[str]:
    """Columns of typed numbers, of an embedding mostly, that a look at all of them at once says to be no ids,
    no row numbers and not constant, as a closer look at each would.
    """
    kinds = frame.dtypes
    real = [name for name in columns if kinds[name] in (np.float32, np.float64)]
    if reading.missing or len(real) < MANY:
        return set()
    first = frame[real].iloc[:SOME_ROWS].to_numpy(np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        varied = (np.diff(first, axis=0) != 1).any(0) & (first.min(0) < first.max(0))
        parts = (first % 1 != 0).any(0)
    sure = varied & parts & np.isfinite(first).all(0)
    return {name for name, is_sure in zip(real, sure, strict=True) if is_sure}


def not_a_number(values: pd.Series, wrong: pd.Series, path: str | Path) -> str:
    """The line on the first value that is wrong."""
    row = first_row(wrong)
    return f"{where(path, values.name, row)}: {quoted(values[row])} is not a number"


def _with_truth_values(numbers: pd.Series, values: pd.Series) -> pd.Series:
    none = numbers.isna()
    truths = to_texts(values[none]).map(TRUTH).astype(float)
    return numbers.where(~none, truths.reindex(numbers.index))
