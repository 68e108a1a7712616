"""Numbers and categories of a table, before there are features of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.tables.features import Features
from salutary.tables.schema import Schema


@dataclass(frozen=True)
class Columns:
    """``frame`` (n rows): the used columns, as :meth:`Schema.convert` gives them; ``path``: for messages."""

    schema: Schema
    frame: pd.DataFrame
    path: Path

    def features(self, training: np.ndarray) -> tuple[np.ndarray, Features]:
        """X (n, d) of all rows, and the preprocessor, fitted on the ``training`` rows only."""
        fitted = Features.fit(self.schema, self.frame.iloc[training])
        return fitted.transform(self.frame, self.path), fitted

    def codes(self) -> np.ndarray:
        """(n, c) numbers: those that are there, and the numbers of categories in order of their names."""
        codes = {
            name: self.frame[name].astype("category").cat.codes.astype(float).replace(-1, np.nan)
            for name in self.schema.categorical
        }
        return self.frame.assign(**codes).to_numpy(np.float64)
