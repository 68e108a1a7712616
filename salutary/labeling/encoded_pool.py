"""A pool, encoded once into a matrix on disk: whatever its size and form, each round then reads numbers."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.files import write_atomic
from salutary.labeling.inputs import Inputs
from salutary.pools import NpyPool
from salutary.tables.features import Features
from salutary.tables.files import TableFile, check_columns
from salutary.tables.messages import quoted, where
from salutary.tables.schema import each_to_text, to_texts
from salutary.terminal import counting_bar


@dataclass(frozen=True)
class EncodedPool:
    """``matrix``: float32 features. ``unseen``: rows of a category the labelled rows lack, by column."""

    matrix: NpyPool
    unseen: dict[str, int]


def encode_pool(
    table: TableFile, inputs: Inputs, id_column: str | None, folder: Path, progress: bool
) -> EncodedPool:
    """Write ``folder``/pool.npy, unless it is there whole, and open it.

    Raises SalutaryError, naming column and row, for what is wrong in the pool, and if it has no rows.
    """
    matrix, facts = folder / "pool.npy", folder / "pool.json"
    if not facts.exists():
        _write(table, inputs, id_column, matrix, facts, progress)
    return EncodedPool(NpyPool(matrix), json.loads(facts.read_text())["unseen"])


def _write(
    table: TableFile, inputs: Inputs, id_column: str | None, matrix: Path, facts: Path, progress: bool
) -> None:
    schema = inputs.features.schema
    wanted = [*schema.used, *([id_column] if id_column else [])]
    check_columns(table.path, table.columns, [*wanted, *table.columns])
    features = Features(schema, inputs.features.transformer, Counter())
    width, n, hashes = len(features.names), 0, []
    with matrix.open("wb") as file, counting_bar("reading the pool", table.n_rows, progress) as advance:
        _write_header(file, 0, width)
        for block in table.blocks(wanted):
            X = features.transform(schema.convert(block, table.path), table.path, np.float32)
            file.write(X.data)
            if id_column:
                hashes.append(_hashes(block[id_column], table.path))
            n += len(block)
            advance(len(block))
        if not n:
            raise SalutaryError(f"{table.path}: the pool is empty")
        file.seek(0)
        _write_header(file, n, width)
        file.flush()
        os.fsync(file.fileno())
    if id_column:
        _check_ids(np.concatenate(hashes), table, inputs, id_column)
    write_atomic(facts, json.dumps({"rows": n, "unseen": dict(features.unseen)}).encode())


def _write_header(file, n: int, width: int) -> None:
    """The head of a .npy file; NumPy pads it such that it has the same length for any n."""
    shape = {"descr": np.dtype(np.float32).str, "fortran_order": False, "shape": (n, width)}
    np.lib.format.write_array_header_1_0(file, shape)


def _hashes(values: pd.Series, path: Path) -> np.ndarray:
    """64 bits of each id: millions of texts would not fit into little memory."""
    ids = each_to_text(values)
    if ids.isna().any():
        raise SalutaryError(f"{where(path, values.name, ids.isna().idxmax())}: there is no id")
    return pd.util.hash_array(ids.to_numpy(object), categorize=False)


def _check_ids(hashes: np.ndarray, table: TableFile, inputs: Inputs, id_column: str) -> None:
    """Raises SalutaryError for an id that is there twice, or also in another file."""
    ascending = np.sort(hashes)
    if (ascending[1:] == ascending[:-1]).any():
        row = _first_twice(hashes)
        found = f"the id {quoted(_id(table, id_column, row))} is there twice"
        raise SalutaryError(f"{where(table.path, id_column, row)}: {found}")
    for part in inputs.parts:
        ids = pd.util.hash_array(part.ids)
        places = np.searchsorted(ascending, ids).clip(max=len(ascending) - 1)
        known = ids[ascending[places] == ids]
        if len(known):
            row = int(np.isin(hashes, known).argmax())
            found = f"the id {quoted(_id(table, id_column, row))} is also in {part.path}"
            raise SalutaryError(f"{where(table.path, id_column, row)}: {found}")


def _first_twice(hashes: np.ndarray) -> int:
    """The first row whose id has been there before."""
    order = np.argsort(hashes, kind="stable")
    return int(order[1:][hashes[order][1:] == hashes[order][:-1]].min())


def _id(table: TableFile, column: str, row: int) -> str:
    return to_texts(rows_of(table, [column], np.array([row]))[column]).iloc[0]


def rows_of(table: TableFile, columns: list[str], rows: np.ndarray) -> pd.DataFrame:
    """These rows of a table as they stand in the file, in this order, indexed by their number."""
    wanted = np.sort(rows)
    found = [
        block.loc[
            wanted[np.searchsorted(wanted, block.index[0]) : np.searchsorted(wanted, block.index[-1] + 1)]
        ]
        for block in table.blocks(columns)
        if len(block)
    ]
    return pd.concat(found).loc[rows]
