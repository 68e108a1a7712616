"""Parquet and Feather files, by PyArrow."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.messages import one_line, where
from salutary.tables.parquet_folder import parquet_files, partition
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile

if TYPE_CHECKING:
    import pyarrow

# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16


class ArrowFiles(TableFile):
    """A Parquet or Feather file, or a folder of Parquet files (:mod:`salutary.tables.parquet_folder`).

    Folders named ``column=value`` are columns, too. Columns that not all files have, or that hold something
    else in some, are unusable. Raises SalutaryError for a file that is not whole.
    """

    n_rows: int

    def __init__(self, path: Path, reading: Reading | None = None):
        super().__init__(path, reading)
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise needs("pyarrow", "parquet") from error
        paths = parquet_files(path) if path.is_dir() else [path]
        kind = _Feather if path.suffix.lower() in (".feather", ".arrow") else _Parquet
        files = [kind(each, partition(each, path) if path.is_dir() else {}) for each in paths]
        self._files = [file for file in files if file.n_rows] or files[:1]
        self.n_rows = sum(file.n_rows for file in self._files)
        self._columns = [*self._files[0].columns]
        for file in self._files:
            self._columns += [name for name in file.columns if name not in self._columns]
        for name in self._columns:
            if why := self._why_unusable(name):
                self.unusable[name] = why

    @property
    def columns(self) -> list[str]:
        return self._columns

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for file in self._files:
            for batch in file.batches(table_file.BLOCK_ROWS, columns):
                yield _to_pandas(batch, columns, file.partition)

    def batches(self, n: int) -> Iterator[pyarrow.RecordBatch]:
        """All columns as they are, two of which may have one name, in pieces of at most ``n`` rows."""
        for file in self._files:
            in_order = file.columns == self.columns
            yield from file.batches(n) if in_order else file.batches(n, self.columns)

    def require_alike(self) -> None:
        """Raises SalutaryError for a file that has other columns than the first, or folders that are some."""
        first = self._files[0]
        for file in self._files:
            if sorted(file.columns) != sorted(first.columns):
                raise SalutaryError(f"{file.path} has other columns than {first.path}")
            for name in file.partition:
                raise SalutaryError(f"{where(self.path, name)}: it is a folder's name, which is no number")

    def _why_unusable(self, name: str) -> str:
        """What is wrong with a column, if anything."""
        forms: dict[str, str] = {}
        for file in self._files:
            if name not in file.columns:
                return f"{file.path} has none"
            kind, form = file.holds(name)
            if form is None:
                return f"it holds {kind}, not numbers or text"
            if form != "nothing":
                forms.setdefault(form, f"{kind} in {file.path}")
        if len(forms) > 1:
            first, other, *_ = forms.values()
            return f"it holds {other}, but {first}"
        return ""


class _ArrowFile(ABC):
    """One file of PyArrow's. ``form``: how messages call it; ``partition``: columns that its folders are."""

    form: str

    def __init__(self, path: Path, partition: dict[str, str | None]):
        self.path = path
        if not path.stat().st_size:
            raise SalutaryError(f"{path} is empty")
        with _whole(path, self.form):
            self.schema, self.n_rows = self._open()
        # What is in the file as well is the same there.
        self.partition = {name: value for name, value in partition.items() if name not in self.schema.names}
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

    def batches(self, n: int, columns: list[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
        """The columns that are in the file, or all of them, in pieces of at most ``n`` rows."""
        if columns is not None:
            inside = [name for name in columns if name not in self.partition]
            columns = inside or self.schema.names[:1]  # where only partitions are asked for, for the rows
        with _whole(self.path, self.form):
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


class _Feather(_ArrowFile):
    form = "Feather"

    def _open(self) -> tuple[pyarrow.Schema, int]:
        from pyarrow import ipc, memory_map

        self._file = ipc.open_file(memory_map(str(self.path)))
        lengths = [self._file.get_batch(i).num_rows for i in range(self._file.num_record_batches)]
        return self._file.schema, sum(lengths)

    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
        for number in range(self._file.num_record_batches):
            batch = self._file.get_batch(number)
            if columns is not None:
                batch = batch.select(columns)
            for start in range(0, batch.num_rows, n):
                yield batch.slice(start, n)


class _whole:
    """Turns what PyArrow says of a damaged file into one line that names it."""

    def __init__(self, path: Path, form: str):
        self.path = path
        self.form = form

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        from pyarrow import ArrowException

        if isinstance(error, (ArrowException, OSError, UnicodeDecodeError)):
            text = one_line(error)
            raise SalutaryError(f"{self.path} is not a whole {self.form} file: {text}") from error


def _to_pandas(
    batch: pyarrow.RecordBatch, columns: list[str], partition: dict[str, str | None]
) -> pd.DataFrame:
    """Numbers, text, dates and truth values; no value changes its digits."""
    from salutary.tables.arrow_values import to_series

    values = {}
    for name in columns:
        if name in partition:
            values[name] = pd.Series([partition[name]] * batch.num_rows, dtype=object)
        else:
            values[name] = to_series(batch.column(name))
    return pd.DataFrame(values, index=range(batch.num_rows))
