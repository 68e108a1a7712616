"""Parquet and Feather files, by PyArrow."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.table_file import TableFile

if TYPE_CHECKING:
    import pyarrow

# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16


class ArrowFiles(TableFile):
    """A Parquet or Feather file, or a folder of Parquet files in the order of their names.

    Raises SalutaryError for a file that is not whole, or has other columns than the first.
    """

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
        for each, file in zip(paths, self._files, strict=True):
            if file.columns != self._files[0].columns:
                raise SalutaryError(f"{each} has other columns than {paths[0]}")

    @property
    def columns(self) -> list[str]:
        return self._files[0].columns

    @cached_property
    def n_rows(self) -> int:
        return sum(file.n_rows for file in self._files)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for file in self._files:
            for batch in file.batches(columns):
                yield _to_pandas(batch, file.path)


class _Parquet:
    def __init__(self, path: Path):
        from pyarrow.parquet import ParquetFile

        self.path = path
        with _whole(path, "Parquet"):
            self._file = ParquetFile(path, buffer_size=READ_BYTES, pre_buffer=False)
        self.columns = self._file.schema_arrow.names
        self.n_rows = self._file.metadata.num_rows

    def batches(self, columns: list[str]) -> Iterator[pyarrow.RecordBatch]:
        with _whole(self.path, "Parquet"):
            yield from self._file.iter_batches(table_file.BLOCK_ROWS, columns=columns, use_threads=False)


class _Feather:
    def __init__(self, path: Path):
        from pyarrow import ipc, memory_map

        self.path = path
        with _whole(path, "Feather"):
            self._file = ipc.open_file(memory_map(str(path)))
            lengths = [self._file.get_batch(i).num_rows for i in range(self._file.num_record_batches)]
        self.columns = self._file.schema.names
        self.n_rows = sum(lengths)

    def batches(self, columns: list[str]) -> Iterator[pyarrow.RecordBatch]:
        with _whole(self.path, "Feather"):
            for number in range(self._file.num_record_batches):
                batch = self._file.get_batch(number).select(columns)
                for start in range(0, batch.num_rows, table_file.BLOCK_ROWS):
                    yield batch.slice(start, table_file.BLOCK_ROWS)


class _whole:
    """Turns what PyArrow says of a damaged file into one line that names it."""

    def __init__(self, path: Path, form: str):
        self.path = path
        self.form = form

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        from pyarrow import ArrowException

        if isinstance(error, (ArrowException, OSError)):
            text = " ".join(str(error).split())
            raise SalutaryError(f"{self.path} is not a whole {self.form} file: {text}") from error


def _to_pandas(batch: pyarrow.RecordBatch, path: Path) -> pd.DataFrame:
    """Numbers, text, dates and truth values; raises SalutaryError for a column of anything else."""
    from pyarrow import float64, types

    columns = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        kind = field.type
        if types.is_decimal(kind):
            column = column.cast(float64())
        elif types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            raise SalutaryError(f"{path}, column {field.name}: it holds {kind}, not numbers or text")
        columns[field.name] = column.to_pandas()
    return pd.DataFrame(columns, index=range(batch.num_rows))
