"""The groups of a column, such as sex or age: of whom a model is to be as good to one as to another."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.system.rules import ListOf, Number
from salutary.tables.labels import WHOLE
from salutary.tables.reading import Reading

# Of rows without a value, which are of no group.
NO_GROUP = -1
MAX_GROUPS = 20
EDGES = ListOf(Number(-math.inf), "a list of numbers that cut groups apart, such as [30,55]")


@dataclass(frozen=True)
class Groups:
    """``numbers`` (n,), int64: the group of each row, :data:`NO_GROUP` where there is no value.

    ``names`` (G,): by value if all are whole numbers, else as text; of numbers that edges cut, from the least
    on.
    """

    numbers: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(
        cls, values: pd.Series, setting: str, edges: Sequence[float] = (), reading: Reading | None = None
    ) -> Groups:
        """The groups of a column: its values, or the ranges [.., e_1), [e_1, e_2), .. of ``edges``.

        ``setting``: what named the column, such as ``dataset.group``. Raises SalutaryError for a single
        value, for more than ``MAX_GROUPS``, and for edges of what are no numbers or that do not rise.
        """
        place = f"{setting}={values.name}"
        texts = (reading or Reading()).categories(values)
        if len(edges):
            found = _cut(texts, place, setting, edges)
        else:
            names = sorted(
                present := {*texts.dropna()}, key=int if all(map(WHOLE.fullmatch, present)) else None
            )
            places = {name: number for number, name in enumerate(names)}
            found = cls(np.array(texts.map(places).fillna(NO_GROUP), np.int64), tuple(names))
        n = len(np.unique(found.numbers[found.numbers != NO_GROUP]))
        if n < 2:
            raise SalutaryError(f"{place} makes a single group of all rows: two at least are to be compared")
        if n > MAX_GROUPS:
            raise SalutaryError(
                f"{place} has {n:,} values, a group needs many rows and there may be {MAX_GROUPS}:"
                f" {setting}_edges=[30,55] cuts numbers"
            )
        return found

    def counts(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """Rows of each group and class y (n,), (G, C)."""
        known = (self.numbers != NO_GROUP) & (y >= 0)
        counts = np.zeros((len(self.names), n_classes), np.int64)
        np.add.at(counts, (self.numbers[known], y[known]), 1)
        return counts


def strata(y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Numbers (n,) of the groups (n,) within the classes y (n,), in order of classes, then groups; y itself
    without groups.
    """
    if groups is None:
        return y
    return np.unique(np.stack([y, groups]), axis=1, return_inverse=True)[1].ravel()


def range_numbers(values: np.ndarray, edges: Sequence[float]) -> np.ndarray:
    """Which of the ranges [.., e_1), [e_1, e_2), .. each value (n,) is in, NO_GROUP of NaN."""
    return np.where(
        np.isnan(values), NO_GROUP, np.searchsorted(np.asarray(edges, float), values, side="right")
    )


def _cut(texts: pd.Series, place: str, setting: str, edges: Sequence[float]) -> Groups:
    if list(edges) != sorted(set(edges)):
        raise SalutaryError(f"{setting}_edges must rise, not be {list(edges)}")
    values = pd.to_numeric(texts, errors="coerce").astype(float)
    wrong = values.isna() & texts.notna()
    if wrong.any():
        raise SalutaryError(f"{place}: {texts[wrong].iloc[0]!r} is no number, which {setting}_edges cuts")
    shown = [f"{edge:g}" for edge in edges]
    middle = [f"{low} to {high}" for low, high in itertools.pairwise(shown)]
    names = (f"below {shown[0]}", *middle, f"{shown[-1]} and above")
    return Groups(range_numbers(values.to_numpy(), edges), names)
