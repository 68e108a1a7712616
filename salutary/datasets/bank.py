"""Bank Marketing: did the client subscribe a deposit?"""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from salutary.datasets import Table, encode
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
    2024 (IBDS), whose code the paper builds on. ucimlrepo's table 222 is another, older file.
    """

    def __init__(self, data_dir: str | None = None):
        self.data_dir = data_dir

    def load(self) -> Table:
        """Raises SalutaryError for a missing or damaged file."""
        content = sources.from_archive(URL, MEMBER, SHA256, self.data_dir, "bank/bank-additional-full.csv")
        frame = pd.read_csv(io.BytesIO(content), sep=";")
        frame = frame[~(frame == "unknown").any(axis=1)]
        columns = [
            frame[NUMERIC].to_numpy(np.float64),
            _one_hot(frame["job"]),
            _equals(frame["marital"], "married"),
            _one_hot(frame["education"]),
            _equals(frame["default"], "yes"),
            _equals(frame["housing"], "yes"),
            _equals(frame["loan"], "yes"),
            _equals(frame["contact"], "cellular"),
            _one_hot(frame["month"]),
            _one_hot(frame["day_of_week"]),
            _one_hot(frame["poutcome"]),
            (frame["age"] < 37).to_numpy()[:, None],
        ]
        class_names = ("no", "yes")
        return Table(np.hstack(columns), encode(frame["y"].to_numpy(), class_names), class_names)


def _equals(column: pd.Series, value: str) -> np.ndarray:
    return (column == value).to_numpy()[:, None]


def _one_hot(column: pd.Series) -> np.ndarray:
    return np.column_stack([column == value for value in column.unique()])
