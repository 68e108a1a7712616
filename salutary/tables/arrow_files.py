"""Parquet and Arrow files, and what queries find in DuckDB, by PyArrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.messages import one_line, where
from salutary.tables.parquet_folder import parquet_files, partition
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile
from salutary.tables.vectors import Vectors, rows_of_block

if TYPE_CHECKING:
    import pyarrow

# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16
ARROW = (".feather", ".arrow", ".arrows", ".ipc")
# With which a stream of Arrow begins; a file says ARROW1.
STREAM = b"\xff\xff\xff\xff"


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

    def _opened(self, query: str | None) -> list[_ArrowFile]:
        if query is not None:
            return [_Query(self.file, str(self.path), query)]
        if self.file.is_dir():
            return [
                _Parquet(each, str(each), partition(each, self.file)) for each in parquet_files(self.file)
            ]
        kind = _Arrow if self.file.suffix.lower() in ARROW else _Parquet
        return [kind(self.file, str(self.path))]

    @property
    def columns(self) -> list[str]:
        return self._columns

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        needed, start = self.vectors.needed(columns), 0
        n = rows_of_block(len(columns)) if self.vectors else table_file.BLOCK_ROWS
        for file in self._files:
            for batch in file.batches(n, needed):
                found = {name: self._values(name, batch, file, start) for name in needed}
                yield (
                    self.vectors.frame(columns, found)
                    if needed
                    else pd.DataFrame(index=range(batch.num_rows))
                )
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
        self, name: str, batch: pyarrow.RecordBatch, file: _ArrowFile, start: int
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


class _ArrowFile(ABC):
    """One file of PyArrow's. ``form``: how messages call it; ``name``: what they call the file;
    ``partition``: columns that its folders are.
    """

    form: str

    def __init__(self, path: Path, name: str, partition: Mapping[str, str | None] = MappingProxyType({})):
        self.path, self.name = path, name
        if not path.stat().st_size:
            raise SalutaryError(f"{name} is empty")
        with _whole(name, self.form):
            self.schema, self.n_rows = self._open()
        # What is in the file as well is the same there.
        self.partition = {key: value for key, value in partition.items() if key not in self.schema.names}
        self.columns: list[str] = [*self.schema.names, *self.partition]

    def holds(self, name: str) -> tuple[str, str | None]:
        """The type of a column, and what it is: one of the words of :func:`.arrow_values.form`."""
        if name in self.partition:
            return "text", "text" if self.partition[name] is not None else "nothing"
        from salutary.tables.arrow_values import form

        place = self.schema.names.index(name)
        kind = self.schema.field(place).type
        return str(kind), "nothing" if self._is_empty(place) else form(kind)

    def _is_empty(self, place: int) -> bool:
        """Whether a column is known to have no value: whatever its type is says nothing then."""
        return False

    def width(self, name: str) -> int:
        """Of the vectors in a column; 0 if it holds none. The first one says it where the type does not."""
        from salutary.tables.arrow_values import vector_width

        if self.schema.names.count(name) != 1:
            return 0
        width = vector_width(self.schema.field(name).type)
        if width is None:
            for batch in self.batches(table_file.BLOCK_ROWS, [name]):
                if found := batch.column(name).drop_null().slice(0, 1).value_lengths():
                    return int(found[0].as_py())
        return width or 0

    def batches(self, n: int, columns: list[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
        """The columns that are in the file, or all of them, in pieces of at most ``n`` rows."""
        if columns is not None:
            inside = [name for name in columns if name not in self.partition]
            columns = inside or self.schema.names[:1]  # where only partitions are asked for, for the rows
        with _whole(self.name, self.form):
            for batch in self._read(n, columns):
                batch.validate(full=True)  # else damaged text comes to light as it is used
                yield batch

    @abstractmethod
    def _open(self) -> tuple[pyarrow.Schema, int]:
        """Its schema and number of rows."""

    @abstractmethod
    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]: ...


class _Parquet(_ArrowFile):
    form = "Parquet"

    def _open(self) -> tuple[pyarrow.Schema, int]:
        from pyarrow.parquet import ParquetFile

        self._file = ParquetFile(self.path, buffer_size=READ_BYTES, pre_buffer=False)
        return self._file.schema_arrow, self._file.metadata.num_rows

    def _is_empty(self, place: int) -> bool:
        groups = self._file.metadata
        if groups.num_columns != len(self.schema.names):  # nested ones have several columns there
            return False
        found = [groups.row_group(group).column(place).statistics for group in range(groups.num_row_groups)]
        nulls = [each.null_count if each and each.has_null_count else 0 for each in found]
        return sum(nulls) == self.n_rows > 0

    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
        return self._file.iter_batches(n, columns=columns, use_threads=False)


class _Arrow(_ArrowFile):
    """In the format of files, which Feather is, or in that of streams."""

    form = "Feather"

    def _open(self) -> tuple[pyarrow.Schema, int]:
        from pyarrow import ipc, memory_map

        with self.path.open("rb") as file:
            start = file.read(len(STREAM))
        if start == STREAM:
            self.form = "Arrow"
            with memory_map(str(self.path)) as mapped, ipc.open_stream(mapped) as stream:
                return stream.schema, sum(batch.num_rows for batch in stream)
        self._file = ipc.open_file(memory_map(str(self.path)))
        return self._file.schema, sum(batch.num_rows for batch in self._batches())

    def _batches(self) -> Iterator[pyarrow.RecordBatch]:
        from pyarrow import ipc, memory_map

        if self.form == "Arrow":
            with ipc.open_stream(memory_map(str(self.path))) as stream:
                yield from stream
        else:
            yield from map(self._file.get_batch, range(self._file.num_record_batches))

    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
        for batch in self._batches():
            if columns is not None:
                batch = batch.select(columns)
            for start in range(0, batch.num_rows, n):
                yield batch.slice(start, n)


class _Query(_ArrowFile):
    form = "DuckDB"

    def __init__(self, path: Path, name: str, query: str):
        self._query = query
        super().__init__(path, name)

    def _open(self) -> tuple[pyarrow.Schema, int]:
        from salutary.tables.sql import DuckQuery

        self._found = DuckQuery(self.path, self._query, self.name)
        return self._found.schema, self._found.n_rows

    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
        for batch in self._found.batches(n):
            yield batch if columns is None else batch.select(columns)


class _whole:
    """Turns what PyArrow says of a damaged file into one line that names it."""

    def __init__(self, name: str, form: str):
        self.name = name
        self.form = form

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        from pyarrow import ArrowException

        if isinstance(error, (ArrowException, OSError, UnicodeDecodeError)):
            text = one_line(error)
            raise SalutaryError(f"{self.name} is not a whole {self.form} file: {text}") from error
