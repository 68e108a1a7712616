"""From files to labelled rows, validation rows and a pool, in the features of one preprocessor."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.device import Device
from salutary.errors import SalutaryError
from salutary.labeling.settings import LabelSettings
from salutary.labeling.track import Rows
from salutary.tables.features import Features
from salutary.tables.files import TableFile, check_columns, open_table
from salutary.tables.labels import Classes
from salutary.tables.schema import Schema, to_texts


@dataclass(frozen=True)
class Part:
    """Rows with labels: their features and classes, their ids as text (n,) or None, and how many of each
    class.
    """

    rows: Rows
    ids: np.ndarray | None
    path: Path

    @property
    def counts(self) -> Counter:
        return Counter(self.rows.y.tolist())


@dataclass
class Inputs:
    """All that is read but for the pool. ``n_constant``: features that are constant in the labelled rows."""

    features: Features
    classes: Classes
    labeled: Part
    validation: Part
    test: Part | None

    @property
    def parts(self) -> list[Part]:
        return [part for part in (self.labeled, self.validation, self.test) if part]


def read_inputs(settings: LabelSettings, device: Device) -> Inputs:
    """Read and check labelled, validation and test rows; the preprocessor is fitted on the labelled ones.

    Raises SalutaryError, naming file, column and row, for whatever is wrong in them.
    """
    tables = {
        name: open_table(path, settings.separator)
        for name in ("labeled", "validation", "test")
        if (path := getattr(settings, name))
    }
    frame = read_labeled(tables["labeled"], settings)
    path = tables["labeled"].path
    classes = Classes.of(frame[settings.target], path)
    known = [settings.target, *([settings.id] if settings.id else [])]
    schema = Schema.of(
        frame.drop(columns=known), path, settings.numeric, settings.categorical, settings.ignore
    )
    features = Features.fit(schema, schema.convert(frame, path))
    parts = {"labeled": _part(frame, path, features, classes, settings, device)}
    features.unseen.clear()
    for name in tables.keys() - {"labeled"}:
        frame = tables[name].read([*schema.used, *known])
        parts[name] = _part(frame, tables[name].path, features, classes, settings, device)
    inputs = Inputs(features, classes, parts["labeled"], parts["validation"], parts.get("test"))
    _check_classes(inputs)
    _check_apart(inputs)
    return inputs


def read_labeled(table: TableFile, settings: LabelSettings) -> pd.DataFrame:
    """All columns of the labelled rows. Raises SalutaryError if target or id are not among them."""
    check_columns(table.path, table.columns, [settings.target, *([settings.id] if settings.id else [])])
    if settings.target in (named := [*settings.numeric, *settings.categorical, settings.id]):
        raise SalutaryError(f"target={settings.target} cannot also be in {named}")
    return table.read()


def _part(
    frame: pd.DataFrame,
    path: Path,
    features: Features,
    classes: Classes,
    settings: LabelSettings,
    device: Device,
) -> Part:
    y = classes.encode(frame[settings.target], path)
    X = features.transform(features.schema.convert(frame, path), path)
    ids = checked_ids(frame[settings.id], path) if settings.id else None
    return Part(Rows(device.features(X).double(), device.labels(y)), ids, path)


def checked_ids(values: pd.Series, path: Path) -> np.ndarray:
    """Ids as text; raises SalutaryError, naming the row, for one that is missing or there twice."""
    ids = to_texts(values)
    if ids.isna().any():
        raise SalutaryError(f"{path}, column {values.name}, row {ids.isna().idxmax() + 1}: there is no id")
    twice = ids.duplicated()
    if twice.any():
        row = twice.idxmax()
        raise SalutaryError(
            f"{path}, column {values.name}, row {row + 1}: the id {ids[row]!r} is there twice"
        )
    return ids.to_numpy(object)


def _check_classes(inputs: Inputs) -> None:
    """Raises SalutaryError if the validation rows hold a single class."""
    present = list(inputs.validation.counts)
    if len(present) < 2:
        name = inputs.classes.names[present[0]]
        raise SalutaryError(f"{inputs.validation.path}: all rows are of the single class {name}")


def _check_apart(inputs: Inputs) -> None:
    """Raises SalutaryError for an id that is in two of the files."""
    seen: dict[str, Path] = {}
    for part in inputs.parts:
        if part.ids is None:
            continue
        for row, name in enumerate(part.ids, start=1):
            if name in seen:
                raise SalutaryError(f"{part.path}, row {row}: the id {name!r} is also in {seen[name]}")
        seen |= dict.fromkeys(part.ids, part.path)
