"""CelebA as a table: is the person smiling, from the other attributes?"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.datasets import Table
from salutary.datasets.grouped import Grouping
from salutary.datasets.kept import TableCache
from salutary.errors import SalutaryError
from salutary.system import sources

FILE = "celeba/list_attr_celeba.txt"
SHA256 = "f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0"


class CelebA:
    """The 40 attributes of CelebA as the paper uses them: 104,163 x 39, target Smiling.

    Of each distinct vector of the 38 attributes other than Male and Smiling the first row in file
    order is kept, rows in lexicographic order; the 39th feature is Male times -1.

    ``list_attr_celeba.txt`` is free for non-commercial research but not for redistribution, so it
    is never downloaded: get it from MMLAB (https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html,
    "Anno") and put it, plain or .gz, into ``<data_dir>/celeba/``. ``cache_dir``: where the parsed table
    is kept, by default the user's cache. ``group``: an attribute, see
    :class:`salutary.datasets.grouped.Grouping`.
    """

    def __init__(
        self,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        group: str | None = None,
        group_edges: Sequence[float] = (),
        group_is_feature: bool = True,
    ):
        self.data_dir = data_dir
        self.cache_dir = cache_dir
        self.grouping = Grouping(group, group_edges, group_is_feature)

    def load(self) -> Table:
        """Raises SalutaryError, saying where the file comes from, when it is not there."""
        path = sources.find(self.data_dir, FILE)
        if path is None:
            raise SalutaryError(
                f"CelebA cannot be downloaded freely: get list_attr_celeba.txt from"
                f" https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html and put it, plain or .gz,"
                f" into {sources.directory(self.data_dir).resolve() / 'celeba'}, or set data_dir"
            )
        cached = TableCache(self.cache_dir).table(self, [path], lambda: self._parsed(path))
        return self.grouping.of(cached, _attributes(cached))

    def _parsed(self, path: Path) -> Table:
        content = sources.read(path, SHA256)
        frame = pd.read_csv(io.BytesIO(content), sep=r"\s+", skiprows=1, dtype=str)
        frame = frame.astype(np.int8)
        others = frame.drop(columns=["Male", "Smiling"]).to_numpy()
        # As binary digits, first attribute leading, rows sort as numbers: far faster than by rows.
        keys = (others > 0) @ (1 << np.arange(others.shape[1], dtype=np.int64)[::-1])
        _, first = np.unique(keys, return_index=True)
        X = np.column_stack([others[first], -frame["Male"].to_numpy()[first]])
        y = frame["Smiling"].to_numpy()[first] > 0
        names = (*frame.columns.drop(["Male", "Smiling"]), "Male")
        return Table(X, y, ("not smiling", "smiling"), feature_names=names)


def _attributes(table: Table) -> dict[str, np.ndarray]:
    """``Young`` or ``not Young`` of each row, (n,), and so on; the feature Male has the other sign."""
    assert table.feature_names is not None
    signs = {"Male": -1}
    return {
        name: np.where(signs.get(name, 1) * values > 0, name, f"not {name}")
        for name, values in zip(table.feature_names, table.X.T, strict=True)
    }
