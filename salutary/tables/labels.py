"""The classes of a target column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables import UNLABELED
from salutary.tables.messages import first_row, listed, quoted, shown, where
from salutary.tables.texts import to_texts

WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")  # of 64 bits


@dataclass(frozen=True)
class Classes:
    """The classes of a target, as text, in order: by value if all of them are whole numbers, else as text.

    ``decimal``: how the files write numbers.
    """

    names: tuple[str, ...]
    decimal: str = "."

    @classmethod
    def of(cls, values: pd.Series, path: str | Path, decimal: str = ".") -> Classes:
        """The distinct labels. Raises SalutaryError for fewer than two, and for real numbers."""
        labels = to_texts(values, decimal=decimal).dropna()
        place = where(path, values.name)
        numbers = pd.to_numeric(labels, errors="coerce").astype(float)
        finite = numbers[np.isfinite(numbers)]
        real = finite[finite % 1 != 0]
        if len(real) and numbers.notna().all():
            row = int(real.index[0])
            problem = f"{quoted(labels[row])} is no class, the target must be classes"
            raise SalutaryError(f"{where(path, values.name, row)}: {problem}")
        names = labels.unique()
        if len(names) < 2:
            problem = f"the single class {shown(names[0])}" if len(names) else "no labels"
            raise SalutaryError(f"{place}: {problem}, but at least two classes are needed")
        if len(names) > max(20, len(labels) / 2):
            problem = f"{len(names)} different labels in {len(labels)} rows"
            raise SalutaryError(f"{place}: {problem} are no classes; is it the target?")
        return cls(tuple(sorted(names, key=int if all(map(WHOLE.fullmatch, names)) else None)), decimal)

    @property
    def values(self) -> np.ndarray:
        """The classes as the user has them: whole numbers if all of them are, else texts."""
        if all(map(WHOLE.fullmatch, self.names)):
            return np.array([int(name) for name in self.names])
        return np.array(self.names, dtype=object).astype(str)

    def encode(self, values: pd.Series, path: str | Path, required: bool = True) -> np.ndarray:
        """Class numbers (n,), UNLABELED where there is none unless one is ``required``.

        Raises SalutaryError, naming the row, for a class that is not among these, or a label that is missing.
        """
        labels = to_texts(values, decimal=self.decimal)
        unknown = labels.notna() & ~labels.isin(self.names)
        if unknown.any():
            row = first_row(unknown)
            problem = f"{quoted(labels[row])} is none of the known classes, {listed(list(self.names), 10)}"
            raise SalutaryError(f"{where(path, values.name, row)}: {problem}")
        if required and labels.isna().any():
            place = where(path, values.name, first_row(labels.isna()))
            raise SalutaryError(f"{place}: there is no label (rows without one are the pool's)")
        numbers = {name: number for number, name in enumerate(self.names)}
        return np.array(labels.map(numbers).fillna(UNLABELED), np.int64)  # a copy: pandas' own is read-only
