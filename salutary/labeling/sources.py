"""Who gave the labels: the column ``source`` of the labelled rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from salutary.system.device import Device
from salutary.tables.labels import WHOLE
from salutary.tables.messages import listed, quoted, where
from salutary.tables.reading import Reading

# Of rows whose label comes from nobody that is named.
NOBODY = "(none)"


@dataclass(frozen=True)
class Sources:
    """``names`` (S,), by value if all of them are whole numbers, else as text, :data:`NOBODY` last;
    ``numbers`` (n,), int64: which of them gave the label of each labelled row.
    """

    names: tuple[str, ...]
    numbers: torch.Tensor

    @classmethod
    def of(cls, values: pd.Series, reading: Reading, device: Device) -> Sources:
        """The sources that a column names; what means no value is :data:`NOBODY`."""
        texts = reading.categories(values).fillna(NOBODY)
        named = set(texts) - {NOBODY}
        names = sorted(named, key=int if all(map(WHOLE.fullmatch, named)) else None)
        names += [NOBODY] * (len(named) < texts.nunique())
        places = {name: number for number, name in enumerate(names)}
        return cls(tuple(names), device.labels(np.array(texts.map(places), np.int64)))

    @property
    def counts(self) -> np.ndarray:
        """Rows of each source, (S,)."""
        return self.numbers.bincount(minlength=len(self.names)).numpy(force=True)

    def findings(self, path: str | Path, column: str) -> list[str]:
        """A line if they can tell nothing, or hardly anything, of the labels."""
        place, rows, n = where(path, column), f"{len(self.numbers):,} rows", len(self.names)
        if n == 1:
            return [f"{place}: all {rows} are of the single source {quoted(self.names[0])}: it tells nothing"]
        if n > len(self.numbers) / 2:
            return [f"{place}: {n:,} sources in {rows}, too few rows of each to tell; is it the source?"]
        single = [name for name, count in zip(self.names, self.counts, strict=True) if count == 1]
        return [f"{place}: too few to tell, a single row: {listed(single, 6)}"] if single else []
