"""Numbers and categories of a table, before there are features of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.tables.features import Features
from salutary.tables.schema import Schema


@dataclass(frozen=True)
class Columns:
    """``parts``: each file and its used columns, as :meth:`Schema.convert` gives them, indexed by row number
    from 0. Together they are n rows. ``findings``: what is to be told of them.
    """

    schema: Schema
    parts: list[tuple[str | Path, pd.DataFrame]]
    findings: tuple[str, ...] = ()

    @cached_property
    def frame(self) -> pd.DataFrame:
        """All n rows."""
        return pd.concat([frame for _, frame in self.parts], ignore_index=True)

    def features(self, training: np.ndarray) -> tuple[np.ndarray, Features]:
        """X (n, d) of all rows, and the preprocessor, fitted on the ``training`` rows only."""
        fitted = Features.fit(self.schema, self.frame.iloc[training])
        return np.concatenate([fitted.transform(frame, path) for path, frame in self.parts]), fitted

    def codes(self) -> np.ndarray:
        """(n, c) numbers: those that are there, and the numbers of categories in order of their names."""
        numbers = [self.frame[name] for name in self.schema.numeric]
        codes = [self.frame[name].astype("category").cat.codes for name in self.schema.categorical]
        return np.column_stack([*numbers, *(each.astype(float).replace(-1, np.nan) for each in codes)])
