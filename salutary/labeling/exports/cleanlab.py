"""Which labels are likely wrong, as cleanlab's ``Datalab.get_issues("label")`` tells it.

``CleanLearning().fit(X, y, label_issues=frame)`` takes the frame too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from salutary.labeling.audit_scores import LIKELY, true_labels
from salutary.labeling.inputs import Inputs
from salutary.system.files import write_atomic

NAME = "cleanlab.csv"


def issues(
    wrong: np.ndarray, given: np.ndarray, likeliest: np.ndarray, ids: pd.Series | None = None
) -> pd.DataFrame:
    """A row for each labelled row, in order, under its id, or its number as ``row``.

    ``is_label_issue``: whether ``wrong`` (n,), the probability that the label is not the true one, is above a
    half; ``label_score``: the probability that it is right, lower is worse; ``given_label`` and
    ``predicted_label``: the ``given`` and the ``likeliest`` (n,).
    """
    names = pd.Series(np.arange(len(wrong)), name="row") if ids is None else ids
    columns = {
        "is_label_issue": wrong > LIKELY,
        "label_score": 1 - wrong,
        "given_label": given,
        "predicted_label": likeliest,
    }
    return pd.DataFrame(columns, index=pd.Index(names))


def of_inputs(inputs: Inputs, id_column: str | None, seed: int, intercept: bool) -> pd.DataFrame:
    """Of the labelled file's own rows, by :func:`salutary.labeling.audit_scores.true_labels`."""
    part, classes = inputs.labeled, inputs.classes
    n = len(part.rows) - part.n_answers
    numbers = len(classes.names), seed, inputs.sources, intercept
    found = true_labels(part.rows, inputs.validation.rows, *numbers)
    if part.ids is None:
        rows = np.arange(n) if part.table is None else part.table.numbers(np.arange(n))
        ids = pd.Series(rows, name="row")
    else:
        ids = pd.Series(part.ids[:n], name=id_column)
    given = classes.values[part.rows.y.numpy(force=True)[:n]]
    return issues(found.wrong[:n], given, classes.values[found.likeliest[:n]], ids)


def of_audit(table: pd.DataFrame, id_column: str | None) -> pd.DataFrame:
    """Of the table of an audit, whose ``row`` is the number in the file."""
    ordered = table.sort_values("row")
    ids = ordered[id_column or "row"]
    wrong, given, likeliest = (
        ordered[name].to_numpy() for name in ("wrong_probability", "label", "likely_label")
    )
    return issues(wrong, given, likeliest, ids)


def write(folder: Path, frame: pd.DataFrame) -> None:
    """As cleanlab.csv."""
    write_atomic(folder / NAME, frame.to_csv().encode())
