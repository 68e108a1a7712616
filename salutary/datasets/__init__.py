"""Data sets. A data set is an object with ``load() -> Table``; it never splits or scales.

Adding one: a class with ``load`` anywhere Python can import it, and a YAML file in
``conf/dataset/`` (or in a folder given by ``--config-dir``) whose ``_target_`` names the class.

One that reads files of the user's has ``files() -> dict[str, list[Path]]`` too: for each setting that names a
file or a folder, the files that are read because of it. A run is then known by what they hold, and not by
how they are called: the same content is the same run wherever it lies, and another content is another run.
Without the method a run is known by the settings only.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from salutary.errors import SalutaryError
from salutary.tables import UNLABELED
from salutary.tables.columns import Columns
from salutary.tables.groups import Groups

# What a row can be for, where that is given; pool rows may have a label all the same.
ROLES = ("train", "pool", "validation", "test")


@dataclass(frozen=True)
class Table:
    """Features X (n, d) float64, class numbers y (n,) int64 in 0..C-1, and the names of the C classes.

    X may also be images (n, channels, height, width) of bytes, for networks. y is UNLABELED for rows without
    a known class. ``encoder``: what made the features, if a network did. ``columns``: numbers and categories
    that become features once training rows are known; X then holds their codes, NaN where there is no value.
    ``roles`` (n,): the part that each row is given to, one of ROLES; None leaves that to the protocol.
    ``groups``: of the rows, where the data set was asked for them. ``feature_names`` (d,): of X, where they
    have names.

    Raises SalutaryError, naming the row and column, when X holds a NaN or an infinity, when y
    does not fit ``class_names``, or when all rows are of one class.
    """

    X: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]
    encoder: str | None = None
    columns: Columns | None = None
    roles: np.ndarray | None = None
    groups: Groups | None = None
    feature_names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        X, y = np.asarray(self.X), np.asarray(self.y)
        is_images = X.ndim == 4 and X.dtype == np.uint8
        if not (X.ndim == 2 or is_images) or y.shape != (len(X),) or not X.size:
            raise SalutaryError(f"features {X.shape} and labels {y.shape} do not form a table")
        if X.dtype.kind not in "biuf":
            raise SalutaryError(f"features must be real numbers, not {X.dtype}")
        if y.dtype.kind not in "biu" and not (y.dtype.kind == "f" and (y == np.round(y)).all()):
            raise SalutaryError("labels must be the class numbers 0, 1, ..., as whole numbers")
        names = self.class_names
        if isinstance(names, str) or len(set(map(str, names))) != len(names):
            raise SalutaryError(f"class names must be a list of different names, not {names!r}")
        X = np.array(X, np.uint8 if is_images else np.float64, order="C")  # copies, so that all is ours,
        y = np.array(y, np.int64)
        X.flags.writeable = y.flags.writeable = False  # and the runs of a sweep can share them
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        object.__setattr__(self, "class_names", tuple(map(str, names)))
        bad = [] if is_images or self.columns else np.argwhere(~np.isfinite(X))
        if len(bad):
            row, column = bad[0]
            raise SalutaryError(f"feature {column} of row {row} is {X[row, column]} (counted from 0)")
        if self.groups is not None and len(self.groups.numbers) != len(X):
            raise SalutaryError(f"there are groups of {len(self.groups.numbers)} rows, but {len(X)} rows")
        if y.min() < UNLABELED or y.max() >= len(self.class_names):
            row = int(np.argmax((y < UNLABELED) | (y >= len(self.class_names))))
            raise SalutaryError(
                f"row {row} has class number {y[row]}, but there are {len(self.class_names)} classes"
            )
        classes = np.unique(y[y != UNLABELED])
        if len(classes) < 2:
            only = f"of one class, {self.class_names[classes[0]]}" if len(classes) else "without a label"
            raise SalutaryError(f"all rows are {only}")

    @property
    def n_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def sha256(self) -> str:
        """Checksum of features and labels as loaded, so that two runs can be seen to share data."""
        digest = hashlib.sha256(self.X.data)
        digest.update(self.y.data)
        return digest.hexdigest()


def encode(values: np.ndarray, class_names: tuple) -> np.ndarray:
    """Class numbers (n,) of ``values``; raises SalutaryError for a value that is not a class name."""
    numbers = np.full(len(values), -1)
    for number, name in enumerate(class_names):
        numbers[values == name] = number
    if (numbers < 0).any():
        row = int(np.argmax(numbers < 0))
        raise SalutaryError(f"row {row} has the unknown class {values[row]!r}")
    return numbers


def load(dataset, name: str) -> Table:
    """``dataset.load()``, checked; what is wrong is told with the data set's name.

    Raises SalutaryError for whatever goes wrong, since loading is about files more than about code.
    """
    try:
        table = dataset.load()
    except SalutaryError as error:
        raise SalutaryError(f"dataset={name}: {error}") from error
    except Exception as error:
        kind = type(error).__name__
        raise SalutaryError(f"dataset={name}: {kind}: {error} (SALUTARY_TRACEBACK=1 tells where)") from error
    if not isinstance(table, Table):
        raise SalutaryError(f"dataset={name}: load() returned a {type(table).__name__}, not a Table")
    return table
