"""What the loop tells of a round; columns, writing and reading of its records follow from it."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from salutary.experiments.metrics import Metrics

Record = TypeVar("Record")
# Of these a file of queries has a column for each class, at its end, where there are distributions.
SOFT_LABEL = "soft_label_"
SOFT_WEIGHT = "soft_weight"
VALIDATION_COLUMNS = ("loss", "accuracy", "objective", "figure")


@dataclass(frozen=True)
class Query:
    """One queried point. ``sample_id``: row of the loaded table; labels are class names.

    ``soft_label``: probability of each class that the point was added with, and ``soft_weight``: what it
    weighs; empty and None for a point that has a class.
    """

    round: int
    rank: int
    sample_id: int
    assigned_label: str
    true_label: str
    predicted_label: str
    influence: float | None
    soft_weight: float | None = field(default=None, metadata={"columns": ()})
    soft_label: Mapping[str, float] = field(default_factory=dict, metadata={"columns": ()})

    @property
    def soft_columns(self) -> dict[str, object]:
        """What the file has more where points have distributions, by column."""
        if not self.soft_label:
            return {}
        of_classes = {f"{SOFT_LABEL}{name}": value for name, value in self.soft_label.items()}
        return {SOFT_WEIGHT: self.soft_weight, **of_classes}


@dataclass(frozen=True)
class Round:
    """The state after a round; round 0 is the initial model, before any query.

    ``label_agreement``: share of this round's labels that equal the hidden truth, None in round 0.
    ``stop``: why the strategy added fewer points than the budget, if it did. Where a surrogate of a network
    chose: the share of the pool on which both predict the same, and the surrogate's penalty.
    ``l2``: the penalty of the model, where it has one, and ``fit_iterations``: steps of its fit, as it counts
    them, None where nothing was fitted or it counts none.

    Of ``validation`` rounds.csv has loss, accuracy and what is said of the objective; the others are NaN once
    they are read back.
    """

    round: int
    n_labeled: int
    n_human_labels: int
    validation: Metrics = field(metadata={"prefix": "val_", "columns": VALIDATION_COLUMNS})
    test: Metrics = field(metadata={"prefix": "test_"})
    label_agreement: float | None
    select_seconds: float
    fit_seconds: float
    queries: tuple[Query, ...] = field(metadata={"columns": ()})  # in a file of their own
    stop: str | None = None
    surrogate_agreement: float | None = None
    surrogate_l2: float | None = None
    l2: float | None = field(default=None, metadata={"late": True})
    fit_iterations: int | None = field(default=None, metadata={"late": True})


@dataclass(frozen=True)
class Column:
    """A column ``name`` of a record's file: its ``field``, or the ``part`` of a nested record in that field.

    ``kind``: int, float or str. ``optional``: an empty cell is None. ``is_late``: it comes last, and records
    of before may lack it.
    """

    name: str
    field: str
    part: str | None
    kind: type
    optional: bool
    is_late: bool = False


@functools.cache
def columns(record: Any) -> tuple[Column, ...]:
    """The columns of the file of such a ``record``, a class, in the order of its fields, but that late ones
    come last.
    """
    hints = typing.get_type_hints(record)
    result: list[Column] = []
    late: list[Column] = []
    for each in dataclasses.fields(record):
        hint = hints[each.name]
        if dataclasses.is_dataclass(hint):
            prefix, parts = each.metadata["prefix"], _parts(each, hint)
            for part in parts:
                is_late = "late" in part.metadata
                column = Column(prefix + part.name, each.name, part.name, float, is_late, is_late)
                (late if is_late else result).append(column)
        elif "columns" not in each.metadata:
            kinds = typing.get_args(hint) or (hint,)
            kind = next(kind for kind in kinds if kind is not types.NoneType)
            is_late = "late" in each.metadata
            column = Column(each.name, each.name, None, kind, types.NoneType in kinds, is_late)
            (late if is_late else result).append(column)
    return (*result, *late)


def row(record: Any) -> dict[str, object]:
    """A record by its columns; what is not defined of late ones is None."""
    values: dict[str, object] = {}
    for column in columns(record.__class__):
        value = getattr(record, column.field)
        value = getattr(value, column.part) if column.part else value
        values[column.name] = None if column.is_late and value != value else value
    return values


def parsed(kind: type[Record], texts: Mapping[str, str], **others: object) -> Record:
    """The record of a file's row; ``others``: fields that have no columns.

    Raises KeyError for a column that is missing, ValueError or TypeError for one that holds something else.
    """
    values: dict[str, Any] = dict(others)
    record: Any = kind
    for column in columns(record):
        text = texts.get(column.name, "") if column.is_late else texts[column.name]
        value = None if column.optional and not text else column.kind(text)
        if column.part:
            values.setdefault(column.field, {})[column.part] = value
        else:
            values[column.field] = value
    return kind(
        **{name: Metrics.of(value) if isinstance(value, dict) else value for name, value in values.items()}
    )


def parsed_query(texts: Mapping[str, str]) -> Query:
    """The query of a file's row; raises what :func:`parsed` raises."""
    if not texts.get(SOFT_WEIGHT):
        return parsed(Query, texts)
    soft_label = {
        name.removeprefix(SOFT_LABEL): float(text)
        for name, text in texts.items()
        if name.startswith(SOFT_LABEL)
    }
    query, weight = parsed(Query, texts), float(texts[SOFT_WEIGHT])
    return dataclasses.replace(query, soft_weight=weight, soft_label=soft_label)


def _parts(nested: dataclasses.Field, kind: Any) -> list[dataclasses.Field]:
    """Fields of a nested record that have columns."""
    named = nested.metadata.get("columns")
    return [part for part in dataclasses.fields(kind) if named is None or part.name in named]
