"""NumPy's archives of arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables import table_file
from salutary.tables.messages import one_line, quoted, shown, where
from salutary.tables.table_file import TableFile

# What NumPy and zipfile raise for an archive that is damaged, packed in an unknown way, or holds pickles.
DAMAGED = (ValueError, EOFError, OSError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)


class NpzFile(TableFile):
    """A .npz archive: each array of one dimension is a column, one of two dimensions several, X0, X1, ...

    Raises SalutaryError for arrays of different lengths, of objects, or of more dimensions.
    """

    n_rows: int

    def __init__(self, path: Path):
        super().__init__(path)
        self._values: dict[str, np.ndarray] = {}
        for name, array in _arrays(path).items():
            for column, values in _columns(path, name, array).items():
                if column in self._values:
                    raise SalutaryError(f"{path} has more than one column {quoted(column)}")
                self._values[column] = values
        lengths = {name: len(array) for name, array in self._values.items()}
        if len(set(lengths.values())) > 1:
            sizes = ", ".join(f"{shown(name)} {n}" for name, n in list(lengths.items())[:4])
            raise SalutaryError(f"{path} holds arrays of different lengths: {sizes}")
        self.n_rows = max(lengths.values(), default=0)

    @property
    def columns(self) -> list[str]:
        return list(self._values)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, self.n_rows, table_file.BLOCK_ROWS):
            rows = slice(start, start + table_file.BLOCK_ROWS)
            yield pd.DataFrame({column: self._values[column][rows] for column in columns})


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:  # which NumPy leaves open if it is damaged
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return {name: archive[name] for name in archive.files}
    except DAMAGED as error:
        text = "objects are not read" if "pickle" in str(error) else one_line(error)
        raise SalutaryError(f"{path} is not a whole .npz file of plain arrays: {text}") from error
    raise SalutaryError(f"{path} holds a single array, as a .npy file does, and no columns")


def _columns(path: Path, name: str, array: np.ndarray | bytes) -> dict[str, np.ndarray]:
    """The columns of one array; raises SalutaryError for one that holds none."""
    if not isinstance(array, np.ndarray):
        raise SalutaryError(f"{path} holds {quoted(name)}, which is no array")
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufUM":
        held = f"{array.dtype} {array.shape}"
        raise SalutaryError(f"{path}, array {shown(name)}: it holds {held}, no columns of numbers or text")
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    columns = (
        {f"{name}{i}": values for i, values in enumerate(native.T)} if native.ndim == 2 else {name: native}
    )
    if native.dtype.kind == "U":
        for column, values in columns.items():
            _check_unicode(path, column, values)
    return columns


def _check_unicode(path: Path, column: str, values: np.ndarray) -> None:
    """NumPy keeps code points that are no text, which cannot be written anywhere."""
    codes = np.ascontiguousarray(values, f"U{max(1, values.dtype.itemsize // 4)}").view(np.uint32)
    codes = codes.reshape(len(values), -1)
    wrong = ((codes >= 0xD800) & (codes <= 0xDFFF) | (codes > 0x10FFFF)).any(1)
    if wrong.any():
        raise SalutaryError(f"{where(path, column, int(wrong.argmax()))}: it is no Unicode text")
