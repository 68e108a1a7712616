"""Labels that a human gave to points of the pool: they join the labelled rows, and leave the pool."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling import images
from salutary.labeling.settings import LabelSettings
from salutary.tables.files import TableFile, open_table
from salutary.tables.labels import Classes
from salutary.tables.messages import first_row, quoted, where
from salutary.tables.picked_rows import rows_of
from salutary.tables.table_file import joined
from salutary.tables.texts import each_to_text, is_missing

# What is said to have given the labels of answered rows, where there is ``source``.
ANSWERS = "(answers)"


def with_answers(
    frame: pd.DataFrame, settings: LabelSettings, labeled: TableFile
) -> tuple[pd.DataFrame, np.ndarray]:
    """The labelled rows as they stand in their file, then those that ``answers`` has labels of, as they stand
    in the pool's; and the numbers (m,) of these in the pool.

    Raises SalutaryError, naming the row, for a label that is no class, and a row that is not in the pool.
    """
    path = settings.files.get("answers")
    if path is None:
        return frame, np.empty(0, np.int64)
    read = settings.separator, settings.reading
    answers, pool = open_table(path, *read), images.opened("pool", settings)
    name = settings.id or "row"
    filled = answers.read([name, settings.target])
    filled = filled[~is_missing(filled[settings.target])]
    if not len(filled):
        raise SalutaryError(f"{where(path, settings.target)}: no row has a label yet")
    known = Classes.of(frame[settings.target], labeled.path, settings.decimal)
    known.encode(filled[settings.target], path)
    places = _by_id(filled[name], path, pool) if settings.id else _by_number(filled[name], path)
    answered = _of_pool(places, filled, settings, pool, [*frame], path)
    return joined([frame, answered]).reset_index(drop=True), pool.places(places)


def _by_number(values: pd.Series, path: str | Path) -> np.ndarray:
    """Raises SalutaryError for what is no whole number, and one that is there twice."""
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    _refuse(~(numbers % 1 == 0) | (numbers < 0), values, path, "is no number of a row of the pool")
    _refuse(numbers.duplicated(), values, path, "is there twice")
    return numbers.to_numpy(np.int64)


def _by_id(values: pd.Series, path: str | Path, pool: TableFile) -> np.ndarray:
    """Numbers of the pool's rows with these ids. Raises SalutaryError for one that is there twice, or not in
    the pool.
    """
    ids = each_to_text(values)
    _refuse(ids.isna(), values, path, "is no id")
    _refuse(ids.duplicated(), values, path, "is there twice")
    wanted, places = set(ids), dict[str, int]()
    for block in pool.blocks([str(values.name)]):
        of_block = each_to_text(block[values.name])
        found = of_block[of_block.isin(wanted)]
        places |= dict(zip(found, found.index, strict=True))
    _refuse(~ids.isin(places), values, path, f"is no id of {pool.path}")
    return ids.map(places).to_numpy(np.int64)


def _refuse(wrong: pd.Series, values: pd.Series, path: str | Path, problem: str) -> None:
    if wrong.any():
        row = first_row(wrong)
        raise SalutaryError(f"{where(path, values.name, row)}: {quoted(values[row])} {problem}")


def _of_pool(
    places: np.ndarray,
    filled: pd.DataFrame,
    settings: LabelSettings,
    pool: TableFile,
    columns: list[str],
    path: str | Path,
) -> pd.DataFrame:
    """The rows of the pool, with the columns of the labelled rows as far as it has them."""
    shared = [name for name in columns if name in pool.columns and name not in pool.unusable]
    outside = pd.Series(~pool.has(places), filled.index)
    n_rows = "" if pool.n_rows is None else f", which has {pool.n_rows:,}"
    _refuse(outside, filled[settings.id or "row"], path, f"is no row of {pool.path}{n_rows}")
    given = [settings.target, *([settings.source] if settings.source else [])]
    rows = rows_of(pool, [name for name in shared if name not in given], places)
    rows[settings.target] = filled[settings.target].to_numpy(object)
    if settings.source:
        rows[settings.source] = ANSWERS
    return rows.reindex(columns=columns)
