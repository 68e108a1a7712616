"""How likely the labels of labelled rows are wrong, and what each source of labels comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from salutary.labeling.sources import Sources
from salutary.remedies import LabelledData, Part
from salutary.remedies.noise import NoiseModel, NoisePerSource
from salutary.strategies.track import Rows

# Penalty of the linear model: of 1, 3, 10 and 30 the one that found most wrong labels on nine tables
# (benchmarks/label_ranking.py).
L2 = 10
# From this probability on a label is likely wrong.
LIKELY = 0.5


@dataclass(frozen=True)
class TrueLabels:
    """Of each labelled row: the probability that its label is ``wrong`` (n,), and the number of the class
    that is the ``likeliest`` true one (n,).
    """

    wrong: np.ndarray
    likeliest: np.ndarray


def true_labels(
    labeled: Rows,
    validation: Rows,
    n_classes: int,
    sources: Sources | None = None,
    intercept: bool = True,
) -> TrueLabels:
    """What the true labels may be, the validation rows' being right.

    The posterior of EM, q_c ~ p_c(x) N_cj for a label j: p a linear model of the true label, fitted to the
    validation rows and q; N the noise matrix, one for each source where there are several. So a model of all
    rows is not misled where half of a class is given the same wrong label, and a doubtful label is believed
    where such labels are not given wrongly. References: :class:`salutary.remedies.noise.NoiseModel`,
    :class:`salutary.remedies.noise.NoisePerSource`.
    """
    numbers = None if sources is None else sources.numbers.numpy(force=True)
    data = LabelledData(_part(labeled), _part(validation), n_classes, numbers, intercept=intercept)
    remedy = NoisePerSource() if data.n_sources > 1 else NoiseModel(L2)
    q = remedy.estimate(data).q
    return TrueLabels(1 - q[np.arange(len(q)), data.labeled.y], q.argmax(1))


def _part(rows: Rows) -> Part:
    return Part(rows.X.double().numpy(force=True), rows.y.numpy(force=True))


def by_source(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each source of an audit, that of the most likely wrong labels first.

    ``rows``; ``wrong``: the mean probability that a label is wrong; ``doubted``: the share of labels that a
    model of all other rows does not predict; ``probability``: the mean one of a label by that model;
    ``harm``: the sum, about the predicted fall of the mean validation loss without the source.
    """
    groups = table.assign(doubted=table["label"] != table["prediction"]).groupby("source", sort=False)
    found = groups.agg(
        rows=("row", "size"),
        wrong=("wrong_probability", "mean"),
        doubted=("doubted", "mean"),
        probability=("probability", "mean"),
        harm=("harm", "sum"),
    )
    return found.sort_values("wrong", ascending=False, kind="stable").reset_index()
