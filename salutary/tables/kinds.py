"""What a column holds: numbers, categories, or what is neither, such as dates, ids and free texts."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import listed
from salutary.tables.numbers import SOME_ROWS, not_a_number, to_numbers
from salutary.tables.proposals import settings_that_read
from salutary.tables.reading import Reading
from salutary.tables.texts import as_text, is_time

# From this share of numbers on, a column of text is one of numbers with mistakes in it.
MOSTLY_NUMBERS = 0.9
# More different texts than this, and than half of the values, are ids or free text, not categories.
MANY_TEXTS = 20
FREE_TEXT = "ids or free text"
DATES = "dates: make numbers of them yourself"
DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}:\d{2}")
CODE = re.compile(r"^\s*[-+]?0\d", re.MULTILINE)  # 00501 is a name, not the number 501
ID_NAME = re.compile(r"((^|[^a-zA-Z])(?i:id|uuid|guid)|[a-z](Id|ID|Uuid|UUID|Guid|GUID))$")
# What the row numbers are called that pandas and R write with a table.
INDEX_NAME = re.compile(
    r"\(unnamed( \d+)?\)|unnamed: \d+|index|__index_level_\d+__|row_?names", re.IGNORECASE
)


def kind_of(values: pd.Series, path: str | Path, reading: Reading) -> tuple[str | None, str]:
    """``number``, ``category``, or None and why the column is left out.

    Raises SalutaryError for a column of numbers of which some are none.
    """
    present = values[~reading.is_missing(values)]
    if not len(present):
        return None, "no values"
    if is_time(values):
        return None, DATES
    if pd.api.types.is_bool_dtype(values):
        return "category", ""  # as the texts True and False are
    if pd.api.types.is_numeric_dtype(values):
        return _number_or_id(reading.numbers(present))
    return _kind_of_texts(present, path, reading)


def _kind_of_texts(present: pd.Series, path: str | Path, reading: Reading) -> tuple[str | None, str]:
    values, numbers = present, reading.numbers(present)
    if numbers.isna().any():
        no_gap = ~reading.is_gap(present)
        values, numbers = present[no_gap], numbers[no_gap]
    share = numbers.notna().mean()
    if share == 1 and not are_codes(values).any():
        return _number_or_id(numbers)
    texts = reading.texts(present)
    if set(texts) <= {"True", "False"}:
        return "category", ""
    if not len(values):
        return None, f"no values but {listed([repr(text) for text in texts.unique()], 3)}"
    if MOSTLY_NUMBERS <= share < 1:
        raise SalutaryError(_mistakes(values, numbers, path, reading))
    if _are_dates(texts[values.index]):
        return None, DATES
    n_different = texts.nunique()
    if n_different > max(MANY_TEXTS, len(texts) / 2):
        return None, f"{FREE_TEXT} ({n_different:,} different values in {len(texts):,} rows)"
    return "category", ""


def are_codes(values: pd.Series) -> pd.Series:
    """Which of these numbers are names, such as 00501; all of them, if they are truth values."""
    if pd.api.types.infer_dtype(values) == "boolean" or not CODE.search("\n".join(map(str, values))):
        return pd.Series(pd.api.types.infer_dtype(values) == "boolean", values.index)
    return values.map(lambda value: bool(CODE.match(str(value)))).astype(bool)


def _mistakes(values: pd.Series, numbers: pd.Series, path: str | Path, reading: Reading) -> str:
    """What to do about the few values that are no numbers."""
    wrong = numbers.isna()
    count = f"{wrong.sum():,} of {len(values):,} values are none"
    texts = pd.Series(values.map(as_text).unique(), dtype=object)
    others = reading.setting("missing", list(values[wrong].map(as_text).unique()[:3]))
    found = " ".join(settings_that_read(texts, reading)[0]) or others
    advice = f"mend it, or set {found} or {reading.setting('categorical', [str(values.name)])} ({count})"
    return f"{not_a_number(values, wrong, path)}; {advice}"


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


def is_constant(values: pd.Series, as_numbers: bool, path: str | Path, reading: Reading) -> bool:
    """Whether there is one value, in every row. Numbers may be the same though their digits are not."""
    if not as_numbers:
        return not reading.is_missing(values).any() and reading.texts(values).nunique() < 2
    if reading.numbers(values.iloc[:SOME_ROWS]).nunique() > 1:
        return False
    numbers = to_numbers(values, path, reading)
    return not numbers.isna().any() and numbers.nunique() < 2
