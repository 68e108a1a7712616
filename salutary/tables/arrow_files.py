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
from salutary.tables.table_file import TableFile

if TYPE_CHECKING:
    import pyarrow

# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16
# Decimal digits that a float64 holds.
FLOAT_DIGITS = 15


class ArrowFiles(TableFile):
    """A Parquet or Feather file, or a folder of Parquet files in the order of their names.

    Raises SalutaryError for a file that is not whole, or has other columns than the first, or columns of
    other things.
    """

    n_rows: int

    def __init__(self, path: Path):
        super().__init__(path)
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise needs("pyarrow", "parquet") from error
        inside = sorted(file for file in path.glob("*.parquet") if file.is_file())
        paths = inside if path.is_dir() else [path]
        if not paths:
            raise SalutaryError(f"{path} holds no .parquet file")
        is_feather = path.suffix.lower() in (".feather", ".arrow")
        self._files = [(_Feather if is_feather else _Parquet)(each) for each in paths]
        for file in self._files[1:]:
            _check_alike(self._files[0], file)
        self.n_rows = sum(file.n_rows for file in self._files)

    @property
    def columns(self) -> list[str]:
        return self._files[0].columns

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for file in self._files:
            for batch in file.batches(table_file.BLOCK_ROWS, columns):
                yield _to_pandas(batch, columns, file.path)

    def batches(self, n: int) -> Iterator[pyarrow.RecordBatch]:
        """All columns as they are, two of which may have one name, in pieces of at most ``n`` rows."""
        for file in self._files:
            yield from file.batches(n)


class _ArrowFile(ABC):
    """One file of PyArrow's. ``form``: how messages call it."""

    form: str

    def __init__(self, path: Path):
        self.path = path
        with _whole(path, self.form):
            self.schema, self.n_rows = self._open()
        self.columns: list[str] = self.schema.names

    def batches(self, n: int, columns: list[str] | None = None) -> Iterator[pyarrow.RecordBatch]:
        """The columns, or all of them, in pieces of at most ``n`` rows."""
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


def _check_alike(first: _ArrowFile, other: _ArrowFile) -> None:
    if other.columns != first.columns:
        raise SalutaryError(f"{other.path} has other columns than {first.path}")
    for field, before in zip(other.schema, first.schema, strict=True):
        forms = {_form(field.type), _form(before.type)} - {"nothing"}
        if len(forms) > 1:
            types = f"it holds {field.type}, but {before.type} in {first.path}"
            raise SalutaryError(f"{where(other.path, field.name)}: {types}")


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


def _to_pandas(batch: pyarrow.RecordBatch, columns: list[str], path: Path) -> pd.DataFrame:
    """Numbers, text, dates and truth values; raises SalutaryError for a column of anything else."""
    values = {}
    for name in columns:
        column = batch.column(name)
        if _form(column.type) is None:
            raise SalutaryError(f"{where(path, name)}: it holds {column.type}, not numbers or text")
        values[name] = _plain(column).to_pandas()
    return pd.DataFrame(values, index=range(batch.num_rows))


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    """The column in a type that pandas holds without loss; dates and times of day, never used, as text."""
    from pyarrow import float64, string, types

    kind = column.type
    if types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if types.is_decimal(kind):
        return column.cast(float64() if kind.precision <= FLOAT_DIGITS else string())
    return column.cast(string()) if types.is_date(kind) or types.is_time(kind) else column


def _form(kind: pyarrow.DataType) -> str | None:
    """What a type holds; None for what there are no features of."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return _form(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "numbers"
    if types.is_boolean(kind):
        return "truth values"
    if types.is_temporal(kind) and not types.is_interval(kind):
        return "times"
    return "nothing" if types.is_null(kind) else None
