"""Your own table: numbers and categories, with gaps, in a file or three."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.datasets import ROLES, Table
from salutary.datasets.grouped import Grouping
from salutary.datasets.kept import TableCache
from salutary.errors import SalutaryError
from salutary.system.rules import Character, Quoted, Texts, Unless, check
from salutary.tables import UNLABELED
from salutary.tables.columns import Columns
from salutary.tables.features import Features
from salutary.tables.files import TableFile, open_table
from salutary.tables.findings import Findings, class_findings, column_findings, left_out_findings
from salutary.tables.groups import Groups
from salutary.tables.labels import Classes
from salutary.tables.messages import first_row, quoted, where
from salutary.tables.places import files_of, with_sheet
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema, require_apart
from salutary.tables.texts import to_texts

TEXT = Quoted("text")
COLUMNS = Texts("a list of columns such as [age,city]")
RULES = {
    "path": TEXT,
    "target": TEXT,
    "split": Unless(None, TEXT),
    "validation": Unless(None, TEXT),
    "test": Unless(None, TEXT),
    "numeric": COLUMNS,
    "categorical": COLUMNS,
    "ignore": COLUMNS,
    "separator": Character(),
    "sheet": Unless(None, TEXT),
}
log = logging.getLogger(__name__)


class OwnTable:
    """Rows of a file of any form that :func:`salutary.tables.files.open_table` opens.

    ``target``: the column of labels; rows without one form the pool. ``split``: a column that gives each row
    to one of train, pool, validation and test; or ``validation`` and ``test``: files of their own. Neither
    leaves the parts to the protocol. ``numeric``, ``categorical``, ``ignore``: what columns hold, where it is
    not to be told from their values (:mod:`salutary.tables.schema`). ``separator``: of a .csv file.
    ``sheet``: of a workbook, else the first.
    ``decimal``, ``thousands``, ``units``, ``missing``: what texts mean (:mod:`salutary.tables.reading`).
    ``group``, ``group_edges``, ``group_is_feature``: of whom objectives of groups compare the predictions
    (:class:`salutary.datasets.grouped.Grouping`); a file of training rows need not have the column if others
    validate and test. ``cache_dir``: where a table that takes long to read is kept, by default the user's
    cache.

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
        sheet: str | None = None,
        decimal: str = ".",
        thousands: str | None = None,
        units: Sequence[str] = (),
        missing: Sequence[str | float] = (),
        cache_dir: str | None = None,
        group: str | None = None,
        group_edges: Sequence[float] = (),
        group_is_feature: bool = True,
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
        self.sheet = sheet
        self.decimal = decimal
        self.thousands = thousands
        self.units = units
        self.missing = missing
        self.cache_dir = cache_dir
        self.group = group
        self.group_edges = group_edges
        self.group_is_feature = group_is_feature

    def load(self) -> Table:
        """Raises SalutaryError, naming file, column and row, for settings and files that are wrong."""
        fixed = [column for column in self._fixed().values() if column]
        files = self._files()
        raw = [path for paths in self.files().values() for path in paths]
        table = TableCache(self.cache_dir).table(self, raw, lambda: self._read(files, fixed))
        for line in table.columns.findings:
            log.info("%s", line)
        return table

    def files(self) -> dict[str, list[Path]]:
        """The files that are read, by the setting that names them."""
        paths = {name: getattr(self, name) for name in ("path", "validation", "test")}
        return {name: files_of(path) for name, path in paths.items() if path}

    def _read(self, files: dict[str, TableFile], fixed: list[str]) -> Table:
        main = files["train"]
        main.check(fixed)
        group = self._group_column(files)
        parts = {"train": main.read_all_but([each for each in self.ignore if each != self.group])}
        lists = map(main.vectors.expanded, (self.numeric, self.categorical, self.ignore))
        unused = fixed if self.group_is_feature and not group & set(self.ignore) else [*fixed, *group]
        features = parts["train"].drop(columns=unused, errors="ignore")
        schema = Schema.of(features, main.path, *lists, main.reading, main.unusable)
        classes = Classes.of(parts["train"][self.target], main.path, self.decimal)
        for name in list(files)[1:]:
            parts[name] = files[name].read([*dict.fromkeys([*schema.used, self.target, *group])])
        y = [
            classes.encode(frame[self.target], files[name].path, required=name != "train")
            for name, frame in parts.items()
        ]
        roles = self._roles(parts, main.path, y[0])
        used = [
            (files[name].path, schema.convert(frame, files[name].path, files[name].reading))
            for name, frame in parts.items()
        ]
        findings = self._findings(schema, files, parts, used)
        findings += self._unseen(schema, files, used, y[0], roles)
        columns = Columns(schema, used, tuple(findings))
        groups = self._groups(parts, main.reading) if group else None
        y_all = np.concatenate(y)
        return Table(columns.codes(), y_all, classes.names, columns=columns, roles=roles, groups=groups)

    def _group_column(self, files: dict[str, TableFile]) -> set[str]:
        """The column of groups, if there is to be one; raises SalutaryError for files without it."""
        if not self.group:
            return set()
        for name, file in files.items():
            if name != "train" or len(files) == 1 or self.group in self.ignore:
                file.check([self.group])
        return {self.group}

    def _groups(self, parts: dict[str, pd.DataFrame], reading: Reading) -> Groups:
        """Of the rows of all files, none of those whose file does not say."""
        each = [
            frame[self.group] if self.group in frame else pd.Series(np.nan, frame.index, object)
            for frame in parts.values()
        ]
        values = pd.concat([to_texts(column) for column in each], ignore_index=True).rename(self.group)
        return Groups.of(values, "dataset.group", self.group_edges, reading)

    def _findings(
        self,
        schema: Schema,
        files: dict[str, TableFile],
        parts: dict[str, pd.DataFrame],
        used: list[tuple[Path, pd.DataFrame]],
    ) -> list[str]:
        """What is to be told of the files, of the columns first."""
        main, named = files["train"], [*self.numeric, *self.categorical, *self.ignore]
        lines = left_out_findings(schema, main.path, self.ignore)
        lines += column_findings(parts["train"], schema, main.path, main.reading, named)
        for (name, raw), (path, converted) in zip(parts.items(), used, strict=True):
            found = Findings(path, files[name].reading)
            found.add(raw, converted, schema)
            lines += class_findings(raw[self.target], path, files[name].reading) + found.lines()
        return lines

    def _unseen(
        self,
        schema: Schema,
        files: dict[str, TableFile],
        used: list[tuple[Path, pd.DataFrame]],
        y: np.ndarray,
        roles: np.ndarray | None,
    ) -> list[str]:
        """What the training rows lack that other rows have: of other files, or of other parts of one."""
        path, frame = used[0]
        others = [(str(path), each) for path, each in used[1:]]
        if len(used) == 1:
            parts = roles if roles is not None else np.where(y == UNLABELED, "pool", "train")
            others = [(f"{path}, {part} rows", frame[parts == part]) for part in ROLES[1:] if part in parts]
            frame = frame[parts == "train"]
        known, lines = Features.fit(schema, frame), []
        for place, each in others:
            features = known.fresh()
            features.transform(each, place)
            lines += features.findings(place, prefix=files["train"].reading.prefix)
        return lines

    def _fixed(self) -> dict[str, str | None]:
        """The columns with a task of their own, by setting; raises SalutaryError for settings that make no
        sense.
        """
        if self.path is None or self.target is None:
            raise SalutaryError("set dataset.path, a file, and dataset.target, its column of labels")
        check(self, RULES, "dataset.")
        Grouping(self.group, self.group_edges, self.group_is_feature)
        lists = {"numeric": self.numeric, "categorical": self.categorical, "ignore": self.ignore}
        fixed = {"dataset.target": self.target, "dataset.split": self.split}
        require_apart(fixed, {f"dataset.{name}": columns for name, columns in lists.items()})
        return fixed

    def _files(self) -> dict[str, TableFile]:
        if bool(self.validation) != bool(self.test) or (self.split and self.validation):
            raise SalutaryError(
                "set dataset.validation and dataset.test, two files, or dataset.split, a column"
            )
        paths = {"train": self.path, "validation": self.validation, "test": self.test}
        reading = Reading.of(self, "dataset.")
        named = {name: with_sheet(path, self.sheet) for name, path in paths.items() if path}
        return {name: open_table(path, self.separator, reading) for name, path in named.items()}

    def _roles(self, parts: dict[str, pd.DataFrame], path: Path, y: np.ndarray) -> np.ndarray | None:
        """The part of each row, if the files say so; raises SalutaryError, naming the row, if it is none."""
        if len(parts) > 1:
            return np.repeat(list(parts), [len(frame) for frame in parts.values()])
        if not self.split:
            return None
        roles = to_texts(parts["train"][self.split]).fillna("")
        wrong = ~roles.isin(ROLES)
        if wrong.any():
            row = first_row(wrong)
            problem = f"{quoted(roles[row])} is none of {', '.join(ROLES)}"
            raise SalutaryError(f"{where(path, self.split, row)}: {problem}")
        unknown = roles.isin(["validation", "test"]) & (y == UNLABELED)
        if unknown.any():
            place = where(path, self.split, first_row(unknown))
            raise SalutaryError(f"{place}: a row to measure on needs a label")
        for role in ("train", "validation", "test"):
            if not (roles == role).any():
                raise SalutaryError(f"{where(path, self.split)}: no row is given to the {role} part")
        return roles.to_numpy(str)
