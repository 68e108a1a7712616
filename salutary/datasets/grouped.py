"""Groups of the rows of a table that comes prepared: those of one of its features."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from salutary.datasets import Table
from salutary.errors import SalutaryError
from salutary.system.rules import NULL, Flag, Quoted, check
from salutary.tables.groups import EDGES, Groups
from salutary.tables.messages import listed

SETTINGS = ("group", "group_edges", "group_is_feature")
RULES = {"group": Quoted("the name of a column") | NULL, "group_edges": EDGES, "group_is_feature": Flag()}


@dataclass(frozen=True)
class Grouping:
    """Settings: ``group``, the column whose values are the groups, None for no groups; ``group_edges``, where
    numbers are cut into groups; ``group_is_feature``, whether models see that column, too.
    """

    group: str | None = None
    group_edges: Sequence[float] = ()
    group_is_feature: bool = True

    def __post_init__(self) -> None:
        """Raises SalutaryError for what is none of this."""
        check(self, RULES, "dataset.")
        if self.group is None and len(self.group_edges):
            raise SalutaryError("dataset.group_edges needs dataset.group, a column of numbers")

    def of(self, table: Table, others: Mapping[str, np.ndarray] | None = None) -> Table:
        """The table with its groups; ``others``: columns by name as they were before there were features,
        (n,) each.

        A feature ``job=retired`` or ``age<37`` is of the column before the sign.
        Raises SalutaryError for a name that is neither, and what :meth:`Groups.of` raises.
        """
        if self.group is None:
            return table
        names = table.feature_names or ()
        columns = dict(zip(names, table.X.T, strict=False)) | dict(others or {})
        if self.group not in columns:
            known = listed([*columns], 60)
            raise SalutaryError(f"dataset.group={self.group} is no column of this table: {known}")
        values = pd.Series(columns[self.group], name=self.group)
        table = dataclasses.replace(table, groups=Groups.of(values, "dataset.group", self.group_edges))
        if self.group_is_feature:
            return table
        kept = [place for place, name in enumerate(names) if re.split("[=<]", name)[0] != self.group]
        left = tuple(names[place] for place in kept)
        return dataclasses.replace(table, X=table.X[:, kept], feature_names=left)
