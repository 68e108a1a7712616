"""What is to be told of the values of a file: nothing is taken for anything else in silence."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from salutary.tables.kinds import FREE_TEXT, are_codes
from salutary.tables.messages import as_setting, first_row, quoted, shown, where
from salutary.tables.proposals import settings_that_read
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema
from salutary.tables.texts import as_text, is_text

# Columns that a line names.
NAMED = 6
# Free text has so many words on average; ids have fewer.
WORDS = 3
# A column is taken for one of numbers, written otherwise, above this share of its different values.
HALF = 0.5


@dataclass
class _Met:
    """How often a text was met in a column, and in which row first."""

    count: int
    row: int


@dataclass
class Findings:
    """Markers that were met in the columns of a file, in all its blocks."""

    path: str | Path
    reading: Reading
    gaps: dict[str, dict[str, _Met]] = field(default_factory=dict)
    categories: dict[str, dict[str, _Met]] = field(default_factory=dict)

    def add(self, raw: pd.DataFrame, converted: pd.DataFrame, schema: Schema) -> None:
        """Take a block in, and what :meth:`Schema.convert` made of it."""
        if not self.reading.markers:
            return
        for name in schema.numeric:
            if converted[name].isna().any() and is_text(raw[name]):
                self._count(self.gaps, raw[name][converted[name].isna()], self.reading.missing)
        for name in schema.categorical:
            self._count(self.categories, raw[name][converted[name].notna()])

    def as_lists(self) -> dict[str, dict[str, dict[str, list[int]]]]:
        """Counts and first rows, for :meth:`add_lists` of another process."""
        kinds = {"gaps": self.gaps, "categories": self.categories}
        return {
            kind: {
                text: {name: [met.count, met.row] for name, met in each.items()} for text, each in of.items()
            }
            for kind, of in kinds.items()
        }

    def add_lists(self, found: dict[str, dict[str, dict[str, list[int]]]]) -> None:
        """Take in what other rows of the same file held, before or behind these."""
        for kind, of in found.items():
            for text, columns in of.items():
                here = getattr(self, kind).setdefault(text, {})
                for name, (count, row) in columns.items():
                    met = here.setdefault(name, _Met(0, row))
                    met.count, met.row = met.count + count, min(met.row, row)

    def lines(self) -> list[str]:
        """A line for each marker."""
        gaps = [
            f"{self.path}: {quoted(text)} means no value in columns of numbers: {_places(met)}"
            for text, met in self.gaps.items()
        ]
        return gaps + [
            f"{self.path}: {quoted(text)} is a category of its own: {_places(met)}; it means no value with"
            f" {self.reading.setting('missing', [text])}"
            for text, met in self.categories.items()
        ]

    def _count(self, kind: dict[str, dict[str, _Met]], values: pd.Series, told: Collection[str] = ()) -> None:
        """Count the markers, but for those that the user has ``told`` of."""
        is_marker = self.reading.is_marker(values)
        if not is_marker.any():
            return
        markers = values[is_marker].map(as_text).astype(object).str.strip()
        for text, rows in markers.groupby(markers, sort=False):
            if text and text not in told:
                column = kind.setdefault(str(text), {})
                met = column.setdefault(str(values.name), _Met(0, int(rows.index[0])))
                met.count += len(rows)


def class_findings(labels: pd.Series, path: str | Path, reading: Reading) -> list[str]:
    """Labels that mean "no value" elsewhere: here they are classes; and classes that may be one."""
    found = Findings(path, reading)
    found._count(found.categories, labels)
    lines = [
        f"{path}: {quoted(text)} is a class: {_places(met)}; leave the label empty where there is none"
        for text, met in found.categories.items()
    ]
    if same := _alike(labels, path, reading, "class"):
        lines.append(same)
    names = pd.Series(reading.texts(labels).dropna().unique(), dtype=object)
    alike = names[names.str.casefold().duplicated(keep=False)].tolist()
    if alike:
        together = " and ".join(map(quoted, sorted(alike)[:2]))
        lines.append(f"{where(path, labels.name)}: {together} are two classes, which differ in capitals only")
    return lines


def column_findings(
    frame: pd.DataFrame, schema: Schema, path: str | Path, reading: Reading, named: Iterable[str] = ()
) -> list[str]:
    """Columns that may hold something else than they are taken for: numbers written otherwise, unless they
    are ``named`` for what they are, and texts that are one category though they differ.
    """
    lines = []
    free_texts = [name for name, why in schema.left_out.items() if why.startswith(FREE_TEXT)]
    for name in [*schema.categorical, *free_texts]:
        if not is_text(frame[name]) or pd.api.types.infer_dtype(frame[name]) == "boolean":
            continue
        taken = "left out as free text" if name in free_texts else "taken for categories"
        found = None if name in set(named) else _other_numbers(frame[name], taken, path, reading)
        if not found and name in schema.categorical:
            found = _alike(frame[name], path, reading)
        lines += [found] if found else []
    return lines


def left_out_findings(schema: Schema, path: str | Path, asked: Iterable[str] = ()) -> list[str]:
    """Every column that is left out unasked, by reason."""
    reasons: dict[str, list[str]] = {}
    for name, why in schema.left_out.items():
        if name not in set(asked):
            reasons.setdefault(why, []).append(shown(name))
    return [f"{path}: left out {', '.join(names)} ({why})" for why, names in reasons.items()]


def text_findings(frame: pd.DataFrame, schema: Schema, path: str | Path, encoder: str) -> list[str]:
    """A line for the columns that are left out as free text, and are texts indeed: ``encoder`` reads them."""
    names = [
        name
        for name, why in schema.left_out.items()
        if why.startswith(FREE_TEXT) and _words(frame[name]).mean() >= WORDS
    ]
    if not names:
        return []
    which = "them" if len(names) > 1 else "it"
    return [f"{path}: {as_setting('text', names)} reads {which}, by encoder={encoder}"]


def _words(values: pd.Series) -> pd.Series:
    """How many there are in each text."""
    texts = pd.Series(values.dropna().map(as_text).unique(), dtype=object)
    return texts.str.split().map(len)


def _places(met: dict[str, _Met]) -> str:
    named = [
        f"{shown(name)} ({each.count:,}, row {each.row + 1})" for name, each in list(met.items())[:NAMED]
    ]
    more = f" and {len(met) - NAMED} more" if len(met) > NAMED else ""
    return ", ".join(named) + more


def _alike(values: pd.Series, path: str | Path, reading: Reading, what: str = "category") -> str | None:
    """Two texts of the column that are one category, such as 1.1 and 1.10."""
    texts = pd.Series(values.dropna().map(as_text).str.strip().unique(), dtype=object)
    groups = texts.groupby(reading.texts(texts)).agg(list)
    several = groups[groups.map(len) > 1]
    if not len(several):
        return None
    (first, second, *_), name = several.iloc[0], several.index[0]
    return f"{where(path, values.name)}: {quoted(first)} and {quoted(second)} are one {what}, {shown(name)}"


def _other_numbers(values: pd.Series, taken: str, path: str | Path, reading: Reading) -> str | None:
    """What would make numbers of most of the values, if anything would."""
    present = values[~reading.is_gap(values)]
    texts = pd.Series(present.unique(), dtype=object)
    advice, numbers = settings_that_read(texts, reading)
    if numbers.notna().mean() <= HALF:
        return None
    rest, odd = texts[numbers.isna()], reading.numbers(present).isna()
    if not odd.any():
        advice, odd = [reading.setting("numeric", [str(values.name)])], are_codes(present)
    row = first_row(odd)
    cause = f"it is {taken} for values such as {quoted(values[row])}"
    count = f"{int((~present.isin(rest)).sum()):,} of {len(present):,} are numbers"
    with_them = f" with {' '.join(advice)}" if advice else ""
    return f"{where(path, values.name, row)}: {cause}, but {count}{with_them}"
