"""What the columns of a table hold, and their values as numbers or text.

Nothing is guessed silently: what is no plain number or category, such as a date or an id, is left out, and
:attr:`Schema.left_out` says why.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import first_row, quoted, shown, where

# Texts that mean "no value", as pandas reads them.
MISSING = frozenset(
    ["", "NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None"]
)
# From this share of numbers on, a column of text is one of numbers with mistakes in it.
MOSTLY_NUMBERS = 0.9
# More different texts than this, and than half of the values, are ids or free text, not categories.
MANY_TEXTS = 20
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")
CODE = re.compile(r"[-+]?0\d")  # 00501 is a name, not the number 501
WHOLE_AS_REAL = re.compile(r"(-?(?:0|[1-9]\d*))\.0+")  # 4.0 is 4, since gaps make numbers floats
ID_NAME = re.compile(r"((^|[^a-zA-Z])(?i:id|uuid|guid)|[a-z](Id|ID|Uuid|UUID|Guid|GUID))$")
# What the row numbers are called that pandas and R write with a table.
INDEX_NAME = re.compile(r"\(unnamed\)|unnamed: \d+|index|__index_level_\d+__|row_?names", re.IGNORECASE)
# The squares of larger numbers, and of features of them, have no sum.
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Schema:
    """``numeric`` and ``categorical``: the columns used. ``left_out``: the others, and why."""

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    left_out: dict[str, str]

    @property
    def used(self) -> list[str]:
        return [*self.numeric, *self.categorical]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        path: str | Path,
        numeric: Iterable[str] = (),
        categorical: Iterable[str] = (),
        ignore: Iterable[str] = (),
    ) -> Schema:
        """What the columns of ``frame`` hold; those named are what they are said to be. Those to ``ignore``
        need not be in it.

        Raises SalutaryError for a column that mixes numbers and text, and if none can be used.
        """
        numeric, categorical, ignore = list(numeric), list(categorical), list(ignore)
        named = [*numeric, *categorical, *ignore]
        for column in named:
            if named.count(column) > 1:
                raise SalutaryError(
                    f"column {quoted(column)} is named twice in numeric, categorical and ignore"
                )
            if column not in frame and column not in ignore:
                raise SalutaryError(f"{path} has no column {quoted(column)} to use as numeric or categorical")
        left_out = dict.fromkeys(ignore, "as asked")
        for column in frame.columns.difference(named, sort=False):
            kind, why = _kind(frame[column], path)
            if kind is None:
                left_out[column] = why
            else:
                (numeric if kind == "number" else categorical).append(column)
        for column in [*numeric, *categorical]:
            if column not in named and _is_constant(frame[column], column in numeric, path):
                left_out[column] = "constant"
        used = [[c for c in columns if c not in left_out] for columns in (numeric, categorical)]
        if not any(used):
            reasons = "; ".join(f"{shown(column)}: {why}" for column, why in list(left_out.items())[:6])
            raise SalutaryError(
                f"{path} has no column to learn from ({reasons or 'there is only the target'})"
            )
        return cls(tuple(used[0]), tuple(used[1]), left_out)

    def convert(self, frame: pd.DataFrame, path: str | Path) -> pd.DataFrame:
        """The used columns, as float64 (NaN where missing) and text (NaN where missing).

        ``frame`` is indexed by row number from 0. Raises SalutaryError, naming column and row, for a number
        that is none, or is infinite.
        """
        columns = {name: to_numbers(frame[name], path) for name in self.numeric}
        columns |= {name: to_texts(frame[name]) for name in self.categorical}
        return pd.DataFrame(columns, index=frame.index)


def is_missing(values: pd.Series) -> pd.Series:
    """Whether there is no value, or a text that says so."""
    missing = values.isna()
    if not _is_text(values):
        return missing
    return missing | values.astype(str).str.strip().isin(MISSING)


def to_numbers(values: pd.Series, path: str | Path) -> pd.Series:
    """float64, NaN where missing. Raises SalutaryError for the first value that is no finite number."""
    if _is_time(values):
        raise SalutaryError(f"{where(path, values.name)}: it holds dates, not numbers")
    if _is_text(values):
        numbers = _by_value(values, _texts_to_numbers)
        wrong = numbers.isna()
        if wrong.any() and (wrong := wrong & ~is_missing(values)).any():
            raise SalutaryError(_not_a_number(values, wrong, path))
    else:
        numbers = values.astype(float)
    too_large = numbers.abs() > LARGEST
    if too_large.any():
        row = first_row(too_large)
        problem = "is not finite" if np.isinf(numbers[row]) else "is too large"
        raise SalutaryError(f"{where(path, values.name, row)}: {shown(values[row])} {problem}")
    return numbers


def to_texts(values: pd.Series) -> pd.Series:
    """Categories as text without spaces around it, NaN where missing; 4 also for 4.0."""
    return _by_value(values, each_to_text)


def each_to_text(values: pd.Series) -> pd.Series:
    """:func:`to_texts` of values that are nearly all different, such as ids."""
    missing = is_missing(values)
    if not _is_text(values):
        return values.map(as_text).astype(object).where(~missing, np.nan)
    texts = values.astype(str).str.strip()
    whole = (texts.str.endswith(".0", na=False) | texts.str.endswith("00", na=False)).astype(bool) & ~missing
    texts = texts.astype(object).where(~missing, np.nan)
    if whole.any():
        texts[whole] = texts[whole].map(_as_whole)
    return texts


def _texts_to_numbers(values: pd.Series) -> pd.Series:
    """float64, NaN for what is missing or no number."""
    present = values.where(~is_missing(values))
    bare = present.map(lambda value: value.strip() if isinstance(value, str) else value)
    return pd.to_numeric(bare, errors="coerce").astype(float)


def _by_value(values: pd.Series, convert: Callable[[pd.Series], pd.Series]) -> pd.Series:
    """``convert(values)``, but each of the different values is converted once."""
    if values.dtype == object and pd.api.types.infer_dtype(values, skipna=True) != "string":
        return convert(values)  # 1 and True are equal, but not alike
    codes, different = pd.factorize(values, use_na_sentinel=False)
    converted = convert(pd.Series(different, dtype=values.dtype, name=values.name)).to_numpy()
    return pd.Series(converted[codes], values.index, converted.dtype, values.name)


def _as_whole(text: str) -> str:
    match = WHOLE_AS_REAL.fullmatch(text)
    return match[1] if match else text


def as_text(value: object) -> str:
    """A value as a CSV file would have it: "" for none; 4 also for 4.0, since gaps make numbers floats."""
    if value is None or value is pd.NA or value != value:
        return ""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _kind(values: pd.Series, path: str | Path) -> tuple[str | None, str]:
    """``number``, ``category``, or None and why the column is left out."""
    missing = is_missing(values)
    present = values[~missing]
    if not len(present):
        return None, "no values"
    if _is_time(values):
        return None, "dates: make numbers of them yourself"
    if pd.api.types.is_bool_dtype(values):
        return "category", ""  # as the texts True and False are
    if pd.api.types.is_numeric_dtype(values):
        return _number_or_id(present)
    texts = to_texts(present)
    numbers = pd.to_numeric(texts, errors="coerce")
    share = numbers.notna().mean()
    if share == 1 and not texts.str.match(CODE).any():
        return _number_or_id(numbers)
    if MOSTLY_NUMBERS <= share < 1:
        advice = f"or name it in categorical=[{shown(values.name)}]"
        raise SalutaryError(f"{_not_a_number(values, numbers.isna(), path)}; mend it, {advice}")
    if _are_dates(texts):
        return None, "dates: make numbers of them yourself"
    n_different = texts.nunique()
    if n_different > max(MANY_TEXTS, len(texts) / 2):
        return None, f"ids or free text ({n_different:,} different values in {len(texts):,} rows)"
    return "category", ""


def _number_or_id(numbers: pd.Series) -> tuple[str | None, str]:
    with np.errstate(over="ignore", invalid="ignore"):  # what is infinite is reported with its row
        steps = np.diff(numbers.to_numpy(float))
        whole_and_different = numbers.nunique() == len(numbers) > 1 and (numbers % 1 == 0).all()
    if len(steps) > 1 and (steps == 1).all():
        return None, "row numbers"
    name = str(numbers.name)
    if whole_and_different and (ID_NAME.search(name) or INDEX_NAME.fullmatch(name)):
        return None, "ids"
    return "number", ""


def _are_dates(texts: pd.Series) -> bool:
    """Whether all of the texts have digits as dates and times have them, and can be read as such."""
    some = texts.drop_duplicates()[:1000]
    if not some.str.contains(DATE).all():
        return False
    with warnings.catch_warnings():  # of days and months that may be meant the other way round
        warnings.simplefilter("ignore")
        return bool(pd.to_datetime(some, errors="coerce", format="mixed", utc=True).notna().all())


def _is_constant(values: pd.Series, as_numbers: bool, path: str | Path) -> bool:
    """Whether there is one value, in every row. Numbers may be the same though their digits are not."""
    if is_missing(values).any():
        return False
    return (to_numbers(values, path) if as_numbers else to_texts(values)).nunique() < 2


def _is_time(values: pd.Series) -> bool:
    types = pd.api.types
    return types.is_datetime64_any_dtype(values) or types.is_timedelta64_dtype(values)


def _is_text(values: pd.Series) -> bool:
    return isinstance(values.dtype, pd.CategoricalDtype) or (
        pd.api.types.is_object_dtype(values) or pd.api.types.is_string_dtype(values)
    )


def _not_a_number(values: pd.Series, wrong: pd.Series, path: str | Path) -> str:
    row = first_row(wrong)
    return f"{where(path, values.name, row)}: {quoted(values[row])} is not a number"


def require_apart(fixed: Mapping[str, str | None], lists: Mapping[str, Sequence[str]]) -> None:
    """Raises SalutaryError if a column such as the target, ``fixed``, has another task too, or is in
    ``lists``.
    """
    for setting, column in fixed.items():
        others: dict[str, Sequence[str | None]] = {
            name: [other] for name, other in fixed.items() if name != setting
        }
        others |= {f"in {name}": columns for name, columns in lists.items()}
        for name, columns in others.items():
            if column is not None and column in columns:
                raise SalutaryError(f"{setting}={shown(column)} cannot also be {name}")
