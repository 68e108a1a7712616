"""Your own table: numbers and categories, with gaps, in a file or three."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.datasets import ROLES, UNLABELED, Table
from salutary.errors import SalutaryError
from salutary.tables.columns import Columns
from salutary.tables.files import TableFile, check_columns, open_table
from salutary.tables.labels import Classes
from salutary.tables.schema import Schema, to_texts

log = logging.getLogger(__name__)


class OwnTable:
    """Rows of a .csv, .tsv, .parquet, .feather or .npz file, or a folder of .parquet files.

    ``target``: the column of labels; rows without one form the pool. ``split``: a column that gives each row
    to one of train, pool, validation and test; or ``validation`` and ``test``: files of their own. Neither
    leaves the parts to the protocol. ``numeric``, ``categorical``, ``ignore``: what columns hold, where it is
    not to be told from their values (:mod:`salutary.tables.schema`). ``separator``: of a .csv file.

    Categories become one-hot features, gaps are filled and marked, numbers are standardised, all by a
    preprocessor fitted on the training part (:mod:`salutary.tables.features`).
    """

    def __init__(
        self,
        path: str | None = None,
        target: str | None = None,
        split: str | None = None,
        validation: str | None = None,
        test: str | None = None,
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        ignore: Sequence[str] = (),
        separator: str = ",",
    ):
        self.path = path
        self.target = target
        self.split = split
        self.validation = validation
        self.test = test
        self.numeric = numeric
        self.categorical = categorical
        self.ignore = ignore
        self.separator = separator

    def load(self) -> Table:
        """Raises SalutaryError, naming file, column and row, for settings and files that are wrong."""
        if not (self.path and self.target):
            raise SalutaryError("set dataset.path, a file, and dataset.target, its column of labels")
        if bool(self.validation) != bool(self.test) or (self.split and self.validation):
            raise SalutaryError(
                "set dataset.validation and dataset.test, two files, or dataset.split, a column"
            )
        files = {"train": open_table(self.path, self.separator)}
        if self.validation and self.test:
            files |= {
                name: open_table(getattr(self, name), self.separator) for name in ("validation", "test")
            }
        main = files["train"]
        check_columns(main.path, main.columns, [self.target, *([self.split] if self.split else [])])
        parts = {name: file.read(None if name == "train" else main.columns) for name, file in files.items()}
        known = [self.target, *([self.split] if self.split else [])]
        features = pd.concat([frame.drop(columns=known) for frame in parts.values()])
        schema = Schema.of(features, main.path, self.numeric, self.categorical, self.ignore)
        if schema.left_out:
            told = "; ".join(f"{column} ({why})" for column, why in schema.left_out.items())
            log.info("%s: left out %s", main.path, told)
        converted = [schema.convert(frame, files[name].path) for name, frame in parts.items()]
        y, classes = self._labels(parts, files)
        columns = Columns(schema, pd.concat(converted, ignore_index=True), main.path)
        roles = self._roles(parts, main.path, y)
        return Table(columns.codes(), y, classes.names, columns=columns, roles=roles)

    def _labels(
        self, parts: dict[str, pd.DataFrame], files: dict[str, TableFile]
    ) -> tuple[np.ndarray, Classes]:
        every = pd.concat([frame[self.target] for frame in parts.values()], ignore_index=True)
        classes = Classes.of(every, files["train"].path)
        numbers = [
            classes.encode(frame[self.target], files[name].path, required=name != "train")
            for name, frame in parts.items()
        ]
        return np.concatenate(numbers), classes

    def _roles(self, parts: dict[str, pd.DataFrame], path: Path, y: np.ndarray) -> np.ndarray | None:
        """The part of each row, if the files say so; raises SalutaryError, naming the row, if it is none."""
        if len(parts) > 1:
            return np.repeat(list(parts), [len(frame) for frame in parts.values()])
        if not self.split:
            return None
        roles = to_texts(parts["train"][self.split]).fillna("")
        wrong = ~roles.isin(ROLES)
        where = f"{path}, column {self.split}"
        if wrong.any():
            row = wrong.idxmax()
            raise SalutaryError(f"{where}, row {row + 1}: {roles[row]!r} is none of {', '.join(ROLES)}")
        unknown = roles.isin(["validation", "test"]) & (y == UNLABELED)
        if unknown.any():
            row = unknown.idxmax()
            raise SalutaryError(f"{where}, row {row + 1}: a row to measure on needs a label")
        return roles.to_numpy(str)
