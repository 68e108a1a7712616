"""What would make numbers of texts that are none: settings to propose, nothing that is done by itself."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from salutary.tables.reading import Reading

# Different texts beside the numbers that may be markers; more are codes.
FEW = 3
# Before or after a number: a symbol, or letters that do not touch its front and are more than one where they
# touch its end, since V45 and 45A are codes.
SYMBOL = r"[%‰°$€£¥₹₽₩¢]"
UNIT = (
    rf"(?:({SYMBOL}|[^\W\d_]{{1,4}}(?= )) ?)?[-+]?\d[\d.,' \u00a0\u2019\u202f]*?"
    rf"\s?({SYMBOL}|(?<= )[^\W\d_]|[^\W\d_]{{2,5}})?"
)


def settings_that_read(texts: pd.Series, reading: Reading) -> tuple[list[str], pd.Series]:
    """The settings that read most of different texts as numbers, and the few others as no value, empty where
    nothing helps; and the numbers they then are, NaN for the others.
    """
    best, numbers = _best_reading(texts, reading)
    rest = texts[numbers.isna()].tolist()
    found = _differences(best, reading)
    if 0 < len(rest) <= FEW and len(rest) < len(texts):
        found.append(reading.setting("missing", rest))
    return found, numbers


def reads(text: object, reading: Reading) -> str:
    """``; units=[%] reads it`` of a text that is no number, where a setting does; else empty."""
    best, numbers = _best_reading(pd.Series([text], dtype=object), reading)
    return "" if numbers.isna().any() else f"; {' '.join(_differences(best, reading))} reads it"


def _best_reading(texts: pd.Series, reading: Reading) -> tuple[Reading, pd.Series]:
    """The way to write numbers, of those that are usual, that reads most of them; and the numbers."""
    best, numbers = reading, reading.numbers(texts)
    for other in _readings(texts, reading):
        read = other.numbers(texts)
        if read.notna().sum() > numbers.notna().sum():
            best, numbers = other, read
    return best, numbers


def _readings(texts: pd.Series, reading: Reading) -> list[Reading]:
    """Ways to write numbers that may be those of the texts."""
    marks = [(".", None), (",", None), (".", ","), (",", "."), (".", "'"), (".", " "), (",", " ")]
    if _grouped(texts):  # 1,234 is rather a thousand than a decimal number
        marks.remove((",", None))
    ways = [replace(reading, decimal=decimal, thousands=thousands) for decimal, thousands in marks]
    units = texts.astype(str).str.strip().str.extract(f"^{UNIT}$")
    common = pd.concat([units[0], units[1]]).value_counts()[:1]
    return ways + [replace(way, units=(*reading.units, str(unit))) for unit in common.index for way in ways]


def _grouped(texts: pd.Series) -> bool:
    """Whether commas group digits by three wherever they are."""
    commas = texts[texts.astype(str).str.contains(",")].astype(str)
    return bool(len(commas)) and bool(commas.str.contains(r"(?<!\d)[1-9]\d{0,2}(?:,\d{3})+(?!\d|,)").all())


def _differences(reading: Reading, before: Reading) -> list[str]:
    """The settings that make the one of the other."""
    found = []
    if reading.decimal != before.decimal:
        found.append(f'{before.prefix}decimal="{reading.decimal}"')
    if reading.thousands != before.thousands:
        mark = "null" if reading.thousands is None else f'"{reading.thousands}"'
        found.append(f"{before.prefix}thousands={mark}")
    return found + ([before.setting("units", list(reading.units))] if reading.units != before.units else [])
