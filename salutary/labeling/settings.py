"""The settings of ``salutary-label``, checked."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from salutary.errors import SalutaryError
from salutary.labeling.columns import Columns
from salutary.labeling.exports.kinds import EXPORTS, check_exports
from salutary.labeling.on_ray.rules import LOCAL, RAY, are_parts, check_backend, copied
from salutary.labeling.stopping import Stopping
from salutary.system.files import as_path, overlap
from salutary.system.rules import (
    NULL,
    Character,
    Choice,
    Flag,
    Needed,
    Text,
    Texts,
    Unless,
    Whole,
    Worded,
    check,
)
from salutary.tables.feature_maps import AUTO, KINDS
from salutary.tables.files import is_picture_folder
from salutary.tables.groups import EDGES
from salutary.tables.pictures import LABEL, PATH
from salutary.tables.places import Place, files_of, identity, local_paths, ordered_by, with_sheet
from salutary.tables.reading import Reading

FORMATS = (".parquet", ".csv")
FILES = {
    "labeled": Needed("a file of labelled rows"),
    "validation": Needed("a file of validation rows"),
    "test": Text("a file of test rows"),
    "pool": Text("a file of rows to label"),
    "answers": Text("a file of pool rows with labels, such as a filled ask.csv"),
}
COLUMNS = Texts("a list of columns such as [age,city]")
KINDS_OF_COLUMNS = ("numeric", "categorical", "ignore", "text", "pair", "images")
RULES = {
    "audit": Flag(),
    "force": Flag(),
    "labeled": FILES["labeled"],
    "validation": FILES["validation"],
    "target": Needed("the column of labels"),
    "pool": Unless(None, FILES["pool"]),
    "test": Unless(None, FILES["test"]),
    "answers": Unless(None, FILES["answers"]),
    "ask": NULL | Whole(1),
    "export": EXPORTS,
    "backend": Choice(LOCAL, RAY),
    "encode": Choice("auto", "once", "each_round"),
    "id": Unless(None, Text("the column that names rows")),
    "source": Unless(None, Text("the column that says who gave a label")),
    "group": Unless(None, Text("the column of groups")),
    "group_edges": EDGES,
    "output": Unless(None, Text("the file to write, .parquet or .csv")),
    "predictions": Unless(None, Text("the file to write of the pool, .parquet or .csv")),
    "remedies": Worded(Flag() | Texts(""), "true, false or a list of remedies such as [labeled]"),
    "combine": Text("average, best or the name of a model"),
    "features": Choice(*KINDS, AUTO),
    **dict.fromkeys(KINDS_OF_COLUMNS, COLUMNS),
    "image_encoder": Text("efficientnet_lite0, or a folder or Hub name of a model"),
    "skip_bad": Flag(),
    "encoder": Text("auto, minilm, tfidf, or a folder or Hub name of a model"),
    "max_length": Whole(8),
    "cache_dir": Unless(None, Text("a folder")),
    "separator": Character(),
    "sheet": Unless(None, Text("the sheet of a workbook")),
    "budget": Whole(1),
    "folds": Whole(0),
    "seed": Whole(0),
    "shortlist": Whole(1),
}


@dataclass(frozen=True)
class LabelSettings:
    """What conf/label.yaml documents, but for the model, the strategy and the device."""

    labeled: str
    validation: str
    target: str
    pool: str | None
    test: str | None
    id: str | None
    source: str | None
    group: str | None
    group_edges: list[float]
    numeric: list[str]
    categorical: list[str]
    ignore: list[str]
    text: list[str]
    pair: list[str]
    images: list[str]
    image_encoder: str
    skip_bad: bool
    encoder: str
    max_length: int
    cache_dir: str | None
    separator: str
    sheet: str | None
    decimal: str
    thousands: str | None
    missing: list[str | float]
    units: list[str]
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
    predictions: str | None
    remedies: bool | list[str]
    combine: str
    ask: int | None
    answers: str | None
    export: list[str] | str
    features: str
    force: bool
    backend: str
    encode: str

    @classmethod
    def of(cls, config: dict) -> LabelSettings:
        """Raises SalutaryError for a setting that is missing or makes no sense."""
        values: dict[str, Any] = {field.name: config.get(field.name) for field in fields(cls)}
        settings = cls(**_with_pictures(values))
        settings.check()
        return settings

    def check(self) -> None:
        """Raises SalutaryError for the first setting that is wrong."""
        check(self, RULES)
        for name, path in self.tables.items():
            if path.suffix.lower() not in FORMATS:
                raise SalutaryError(f"{name} must end in {' or '.join(FORMATS)}, not {getattr(self, name)!r}")
        self._check_places()
        self._check_predictions()
        self._check_ask()
        if self.group_edges and not self.group:
            raise SalutaryError("group_edges needs group, a column of numbers")
        if self.group and self.group in self.columns.fixed.values():
            raise SalutaryError(f"group={self.group} has a task of its own: it is the target, id or source")
        if self.folds == 1:
            raise SalutaryError("folds must be 0, for no cross-fitting, or at least 2")
        if not self.pool and not self.audit and not self.remedies:
            raise SalutaryError("there is nothing to do: set pool, a file of rows to label, or remedies=true")
        _ = self.stopping, self.reading

    def _check_places(self) -> None:
        """Raises SalutaryError if a file is to serve twice, or is where something is written."""
        roles: dict[str, str] = {}
        for name, file in self.files.items():
            first = roles.setdefault(identity(file), name)
            if first != name:
                raise SalutaryError(f"{name}={Place.of(file).public} is {first}, too: no row may serve twice")
        places = [self.path.resolve(), self.folder.resolve(), self.partial.resolve()]
        for name, file in self.files.items():
            if any(path.is_relative_to(each) for path in local_paths(file) for each in places):
                shown = f"{name}={Place.of(file).public}"
                raise SalutaryError(f"{shown} is where output={self.path} writes: write elsewhere")

    def _check_predictions(self) -> None:
        """Raises SalutaryError if there is nothing to predict, or another file where it would be written."""
        if self.predicted is None:
            return
        if self.audit or not self.pool:
            why = "there is none with audit=true" if self.audit else f"set pool: {FILES['pool']}"
            raise SalutaryError(f"predictions={self.predicted} are of the rows of a pool: {why}")
        for name, file in self.files.items():
            if any(overlap(path, self.predicted) for path in local_paths(file)):
                shown = f"{name}={Place.of(file).public}"
                raise SalutaryError(f"predictions={self.predicted} is where {shown} is: write elsewhere")
        if any(overlap(path, self.predicted) for path in (self.path, self.folder, self.partial)):
            place = f"where output={self.path} writes: write elsewhere"
            raise SalutaryError(f"predictions={self.predicted} is {place}")

    def _check_ask(self) -> None:
        """Raises SalutaryError for what is asked or answered without a pool, and an export of nothing."""
        for name in ("ask", "answers"):
            if getattr(self, name) is not None and (self.audit or not self.pool):
                why = "there is none with audit=true" if self.audit else f"set pool: {FILES['pool']}"
                raise SalutaryError(f"{name}={getattr(self, name)} is about rows of a pool: {why}")
        if self.ask is not None and not self.remedies:
            raise SalutaryError(f"ask={self.ask} is for the model that is handed over: set remedies=true")
        check_exports(self.exports, self.audit, self.pool is not None)
        check_backend(self)

    @property
    def exports(self) -> list[str]:
        return [self.export] if isinstance(self.export, str) else list(self.export)

    @property
    def reading(self) -> Reading:
        """What the texts of the files mean."""
        return Reading.of(self)

    @property
    def stopping(self) -> Stopping:
        return Stopping(self.rounds, self.patience, self.max_labels, self.min_influence, self.max_seconds)

    @property
    def columns(self) -> Columns:
        """The tasks of columns."""
        kinds = {name: getattr(self, name) for name in KINDS_OF_COLUMNS}
        return Columns(self.target, self.id, self.source, self.group, kinds)

    @property
    def files(self) -> dict[str, str]:
        """What is read, by setting, as :class:`salutary.tables.places.Place` has it."""
        named = {"labeled": self.labeled, "validation": self.validation, "test": self.test, "pool": self.pool}
        named |= {"answers": self.answers}
        return {
            name: ordered_by(with_sheet(value, self.sheet), self.id) for name, value in named.items() if value
        }

    @property
    def chosen_by(self) -> list[Path]:
        """The files that the labels depend on."""
        files = [(file, copied(n, self.backend)) for n, file in self.files.items() if n != "test"]
        return [path for each in files for path in files_of(*each)]

    def check_free(self, was_writing: bool = False) -> None:
        """Raises SalutaryError for what is there, but for ours, to be replaced or as it ``was_writing``."""
        for name, path in [("output", self.folder), *self.tables.items()]:
            if path.exists() and not (self.force or was_writing):
                raise SalutaryError(
                    f"{path} is there already: force=true replaces it, {name}=... writes elsewhere"
                )
            if path.is_dir() and path != self.folder and not (self.backend == RAY and are_parts(path)):
                raise SalutaryError(f"{path} is a folder, and no table: {name}=... writes elsewhere")
        folder = self.folder
        if folder.exists() and not folder.is_dir():
            raise SalutaryError(f"{folder} is a file, and would be a folder: output=... writes elsewhere")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "facts.json").exists():
            raise SalutaryError(
                f"{folder} is a folder that salutary-label has not written: output=... writes elsewhere"
            )

    @property
    def path(self) -> Path:
        """Of the table that is written."""
        return as_path(self.output or ("audit.csv" if self.audit else "labels.parquet"))

    @property
    def predicted(self) -> Path | None:
        """The file of the pool's predictions."""
        return as_path(self.predictions) if self.predictions else None

    @property
    def tables(self) -> dict[str, Path]:
        """The tables that are written, by setting."""
        return {"output": self.path} | ({"predictions": self.predicted} if self.predicted else {})

    @property
    def folder(self) -> Path:
        """Of everything else that is written."""
        return self.path.with_suffix("")

    @property
    def partial(self) -> Path:
        """What an interrupted labelling leaves behind, to go on with."""
        return self.path.with_suffix(".partial")


def _with_pictures(values: dict[str, Any]) -> dict[str, Any]:
    """A single column of pictures as a list; and of a folder of pictures its columns, unless they are
    named.
    """
    images, labeled = values["images"], values["labeled"]
    if isinstance(images, str):
        return values | {"images": [images]}
    if images or not isinstance(labeled, str) or not is_picture_folder(labeled):
        return values
    named = {"target": LABEL, "id": PATH}
    return values | {"images": [PATH]} | {name: values[name] or each for name, each in named.items()}
