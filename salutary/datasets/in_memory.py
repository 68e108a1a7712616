"""A table that is in memory already, prepared as a file of the user's is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from salutary.datasets import Table
from salutary.datasets.own_table import OwnTable
from salutary.tables.reading import Reading
from salutary.tables.table_file import BLOCK_ROWS, TableFile

log = logging.getLogger(__name__)


class FrameFile(TableFile):
    """The rows of a ``frame``, which says "no value" by nulls; messages call it by its ``name``."""

    def __init__(self, frame: pd.DataFrame, name: str, reading: Reading | None = None):
        super().__init__(Path(), (reading or Reading()).with_nulls, name)
        self._frame = frame
        self.n_rows = len(frame)

    @property
    def columns(self) -> list[str]:
        return [*map(str, self._frame)]

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        for start in range(0, len(self._frame), BLOCK_ROWS):
            rows = self._frame.iloc[start : start + BLOCK_ROWS].set_axis(self.columns, axis=1)[columns]
            coded = rows.select_dtypes("category").columns
            yield rows.astype(dict.fromkeys(coded, object))


class FrameTable(OwnTable):
    """The rows of a ``frame``; its columns of type category are categories, unless that is said otherwise.

    ``name``: what messages call it; ``settings``: those of :class:`OwnTable` that are not about files.
    """

    def __init__(self, frame: pd.DataFrame, name: str, **settings: Any):
        super().__init__(path=name, **settings)
        told = {*map(str, (self.target, self.split, *self.numeric, *self.categorical, *self.ignore))}
        told |= set() if self.group_is_feature else {self.group}
        coded = [str(column) for column in frame.select_dtypes("category")]
        self.categorical = [*self.categorical, *(column for column in coded if column not in told)]
        self._frame = frame

    def load(self) -> Table:
        """Raises SalutaryError, naming column and row, for settings and values that are wrong."""
        fixed = [column for column in self._fixed().values() if column]
        table = self._read(self._files(), fixed)
        for line in table.columns.findings if table.columns else ():
            log.info("%s", line)
        return table

    def files(self) -> dict[str, list[Path]]:
        """None: it is in memory."""
        return {}

    def _files(self) -> dict[str, TableFile]:
        return {"train": FrameFile(self._frame, str(self.path), Reading.of(self, "dataset."))}
