"""Pools that need not fit into memory: matrices of rows, in memory or in files, read in blocks.

    pool = open_pool("pool.npy")                     # or a .parquet file, or a folder of them

The features are those that the model was trained on, prepared in the same way. Of a pool that is a table of
any form :func:`encode_pool` makes them once, a matrix on disk: each round then reads numbers.
"""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from salutary.errors import SalutaryError
from salutary.labeling import ids, images, texts
from salutary.labeling.inputs import Inputs
from salutary.system.files import named, write_atomic
from salutary.system.progress import counting_bar
from salutary.tables.arrow_files import ArrowFiles
from salutary.tables.files import TableFile
from salutary.tables.findings import Findings

if TYPE_CHECKING:
    import pyarrow

    from salutary.labeling.distributed_pool import DistributedPool

# Bytes of one block as it is read: large enough that reading it costs no more than copying it.
BLOCK_BYTES = 16 * 2**20


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
        self.name = str(path)


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
        if not isinstance(whole, np.memmap):
            whole.close()
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
        matrix = np.empty((len(rows), self.n_features), self._dtype)
        with self.path.open("rb", buffering=0) as file:  # a mapping would make much around them resident
            for place, row in zip(matrix, rows.tolist(), strict=True):
                file.seek(self._offset + row * matrix.strides[0])
                file.readinto(place.data)
        return matrix


class ParquetPool(FilePool):
    """A Parquet file, or a folder of them in the order of their names; all columns are features.

    Raises SalutaryError for a column that holds no numbers, or a value that is missing.
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        self._table = ArrowFiles(self.path)
        self._table.require_alike()

    def __len__(self) -> int:
        return self._table.n_rows

    @property
    def n_features(self) -> int:
        return len(self._table.columns)

    def blocks(self) -> Iterator[np.ndarray]:
        size = max(1, BLOCK_BYTES // (8 * self.n_features))
        start = 0
        for batch in self._table.batches(size):
            named = zip(self._table.columns, batch.columns, strict=True)
            yield np.column_stack([self._numbers(name, column, start) for name, column in named])
            start += batch.num_rows

    def _numbers(self, name: str, column: pyarrow.Array, start: int) -> np.ndarray:
        """The values (m,) of a column, from row ``start`` of the pool on."""
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


@dataclass(frozen=True)
class EncodedPool:
    """``matrix``: float32 features. ``unseen``: rows of a category the labelled rows lack, by column.
    ``findings``: what is to be told.
    """

    matrix: NpyPool | DistributedPool
    unseen: dict[str, int]
    findings: list[str]


def encode_pool(
    table: TableFile, inputs: Inputs, id_column: str | None, folder: Path, progress: bool
) -> EncodedPool:
    """Write ``folder``/pool.npy, unless it is there whole, and open it.

    Raises SalutaryError, naming column and row, for what is wrong in the pool, and if it has no rows.
    """
    matrix, facts = folder / "pool.npy", folder / "pool.json"
    if not facts.exists():
        with named(matrix):
            _write(table, inputs, id_column, matrix, facts, progress)
    found = json.loads(facts.read_text())
    return EncodedPool(NpyPool(matrix), found["unseen"], found["findings"])


def _write(
    table: TableFile, inputs: Inputs, id_column: str | None, matrix: Path, facts: Path, progress: bool
) -> None:
    schema = inputs.features.schema
    columns = [*dict.fromkeys([*schema.used, *([id_column] if id_column else [])])]
    table.check(columns)
    features, found = inputs.features.fresh(), Findings(table.path, table.reading)
    width, n, hashes = features.n_features, 0, []
    doing, unit = ("encoding the pool", "rows") if schema.texts or schema.images else ("reading the pool", "")
    with matrix.open("wb") as file, counting_bar(doing, table.n_rows, progress, unit) as advance:
        write_header(file, 0, width)
        for block in texts.pieces(table.blocks(columns), features):
            converted = schema.convert(block, table.path, table.reading, table.folder)
            file.write(features.transform(converted, table.path, np.float32).data)
            found.add(block, converted, schema)
            if id_column:
                hashes.append(ids.hashes_of(block[id_column], table.path))
            n += len(block)
            advance(len(block))
        if not n:
            raise SalutaryError(f"{table.path}: the pool is empty")
        file.seek(0)
        write_header(file, n, width)
        file.flush()
        os.fsync(file.fileno())
    if id_column:
        ids.check_hashes(np.concatenate(hashes), table, id_column, inputs.id_hashes(id_column))
    findings = [*found.lines(), *features.findings(table.path), *images.skipped(table)]
    findings += [*texts.pace(features.encoder), *images.pace(features)]
    about = {"rows": n, "unseen": dict(features.unseen), "findings": findings}
    write_atomic(facts, json.dumps(about).encode())


def write_header(file: IO[bytes], n: int, width: int, dtype: type = np.float32) -> None:
    """The head of a .npy file; NumPy pads it such that it has the same length for any n."""
    shape = {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(file, shape)
