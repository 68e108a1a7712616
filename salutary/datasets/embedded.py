"""Real tables that come with scikit-learn: nothing to download."""

from __future__ import annotations

import sklearn.datasets

from salutary.datasets import Table
from salutary.errors import SalutaryError

LOADERS = ("digits", "breast_cancer")


class Embedded:
    """scikit-learn's ``load_<name>``: digits (1,797 x 64, 10 classes) or breast_cancer (569 x 30, 2)."""

    def __init__(self, name: str):
        self.name = name

    def load(self) -> Table:
        """Raises SalutaryError for a name that scikit-learn does not have."""
        if self.name not in LOADERS:
            raise SalutaryError(f"dataset.name must be one of {', '.join(LOADERS)}, not {self.name!r}")
        bunch = getattr(sklearn.datasets, f"load_{self.name}")()
        return Table(bunch.data, bunch.target, bunch.target_names)
