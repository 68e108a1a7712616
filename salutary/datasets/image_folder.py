"""Your own pictures: one folder per class, and one of pictures without a label."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from salutary.datasets.images import ImageData, Images
from salutary.errors import SalutaryError, require_whole
from salutary.system.files import as_path
from salutary.system.progress import counting_bar
from salutary.tables import UNLABELED
from salutary.tables.pictures import SUFFIXES, square


class ImageFolder(ImageData):
    """``path/<class>/<picture>``; pictures in ``path/<unlabeled>/`` have no label and form the pool.

    Rows are in the order of class and file names, those without a label last. Every picture is made square,
    ``side`` pixels a side, and coloured. ``labels``: a CSV file with the columns file (``<class>/<picture>``)
    and label, to check the folders against. Files that are no pictures, and hidden ones, are passed over.
    """

    name = "image_folder"

    def __init__(
        self,
        path: str | None = None,
        unlabeled: str = "unlabeled",
        side: int = 224,
        labels: str | None = None,
        **settings,
    ):
        super().__init__(**settings)
        self.path = path
        self.unlabeled = unlabeled
        self.side = side
        self.labels = labels

    def files(self) -> dict[str, list[Path]]:
        """The files that are read, by the setting that names them."""
        found = super().files()
        if self.path:
            folders = [each for each in as_path(self.path).iterdir() if each.is_dir()]
            shown = [each for each in sorted(folders) if not each.name.startswith(".")]
            found["path"] = [file for folder in shown for file in pictures(folder)]
        if self.labels:
            found["labels"] = [as_path(self.labels)]
        return found

    def read(self) -> Images:
        require_whole("dataset.side", self.side, 8)
        if not self.path:
            raise SalutaryError("set dataset.path to a folder that holds one folder of pictures per class")
        root = as_path(self.path)
        if not root.is_dir():
            raise SalutaryError(f"dataset.path={self.path} is not a folder")
        folders = sorted(each for each in root.iterdir() if each.is_dir() and not each.name.startswith("."))
        names = tuple(each.name for each in folders if each.name != self.unlabeled)
        if len(names) < 2:
            raise SalutaryError(f"{root} holds {len(names)} class folders, but at least two are needed")
        files = {name: pictures(root / name) for name in names}
        if empty := next((name for name in names if not files[name]), None):
            raise SalutaryError(f"{root / empty} holds no picture ({', '.join(SUFFIXES)})")
        if self.labels:
            check_labels(as_path(self.labels), files)
        if (root / self.unlabeled).is_dir():
            files[self.unlabeled] = pictures(root / self.unlabeled)
        numbers = {name: number for number, name in enumerate(names)}
        y = [numbers.get(name, UNLABELED) for name, each in files.items() for _ in each]
        pixels = self._pixels([file for each in files.values() for file in each])
        return Images(pixels, np.array(y), names)

    def _pixels(self, files: list[Path]) -> np.ndarray:
        pixels = np.empty((len(files), 3, self.side, self.side), np.uint8)
        with counting_bar("reading pictures", len(files)) as advance:
            for row, file in enumerate(files):
                pixels[row] = square(file, self.side)
                advance(1)
        return pixels


def pictures(folder: Path) -> list[Path]:
    """The pictures in a folder, by name."""
    files = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path for path in files if not path.name.startswith("."))


def check_labels(path: Path, files: dict[str, list[Path]]) -> None:
    """Raises SalutaryError, naming the row, unless the list gives each file the label of its folder."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)  # a class may be called None
    except (OSError, ValueError) as error:
        raise SalutaryError(f"{path} cannot be read: {error}") from error
    if not {"file", "label"} <= set(table):
        raise SalutaryError(f"{path} needs the columns file and label, not {', '.join(table)}")
    labels = {f"{name}/{file.name}": name for name, each in files.items() for file in each}
    for row, (file, label) in enumerate(zip(table["file"], table["label"], strict=True), start=2):
        if file not in labels:
            raise SalutaryError(f"{path}, line {row}: there is no picture {file}")
        if labels[file] != label:
            raise SalutaryError(f"{path}, line {row}: {file} is in the folder of {labels[file]}, not {label}")
