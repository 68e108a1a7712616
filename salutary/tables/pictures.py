"""Files of pictures, and folders of them as tables."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from salutary.errors import SalutaryError
from salutary.system.files import as_path, files_in
from salutary.system.remote import fetched
from salutary.system.urls import is_remote
from salutary.tables import table_file
from salutary.tables.messages import one_line, shown, where
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# The columns of a folder of pictures.
PATH, LABEL = "path", "label"
# A JPEG is read at an eighth of its size, but not below so many pixels, to see whether it is whole.
SOME = 64
WHITE = (255, 255, 255, 255)
# What Pillow raises for a damaged file, and what it warns of when a small file claims to be a huge picture.
DAMAGED = (
    *(OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError, OverflowError),
    *(NotImplementedError, MemoryError, struct.error, zlib.error),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)


class BadPicture(SalutaryError):
    """A file that is no whole picture."""


def upright(file: str | Path, side: int | None = None) -> Image.Image:
    """A picture in colours, of whatever mode it is, turned as its EXIF data say.

    What can be seen through is laid on white; of animations it is the first picture; 16 bits are made
    8. ``side``: a JPEG may be read smaller, but not below so many pixels. Raises BadPicture, naming the
    file, for what is not there, is no whole picture, or has more pixels than Pillow takes for harmless.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                if side:
                    image.draft("RGB", (side, side))
                return _in_colours(ImageOps.exif_transpose(image))
    except DAMAGED as error:
        raise BadPicture(f"{file} is not a whole picture: {_reason(error)}") from error


def square(file: str | Path, side: int) -> np.ndarray:
    """The picture made square, (3, side, side) bytes; raises what :func:`upright` raises."""
    resized = upright(file).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized).transpose(2, 0, 1)


def _in_colours(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # of 16 bits, whatever room Pillow gives them
        return Image.fromarray((np.asarray(image).clip(0, 65535) / 257).round().astype(np.uint8)).convert(
            "RGB"
        )
    if image.mode == "F":
        raise ValueError("its pixels are real numbers, of a range that it does not say")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image).convert("RGB")
    return image.convert("RGB")


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"it has too many pixels, more than {Image.MAX_IMAGE_PIXELS:,}"
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is of no format that Pillow knows"
    return one_line(error) or type(error).__name__


def holds_pictures(folder: Path) -> bool:
    return next(_found(folder), None) is not None


def _found(folder: Path) -> Iterator[Path]:
    """The pictures below a folder, but for hidden ones."""
    for file in files_in(folder):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.suffix.lower() in SUFFIXES and not hidden:
            yield file


class PictureFolder(TableFile):
    """Pictures below a folder as rows, in the order of their paths.

    Columns: ``path``, relative to the folder; and ``label``, the name of the folder within it that a
    picture is in, unless pictures are in none (:meth:`call` has other names). Files that are no
    pictures, and hidden ones, are passed over.
    """

    def __init__(self, path: Path, reading: Reading | None = None, name: str | None = None):
        super().__init__(path, reading, name)
        self._names = (PATH, LABEL)
        self._has_labels = True
        self._paths = sorted(file.relative_to(path).as_posix() for file in _found(path))
        self.n_rows = len(self._paths)

    def call(self, path: str, label: str, labels: bool = True) -> None:
        """Other names of the columns; without ``labels`` there is no second."""
        self._names, self._has_labels = (path, label), labels

    @property
    def columns(self) -> list[str]:
        return [*self._names] if self._has_labels and not self._outside else [self._names[0]]

    @property
    def classes(self) -> set[str]:
        """Names of the folders within it; none if pictures are in none."""
        return set() if self._outside else {path.partition("/")[0] for path in self._paths}

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, len(self._paths), table_file.BLOCK_ROWS):
            paths = self._paths[start : start + table_file.BLOCK_ROWS]
            labels = [path.partition("/")[0] for path in paths]
            yield pd.DataFrame(zip(paths, labels, strict=True), columns=self._names, dtype=object)[columns]

    def check(self, names: Iterable[str]) -> None:
        names = list(names)
        if self._outside and self._names[1] in names:
            place = f"{self.path}: {shown(self._outside)} is in no folder"
            raise SalutaryError(f"{place}; pictures with labels are in one named after their class")
        super().check(names)

    @cached_property
    def _outside(self) -> str | None:
        """The first picture that is in no folder within it."""
        return next((path for path in self._paths if "/" not in path), None)


class WithoutBad(TableFile):
    """The rows of a table whose pictures, in ``columns``, are whole.

    Blocks are indexed by the rows' numbers in the file. All pictures are read once to know. Raises
    SalutaryError if no row stays.
    """

    def __init__(self, table: TableFile, columns: list[str]):
        super().__init__(table.file, table.reading, str(table.path))
        self._table = table
        self.unusable, self.vectors = table.unusable, table.vectors
        kept = [np.empty(0, np.int64)]
        for block in table.blocks(columns):
            bad = [self._bad(row, values) for row, values in zip(block.index, block.to_numpy(), strict=True)]
            kept.append(block.index.to_numpy()[~np.array(bad)])
        self._kept = np.concatenate(kept)
        self.n_rows = len(self._kept)
        if not self.n_rows:
            raise SalutaryError(f"{self.path} has no whole picture; {''.join(self.skipped[:1])}")

    @property
    def columns(self) -> list[str]:
        return self._table.columns

    def numbers(self, places: np.ndarray) -> np.ndarray:
        return self._kept[places]

    def places(self, numbers: np.ndarray) -> np.ndarray:
        return np.searchsorted(self._kept, numbers)

    def has(self, numbers: np.ndarray) -> np.ndarray:
        return np.isin(numbers, self._kept)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        return self._table.frames(columns)

    def blocks(self, columns: Iterable[str] | None = None) -> Iterator[pd.DataFrame]:
        for block in self._table.blocks(columns):
            kept = block[block.index.isin(self._kept)]
            if len(kept):
                yield kept

    def check(self, names: Iterable[str]) -> None:
        self._table.check(names)

    def _bad(self, row: int, values: Iterable[object]) -> bool:
        for value in values:
            try:
                upright(located(value, self._table.folder), SOME)
            except BadPicture as error:
                self.skipped.append(f"{where(self.path, row=row)}: {error}; the row is left out")
                return True
        return False


def located(value: object, folder: Path) -> Path:
    """Where the picture is that a row names, relative to its table's folder; what is elsewhere is copied.
    Raises BadPicture for no name, and for what is not there.
    """
    if not isinstance(value, str) or not value.strip():
        raise BadPicture("it names no picture")
    if is_remote(value.strip()):
        try:
            return fetched(value.strip())
        except SalutaryError as error:
            if isinstance(error.__cause__, ImportError):  # that is no fault of the picture
                raise
            raise BadPicture(str(error)) from error
    return folder / as_path(value.strip())
