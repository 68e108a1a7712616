"""The one text of a value, whatever file it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

WHOLE_AS_REAL = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")  # 4.0 is 4, since gaps make numbers floats
# A number as programs write it, but for whole ones: 1.50, .5, Python's 1e-05, Java's 1.0E20; no code: 007.
REAL = re.compile(r"-?(?:(?:0|[1-9]\d*)\.\d*|\.\d+|\d(?:\.\d+)?[eE][-+]\d{2,3}|\d\.\d+E-?\d{1,3})", re.ASCII)
TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(?: ?(Z|UTC|[-+]\d\d:?\d\d))?", re.ASCII
)
CLOCK = re.compile(r"(\d\d:\d\d:\d\d)\.(\d+)", re.ASCII)
TRUTH = {"true": "True", "false": "False"}
# Powers of ten beyond which a number is not written out.
MOST_DIGITS = 30
# Decimal digits that tell every float32 apart.
FLOAT32_DIGITS = 9
# The squares of larger numbers, and of features of them, have no sum.
LARGEST = float(np.finfo(np.float32).max)


def plain(values: pd.Series) -> pd.Series:
    """The same values, one after the other: no categories, no Arrow, nothing sparse."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(object)
    if isinstance(values.dtype, pd.ArrowDtype):
        from salutary.tables.arrow_values import without_arrow

        return without_arrow(values)
    return values.astype(values.dtype.subtype) if isinstance(values.dtype, pd.SparseDtype) else values


def is_text(values: pd.Series) -> bool:
    """Whether there may be texts among them."""
    types = pd.api.types
    return (
        isinstance(values.dtype, pd.CategoricalDtype)
        or types.is_object_dtype(values)
        or types.is_string_dtype(values)
    )


def is_real(values: pd.Series) -> bool:
    """Whether all are real numbers, or truth values."""
    types = pd.api.types
    is_number = types.is_numeric_dtype(values) and not types.is_complex_dtype(values)
    return is_number or types.is_bool_dtype(values)


def is_time(values: pd.Series) -> bool:
    types = pd.api.types
    return types.is_datetime64_any_dtype(values) or types.is_timedelta64_dtype(values)


def is_missing(values: pd.Series) -> pd.Series:
    """Whether there is no value: a null, NaN or empty text, and nothing else."""
    missing = values.isna()
    if not is_text(values):
        return missing
    return missing | np.array([_is_empty(value) for value in values], bool)


def by_value(values: pd.Series, convert: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """``convert(values)``, but each of the different values is converted once."""
    if values.dtype == np.float16:  # which pandas cannot sort out
        return convert(values)
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        return convert(values)  # 1 and True are equal, but not alike
    codes, different = pd.factorize(values, use_na_sentinel=False)
    converted = convert(pd.Series(different, dtype=values.dtype, name=values.name)).to_numpy()
    return pd.Series(converted[codes], values.index, converted.dtype, values.name)


def mapped(values: pd.Series, convert: Callable[[Any], Any]) -> pd.Series:
    """``convert`` of each value, which keeps its type."""
    return as_objects(values).map(convert)


def as_objects(values: pd.Series) -> pd.Series:
    """The values themselves; pandas itself makes a float64 of a float32, with other digits."""
    kind = getattr(values.dtype, "numpy_dtype", values.dtype)
    if kind not in (np.float32, np.float16):
        return values.astype(object)
    each = list(values.to_numpy(kind, na_value=np.nan))
    return pd.Series(each, values.index, object, values.name)


def to_texts(values: pd.Series, missing: Iterable[str] = (), decimal: str = ".") -> pd.Series:
    """Categories as :func:`canonical` text, NaN for no value and for those that are ``missing``."""
    convert = partial(_category, decimal=decimal)
    texts = by_value(plain(values), lambda each: mapped(each, convert)).astype(object)
    missing = frozenset(missing)
    return texts.mask(texts.isin(missing)) if missing else texts


def each_to_text(values: pd.Series) -> pd.Series:
    """Ids: their exact text but for spaces around it, NaN where there is none; 4 also for 4.0."""
    values = plain(values)
    if not is_text(values):
        return mapped(values, as_text).astype(object).mask(values.isna())
    missing = is_missing(values)
    texts = mapped(values, as_text).astype(str).str.strip()
    whole = (texts.str.endswith(".0", na=False) | texts.str.endswith("00", na=False)).astype(bool) & ~missing
    texts = texts.astype(object).mask(missing, np.nan)
    if whole.any():
        texts[whole] = texts[whole].map(_as_whole)
    return texts


def canonical(text: str, decimal: str = ".") -> str:
    """The one text of a value, of the texts that files have of it.

    True for TRUE and true; 1.5 for 1.50, 1 for 1.0, 0.00001 for 1e-05, but 007 and 1E5 as they are;
    2024-01-31 for 2024-01-31T00:00:00. A text that is none of these stays as it is. ``decimal``: how the file
    writes numbers.
    """
    if not text or text[0].isalpha():
        return TRUTH.get(text.casefold(), text)
    number = text if decimal == "." or "." in text else text.replace(decimal, ".")
    if REAL.fullmatch(number):
        return _real(number)
    if match := TIME.fullmatch(text):
        return _time(*match.groups())
    clock = CLOCK.fullmatch(text)
    return f"{clock[1]}.{clock[2]}".rstrip("0").rstrip(".") if clock else text


def as_text(value: Any) -> str:
    """A value as text: "" for none; a text as it is, anything else in its :func:`canonical` form."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, Decimal):
        return canonical(format(value, "f"))
    if isinstance(value, (float, np.floating, date, np.datetime64)):
        return canonical(str(value))  # of a float32 in its own digits
    return str(value)


def _category(value: object, decimal: str) -> str | float:
    text = as_text(value).strip()
    return canonical(text, decimal) if text else np.nan


def _real(text: str) -> str:
    number = _shortest(Decimal(text))
    if not number:
        return "0"
    if abs(number.adjusted()) > MOST_DIGITS:
        digits = f"{number:.{len(number.as_tuple().digits) - 1}e}".split("e")[0]
        return f"{digits.rstrip('0').rstrip('.') if '.' in digits else digits}e{number.adjusted():+03d}"
    plainly = format(number, "f")
    return plainly.rstrip("0").rstrip(".") if "." in plainly else plainly


def _shortest(number: Decimal) -> Decimal:
    """0.1 for 0.10000000149011612, which a float32 of 0.1 is once it was held as a float64."""
    if len(number.as_tuple().digits) <= FLOAT32_DIGITS or abs(number) > LARGEST:
        return number
    wide, narrow = float(number), np.float32(number)
    return Decimal(str(narrow)) if float(narrow) == wide and Decimal(repr(wide)) == number else number


def _time(day: str, clock: str, fraction: str | None, zone: str | None) -> str:
    fraction = (fraction or "").rstrip("0")
    clock = clock if len(clock) > 5 else f"{clock}:00"
    if clock == "00:00:00" and not fraction and not zone:
        return day
    zone = "+00:00" if zone in ("Z", "UTC") else zone or ""
    zone = f"{zone[:-2]}:{zone[-2:]}" if zone and ":" not in zone else zone
    return f"{day} {clock}{'.' if fraction else ''}{fraction}{zone}"


def _as_whole(text: str) -> str:
    match = WHOLE_AS_REAL.fullmatch(text)
    return match[1] if match else text


def _is_empty(value: object) -> bool:
    return isinstance(value, (str, bytes)) and not value.strip()
