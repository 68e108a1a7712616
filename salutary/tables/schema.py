"""What the columns of a table hold, and their values as numbers or text.

Nothing is guessed silently: what is no plain number or category, such as a date or an id, is left out, and
:attr:`Schema.left_out` says why.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import listed, quoted, shown, where
from salutary.tables.numbers import SOME_ROWS, not_a_number, plain_numbers, surely_numbers, to_numbers
from salutary.tables.pictures import BadPicture, located
from salutary.tables.proposals import settings_that_read
from salutary.tables.reading import MISSING as MISSING  # where 0.3.0 had it
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


@dataclass(frozen=True)
class Schema:
    """``numeric``, ``categorical``, ``texts`` and ``images``: the columns used; texts stand alone or
    are pairs, images are paths of pictures. ``left_out``: the others, and why.
    """

    numeric: tuple[str, ...]
    categorical: tuple[str, ...]
    left_out: dict[str, str]
    texts: tuple[tuple[str, ...], ...] = ()
    images: tuple[str, ...] = ()

    @property
    def used(self) -> list[str]:
        return [*self.plain, *self.text, *self.images]

    @property
    def plain(self) -> list[str]:
        """Those of numbers and categories."""
        return [*self.numeric, *self.categorical]

    @property
    def text(self) -> list[str]:
        """Those of texts."""
        return [column for columns in self.texts for column in columns]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        path: str | Path,
        numeric: Iterable[str] = (),
        categorical: Iterable[str] = (),
        ignore: Iterable[str] = (),
        reading: Reading | None = None,
        unusable: Mapping[str, str] = MappingProxyType({}),
        text: Iterable[str] = (),
        pair: Iterable[str] = (),
        images: Iterable[str] = (),
    ) -> Schema:
        """What the columns of ``frame`` hold; those named are what they are said to be. Those to ``ignore``
        need not be in it. ``reading``: of the frame's texts; ``unusable``: columns that it lacks, and why.
        ``text``: columns of texts, each for itself; ``pair``: two columns of texts that are compared;
        ``images``: columns of paths of pictures.

        Raises SalutaryError for a column that mixes numbers and text, and if none can be used.
        """
        numeric, categorical, ignore = list(numeric), list(categorical), list(ignore)
        texts, images = _texts(list(text), list(pair)), tuple(images)
        reading = reading or Reading()
        of_texts = [column for columns in texts for column in columns]
        named = [*numeric, *categorical, *of_texts, *images, *ignore]
        for column in named:
            if named.count(column) > 1:
                kinds = "numeric, categorical, text, pair" if texts else "numeric, categorical"
                kinds += ", images" if images else ""
                raise SalutaryError(f"column {quoted(column)} is named twice in {kinds} and ignore")
            if column in unusable and column not in ignore:
                raise SalutaryError(f"{where(path, column)}: {unusable[column]}")
            if column not in frame and column not in ignore:
                what = "texts" if column in of_texts else "numeric or categorical"
                what = "images" if column in images else what
                raise SalutaryError(f"{path} has no column {quoted(column)} to use as {what}")
        for column in (*of_texts, *images):
            _require_texts(frame[column], path, reading, "texts" if column in of_texts else "paths")
        left_out = {**unusable, **dict.fromkeys(ignore, "as asked")}
        others = frame.columns.difference(named, sort=False)
        sure = surely_numbers(frame, others, reading)
        for column in others:
            if column in sure:
                numeric.append(column)
                continue
            kind, why = _kind(frame[column], path, reading)
            if kind is None:
                left_out[column] = why
            else:
                (numeric if kind == "number" else categorical).append(column)
        for column in [*numeric, *categorical]:
            if column in named or column in sure:
                continue
            if _is_constant(frame[column], column in numeric, path, reading):
                left_out[column] = "constant"
        used = [[c for c in columns if c not in left_out] for columns in (numeric, categorical)]
        if not any(used) and not texts and not images:
            reasons = "; ".join(f"{shown(column)}: {why}" for column, why in list(left_out.items())[:6])
            raise SalutaryError(
                f"{path} has no column to learn from ({reasons or 'there is only the target'})"
            )
        return cls(tuple(used[0]), tuple(used[1]), left_out, texts, images)

    def convert(
        self,
        frame: pd.DataFrame,
        path: str | Path,
        reading: Reading | None = None,
        folder: Path = Path(),
    ) -> pd.DataFrame:
        """The used columns, as float64 (NaN where missing), categories (NaN where missing), texts
        (empty where missing) and paths of pictures.

        ``frame`` is indexed by row number from 0; ``reading``: of its texts; ``folder``: what paths are
        relative to. Raises SalutaryError, naming column and row, for a number that is none, or is
        infinite, and for no path.
        """
        reading = reading or Reading()
        quick = plain_numbers(frame, self.numeric, reading)
        if list(quick) == self.used:
            return quick
        rest = [name for name in self.numeric if name not in quick]
        columns = {name: to_numbers(frame[name], path, reading) for name in rest}
        columns |= {name: reading.categories(frame[name]) for name in self.categorical}
        columns |= {name: reading.categories(frame[name]).fillna("") for name in self.text}
        columns |= {name: _located(frame[name], path, folder) for name in self.images}
        found = pd.DataFrame(columns, index=frame.index)
        return pd.concat([quick, found], axis=1)[self.used] if len(quick.columns) else found


def _texts(text: list[str], pair: list[str]) -> tuple[tuple[str, ...], ...]:
    """Columns that stand alone, then the pair. Raises SalutaryError for a pair of more or fewer than two."""
    if len(pair) not in (0, 2):
        raise SalutaryError(f"pair must be two columns of texts, such as [premise,hypothesis], not {pair!r}")
    together = " + ".join(pair)
    if together in text:
        raise SalutaryError(
            f"text: the column {quoted(together)} has the name of what pair={pair} makes: rename it"
        )
    return (*((column,) for column in text), *([tuple(pair)] if pair else []))


def _located(values: pd.Series, path: str | Path, folder: Path) -> pd.Series:
    """Where the pictures are. Raises SalutaryError, naming the row, for one that is not named."""
    found = []
    for row, value in zip(values.index, values, strict=True):
        try:
            found.append(str(located(value, folder)))
        except BadPicture as error:
            raise BadPicture(f"{where(path, values.name, row)}: {error}") from error
    return pd.Series(found, values.index, object)


def _require_texts(values: pd.Series, path: str | Path, reading: Reading, what: str) -> None:
    """Raises SalutaryError for a column of which no value is a text."""
    present = values[~reading.is_gap(values)]
    if not len(present):
        raise SalutaryError(f"{where(path, values.name)}: it holds no {what}, since no row has a value")
    if is_time(values) or reading.numbers(present).notna().all():
        kind = "times" if is_time(values) else "numbers"
        raise SalutaryError(f"{where(path, values.name)}: it holds {kind}, not {what}")


def _kind(values: pd.Series, path: str | Path, reading: Reading) -> tuple[str | None, str]:
    """``number``, ``category``, or None and why the column is left out."""
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


def _is_constant(values: pd.Series, as_numbers: bool, path: str | Path, reading: Reading) -> bool:
    """Whether there is one value, in every row. Numbers may be the same though their digits are not."""
    if not as_numbers:
        return not reading.is_missing(values).any() and reading.texts(values).nunique() < 2
    if reading.numbers(values.iloc[:SOME_ROWS]).nunique() > 1:
        return False
    numbers = to_numbers(values, path, reading)
    return not numbers.isna().any() and numbers.nunique() < 2


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
