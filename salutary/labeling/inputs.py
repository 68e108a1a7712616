"""From files to labelled rows, validation rows and a pool, in the features of one preprocessor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling import ids, images, texts
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
from salutary.tables.messages import shown, where
from salutary.tables.reading import Reading


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

    def id_hashes(self, column: str) -> Iterator[tuple[str | Path, np.ndarray]]:
        """Of each file its path, and 64 bits of each id but those of answers, which the pool has; of none
        where the ids are pictures, which are relative to each file's folder.
        """
        for part in self.parts.values():
            if part.ids is not None and column not in self.features.schema.images:
                yield part.path, pd.util.hash_array(part.ids[: len(part.ids) - part.n_answers])

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
    labeled, columns = tables["labeled"], settings.columns
    columns.require_apart()
    encoder = image_encoder = None
    if settings.images:
        image_encoder = images.encoder_of(settings.image_encoder, settings.cache_dir, device)
    if settings.text or settings.pair:
        encoder = texts.encoder_of(settings.encoder, settings.max_length, settings.cache_dir, device)
    frame, answered = with_answers(columns.read(labeled), settings, labeled)
    classes = Classes.of(frame[settings.target], labeled.path, settings.decimal)
    ids.check_name(settings.id, classes.names)
    schema = columns.schema(frame, labeled)
    converted = schema.convert(frame, labeled.path, labeled.reading, labeled.folder)
    features = Features.fit(schema, converted, encoder, image_encoder)
    wanted = columns.of_all(schema)
    frames = {name: frame if table is labeled else table.read(wanted) for name, table in tables.items()}
    groups = _groups(frames, settings.group, settings.group_edges, settings.reading)
    reader = _Reader(settings.target, settings.id, classes, features, device)
    parts = {
        name: reader.part(frames[name], table, groups.numbers_of.get(name) if groups else None)
        for name, table in tables.items()
    }
    findings = reader.told(frame, labeled, settings.ignore, columns.named, settings.encoder)
    sources = None
    if settings.source:
        sources = Sources.of(frame[settings.source], labeled.reading, device)
        findings += sources.findings(labeled.path, settings.source)
    parts["labeled"] = replace(parts["labeled"], n_answers=len(answered))
    roles = parts["labeled"], parts["validation"], parts.get("test")
    names = groups.names if groups else ()
    inputs = Inputs(features, classes, *roles, findings, sources, names, answered=answered)
    _check_classes(inputs, settings.target)
    if settings.id and not columns.ids_are_pictures:
        ids.check_apart(
            ((each.path, each.ids) for each in parts.values() if each.ids is not None), settings.id
        )
    return inputs


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
        names = ids.checked(frame[self.id], path) if self.id else None
        self._note(frame, converted, features, table)
        self.features.unseen.update(features.unseen)
        numbers = None if groups is None else self.device.labels(groups)
        rows = Rows(self.device.features(X).double(), self.device.labels(y), numbers)
        return LabelledFile(rows, names, path, table)

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


def _check_classes(inputs: Inputs, target: str) -> None:
    """Raises SalutaryError if the validation rows hold a single class."""
    present = list(inputs.validation.counts)
    if len(present) < 2:
        problem = f"all rows are of the single class {shown(inputs.classes.names[present[0]])}"
        raise SalutaryError(f"{where(inputs.validation.path, target)}: {problem}")
