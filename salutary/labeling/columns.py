"""The columns of the user's files: which have a task of their own, and which are features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from salutary.tables.schema import Schema, require_apart
from salutary.tables.table_file import TableFile


@dataclass(frozen=True)
class Columns:
    """``target``, ``id``, ``source`` and ``group``: columns with a task; ``lists``: those whose values are
    said to be of a kind, by setting.
    """

    target: str
    id: str | None
    source: str | None
    group: str | None
    lists: Mapping[str, Sequence[str]]

    @property
    def fixed(self) -> dict[str, str | None]:
        """Those that are no features, by setting; a group may be one."""
        return {"target": self.target, "id": self.id, "source": self.source}

    @property
    def named(self) -> list[str]:
        """The columns of the lists."""
        return [column for columns in self.lists.values() for column in columns]

    @property
    def ids_are_pictures(self) -> bool:
        """Which are relative to each file's folder."""
        return self.id in self.lists["images"]

    def require_apart(self) -> None:
        """Raises SalutaryError for a column with two tasks; pictures may be ids too."""
        fixed = {name: each for name, each in self.fixed.items() if name != "id" or not self.ids_are_pictures}
        require_apart(fixed, self.lists)

    def read(self, labeled: TableFile) -> pd.DataFrame:
        """The labelled rows, without columns that are ignored, but with the group. Raises SalutaryError for a
        column with a task that is not there.
        """
        labeled.check([column for column in self.fixed.values() if column])
        return labeled.read_all_but([column for column in self.lists["ignore"] if column != self.group])

    def schema(self, frame: pd.DataFrame, labeled: TableFile) -> Schema:
        """Of the features, all columns but those with a task. Raises what :meth:`Schema.of` raises."""
        others = {column for column in self.fixed.values() if column and column not in self.lists["images"]}
        if self.group and self.group in self.lists["ignore"]:
            others.add(self.group)
        return Schema.of(
            frame.drop(columns=[each for each in frame if each in others]),
            labeled.path,
            **{name: labeled.vectors.expanded([*columns]) for name, columns in self.lists.items()},
            reading=labeled.reading,
            unusable=labeled.unusable,
        )

    def of_all(self, schema: Schema) -> list[str]:
        """The columns that validation and test rows must have: who gave their labels is not asked."""
        fixed = [column for column in (self.target, self.id, self.group) if column]
        return [*dict.fromkeys([*schema.used, *(each for each in fixed if each not in schema.images)])]
