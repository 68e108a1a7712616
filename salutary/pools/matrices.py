"""Matrices of pool rows, in memory or in files, read in blocks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from salutary.errors import SalutaryError, needs

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# Bytes of one block as it is read: large enough that reading it costs no more than copying it.
BLOCK_BYTES = 16 * 2**20
# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16


class Pool(ABC):
    """``len(pool)`` rows of ``n_features`` numbers, read in blocks; ``name`` for messages."""

    name: str

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def n_features(self) -> int: ...

    @abstractmethod
    def blocks(self) -> Iterator[np.ndarray]:
        """Arrays (m, d) that together are all rows, in order."""


class ArrayPool(Pool):
    """A matrix in memory, (n, d)."""

    name = "the pool"

    def __init__(self, X: np.ndarray):
        self._X = X

    def __len__(self) -> int:
        return len(self._X)

    @property
    def n_features(self) -> int:
        return self._X.shape[1]

    def blocks(self) -> Iterator[np.ndarray]:
        size = max(1, BLOCK_BYTES // (self.n_features * self._X.itemsize))
        return (self._X[start : start + size] for start in range(0, len(self), size))

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The rows (m,) of the matrix, (m, d)."""
        return self._X[rows]


class FilePool(Pool):
    """Rows of features in files."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def name(self) -> str:
        return str(self.path)


class NpyPool(FilePool):
    """A matrix in a .npy file. Each block is mapped for itself, so that read pages do not pile up.

    Raises SalutaryError for a file that is no matrix of real numbers stored by row.
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        try:
            whole = np.load(self.path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise SalutaryError(f"{path} is not a whole .npy file: {error}") from error
        if not isinstance(whole, np.ndarray):
            raise SalutaryError(f"{path} is an archive, not a single .npy array")
        if whole.ndim != 2 or not whole.size or whole.dtype.kind not in "biuf":
            raise SalutaryError(f"{path} holds {whole.dtype} {whole.shape}, not a matrix of real numbers")
        if not whole.flags.c_contiguous:
            raise SalutaryError(f"{path} is stored by column: save np.ascontiguousarray of it")
        self._shape, self._dtype, self._offset = whole.shape, whole.dtype, whole.offset

    def __len__(self) -> int:
        return self._shape[0]

    @property
    def n_features(self) -> int:
        return self._shape[1]

    def blocks(self) -> Iterator[np.ndarray]:
        row = self.n_features * self._dtype.itemsize
        size = max(1, BLOCK_BYTES // row)
        for start in range(0, len(self), size):
            shape = (min(size, len(self) - start), self.n_features)
            offset = self._offset + start * row
            yield np.memmap(self.path, self._dtype, mode="r", offset=offset, shape=shape)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """The rows (m,) of the matrix, (m, d); only they are read."""
        found = np.empty((len(rows), self.n_features), self._dtype)
        with self.path.open("rb", buffering=0) as file:  # a mapping would make much around them resident
            for place, row in zip(found, rows.tolist(), strict=True):
                file.seek(self._offset + row * found.strides[0])
                file.readinto(place)
        return found


class ParquetPool(FilePool):
    """A Parquet file, or a folder of them in the order of their names; all columns are features.

    Raises SalutaryError for a column that holds no numbers, or a value that is missing.
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        try:
            from pyarrow import ArrowInvalid
            from pyarrow.parquet import ParquetFile
        except ImportError as error:
            raise needs("pyarrow", "parquet") from error
        inside = sorted(path for path in self.path.glob("*.parquet") if path.is_file())
        paths = inside if self.path.is_dir() else [self.path]
        if not paths:
            raise SalutaryError(f"{path} holds no .parquet file")
        self._files: list[ParquetFile] = []
        for name in paths:
            try:
                self._files.append(ParquetFile(name, buffer_size=READ_BYTES, pre_buffer=False))
            except ArrowInvalid as error:
                raise SalutaryError(f"{name} is not a whole Parquet file: {error}") from error
        for name, file in zip(paths, self._files, strict=True):
            if file.schema_arrow.names != self._columns:
                raise SalutaryError(f"{name} has other columns than {paths[0]}")

    @cached_property
    def _columns(self) -> list[str]:
        return self._files[0].schema_arrow.names

    def __len__(self) -> int:
        return sum(file.metadata.num_rows for file in self._files)

    @property
    def n_features(self) -> int:
        return len(self._columns)

    def blocks(self) -> Iterator[np.ndarray]:
        size = max(1, BLOCK_BYTES // (8 * self.n_features))
        start = 0
        for file in self._files:
            for batch in file.iter_batches(batch_size=size, use_threads=False):
                yield np.column_stack([self._numbers(batch, i, start) for i in range(self.n_features)])
                start += batch.num_rows

    def _numbers(self, batch, position: int, start: int) -> np.ndarray:
        column, name = batch.column(position), self._columns[position]
        if column.null_count:
            row = start + int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise SalutaryError(f"{self.path}: column {name!r} is missing in row {row} (counted from 0)")
        values = column.to_numpy(zero_copy_only=False)
        if values.dtype.kind not in "biuf":
            raise SalutaryError(f"{self.path}: column {name!r} holds {column.type}, not numbers")
        return values


def open_pool(path: str | Path) -> FilePool:
    """The pool in a .npy file, a .parquet file or a folder of .parquet files.

    Raises SalutaryError if it is none of these, or is not there.
    """
    path = Path(path)
    if not path.exists():
        raise SalutaryError(f"there is no {path}")
    if path.is_dir() or path.suffix.lower() == ".parquet":
        return ParquetPool(path)
    if path.suffix.lower() == ".npy":
        return NpyPool(path)
    raise SalutaryError(f"a pool is a .npy or .parquet file or a folder of .parquet files, not {path}")
