"""The rows of a pool with what the handed model says of them, block by block, for all exports at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling.exports import argilla, huggingface, label_studio
from salutary.labeling.exports.blocks import About, Block
from salutary.labeling.pool import NpyPool
from salutary.labeling.remaining import RemainingRows, whole
from salutary.system.progress import counting_bar
from salutary.tables.files import TableFile
from salutary.tables.schema import Schema
from salutary.tables.texts import each_to_text

# Rows of which the models predict at a time.
AT_ONCE = 8192
WRITERS: dict[str, Callable[[Path, About], contextlib.AbstractContextManager[Callable[[Block], None]]]] = {
    "label-studio": label_studio.writer,
    "argilla": argilla.writer,
    "datasets": huggingface.writer,
}


@dataclass(frozen=True)
class PoolRows:
    """``table``: as the rows stand in their file; ``matrix``: their features, but for those with answers.

    ``predict_proba``: of features (m, d) float32, (m, C).
    """

    table: TableFile
    schema: Schema
    matrix: NpyPool
    predict_proba: Callable[[np.ndarray], np.ndarray]

    def export(self, names: Sequence[str], folder: Path, about: About, progress: bool = False) -> None:
        """Write a file or folder for each of ``names`` into ``folder``. Memory does not grow with the pool.

        Raises SalutaryError if the table has other rows now.
        """
        with contextlib.ExitStack() as stack:
            adds = [stack.enter_context(WRITERS[name](folder, about)) for name in names]
            advance = stack.enter_context(counting_bar("exporting the pool", len(self.matrix), progress))
            for block in self._blocks(about):
                for add in adds:
                    add(block)
                advance(len(block.names))

    def _blocks(self, about: About) -> Iterator[Block]:
        own = {about.id} if about.id else set()
        columns = [name for name in self.table.columns if self._is_shown(name, about)]
        n, seen = len(whole(self.matrix)), 0
        for frame in self.table.blocks([*own, *columns]):
            seen += len(frame)
            if seen > n:
                break
            frame = frame[self._is_left(self.table.places(frame.index.to_numpy()))]
            for start in range(0, len(frame), AT_ONCE):
                yield self._block(frame[start : start + AT_ONCE], columns, about)
        if seen != n:
            raise SalutaryError(f"{self.table.path} has other rows than when it was first read")

    def _is_shown(self, name: str, about: About) -> bool:
        return name not in (about.target, about.id) and name not in self.table.unusable

    def _is_left(self, rows: np.ndarray) -> np.ndarray:
        if not isinstance(self.matrix, RemainingRows):
            return np.ones(len(rows), bool)
        return np.isin(rows, self.matrix.numbers, assume_unique=True)

    def _block(self, frame: pd.DataFrame, columns: list[str], about: About) -> Block:
        rows = frame.index.to_numpy()
        names = (
            each_to_text(frame[about.id]).to_numpy(object) if about.id else rows.astype(str).astype(object)
        )
        P = self.predict_proba(whole(self.matrix).take(self.table.places(rows)))
        return Block(names, {name: self._values(frame[name]) for name in columns}, P)

    def _values(self, values: pd.Series) -> np.ndarray:
        """float64 of the numbers of the model, else text; NaN and None for no value."""
        if values.name in self.schema.numeric:
            return self.table.reading.numbers(values).to_numpy(float)
        texts: Any = each_to_text(values)
        return texts.astype(object).where(texts.notna(), None).to_numpy(object)
