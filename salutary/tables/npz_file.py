"""NumPy's archives of arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables import table_file
from salutary.tables.messages import one_line, quoted, shown, where
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile

# What NumPy and zipfile raise for an archive that is damaged, packed in an unknown way, or holds pickles.
DAMAGED = (ValueError, EOFError, OSError, MemoryError, RuntimeError, zipfile.BadZipFile, zlib.error)


class NpzFile(TableFile):
    """A .npz archive: each array of one dimension is a column, one of two dimensions several, X0, X1, ...

    The empty text means no value, since texts of NumPy have no null. Arrays of anything but numbers, texts
    and times, or of other dimensions, are unusable. Raises SalutaryError for an archive that is damaged, or
    names a column twice.
    """

    def __init__(self, path: Path, reading: Reading | None = None, name: str | None = None):
        super().__init__(path, reading, name)
        self._values: dict[str, np.ndarray | None] = {}
        for array_name, array in _arrays(path, self.path).items():
            columns, why = _columns(array_name, array)
            for column, values in columns.items():
                if column in self._values:
                    raise SalutaryError(f"{self.path} has more than one column {quoted(column)}")
                self._values[column] = values
                if why := why or _no_unicode(values):
                    self.unusable[column] = why
        self.n_rows = max((len(each) for each in self._usable.values()), default=0)

    @property
    def columns(self) -> list[str]:
        return list(self._values)

    @property
    def _usable(self) -> dict[str, np.ndarray]:
        return {name: values for name, values in self._values.items() if values is not None}

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        """Raises SalutaryError for columns of different lengths."""
        used = {name: values for name, values in self._usable.items() if name in columns}
        lengths = {name: len(values) for name, values in used.items()}
        if len(set(lengths.values())) > 1:
            raise SalutaryError(_different(self.path, lengths, self.reading))
        for start in range(0, max(lengths.values(), default=0), table_file.BLOCK_ROWS):
            rows = slice(start, start + table_file.BLOCK_ROWS)
            yield pd.DataFrame({column: used[column][rows] for column in columns})


def _different(path: str | Path, lengths: dict[str, int], reading: Reading) -> str:
    """What is wrong with columns that have more or fewer values than most."""
    usual = Counter(lengths.values()).most_common(1)[0][0]
    names = [name for name, n in lengths.items() if n != usual]
    example = next(name for name, n in lengths.items() if n == usual)
    problem = f"it has {lengths[names[0]]:,} values, but {shown(example)} {usual:,}"
    return f"{where(path, names[0])}: {problem}; {reading.setting('ignore', names)} does without"


def _arrays(file: Path, path: str | Path) -> dict[str, np.ndarray | bytes | None]:
    """The arrays of an archive by name, None for one of objects: they are not unpickled."""
    try:
        with file.open("rb") as opened:  # which NumPy leaves open if it is damaged
            archive = np.load(opened, allow_pickle=False)
            if isinstance(archive, np.lib.npyio.NpzFile):
                return {name: _array(archive, name) for name in archive.files}
    except DAMAGED as error:
        text = "it is no archive" if "pickle" in str(error) else one_line(error)
        raise SalutaryError(f"{path} is not a whole .npz file of plain arrays: {text}") from None
    raise SalutaryError(f"{path} holds a single array, as a .npy file does, and no columns")


def _array(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray | bytes | None:
    try:
        return archive[name]
    except ValueError as error:
        if "allow_pickle" in str(error):
            return None
        raise


def _columns(name: str, array: np.ndarray | bytes | None) -> tuple[dict[str, np.ndarray | None], str]:
    """The columns of one array; or one column of nothing, and why it cannot be used."""
    if array is None:
        return {name: None}, "it holds objects, which are not read: save texts as np.array(values, str)"
    if not isinstance(array, np.ndarray):
        return {name: None}, "it is no array"
    if array.ndim not in (1, 2) or array.dtype.kind not in "biufUM":
        return {name: None}, f"it holds {array.dtype} {array.shape}, no columns of numbers or text"
    native = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    if native.ndim == 2:
        return {f"{name}{i}": values for i, values in enumerate(native.T)}, ""
    return {name: native}, ""


def _no_unicode(values: np.ndarray | None) -> str:
    """What is wrong with texts: NumPy keeps code points that are none, which cannot be written anywhere."""
    if values is None or values.dtype.kind != "U":
        return ""
    codes = np.ascontiguousarray(values, f"U{max(1, values.dtype.itemsize // 4)}").view(np.uint32)
    codes = codes.reshape(len(values), -1)
    wrong = ((codes >= 0xD800) & (codes <= 0xDFFF) | (codes > 0x10FFFF)).any(1)
    return f"its row {int(wrong.argmax()) + 1} is no Unicode text" if wrong.any() else ""
