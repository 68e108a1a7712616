"""Parquet and Arrow files, and what queries find in DuckDB, by PyArrow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.arrow_forms import ARROW, ArrowFile, Ipc, Parquet, Query
from salutary.tables.messages import where
from salutary.tables.parquet_folder import parquet_files, partition
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile
from salutary.tables.vectors import Vectors, rows_of_block

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class Piece:
    """``n_rows`` of a table from number ``start`` on: some groups of one of its files."""

    file: int
    groups: range
    start: int
    n_rows: int


class ArrowFiles(TableFile):
    """A Parquet or Arrow file, or a folder of Parquet files (:mod:`salutary.tables.parquet_folder`); or what
    a ``query`` finds in a file of DuckDB's.

    Folders named ``column=value`` are columns, too. Lists of real numbers, all of one length, are vectors
    (:mod:`salutary.tables.vectors`). Columns that not all files have, or that hold something else in some,
    are unusable. Raises SalutaryError for a file that is not whole.
    """

    n_rows: int

    def __init__(
        self, path: Path, reading: Reading | None = None, name: str | None = None, query: str | None = None
    ):
        super().__init__(path, reading, name)
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise needs("pyarrow", "parquet") from error
        files = self._opened(query)
        self._files = [file for file in files if file.n_rows] or files[:1]
        self.n_rows = sum(file.n_rows for file in self._files)
        columns = [*self._files[0].columns]
        for file in self._files:
            columns += [name for name in file.columns if name not in columns]
        if len(set(columns)) == len(columns):  # in the order of the first file, though that may be empty
            order = dict.fromkeys(name for file in files for name in file.columns)
            columns.sort(key={name: place for place, name in enumerate(order)}.__getitem__)
        widths = {name: width for name in columns if (width := self._width(name))}
        self.vectors = Vectors(widths)
        for name in columns:
            if name not in widths and (why := self._why_unusable(name)):
                self.unusable[name] = why
        self._columns = self.vectors.expanded(columns)

    def _opened(self, query: str | None) -> list[ArrowFile]:
        if query is not None:
            return [Query(self.file, str(self.path), query)]
        if self.file.is_dir():
            return [Parquet(each, str(each), partition(each, self.file)) for each in parquet_files(self.file)]
        kind = Ipc if self.file.suffix.lower() in ARROW else Parquet
        return [kind(self.file, str(self.path))]

    @property
    def columns(self) -> list[str]:
        return self._columns

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        start = 0
        for file in self._files:
            for frame in self._frames(file, None, columns, start):
                yield frame
                start += len(frame)

    def pieces(self, n: int) -> list[Piece]:
        """Parts that can be read by themselves, in order: a group of a Parquet file's rows, or several that
        have at most ``n`` rows.
        """
        found, start = [], 0
        for place, file in enumerate(self._files):
            first, rows = 0, 0
            for group, more in enumerate([*file.group_rows, n + 1]):
                if rows and rows + more > n:
                    found.append(Piece(place, range(first, group), start, rows))
                    start, first, rows = start + rows, group, 0
                rows += more
        return found

    def blocks_of(self, piece: Piece, columns: list[str]) -> Iterator[pd.DataFrame]:
        """The rows of a piece as :meth:`blocks` has them, with the same numbers."""
        start = piece.start
        for frame in filter(len, self._frames(self._files[piece.file], piece.groups, columns, start)):
            frame.index = pd.RangeIndex(start, start + len(frame))
            start += len(frame)
            yield frame

    def _frames(
        self, file: ArrowFile, groups: range | None, columns: list[str], start: int
    ) -> Iterator[pd.DataFrame]:
        """Of a file, or of some groups of it, whose first row has the number ``start``."""
        needed = self.vectors.needed(columns)
        n = rows_of_block(len(columns), table_file.BLOCK_ROWS) if self.vectors else table_file.BLOCK_ROWS
        for batch in file.batches(n, needed, groups):
            found = {name: self._values(name, batch, file, start) for name in needed}
            yield self.vectors.frame(columns, found) if needed else pd.DataFrame(index=range(batch.num_rows))
            start += batch.num_rows

    def batches(self, n: int) -> Iterator[pyarrow.RecordBatch]:
        """All columns as they are, two of which may have one name, and the numbers of vectors, in pieces of
        at most ``n`` rows.
        """
        start = 0
        for file in self._files:
            in_order = file.columns == self.columns
            names = None if in_order else self.vectors.needed(self.columns)
            for batch in file.batches(n, names):
                yield self._flat(batch, start) if self.vectors else batch
                start += batch.num_rows

    def _flat(self, batch: pyarrow.RecordBatch, start: int) -> pyarrow.RecordBatch:
        from pyarrow import array, record_batch

        from salutary.tables.arrow_values import to_matrix

        columns: list[pyarrow.Array] = []
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            if name in self.vectors.columns:
                width = len(self.vectors.columns[name])
                columns += [array(each) for each in to_matrix(values, width, self.path, name, start).T]
            else:
                columns.append(values)
        return record_batch(columns, self.vectors.expanded(batch.schema.names))

    def _values(
        self, name: str, batch: pyarrow.RecordBatch, file: ArrowFile, start: int
    ) -> pd.Series | np.ndarray:
        """A column of a batch whose first row has the number ``start``; no value changes its digits."""
        from salutary.tables.arrow_values import to_matrix, to_series

        if name in file.partition:
            return pd.Series([file.partition[name]] * batch.num_rows, dtype=object)
        if name in self.vectors.columns:
            width = len(self.vectors.columns[name])
            return to_matrix(batch.column(name), width, self.path, name, start)
        return to_series(batch.column(name))

    def _width(self, name: str) -> int:
        """Of the vectors in a column; 0 if it holds none, or not all files do."""
        widths = {file.width(name) for file in self._files}
        return widths.pop() if len(widths) == 1 else 0

    def require_alike(self) -> None:
        """Raises SalutaryError for a file that has other columns than the first, or folders that are some."""
        first = self._files[0]
        for file in self._files:
            if sorted(file.columns) != sorted(first.columns):
                raise SalutaryError(f"{file.name} has other columns than {first.name}")
            for name in file.partition:
                raise SalutaryError(f"{where(self.path, name)}: it is a folder's name, which is no number")

    def _why_unusable(self, name: str) -> str:
        """What is wrong with a column, if anything."""
        forms: dict[str, str] = {}
        for file in self._files:
            if name not in file.columns:
                return f"{file.name} has none"
            kind, form = file.holds(name)
            if form is None:
                return f"it holds {kind}, not numbers or text"
            if form != "nothing":
                forms.setdefault(form, f"{kind} in {file.name}")
        if len(forms) > 1:
            first, other, *_ = forms.values()
            return f"it holds {other}, but {first}"
        return ""
