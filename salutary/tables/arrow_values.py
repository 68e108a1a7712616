"""Columns of PyArrow's as columns of pandas, no digit of a value lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
from pyarrow import float64, string, types

from salutary.errors import SalutaryError
from salutary.tables.messages import where
from salutary.tables.vectors import checked

# Decimal digits that a float64 holds.
FLOAT_DIGITS = 15


def to_series(column: pyarrow.Array) -> pd.Series:
    """Numbers, text, dates and truth values, nullable where there are gaps."""
    plain = _plain(column)
    return plain.to_pandas(types_mapper=_nullable if plain.null_count else None)


def without_arrow(values: pd.Series) -> pd.Series:
    """A column of pandas that Arrow holds, as :func:`to_series` has it; objects of what that cannot be."""
    column = pyarrow.chunked_array(values.array.__arrow_array__()).combine_chunks()
    if form(column.type) is None:
        return values.astype(object)
    found = to_series(column).set_axis(values.index)
    found.name = values.name
    return found


def form(kind: pyarrow.DataType) -> str | None:
    """What a type holds; None for what there are no features of."""
    if types.is_dictionary(kind):
        return form(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numbers"
    if types.is_boolean(kind):
        return "truth values"
    if types.is_temporal(kind) and not types.is_interval(kind) and _has_known_zone(kind):
        return "times"
    return "nothing" if types.is_null(kind) else None


def vector_width(kind: pyarrow.DataType) -> int | None:
    """Of the vectors of a type; None where each may have another, 0 for what is none."""
    if types.is_fixed_size_list(kind) and _is_number(kind.value_type):
        return int(kind.list_size)
    is_list = types.is_list(kind) or types.is_large_list(kind)
    return None if is_list and types.is_floating(kind.value_type) else 0


def to_matrix(column: pyarrow.Array, width: int, path: str | Path, name: str, start: int) -> np.ndarray:
    """The vectors (n, width) of rows from number ``start`` on. Raises SalutaryError, naming the row, for one
    that is missing, has another length or lacks a number.
    """
    wrong = column.value_lengths().fill_null(-1).to_numpy(zero_copy_only=False) != width
    if wrong.any():
        row = int(wrong.argmax())
        length = column.value_lengths()[row].as_py()
        problem = (
            "there is no vector" if length is None else f"the vector has {length} numbers, and not {width}"
        )
        raise SalutaryError(f"{where(path, name, start + row)}: {problem}")
    numbers = column.flatten()
    if numbers.null_count:
        numbers = numbers.cast(float64())
    matrix = numbers.to_numpy(zero_copy_only=False).reshape(len(column), width)
    return checked(matrix, path, name, start)


def _is_number(kind: pyarrow.DataType) -> bool:
    return types.is_integer(kind) or types.is_floating(kind)


def _nullable(kind: pyarrow.DataType) -> pd.api.extensions.ExtensionDtype | None:
    """For integers and truth values with gaps; pandas makes real numbers, or objects, of them otherwise."""
    if types.is_boolean(kind):
        return pd.BooleanDtype()
    if not types.is_integer(kind):
        return None
    return getattr(pd, f"{'U' if types.is_unsigned_integer(kind) else ''}Int{kind.bit_width}Dtype")()


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    """The column in a type that pandas holds without loss; dates and times of day, never used, as text.

    Decimal numbers of more digits than a float64 has stay what they are.
    """
    kind = column.type
    if types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if types.is_decimal(kind) and kind.precision <= FLOAT_DIGITS:
        return column.cast(string()).cast(float64())  # directly, the last digit may be another
    is_text = types.is_date(kind) or types.is_time(kind) or types.is_string_view(kind)
    return column.cast(string()) if is_text else column


def _has_known_zone(kind: pyarrow.DataType) -> bool:
    """Whether pandas knows the time zone, if there is one."""
    if not (types.is_timestamp(kind) and kind.tz):
        return True
    try:
        return bool(pd.DatetimeTZDtype(tz=kind.tz))
    except (TypeError, ValueError, KeyError):  # by what the zone is called
        return False
