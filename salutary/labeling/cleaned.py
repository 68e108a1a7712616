"""The labelled rows as the model that is handed over takes them, to be used elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd

from salutary.tables.labels import Classes

# What a name that the file has already gets behind it.
SUFFIX = "_salutary"


def cleaned_table(
    frame: pd.DataFrame, target: str, classes: Classes, weights: np.ndarray, probabilities: np.ndarray
) -> pd.DataFrame:
    """The rows of the labelled file as they stand, ``frame``, and behind their columns

    - ``salutary_label``: the likeliest class; that of the file among equals,
    - ``salutary_weight``: what the row counts, where a validation row counts 1,
    - ``probability_<class>``: of each class to be the true one,
    - ``changed``: whether ``salutary_label`` is another class than that of the column ``target``.

    ``weights`` (n,), ``probabilities`` (n, C). A name that the file has already ends in :data:`SUFFIX` here.
    Raises SalutaryError, naming the row, for a label that is none of the ``classes``.
    """
    given = classes.encode(frame[target], "the labelled rows")
    likeliest = probabilities.argmax(1)
    rows = np.arange(len(frame))
    label = np.where(probabilities[rows, given] >= probabilities[rows, likeliest], given, likeliest)
    added = {"salutary_label": classes.values[label], "salutary_weight": weights}
    added |= {f"probability_{name}": probabilities[:, place] for place, name in enumerate(classes.names)}
    added["changed"] = label != given
    free = _free_names([*added], [*frame.columns])
    return pd.concat([frame, pd.DataFrame(added, frame.index).set_axis(free, axis=1)], axis=1)


def _free_names(names: list[str], taken: list[str]) -> list[str]:
    """The names, each of them with the suffix until neither the file nor another one has it."""
    free: list[str] = []
    for place, name in enumerate(names):
        while name in {*taken, *free, *names[place + 1 :]}:
            name += SUFFIX
        free.append(name)
    return free
