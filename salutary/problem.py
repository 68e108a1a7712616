"""A table, split and standardised, on its device: what the loop works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from salutary.datasets import Table
from salutary.device import Device
from salutary.errors import SalutaryError
from salutary.split import Split


@dataclass(frozen=True)
class Problem:
    """X (n, d) and y (n,) of all rows, the split into parts by row number, the class names."""

    X: Tensor
    y: Tensor
    split: Split
    class_names: tuple[str, ...]

    @classmethod
    def prepare(cls, table: Table, split: Split, device: Device) -> Problem:
        """Standardise as the split says and move to the device.

        Raises SalutaryError if the initial or the validation set holds a single class.
        """
        for part in ("initial", "validation"):
            present = np.unique(table.y[getattr(split, part)])
            if len(present) < 2:
                names = ", ".join(table.class_names[c] for c in present)
                raise SalutaryError(f"the {part} set holds a single class ({names or 'no rows'})")
        if len(split.scaling):
            X = StandardScaler().fit(table.X[split.scaling]).transform(table.X)
        else:
            X = table.X.copy()  # other runs may share the table
        return cls(device.features(X), device.labels(table.y.copy()), split, table.class_names)

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """(X, y) of one part, such as ``"test"``."""
        rows = getattr(self.split, name)
        return self.X[rows], self.y[rows]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)
