"""A table, split and standardised, on its device: what the loop works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from salutary.datasets import Table
from salutary.device import Device
from salutary.errors import SalutaryError
from salutary.seeding import stream
from salutary.split import Split


@dataclass(frozen=True)
class Problem:
    """X (n, d) and y (n,) of all rows, the split into parts by row number, the class names.

    ``given`` (n,): the labels that training data come with; y but for wrong ones in the initial set.
    """

    X: Tensor
    y: Tensor
    given: Tensor
    split: Split
    class_names: tuple[str, ...]

    @classmethod
    def prepare(cls, table: Table, split: Split, device: Device, given: np.ndarray | None = None) -> Problem:
        """Standardise as the split says and move to the device; ``given`` is y by default.

        Raises SalutaryError if the initial or the validation set holds a single class.
        """
        given = table.y if given is None else given
        for part in ("initial", "validation"):
            present = np.unique(given[getattr(split, part)])
            if len(present) < 2:
                names = ", ".join(table.class_names[c] for c in present)
                raise SalutaryError(f"the {part} set holds a single class ({names or 'no rows'})")
        if len(split.scaling):
            X = StandardScaler().fit(table.X[split.scaling]).transform(table.X)
        else:
            X = table.X.copy()  # other runs may share the table
        y, given = device.labels(table.y.copy()), device.labels(given.copy())
        return cls(device.features(X), y, given, split, table.class_names)

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """(X, y) of one part, such as ``"test"``."""
        rows = getattr(self.split, name)
        return self.X[rows], self.y[rows]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


def noisy_labels(y: np.ndarray, n_classes: int, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """y (n,) with wrong labels on a share of the rows, drawn without regard to their class.

    A wrong label is any of the other classes. What is wrong at a share is the same at a higher one.
    """
    rng = stream(seed, "noise")
    wrong = rng.permutation(rows)[: round(share * len(rows))]
    shift = rng.integers(1, n_classes, size=len(rows))[: len(wrong)]
    given = y.copy()
    given[wrong] = (y[wrong] + shift) % n_classes
    return given
