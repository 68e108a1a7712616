"""Values as numbers, and which of them are none.

What means "no value" is decided here, once: a null, a NaN, the empty text; what the user names
(:attr:`Reading.missing`); and, in columns of numbers of a file that has no nulls, the usual markers
(:attr:`Reading.markers`). A class or an id is never one of these but the empty text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, Self

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.system.rules import Character, ListOf, Number, Text, Texts, Unless, check
from salutary.tables.messages import as_setting
from salutary.tables.texts import (
    by_value,
    canonical,
    is_missing,
    is_text,
    plain,
    to_texts,
)

# What means "no value" in columns of numbers, in capitals or not: for pandas, R, Excel, UCI and people.
MISSING = frozenset(
    [
        *("", "NA", "N/A", "n/a", "<NA>", "#N/A", "#N/A N/A", "#NA", "NaN", "nan", "-NaN", "-nan", "NULL"),
        *("null", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "NaT", "<null>", "(null)", "\\N"),
        *("#NULL!", "#VALUE!", "#DIV/0!", "#REF!", "#NAME?", "#NUM!", "?", "-", "--", "."),
    ]
)
READING_RULES = {
    "missing": ListOf(Text("") | Number(-math.inf), "a list of texts or numbers such as [?,-999]"),
    "decimal": Character(),
    "thousands": Unless(None, Character()),
    "units": Texts("a list of texts such as [%]"),
}
MINUS = "\u2212"  # as it is set in print
_FOLDED = frozenset(text.casefold() for text in MISSING)


@dataclass(frozen=True)
class Reading:
    """What the texts of a file mean.

    ``missing``: texts, or numbers, that mean "no value" in every column of features. ``decimal`` and
    ``thousands``: how texts write numbers; ``units``: what may stand before or after them. ``markers``: the
    texts that mean "no value" in columns of numbers, see :data:`MISSING`. ``prefix``: of these settings'
    names, in messages.
    """

    missing: tuple[str, ...] = ()
    decimal: str = "."
    thousands: str | None = None
    units: tuple[str, ...] = ()
    markers: frozenset[str] = _FOLDED
    prefix: str = ""

    def __post_init__(self) -> None:
        if self.decimal.isdigit() or (self.thousands or "").isdigit() or self.decimal == self.thousands:
            raise SalutaryError(
                f"decimal={self.decimal!r} and thousands={self.thousands!r} must differ, and be no digits"
            )

    @classmethod
    def of(cls, settings: object, prefix: str = "") -> Self:
        """From attributes of these names; raises SalutaryError for one that makes no sense."""
        names = ("missing", "decimal", "thousands", "units")
        check(settings, READING_RULES, prefix)
        missing, decimal, thousands, units = (getattr(settings, name) for name in names)
        return cls(tuple(map(str, missing)), decimal, thousands, tuple(units), prefix=prefix)

    def setting(self, name: str, texts: list[str]) -> str:
        """``missing=[?]`` as the user has to type it."""
        return as_setting(self.prefix + name, texts)

    @property
    def with_nulls(self) -> Self:
        """Of a file that says "no value" otherwise: a text is a value."""
        return replace(self, markers=frozenset())

    @cached_property
    def missing_texts(self) -> frozenset[str]:
        """As :func:`to_texts` has them."""
        return frozenset(canonical(text.strip(), self.decimal) for text in self.missing)

    @cached_property
    def missing_numbers(self) -> np.ndarray:
        """As they are written in the files, or in any program; a float32 has other digits."""
        numbers = [read(text) for text in self.missing for read in (self._number, Reading()._number)]
        wide = np.array(numbers, np.float64)
        with np.errstate(over="ignore"):
            found = np.concatenate([wide, wide.astype(np.float32).astype(np.float64)])
        return found[~np.isnan(found)]

    def texts(self, values: pd.Series) -> pd.Series:
        """Categories: :func:`to_texts` of this way to write numbers."""
        return to_texts(values, decimal=self.decimal)

    def categories(self, values: pd.Series) -> pd.Series:
        """:meth:`texts`, NaN for those that mean "no value", too."""
        return to_texts(values, self.missing_texts, self.decimal)

    def is_missing(self, values: pd.Series) -> pd.Series:
        """Whether there is no value in a column of features: nulls, empty texts, those of ``missing``."""
        missing = is_missing(values)
        return missing | self.texts(values).isin(self.missing_texts) if self.missing else missing

    def is_gap(self, values: pd.Series) -> pd.Series:
        """Whether there is no value in a column of numbers, or a text that says so."""
        gaps = self.is_missing(values) | self.is_marker(values)
        if not len(self.missing_numbers):
            return gaps
        return gaps | pd.Series(self._numbers(plain(values)), values.index).isin(self.missing_numbers)

    def is_marker(self, values: pd.Series) -> pd.Series:
        """Whether a text means "no value" in a column of numbers."""
        if not (self.markers and is_text(values)):
            return pd.Series(False, values.index)
        return by_value(values, lambda each: each.map(self._is_marker)).astype(bool)

    def numbers(self, values: pd.Series) -> pd.Series:
        """float64; NaN for what is missing, or no number."""
        numbers = pd.Series(self._numbers(plain(values)), values.index, float, values.name)
        return numbers.mask(numbers.isin(self.missing_numbers)) if len(self.missing_numbers) else numbers

    def _is_marker(self, value: object) -> bool:
        return isinstance(value, str) and value.strip().casefold() in self.markers

    def _numbers(self, values: pd.Series) -> np.ndarray:
        if not is_text(values):
            return values.to_numpy(float, na_value=np.nan)
        if self._is_plain and (quick := _quick_numbers(values)) is not None:
            return quick
        return by_value(values, lambda each: each.map(self._number).astype(float)).to_numpy()

    @property
    def _is_plain(self) -> bool:
        return (self.decimal, self.thousands, self.units) == (".", None, ())

    def _number(self, value: object) -> float:
        if not isinstance(value, str):
            return _typed_number(value)
        match = self._pattern.fullmatch(value.strip().replace(MINUS, "-"))
        if not match:
            return np.nan
        if match["word"]:
            return float(match["sign"] + match["word"])
        whole = re.sub(self._thousands, "", match["whole"] or "") if self.thousands else match["whole"]
        return float(f"{match['sign']}{whole or 0}.{match['part'] or 0}{match['power']}")

    @cached_property
    def _thousands(self) -> str:
        """What groups digits, as a pattern; spaces and apostrophes come in several forms."""
        alike = {" ": "[ \u00a0\u202f\u2009]", "'": "['\u2019]"}
        return alike.get(self.thousands or "", re.escape(self.thousands or ""))

    @cached_property
    def _pattern(self) -> re.Pattern:
        units = f"(?:{'|'.join(map(re.escape, self.units))})?" if self.units else ""
        grouped = rf"[1-9]\d{{0,2}}(?:{self._thousands}\d{{3}})+|" if self.thousands else ""
        point = re.escape(self.decimal)
        digits = (
            rf"(?={point}?\d)(?P<whole>{grouped}\d+)?(?:{point}(?P<part>\d*))?(?P<power>(?:[eE][-+]?\d+)?)"
        )
        number = rf"(?P<sign>[-+]?){units}\s*(?:{digits}|(?P<word>(?i:inf(?:inity)?)))"
        return re.compile(rf"{units}\s*{number}\s*{units}", re.ASCII)


def _quick_numbers(values: pd.Series) -> np.ndarray | None:
    """Numbers of texts that are nothing but numbers and gaps; None for others, which take longer."""
    texts = values.to_numpy(object)
    numbers = np.full(len(texts), np.nan)
    try:
        together = "".join(texts)
        if not together.isascii() or "_" in together:  # Python takes 1_000, and digits of other scripts
            return None
        present = texts != ""
        numbers[present] = texts[present].astype(float)
    except (TypeError, ValueError):
        return None
    return None if np.isnan(numbers[present]).any() else numbers


def _typed_number(value: Any) -> float:
    """Of a value that is no text: a number, a truth value; NaN for all else."""
    is_number = isinstance(value, (bool, int, float, Decimal, np.number, np.bool_))
    return float(value) if is_number and not isinstance(value, np.complexfloating) else np.nan
