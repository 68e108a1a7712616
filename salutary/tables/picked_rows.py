"""Some rows of a table, by their numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from salutary.tables.arrow_files import ArrowFiles
from salutary.tables.table_file import TableFile, joined


def rows_of(table: TableFile, columns: list[str], rows: np.ndarray) -> pd.DataFrame:
    """These rows of a table as they stand in the file, in this order, indexed by their number.

    Of Parquet only the groups that they are in are read.
    """
    ascending, parts = np.sort(rows), []
    for block in _blocks(table, columns, ascending):
        start, stop = np.searchsorted(ascending, (block.index[0], block.index[-1] + 1))
        parts.append(block.loc[ascending[start:stop]])
    return joined(parts).loc[rows]


def _blocks(table: TableFile, columns: list[str], ascending: np.ndarray) -> Iterator[pd.DataFrame]:
    if not isinstance(table, ArrowFiles) or not len(ascending):
        yield from table.blocks(columns)
        return
    table.check(columns)
    for piece in table.pieces(1):
        first, last = np.searchsorted(ascending, (piece.start, piece.start + piece.n_rows))
        if last > first:
            yield from table.blocks_of(piece, columns)
