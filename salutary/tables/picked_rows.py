"""Some rows of a table, by their numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salutary.tables.table_file import TableFile, joined


def rows_of(table: TableFile, columns: list[str], rows: np.ndarray) -> pd.DataFrame:
    """These rows of a table as they stand in the file, in this order, indexed by their number."""
    ascending, parts = np.sort(rows), []
    for block in table.blocks(columns):
        start, stop = np.searchsorted(ascending, (block.index[0], block.index[-1] + 1))
        parts.append(block.loc[ascending[start:stop]])
    return joined(parts).loc[rows]
