"""Columns that hold a vector in each row, such as an embedding, as columns of numbers: name_0, name_1, ..."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import where

# Values of one block of a table that has vectors.
BLOCK_VALUES = 2**22


class Vectors:
    """Names of vectors and their ``widths``; ``columns``: what each of their numbers is called."""

    def __init__(self, widths: Mapping[str, int]):
        self.widths = dict(widths)
        self.columns = {name: [f"{name}_{i}" for i in range(width)] for name, width in widths.items()}
        self._places = {
            column: (name, place)
            for name, columns in self.columns.items()
            for place, column in enumerate(columns)
        }

    def __bool__(self) -> bool:
        return bool(self.columns)

    def expanded(self, names: Iterable[str]) -> list[str]:
        """The names, with those of the numbers in place of each vector's."""
        return [column for name in names for column in self.columns.get(name, [name])]

    def needed(self, columns: Iterable[str]) -> list[str]:
        """What these columns are parts of, each once: vectors, and columns that are none."""
        return list(dict.fromkeys(self._places.get(each, (each, 0))[0] for each in columns))

    def frame(self, columns: list[str], found: Mapping[str, pd.Series | np.ndarray]) -> pd.DataFrame:
        """These columns, of what was ``found``: a matrix (n, width) for a vector, (n,) for all else."""
        matrices = {name: each for name, each in found.items() if name in self.columns}
        parts, rest = [], {name: found[name] for name in columns if name not in self._places}
        n = len(next(iter(found.values())))
        if rest:
            parts.append(pd.DataFrame(rest, index=range(n)))
        for name, matrix in matrices.items():
            asked = [column for column in columns if self._places.get(column, ("", 0))[0] == name]
            places = [self._places[column][1] for column in asked]
            whole = places == list(range(matrix.shape[1]))
            parts.append(pd.DataFrame(matrix if whole else matrix[:, places], range(n), asked))
        frame = pd.concat(parts, axis=1) if len(parts) > 1 else parts[0]
        return frame if list(frame) == columns else frame[columns]


def rows_of_block(n_columns: int, most: int) -> int:
    """How many rows of so many columns are read at a time, at ``most``."""
    return max(1, min(most, BLOCK_VALUES // max(n_columns, 1)))


def checked(matrix: np.ndarray, path: str | Path, name: str | None, start: int) -> np.ndarray:
    """The vectors (n, width) of the rows from number ``start`` on. Raises SalutaryError, naming the row, for
    a number that is missing.
    """
    missing = np.isnan(matrix).any(axis=1) if matrix.dtype.kind == "f" else np.zeros(len(matrix), bool)
    if missing.any():
        row = int(missing.argmax())
        place = int(np.isnan(matrix[row]).argmax())
        raise SalutaryError(f"{where(path, name, start + row)}: number {place + 1} of the vector is missing")
    return matrix.astype(np.float32) if matrix.dtype == np.float16 else matrix
