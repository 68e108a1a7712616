"""What every kind of file of rows and columns can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.messages import listed, quoted

# Rows of one block.
BLOCK_ROWS = 32_768


class TableFile(ABC):
    """Rows and named columns in a file. ``n_rows`` is None where only reading all of it would tell."""

    n_rows: int | None = None

    def __init__(self, path: Path):
        self.path = path

    @property
    @abstractmethod
    def columns(self) -> list[str]: ...

    @abstractmethod
    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """The rows of these columns, in order, in pieces."""

    def blocks(self, columns: Iterable[str] | None = None) -> Iterator[pd.DataFrame]:
        """The rows in blocks, indexed by their number from 0.

        Raises SalutaryError for a column that is not there, or is there twice, and for a damaged file.
        """
        names = self.columns if columns is None else list(columns)
        check_columns(self.path, self.columns, names)
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
        return pd.concat(blocks)

    def read_all_but(self, ignored: Iterable[str]) -> pd.DataFrame:
        """All rows without some columns, which are to be there all the same."""
        ignored = list(ignored)
        check_columns(self.path, self.columns, ignored)
        return self.read([column for column in self.columns if column not in ignored])


def check_columns(path: Path, columns: list[str], names: Iterable[str]) -> None:
    """Raises SalutaryError, naming the ``columns`` there are, unless each name is one of them, once."""
    counts = Counter(columns)
    for column in names:
        if "\0" in column:  # which NumPy drops at the end of a text
            raise SalutaryError(f"{path} has the column {quoted(column)}: a name cannot hold a NUL")
        if counts[column] != 1:
            number = "no column" if column not in columns else "more than one column"
            raise SalutaryError(
                f"{path} has {number} {quoted(column)}; its columns are {listed(columns, 20)}"
            )
