"""What every kind of file of rows and columns can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.system.urls import is_remote
from salutary.tables.messages import listed, quoted, where
from salutary.tables.reading import Reading
from salutary.tables.texts import as_objects
from salutary.tables.vectors import Vectors

# Rows of one block.
BLOCK_ROWS = 32_768


class TableFile(ABC):
    """Rows and named columns in a file. ``n_rows`` is None where only reading all of it would tell.

    ``reading``: what its texts mean. ``unusable``: columns that hold what there are no features of, and why;
    they are in nobody's way unless they are asked for. ``vectors``: what several columns are together.
    ``skipped``: a line for each row that is left out.
    ``file``: what is read; ``path``: what messages call it, and :func:`.files.open_table` opens.
    """

    n_rows: int | None = None

    def __init__(self, path: Path, reading: Reading | None = None, name: str | None = None):
        self.file = path
        self.path: str | Path = name or path
        self.vectors: Vectors = Vectors({})
        self.reading = reading or Reading()
        self.unusable: dict[str, str] = {}
        self.skipped: list[str] = []

    @property
    @abstractmethod
    def columns(self) -> list[str]: ...

    @property
    def folder(self) -> Path:
        """What paths in its columns are relative to; of a table elsewhere the working directory."""
        if is_remote(str(self.path)):
            return Path()
        return self.file if self.file.is_dir() else self.file.parent

    def numbers(self, places: np.ndarray) -> np.ndarray:
        """The numbers in the file of the rows at these places of the blocks."""
        return places

    def places(self, numbers: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`numbers`, of rows that are there."""
        return numbers

    def has(self, numbers: np.ndarray) -> np.ndarray:
        """Whether there are rows of these numbers in the file."""
        n_rows = self.n_rows
        if n_rows is None:
            n_rows = sum(
                map(len, self.blocks([name for name in self.columns if name not in self.unusable][:1]))
            )
        return numbers < n_rows

    @abstractmethod
    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """The rows of these columns, in order, in pieces."""

    def blocks(self, columns: Iterable[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows in blocks, indexed by their number from 0.

        Raises SalutaryError for a column that is not there, is there twice or holds what cannot be used, and
        for a damaged file.
        """
        names = self.columns if columns is None else list(columns)
        self.check(names)
        start = 0
        for frame in filter(len, self.frames(names)):
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield frame

    def read(self, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """All rows; raises SalutaryError, as :meth:`blocks` does, and for a file without rows."""
        blocks = list(self.blocks(columns))
        if not sum(map(len, blocks)):
            raise SalutaryError(f"{self.path} has no rows")
        return joined(blocks)

    def read_all_but(self, ignored: Iterable[str], named: Iterable[str] = ()) -> pd.DataFrame:
        """All rows without some columns, which are to be there all the same, and without unusable ones that
        are not ``named``.
        """
        ignored, named = self.vectors.expanded(ignored), list(named)
        check_columns(self.path, self.columns, ignored, may_be_twice=True)
        self.check(named)
        return self.read([each for each in self.columns if each not in {*ignored, *self.unusable}])

    def check(self, names: Iterable[str]) -> None:
        """Raises SalutaryError for a column that is not there, is there twice or cannot be used."""
        names = list(names)
        check_columns(self.path, self.columns, names)
        for column in names:
            if column in self.unusable:
                raise SalutaryError(f"{where(self.path, column)}: {self.unusable[column]}")


def joined(blocks: list[pd.DataFrame]) -> pd.DataFrame:
    """The blocks, one below the other; no value changes, whatever types a column has in them."""
    if len(blocks) < 2:
        return blocks[0]
    types = zip(blocks[0], *(frame.dtypes for frame in blocks), strict=True)
    different = [name for name, *each in types if len(set(each)) > 1]
    return pd.concat([_as_objects(frame, different) if different else frame for frame in blocks])


def _as_objects(frame: pd.DataFrame, columns: list) -> pd.DataFrame:
    values = {name: as_objects(frame[name]) if name in columns else frame[name] for name in frame}
    return pd.DataFrame(values, index=frame.index)


def check_columns(
    path: str | Path, columns: list[str], names: Iterable[str], may_be_twice: bool = False
) -> None:
    """Raises SalutaryError, naming the ``columns`` there are, unless each name is one of them, once."""
    counts = Counter(columns)
    for column in names:
        if "\0" in column:  # which NumPy drops at the end of a text
            raise SalutaryError(f"{path} has the column {quoted(column)}: a name cannot hold a NUL")
        if counts[column] != 1 and not (may_be_twice and column in counts):
            number = "no column" if column not in columns else "more than one column"
            raise SalutaryError(
                f"{path} has {number} {quoted(column)}; its columns are {listed(columns, 20)}"
            )
