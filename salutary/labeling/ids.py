"""Ids of rows: none missing, none there twice, in one file or two; a pool's need not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables.files import TableFile
from salutary.tables.messages import first_row, quoted, shown, where
from salutary.tables.picked_rows import rows_of
from salutary.tables.texts import each_to_text

# The columns of the tables that are written, which an id cannot be called.
WRITTEN = (
    *("row", "label", "influence", "prediction", "probability", "round", "rank", "true_label"),
    *("harm", "standard_error", "suggested_label", "gain", "source", "wrong_probability", "likely_label"),
    "soft_weight",
)
# Those of each class are called KIND_CLASS.
KINDS = ("influence", "probability", "soft_label")


def check_name(column: str | None, classes: Iterable[str]) -> None:
    """Raises SalutaryError for the name of a column that is written beside the id."""
    of_classes = [f"{kind}_{each}" for each in classes for kind in KINDS]
    if column in (*WRITTEN, *of_classes):
        raise SalutaryError(
            f"id={shown(column)}: a column of the labels that are written has this name, rename it"
        )


def present(values: pd.Series, path: str | Path) -> pd.Series:
    """Ids as text; raises SalutaryError, naming the row, for one that is missing."""
    ids = each_to_text(values)
    if ids.isna().any():
        raise SalutaryError(f"{where(path, values.name, first_row(ids.isna()))}: there is no id")
    return ids


def checked(values: pd.Series, path: str | Path) -> np.ndarray:
    """Ids as text (n,); raises SalutaryError, naming the row, for one that is missing or there twice."""
    ids = present(values, path)
    twice = ids.duplicated()
    if twice.any():
        row = first_row(twice)
        raise SalutaryError(f"{where(path, values.name, row)}: the id {quoted(ids[row])} is there twice")
    return ids.to_numpy(object)


def check_apart(files: Iterable[tuple[str | Path, np.ndarray]], column: str) -> None:
    """Raises SalutaryError for an id that is in two of the files, paths and their ids."""
    seen: dict[str, str | Path] = {}
    for path, ids in files:
        for row, name in enumerate(ids):
            if name in seen:
                problem = f"the id {quoted(name)} is also in {seen[name]}"
                raise SalutaryError(f"{where(path, column, row)}: {problem}")
        seen |= dict.fromkeys(ids, path)


def hashes_of(values: pd.Series, path: str | Path) -> np.ndarray:
    """64 bits of each id: millions of texts would not fit into little memory."""
    return pd.util.hash_array(present(values, path).to_numpy(object), categorize=False)


def check_hashes(
    hashes: np.ndarray, table: TableFile, column: str, elsewhere: Iterable[tuple[str | Path, np.ndarray]]
) -> None:
    """Raises SalutaryError for an id of the pool that is there twice, or also ``elsewhere``: in other files,
    with the hashes of their ids.
    """
    ascending = np.sort(hashes)
    if (ascending[1:] == ascending[:-1]).any():
        told_twice(table, column, _first_twice(hashes))
    for path, others in elsewhere:
        places = np.searchsorted(ascending, others).clip(max=len(ascending) - 1)
        twice = others[ascending[places] == others]
        if len(twice):
            told_twice(table, column, int(np.flatnonzero(np.isin(hashes, twice))[0]), path)


def told_twice(table: TableFile, column: str, place: int, other: str | Path | None = None) -> NoReturn:
    """Raises SalutaryError for the id at a place of the pool, which is there twice, or also in the file
    ``other``.
    """
    row = int(table.numbers(np.array([place]))[0])
    where_else = "there twice" if other is None else f"also in {other}"
    name = each_to_text(rows_of(table, [column], np.array([row]))[column]).iloc[0]
    raise SalutaryError(f"{where(table.path, column, row)}: the id {quoted(name)} is {where_else}")


def _first_twice(hashes: np.ndarray) -> int:
    """The first row whose id has been there before."""
    order = np.argsort(hashes, kind="stable")
    return int(order[1:][hashes[order][1:] == hashes[order][:-1]].min())
