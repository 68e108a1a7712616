"""Pools that need not fit into memory: files of features, scored block by block.

Blocks come, are scored, and go; only the best so many rows stay. The features are those the model was
trained on, prepared in the same way.

    pool = open_pool("pool.npy")                     # or a .parquet file, or a folder of them
    S = engine.validation_direction(model.coef_, model.penalty_, X_hessian=..., ...)
    best = best_points(pool, model.coef_, S, budget=100, progress=True)
    best.rows, best.labels, best.influence
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_labels
from salutary.errors import SalutaryError, require_whole
from salutary.strategies import top
from salutary.terminal import counting_bar

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

# Bytes of one block as it is read: large enough that reading it costs no more than copying it.
BLOCK_BYTES = 16 * 2**20
# Bytes of each column read ahead from a Parquet file.
READ_BYTES = 2**16
# Blocks whose best rows are kept before they are compared.
MERGE_EVERY = 16


@dataclass(frozen=True)
class BestPoints:
    """The best rows of a pool, best first: ``rows`` (b,), ``labels`` (b,), ``influence`` (b,).

    ``influence``: predicted fall of the mean validation loss with that label.
    """

    rows: Tensor
    labels: Tensor
    influence: Tensor


class FilePool(ABC):
    """Rows of features in files. ``len(pool)`` rows of ``n_features`` numbers, read in blocks."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @abstractmethod
    def __len__(self) -> int: ...

    @property
    @abstractmethod
    def n_features(self) -> int: ...

    @abstractmethod
    def blocks(self) -> Iterator[np.ndarray]:
        """Arrays (m, d) that together are all rows, in order."""


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
            raise SalutaryError("Parquet needs pyarrow: pip install 'salutary[parquet]'") from error
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


def best_points(
    pool: FilePool,
    W: Tensor,
    S: Tensor,
    budget: int,
    dtype: torch.dtype | None = None,
    progress: bool = False,
) -> BestPoints:
    """The ``budget`` rows with the highest influence over all labels, each with its best label.

    ``W`` (K, D): the parameters; ``S`` = H^-1 g_V (K, D), from ``engine.validation_direction``; their
    device is where blocks are scored. ``dtype``: of the rows; by default float32 for a file of float32, else
    float64. Of equal rows the first in the file comes first, as in memory. ``progress``: show a bar.
    Raises SalutaryError for a budget larger than the pool, for features that do not fit the model and, naming
    the row, for a value that is not finite.
    """
    require_whole("budget", budget, 1)
    if budget > len(pool):
        raise SalutaryError(f"budget={budget} is larger than the pool, {len(pool)} rows")
    if S.shape != W.shape or dtype not in (None, torch.float32, torch.float64):
        shapes = f"W {tuple(W.shape)} and S {tuple(S.shape)}"
        raise SalutaryError(f"{shapes} must be alike, and dtype float32 or float64, not {dtype}")
    if W.shape[1] - pool.n_features not in (0, 1):
        raise SalutaryError(f"{pool.path} has {pool.n_features} features, the model has {W.shape[1]}")
    rows, influence, X_best = [], [], []
    start = 0
    with counting_bar(f"scoring {pool.path.name}", len(pool), progress) as advance:
        for block in pool.blocks():
            X = _tensor(block, dtype, W.device)
            found = best_influence(W, S, X)
            if not torch.isfinite(found).all():
                raise SalutaryError(_not_finite(pool, block, found, start))
            near = top(found, min(budget, len(found)))
            rows.append(start + near)
            influence.append(found[near])
            X_best.append(X[near])
            if len(rows) == MERGE_EVERY:
                rows, influence, X_best = _merged(rows, influence, X_best, budget)
            start += len(block)
            advance(len(block))
    (rows,), (influence,), (X_best,) = _merged(rows, influence, X_best, budget)
    return BestPoints(rows, best_labels(S, X_best), influence)


def _merged(
    rows: list[Tensor], influence: list[Tensor], X: list[Tensor], budget: int
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """The best of what several blocks had; they come in order, so a stable sort keeps ties right."""
    kept = torch.argsort(torch.cat(influence), descending=True, stable=True)[:budget]
    return [torch.cat(rows)[kept]], [torch.cat(influence)[kept]], [torch.cat(X)[kept]]


def _tensor(block: np.ndarray, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    single = block.dtype == np.float32 if dtype is None else dtype == torch.float32
    with np.errstate(over="ignore"):  # what is too large for float32 is reported with its row
        rows = np.array(block, np.float32 if single else np.float64, order="C")
    return torch.from_numpy(rows).to(device)


def _not_finite(pool: FilePool, block: np.ndarray, influence: Tensor, start: int) -> str:
    bad = np.argwhere(~np.isfinite(block))
    if not len(bad):
        row = start + int(torch.nonzero(~torch.isfinite(influence))[0])
        return f"{pool.path}: the values of row {row} are too large (counted from 0)"
    row, column = bad[0]
    value = block[row, column]
    return f"{pool.path}: feature {column} of row {start + row} is {value} (counted from 0)"
