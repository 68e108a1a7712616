"""Embeddings that people have already: a matrix in a .npy or .safetensors file, a row for each of a table."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.messages import listed, one_line, quoted
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile
from salutary.tables.vectors import Vectors, checked, rows_of_block

# What their columns are called, whatever the file: embedding_0, ..., and of a second matrix embedding2_0, ...
NAME = "embedding"


class Matrix(ABC):
    """n rows of ``width`` real numbers in a file, read in blocks; ``name``: for messages."""

    n_rows: int
    width: int

    def __init__(self, name: str):
        self.name = name

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Raises SalutaryError, naming the row, for a number that is missing."""
        return checked(self._rows(start, stop), self.name, None, start)

    @abstractmethod
    def _rows(self, start: int, stop: int) -> np.ndarray: ...

    def _check(self, kind: str, shape: Sequence[int], is_real: bool) -> None:
        if len(shape) != 2 or not is_real or not shape[1]:
            size = " x ".join(map(str, shape)) or "a single value"
            raise SalutaryError(f"{self.name} holds {kind}, {size}, and not a matrix of real numbers")
        self.n_rows, self.width = shape


class NpyMatrix(Matrix):
    """Of a .npy file, which is mapped and not read as a whole."""

    def __init__(self, file: Path, name: str):
        super().__init__(name)
        self._file = file
        try:
            whole = np.load(file, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError, OSError) as error:
            said = (
                "it holds objects, which are not read"
                if "objects" in str(error) or "allow_pickle" in str(error)
                else one_line(error)
            )
            raise SalutaryError(f"{name} is not a whole .npy file of plain numbers: {said}") from None
        if not isinstance(whole, np.ndarray):
            whole.close()
            raise SalutaryError(f"{name} is an archive by another name: call it .npz")
        self._check(str(whole.dtype), whole.shape, whole.dtype.kind in "iuf")
        self._whole = whole

    def _rows(self, start: int, stop: int) -> np.ndarray:
        found = np.asarray(self._whole[start:stop])
        return found.astype(found.dtype.newbyteorder("="), copy=False)


class SafetensorsMatrix(Matrix):
    """A tensor of a .safetensors file, the only one unless it is named."""

    def __init__(self, file: Path, name: str, tensor: str | None = None):
        super().__init__(name)
        self._file = file
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise needs("safetensors", "text") from error
        try:
            with safe_open(file, framework="np") as opened:
                names = list(opened.keys())
                self._tensor = self._named(names, tensor)
                found = opened.get_slice(self._tensor)
                kind = found.get_dtype()
                self._check(kind, found.get_shape(), kind in ("F64", "F32", "F16", "I8", "U8", "I16", "I32"))
        except (SafetensorError, OSError) as error:
            raise SalutaryError(f"{name} is not a whole .safetensors file: {one_line(error)}") from error

    def _named(self, names: list[str], tensor: str | None) -> str:
        if tensor in names:
            return str(tensor)
        if tensor is None and len(names) == 1:
            return names[0]
        has = f"has no tensor {quoted(tensor)}" if tensor else f"holds {len(names)} tensors: add #name"
        raise SalutaryError(f"{self.name} {has}; its tensors are {listed(names, 20)}")

    def _rows(self, start: int, stop: int) -> np.ndarray:
        from safetensors import safe_open

        with safe_open(self._file, framework="np") as opened:
            return opened.get_slice(self._tensor)[start:stop]


def open_matrix(file: Path, form: str, part: str | None, name: str) -> Matrix:
    """Raises SalutaryError for a file that is not there, or holds no matrix."""
    if not file.exists():
        raise SalutaryError(f"there is no {name}")
    return NpyMatrix(file, name) if form == ".npy" else SafetensorsMatrix(file, name, part)


class WithMatrices(TableFile):
    """A table, if there is one, and the numbers of matrices beside it as its last columns.

    Raises SalutaryError for one that has more or fewer rows.
    """

    def __init__(self, path: Path, table: TableFile | None, matrices: list[Matrix], name: str, read: Reading):
        super().__init__(path, table.reading if table else read, name)
        self._table, self._matrices = table, matrices
        names = [NAME if not number else f"{NAME}{number + 1}" for number in range(len(matrices))]
        widths = {name: matrix.width for name, matrix in zip(names, matrices, strict=True)}
        self._beside = Vectors(widths)
        self.vectors = Vectors(widths | (table.vectors.widths if table else {}))
        self._named = dict(zip(names, matrices, strict=True))
        self.unusable = table.unusable if table else {}
        self._n = (table and table.n_rows) or None
        for matrix in matrices:
            self._check(matrices[0].n_rows if self._n is None else self._n, matrix, self._n is None)
        self.n_rows = matrices[0].n_rows

    @property
    def columns(self) -> list[str]:
        return [*(self._table.columns if self._table else []), *self._beside.expanded(self._named)]

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        needed = self._beside.needed(columns)
        size, start = rows_of_block(len(columns), table_file.BLOCK_ROWS), 0
        for block in self._blocks([name for name in needed if name not in self._named]):
            for first in range(0, len(block), size):
                piece = block.iloc[first : first + size].reset_index(drop=True)
                rows = slice(start, start + len(piece))
                self._check_end(rows.stop)
                used = [name for name in self._named if name in needed]
                found: dict[str, pd.Series | np.ndarray] = {str(name): piece[name] for name in piece}
                found |= {name: self._named[name].rows(rows.start, rows.stop) for name in used}
                yield self._beside.frame(columns, found)
                start = rows.stop
        if start < self._matrices[0].n_rows:
            self._check(start, self._matrices[0], False)

    def _blocks(self, names: list[str]) -> Iterator[pd.DataFrame]:
        if self._table is None:
            n, size = self._matrices[0].n_rows, rows_of_block(self._matrices[0].width, table_file.BLOCK_ROWS)
            return (pd.DataFrame(index=range(min(size, n - start))) for start in range(0, n, size))
        return self._table.blocks(names or [self._table.columns[0]])

    def _check_end(self, stop: int) -> None:
        matrix = self._matrices[0]
        if stop > matrix.n_rows and self._table is not None:
            self._check(sum(map(len, self._table.blocks([self._table.columns[0]]))), matrix, False)

    def _check(self, n: int, matrix: Matrix, of_matrix: bool) -> None:
        if n != matrix.n_rows:
            other = self._matrices[0].name if of_matrix or self._table is None else self._table.path
            raise SalutaryError(f"{other} has {n:,} rows, but {matrix.name} {matrix.n_rows:,}")
