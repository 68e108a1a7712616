"""One file each: Parquet, Feather and streams of Arrow, and what a query finds in DuckDB."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from salutary.errors import Interruption, SalutaryError
from salutary.tables import table_file
from salutary.tables.messages import one_line

if TYPE_CHECKING:
    import pyarrow

# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16
# Of a network, and not of a file.
PASSING = (ConnectionError, TimeoutError)
ARROW = (".feather", ".arrow", ".arrows", ".ipc")
# With which a stream of Arrow begins; a file says ARROW1.
STREAM = b"\xff\xff\xff\xff"


class ArrowFile(ABC):
    """One file of PyArrow's. ``form``: how messages call it; ``name``: what they call the file;
    ``partition``: columns that its folders are.
    """

    form: str

    def __init__(self, path: Path, name: str, partition: Mapping[str, str | None] = MappingProxyType({})):
        self.path, self.name = path, name
        if not self._size():
            raise SalutaryError(f"{name} is empty")
        with _whole(name, self.form):
            self.schema, self.n_rows = self._open()
        # What is in the file as well is the same there.
        self.partition = {key: value for key, value in partition.items() if key not in self.schema.names}
        self.columns: list[str] = [*self.schema.names, *self.partition]

    def _size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size

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

    @property
    def group_rows(self) -> list[int]:
        """Rows of each part of the file that can be read by itself."""
        return [self.n_rows]

    def batches(
        self, n: int, columns: list[str] | None = None, groups: range | None = None
    ) -> Iterator[pyarrow.RecordBatch]:
        """The columns that are in the file, or all of them, in pieces of at most ``n`` rows; ``groups``: of
        these parts of it, or of all.
        """
        if columns is not None:
            inside = [name for name in columns if name not in self.partition]
            columns = inside or self.schema.names[:1]  # where only partitions are asked for, for the rows
        with _whole(self.name, self.form):
            for batch in self._read(n, columns) if groups is None else self._read_groups(n, columns, groups):
                batch.validate(full=True)  # else damaged text comes to light as it is used
                yield batch

    @abstractmethod
    def _open(self) -> tuple[pyarrow.Schema, int]:
        """Its schema and number of rows."""

    @abstractmethod
    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]: ...

    def _read_groups(self, n: int, columns: list[str] | None, groups: range) -> Iterator[pyarrow.RecordBatch]:
        return self._read(n, columns)


class Parquet(ArrowFile):
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

    @property
    def group_rows(self) -> list[int]:
        found = self._file.metadata
        return [found.row_group(group).num_rows for group in range(found.num_row_groups)]

    def _read_groups(self, n: int, columns: list[str] | None, groups: range) -> Iterator[pyarrow.RecordBatch]:
        return self._file.iter_batches(n, row_groups=[*groups], columns=columns, use_threads=False)


class Ipc(ArrowFile):
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


class Query(ArrowFile):
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
            if isinstance(error, OSError) and (error.errno or isinstance(error, PASSING)):
                raise Interruption(f"{self.name} cannot be read: {text}") from error
            raise SalutaryError(f"{self.name} is not a whole {self.form} file: {text}") from error
