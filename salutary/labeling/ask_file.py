"""The points that a human should label: as a file to fill in, ``ask.csv``, and on the page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from salutary.labeling.asking import Questions
from salutary.tables.files import TableFile
from salutary.tables.labels import Classes
from salutary.tables.messages import shown
from salutary.tables.picked_rows import rows_of

NAME = "ask.csv"
FALL, ERROR = "expected_fall", "standard_error"
# A class that the model gives less than this has no place on the page.
SHOWN = 0.005


def ask_table(
    asked: Questions, table: TableFile, id_column: str | None, target: str, classes: Classes
) -> pd.DataFrame:
    """A row for each point, the most useful first: the empty column ``target``, to be filled in, the id (or
    ``row``, the number in the pool from 0), all columns of the pool as they stand in the file, the
    probability of each class by the model that is handed over, and the ``expected_fall`` of the objective
    with its ``standard_error`` over the validation rows.

    A column of the pool that is called as one of these is left out.
    """
    probabilities = {f"probability_{name}": asked.probabilities[:, k] for k, name in enumerate(classes.names)}
    ours = [target, FALL, ERROR, *probabilities, *([] if id_column else ["row"])]
    columns = [name for name in table.columns if name not in (*ours, *table.unusable)]
    raw = rows_of(table, columns, asked.rows).reset_index(drop=True)
    names = raw.pop(id_column) if id_column else pd.Series(asked.rows)
    first = {target: pd.Series("", raw.index, object), id_column or "row": names}
    last = {**probabilities, FALL: asked.falls, ERROR: asked.errors}
    return pd.concat([pd.DataFrame(first), raw, pd.DataFrame(last)], axis=1)


def for_page(table: pd.DataFrame, classes: Classes, columns: Sequence[str]) -> pd.DataFrame:
    """Of a table of :func:`ask_table`: the id or row, why it is asked for, and those of the pool's
    ``columns`` that it has.
    """
    n = len(classes.names)
    falls, errors = table.iloc[:, -2], table.iloc[:, -1]
    why = {
        table.columns[1]: table.iloc[:, 1],
        "expected fall": [f"{fall:.2g} ± {error:.1g}" for fall, error in zip(falls, errors, strict=True)],
        "what the model thinks": [_opinion(p, classes) for p in table.iloc[:, -2 - n : -2].to_numpy(float)],
    }
    of_pool = table.iloc[:, 2 : -2 - n]
    shown = of_pool[[name for name in columns if name in of_pool]]
    return pd.concat([pd.DataFrame(why), shown.rename(columns=lambda n: f"{n} " if n in why else n)], axis=1)


def _opinion(p: np.ndarray, classes: Classes) -> str:
    """Probabilities (C,) in words, the likeliest class first."""
    order = [k for k in np.argsort(-p, kind="stable") if p[k] >= SHOWN]
    return ", ".join(f"{classes.names[k]} {p[k]:.0%}" for k in order)


def facts(asked: Questions | None) -> dict:
    """What facts.json says of it, if anything was asked."""
    if asked is None:
        return {}
    falls = {"expected_falls": asked.falls.tolist(), "standard_errors": asked.errors.tolist()}
    return {"asked": {"rows": asked.rows.tolist(), **falls}}


def sentence(asked: Questions, folder: Path, target: str) -> str:
    """For the terminal: where they are, and how they come back."""
    return (
        f"{len(asked.rows)} points where a label of yours would help most in {folder / NAME}: fill in"
        f" {shown(target)}, then run this again with answers={folder / NAME} and another output="
    )
