"""From files to labelled rows, validation rows and a pool, in the features of one preprocessor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling import images, texts
from salutary.labeling.answers import with_answers
from salutary.labeling.mapping import LINEAR_MAPPING, Mapping
from salutary.labeling.settings import LabelSettings
from salutary.labeling.sources import Sources
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.device import Device
from salutary.tables.features import Features
from salutary.tables.files import TableFile
from salutary.tables.findings import (
    Findings,
    class_findings,
    column_findings,
    left_out_findings,
    text_findings,
)
from salutary.tables.groups import Groups
from salutary.tables.labels import Classes
from salutary.tables.messages import first_row, quoted, shown, where
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema, require_apart
from salutary.tables.texts import each_to_text

# The columns of the tables that are written, which an id cannot be called.
WRITTEN = (
    *("row", "label", "influence", "prediction", "probability", "round", "rank", "true_label"),
    *("harm", "standard_error", "suggested_label", "gain", "source", "wrong_probability", "likely_label"),
    "soft_weight",
)
# Those of each class are called KIND_CLASS.
KINDS = ("influence", "probability", "soft_label")


@dataclass(frozen=True)
class LabelledFile:
    """Rows with labels: features and classes, and ids as text (n,), None without ``id``; ``table``: they are
    in. ``n_answers``: so many of the last are of the pool.
    """

    rows: Rows
    ids: np.ndarray | None
    path: str | Path
    table: TableFile | None = None
    n_answers: int = 0

    @property
    def counts(self) -> Counter:
        return Counter(self.rows.y.tolist())


@dataclass
class Inputs:
    """All that is read but for the pool. ``findings``: what is to be told of it; ``sources``: who gave the
    labels of the labelled rows, None if no column says it. ``groups``: names of the groups, if there are any;
    ``mapping``: what stands between the features and linear models. ``answered``: numbers of the pool's rows
    that are the last of the labelled ones.
    """

    features: Features
    classes: Classes
    labeled: LabelledFile
    validation: LabelledFile
    test: LabelledFile | None
    findings: list[str]
    sources: Sources | None = None
    groups: tuple[str, ...] = ()
    mapping: Mapping = LINEAR_MAPPING
    answered: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def told(self) -> list[str]:
        """What the terminal says of it."""
        return [*self.findings, *self.mapping.sentences]

    def mapped(self, asked: str, model: LogisticRegression, seed: int) -> Inputs:
        """With the feature map that is ``asked`` for, linear, splines, nystroem or auto."""
        mapping = Mapping.of(asked, self.labeled.rows, self.validation.rows, model, seed)
        found = replace(self, features=replace(self.features, map=mapping.fitted), mapping=mapping)
        for name, part in self.parts.items():
            setattr(found, name, replace(part, rows=mapping.rows(part.rows)))
        return found

    @property
    def parts(self) -> dict[str, LabelledFile]:
        """Those there are, by setting."""
        parts = {"labeled": self.labeled, "validation": self.validation, "test": self.test}
        return {name: part for name, part in parts.items() if part}


def read_inputs(settings: LabelSettings, device: Device) -> Inputs:
    """Read and check labelled, validation and test rows; the preprocessor is fitted on the labelled ones.

    Raises SalutaryError, naming file, column and row, for whatever is wrong in them.
    """
    tables = {
        name: images.opened(name, settings) for name in settings.files if name not in ("pool", "answers")
    }
    labeled, pictures = tables["labeled"], settings.images
    apart = {
        name: column for name, column in settings.fixed.items() if name != "id" or column not in pictures
    }
    require_apart(apart, settings.lists)
    encoder = image_encoder = None
    if pictures:
        image_encoder = images.encoder_of(settings.image_encoder, settings.cache_dir, device)
    if settings.text or settings.pair:
        encoder = texts.encoder_of(settings.encoder, settings.max_length, settings.cache_dir, device)
    fixed = [column for column in settings.fixed.values() if column]
    labeled.check(fixed)
    frame = labeled.read_all_but([each for each in settings.ignore if each != settings.group])
    frame, answered = with_answers(frame, settings, labeled)
    classes = Classes.of(frame[settings.target], labeled.path, settings.decimal)
    _check_id_name(settings.id, classes)
    others = {column for column in fixed if column not in pictures}
    if settings.group and settings.group in settings.ignore and settings.group in frame:
        others.add(settings.group)
    schema = _schema(frame, labeled, others, settings.lists)
    converted = schema.convert(frame, labeled.path, labeled.reading, labeled.folder)
    features = Features.fit(schema, converted, encoder, image_encoder)
    reader = _Reader(settings.target, settings.id, classes, features, device)
    everywhere = [*schema.used, *(c for c in fixed if c not in (settings.source, *schema.images))]
    everywhere += [settings.group] if settings.group and settings.group not in everywhere else []
    frames = {name: frame if table is labeled else table.read(everywhere) for name, table in tables.items()}
    groups = _groups(frames, settings.group, settings.group_edges, settings.reading)
    parts = {
        name: reader.part(frames[name], table, groups.numbers_of.get(name) if groups else None)
        for name, table in tables.items()
    }
    findings = reader.told(frame, labeled, settings.ignore, settings.named, settings.encoder)
    sources = None
    if settings.source:
        sources = Sources.of(frame[settings.source], labeled.reading, device)
        findings += sources.findings(labeled.path, settings.source)
    parts["labeled"] = replace(parts["labeled"], n_answers=len(answered))
    roles = parts["labeled"], parts["validation"], parts.get("test")
    names = groups.names if groups else ()
    inputs = Inputs(features, classes, *roles, findings, sources, names, answered=answered)
    _check_classes(inputs, settings.target)
    if settings.id not in pictures:  # which are relative to each file's folder
        _check_apart(inputs, settings.id)
    return inputs


def _schema(frame: pd.DataFrame, labeled: TableFile, others: set[str], lists: dict[str, list[str]]) -> Schema:
    """Of the features: all columns but the ``others``; ``lists``: what columns are said to be."""
    return Schema.of(
        frame.drop(columns=[*others]),
        labeled.path,
        **{name: labeled.vectors.expanded(columns) for name, columns in lists.items()},
        reading=labeled.reading,
        unusable=labeled.unusable,
    )


@dataclass(frozen=True)
class _Reader:
    """Makes rows of features and class numbers of the columns of a file, and notes what is to be told."""

    target: str
    id: str | None
    classes: Classes
    features: Features
    device: Device
    findings: list[str] = field(default_factory=list)

    def part(self, frame: pd.DataFrame, table: TableFile, groups: np.ndarray | None = None) -> LabelledFile:
        """Raises SalutaryError, naming the row, for a label, an id or a number that is none."""
        path, features = table.path, self.features.fresh()
        y = self.classes.encode(frame[self.target], path)
        converted = features.schema.convert(frame, path, table.reading, table.folder)
        X = features.transform(converted, path)
        ids = checked_ids(frame[self.id], path) if self.id else None
        self._note(frame, converted, features, table)
        self.features.unseen.update(features.unseen)
        numbers = None if groups is None else self.device.labels(groups)
        rows = Rows(self.device.features(X).double(), self.device.labels(y), numbers)
        return LabelledFile(rows, ids, path, table)

    def told(
        self, frame: pd.DataFrame, labeled: TableFile, ignore: list[str], named: Collection[str], encoder: str
    ) -> list[str]:
        """What is to be told of the labelled rows' columns, of all rows read, and of the encoders."""
        features, path = self.features, labeled.path
        return [
            *left_out_findings(features.schema, path, ignore),
            *column_findings(frame, features.schema, path, labeled.reading, named),
            *text_findings(frame, features.schema, path, texts.chosen(encoder)),
            *self.findings,
            *texts.findings(features, encoder),
            *texts.pace(features.encoder),
            *images.findings(features),
            *images.pace(features),
        ]

    def _note(
        self, frame: pd.DataFrame, converted: pd.DataFrame, features: Features, table: TableFile
    ) -> None:
        found = Findings(table.path, table.reading)
        found.add(frame, converted, features.schema)
        self.findings.extend(class_findings(frame[self.target], table.path, table.reading))
        self.findings.extend([*found.lines(), *features.findings(table.path), *images.skipped(table)])


@dataclass(frozen=True)
class _GroupsOfFiles:
    """``names`` of the groups, and the ``numbers_of`` the rows of each file that has the column."""

    names: tuple[str, ...]
    numbers_of: dict[str, np.ndarray]


def _groups(
    frames: dict[str, pd.DataFrame], column: str | None, edges: list[float], reading: Reading
) -> _GroupsOfFiles | None:
    """None without a column; the labelled rows need not have it. Raises what :meth:`Groups.of` raises."""
    if column is None:
        return None
    values = {name: reading.categories(frame[column]) for name, frame in frames.items() if column in frame}
    together = pd.concat(values.values(), ignore_index=True).rename(column)
    groups = Groups.of(together, "group", edges, reading)
    ends = np.cumsum([len(each) for each in values.values()])
    return _GroupsOfFiles(groups.names, dict(zip(values, np.split(groups.numbers, ends[:-1]), strict=True)))


def _check_id_name(name: str | None, classes: Classes) -> None:
    """Raises SalutaryError for the name of a column that is written beside the id."""
    of_classes = [f"{kind}_{each}" for each in classes.names for kind in KINDS]
    if name in (*WRITTEN, *of_classes):
        raise SalutaryError(
            f"id={shown(name)}: a column of the labels that are written has this name, rename it"
        )


def checked_ids(values: pd.Series, path: str | Path) -> np.ndarray:
    """Ids as text; raises SalutaryError, naming the row, for one that is missing or there twice."""
    ids = each_to_text(values)
    if ids.isna().any():
        raise SalutaryError(f"{where(path, values.name, first_row(ids.isna()))}: there is no id")
    twice = ids.duplicated()
    if twice.any():
        row = first_row(twice)
        raise SalutaryError(f"{where(path, values.name, row)}: the id {quoted(ids[row])} is there twice")
    return ids.to_numpy(object)


def _check_classes(inputs: Inputs, target: str) -> None:
    """Raises SalutaryError if the validation rows hold a single class."""
    present = list(inputs.validation.counts)
    if len(present) < 2:
        problem = f"all rows are of the single class {shown(inputs.classes.names[present[0]])}"
        raise SalutaryError(f"{where(inputs.validation.path, target)}: {problem}")


def _check_apart(inputs: Inputs, column: str | None) -> None:
    """Raises SalutaryError for an id that is in two of the files."""
    seen: dict[str, str | Path] = {}
    for part in inputs.parts.values():
        if part.ids is None:
            continue
        for row, name in enumerate(part.ids):
            if name in seen:
                problem = f"the id {quoted(name)} is also in {seen[name]}"
                raise SalutaryError(f"{where(part.path, column, row)}: {problem}")
        seen |= dict.fromkeys(part.ids, part.path)
