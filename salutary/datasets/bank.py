"""Bank Marketing: did the client subscribe a deposit?"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pandas as pd

from salutary.datasets import Table, encode
from salutary.datasets.grouped import Grouping
from salutary.system import sources

URL = "https://archive.ics.uci.edu/static/public/222/bank+marketing.zip"
MEMBER = "bank-additional.zip!bank-additional/bank-additional-full.csv"
SHA256 = "74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8"
NUMERIC = [
    "duration",
    "campaign",
    "pdays",
    "previous",
    "emp.var.rate",
    "cons.price.idx",
    "cons.conf.idx",
    "euribor3m",
    "nr.employed",
]


class Bank:
    """``bank-additional-full.csv`` of UCI 222, prepared as in the paper: 30,488 x 51.

    Rows with an "unknown" anywhere are dropped. Nine numeric columns, then one-hot groups in order
    of first appearance and yes/no columns, last ``age < 37``: the preparation of Chhabra et al.
    2024 (IBDS), whose code the paper builds on. ucimlrepo's table 222 is another, older file. ``group``: a
    column of the file, see :class:`salutary.datasets.grouped.Grouping`.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        group: str | None = None,
        group_edges: Sequence[float] = (),
        group_is_feature: bool = True,
    ):
        self.data_dir = data_dir
        self.grouping = Grouping(group, group_edges, group_is_feature)

    def load(self) -> Table:
        """Raises SalutaryError for a missing or damaged file."""
        content = sources.from_archive(URL, MEMBER, SHA256, self.data_dir, "bank/bank-additional-full.csv")
        frame = pd.read_csv(io.BytesIO(content), sep=";")
        frame = frame[~(frame == "unknown").any(axis=1)]
        columns = {
            **{name: frame[name] for name in NUMERIC},
            **_one_hot(frame["job"]),
            **_equals(frame["marital"], "married"),
            **_one_hot(frame["education"]),
            **_equals(frame["default"], "yes"),
            **_equals(frame["housing"], "yes"),
            **_equals(frame["loan"], "yes"),
            **_equals(frame["contact"], "cellular"),
            **_one_hot(frame["month"]),
            **_one_hot(frame["day_of_week"]),
            **_one_hot(frame["poutcome"]),
            "age<37": frame["age"] < 37,
        }
        X = np.column_stack([column.to_numpy(np.float64) for column in columns.values()])
        y, class_names = encode(frame["y"].to_numpy(), ("no", "yes")), ("no", "yes")
        table = Table(X, y, class_names, feature_names=tuple(columns))
        return self.grouping.of(table, {name: frame[name].to_numpy() for name in frame.columns.drop("y")})


def _equals(column: pd.Series, value: str) -> dict[str, pd.Series]:
    return {f"{column.name}={value}": column == value}


def _one_hot(column: pd.Series) -> dict[str, pd.Series]:
    return {f"{column.name}={value}": column == value for value in column.unique()}
