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
from salutary.tables.table_file import TableFile


class NpzFile(TableFile):
    """A .npz archive: each array of one dimension is a column, one of two dimensions several, X0, X1, ...

    Raises SalutaryError for arrays of different lengths, of objects, or of more dimensions.
    """

    def __init__(self, path: Path):
        super().__init__(path)
        try:
            with np.load(path, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, AttributeError) as error:
            raise SalutaryError(f"{path} is not a whole .npz file of plain arrays: {error}") from error
        self._values: dict[str, np.ndarray] = {}
        for name, array in arrays.items():
            if array.ndim not in (1, 2) or array.dtype.kind not in "biufUM":
                raise SalutaryError(f"{path}, array {name}: it holds {array.dtype} {array.shape}, no columns")
            by_column = {f"{name}{i}": array[:, i] for i in range(array.shape[1])} if array.ndim == 2 else {}
            self._values |= by_column or {name: array}
        lengths = {name: len(array) for name, array in self._values.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {n}" for name, n in list(lengths.items())[:4])
            raise SalutaryError(f"{path} holds arrays of different lengths: {told}")
        self.n_rows = max(lengths.values(), default=0)

    @property
    def columns(self) -> list[str]:
        return list(self._values)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, self.n_rows, table_file.BLOCK_ROWS):
            rows = slice(start, start + table_file.BLOCK_ROWS)
            yield pd.DataFrame({column: self._values[column][rows] for column in columns})
