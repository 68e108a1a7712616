"""The settings of ``salutary-label``, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

from salutary.errors import SalutaryError, require_bool, require_whole
from salutary.labeling.stopping import Stopping

FORMATS = (".parquet", ".csv")


@dataclass(frozen=True)
class LabelSettings:
    """What conf/label.yaml documents, but for the model, the strategy and the device."""

    labeled: str
    validation: str
    target: str
    pool: str | None
    test: str | None
    id: str | None
    numeric: list[str]
    categorical: list[str]
    ignore: list[str]
    separator: str
    audit: bool
    budget: int
    rounds: int | str
    patience: int
    max_labels: int | None
    min_influence: float
    max_seconds: float | None
    folds: int
    shortlist: int
    seed: int
    output: str | None
    force: bool

    @classmethod
    def of(cls, config: dict) -> LabelSettings:
        """Raises SalutaryError for a setting that is missing or makes no sense."""
        settings = cls(**{field.name: config.get(field.name) for field in fields(cls)})
        settings.check()
        return settings

    def check(self) -> None:
        """Raises SalutaryError for the first setting that is wrong."""
        for name in ("audit", "force"):
            require_bool(name, getattr(self, name))
        needed = ("labeled", "validation", "target") + (() if self.audit else ("pool",))
        for name in ("labeled", "validation", "target", "pool", "test", "id", "output"):
            value = getattr(self, name)
            if value is None and name in needed:
                raise SalutaryError(f"set {name}: {WHAT[name]}")
            if value is not None and (not isinstance(value, str) or not value):
                raise SalutaryError(f"{name} must be {WHAT[name]}, not {value!r}")
        for name in ("numeric", "categorical", "ignore"):
            value = getattr(self, name)
            if not isinstance(value, list) or not all(isinstance(column, str) for column in value):
                raise SalutaryError(f"{name} must be a list of columns such as [age,city], not {value!r}")
        if not isinstance(self.separator, str) or len(self.separator) != 1:
            raise SalutaryError(f"separator must be one character, not {self.separator!r}")
        for name, smallest in {"budget": 1, "folds": 0, "seed": 0, "shortlist": 1}.items():
            require_whole(name, getattr(self, name), smallest)
        if self.output and self.path.suffix.lower() not in FORMATS:
            raise SalutaryError(f"output must end in {' or '.join(FORMATS)}, not {self.output!r}")
        self._check_places()
        _ = self.stopping

    def _check_places(self) -> None:
        """Raises SalutaryError if a file is to serve twice, or is where something is written."""
        roles: dict[Path, str] = {}
        for name in ("labeled", "validation", "test", "pool"):
            if value := getattr(self, name):
                first = roles.setdefault(as_path(value).resolve(), name)
                if first != name:
                    raise SalutaryError(f"{name}={value} is {first}, too: no row may serve twice")
        places = [self.path.resolve(), self.folder.resolve(), self.partial.resolve()]
        for name in ("labeled", "validation", "test", "pool"):
            value = getattr(self, name)
            if value and any(as_path(value).resolve().is_relative_to(each) for each in places):
                raise SalutaryError(f"{name}={value} is where output={self.path} writes: write elsewhere")

    @property
    def stopping(self) -> Stopping:
        return Stopping(self.rounds, self.patience, self.max_labels, self.min_influence, self.max_seconds)

    @property
    def fixed(self) -> dict[str, str | None]:
        """The columns with a task of their own, by setting."""
        return {"target": self.target, "id": self.id}

    @property
    def lists(self) -> dict[str, list[str]]:
        """The columns whose values are said to be of a kind, by setting."""
        return {"numeric": self.numeric, "categorical": self.categorical, "ignore": self.ignore}

    @property
    def files(self) -> list[Path]:
        """What a labelling reads and what it goes on with depends on."""
        return [as_path(name) for name in (self.labeled, self.validation, self.pool) if name]

    def check_free(self) -> None:
        """Raises SalutaryError for what is there already, unless it is to be replaced and is ours."""
        for path in (self.path, self.folder):
            if path.exists() and not self.force:
                raise SalutaryError(
                    f"{path} is there already: force=true replaces it, output=... writes elsewhere"
                )
        folder = self.folder
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "facts.json").exists():
            raise SalutaryError(
                f"{folder} is a folder that salutary-label has not written: output=... writes elsewhere"
            )

    @property
    def path(self) -> Path:
        """Of the table that is written."""
        return as_path(self.output or ("audit.csv" if self.audit else "labels.parquet"))

    @property
    def folder(self) -> Path:
        """Of everything else that is written."""
        return self.path.with_suffix("")

    @property
    def partial(self) -> Path:
        """What an interrupted labelling leaves behind, to go on with."""
        return self.path.with_suffix(".partial")


def as_path(name: str) -> Path:
    """With ~ for the home directory; ~name of nobody stays as it is."""
    return Path(os.path.expanduser(name))


WHAT = {
    "labeled": "a file of labelled rows",
    "validation": "a file of validation rows",
    "target": "the column of labels",
    "pool": "a file of rows to label",
    "test": "a file of test rows",
    "id": "the column that names rows",
    "output": "the file to write, .parquet or .csv",
}
