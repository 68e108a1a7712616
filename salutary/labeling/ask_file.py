"""The points that a human should label, as a file to fill in: ``ask.csv``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from salutary.labeling.asking import Questions
from salutary.labeling.pool import rows_of
from salutary.tables.files import TableFile
from salutary.tables.labels import Classes
from salutary.tables.messages import shown

NAME = "ask.csv"
FALL = "expected_fall"


def ask_table(
    asked: Questions, table: TableFile, id_column: str | None, target: str, classes: Classes
) -> pd.DataFrame:
    """A row for each point, the most useful first: the empty column ``target``, to be filled in, the id (or
    ``row``, the number in the pool from 0), all columns of the pool as they stand in the file, the
    probability of each class by the model that is handed over, and the ``expected_fall`` of the objective.

    A column of the pool that is called as one of these is left out.
    """
    probabilities = {f"probability_{name}": asked.probabilities[:, k] for k, name in enumerate(classes.names)}
    ours = [target, FALL, *probabilities, *([] if id_column else ["row"])]
    columns = [name for name in table.columns if name not in (*ours, *table.unusable)]
    raw = rows_of(table, columns, asked.rows).reset_index(drop=True)
    names = raw.pop(id_column) if id_column else pd.Series(asked.rows)
    first = {target: pd.Series("", raw.index, object), id_column or "row": names}
    last = {**probabilities, FALL: np.asarray(asked.falls)}
    return pd.concat([pd.DataFrame(first), raw, pd.DataFrame(last)], axis=1)


def facts(asked: Questions | None) -> dict:
    """What facts.json says of it, if anything was asked."""
    if asked is None:
        return {}
    return {"asked": {"rows": asked.rows.tolist(), "expected_falls": asked.falls.tolist()}}


def sentence(asked: Questions, folder: Path, target: str) -> str:
    """For the terminal: where they are, and how they come back."""
    return (
        f"{len(asked.rows)} points where a label of yours would help most in {folder / NAME}: fill in"
        f" {shown(target)}, then run this again with answers={folder / NAME} and another output="
    )
