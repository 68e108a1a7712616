"""The classes of a target column."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.datasets import UNLABELED
from salutary.errors import SalutaryError
from salutary.tables.schema import to_texts

WHOLE = re.compile(r"0|-?[1-9]\d*")


@dataclass(frozen=True)
class Classes:
    """The classes of a target, as text, in order: by value if all of them are whole numbers, else as text."""

    names: tuple[str, ...]

    @classmethod
    def of(cls, values: pd.Series, path: str | Path) -> Classes:
        """The distinct labels. Raises SalutaryError for fewer than two, and for real numbers."""
        labels = to_texts(values).dropna()
        where = f"{path}, column {values.name}"
        numbers = pd.to_numeric(labels, errors="coerce")
        fractions = (numbers % 1 != 0) & np.isfinite(numbers)
        if len(labels) and numbers.notna().all() and fractions.any():
            row = fractions.idxmax()
            raise SalutaryError(
                f"{where}, row {row + 1}: {labels[row]} is no class, the target must be classes"
            )
        names = labels.unique()
        if len(names) < 2:
            found = f"the single class {names[0]}" if len(names) else "no labels"
            raise SalutaryError(f"{where}: {found}, but at least two classes are needed")
        if len(names) > max(20, len(labels) / 2):
            found = f"{len(names)} different labels in {len(labels)} rows"
            raise SalutaryError(f"{where}: {found} are no classes; is it the target?")
        return cls(tuple(sorted(names, key=int if all(map(WHOLE.fullmatch, names)) else None)))

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
        labels = to_texts(values)
        where = f"{path}, column {values.name}"
        unknown = labels.notna() & ~labels.isin(self.names)
        if unknown.any():
            row = unknown.idxmax()
            known = ", ".join(self.names[:10])
            raise SalutaryError(
                f"{where}, row {row + 1}: {labels[row]!r} is none of the known classes, {known}"
            )
        if required and labels.isna().any():
            row = labels.isna().idxmax()
            raise SalutaryError(
                f"{where}, row {row + 1}: there is no label (rows without one are the pool's)"
            )
        numbers = {name: number for number, name in enumerate(self.names)}
        return np.array(labels.map(numbers).fillna(UNLABELED), np.int64)  # a copy: pandas' own is read-only
