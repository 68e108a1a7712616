"""How likely the labels of labelled rows are wrong, and what each source of labels comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold

from salutary.labeling.judging import part
from salutary.labeling.sources import Sources
from salutary.remedies import LabelledData
from salutary.remedies.noise import expectation_maximisation, first_matrices, posterior
from salutary.strategies.track import Rows
from salutary.system.seeding import stream

# Penalty of the linear model: of 1, 3, 10 and 30 the one that found most wrong labels on nine tables. Of many
# features, such as a network's, each tells less: then it is a tenth of their number.
L2, L2_PER_FEATURE = 10.0, 0.1
FOLDS = 5
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
    seed: int,
    sources: Sources | None = None,
    intercept: bool = True,
) -> TrueLabels:
    """What the true labels may be, the validation rows' being right.

    The posterior of EM, q_c ~ p_c(x) N_cj for a label j: p a linear model of the true label, fitted to the
    validation rows and q; N the noise matrix, one for each source where there are several. So it is not
    misled where half of a class is given the same wrong label, and a doubtful label is believed where such
    labels are not given wrongly. Where the model has more parameters than there are rows it would learn the
    labels by heart: there p and N are those of the other four fifths of the labelled rows.

    References: :class:`salutary.remedies.noise.NoiseModel`, :class:`salutary.remedies.noise.NoisePerSource`.
    """
    numbers = None if sources is None else sources.numbers.numpy(force=True)
    data = LabelledData(part(labeled), part(validation), n_classes, numbers, intercept=intercept, seed=seed)
    n, d = data.labeled.X.shape
    n_parameters = (d + intercept) * (1 if n_classes == 2 else n_classes)
    few = n_parameters <= n + len(data.validation) or n < FOLDS
    q = _posterior(data, np.arange(n), np.arange(n)) if few else _cross_fitted(data)
    return TrueLabels(1 - q[np.arange(n), data.labeled.y], q.argmax(1))


def _cross_fitted(data: LabelledData) -> np.ndarray:
    n = len(data.labeled)
    q, state = np.empty((n, data.n_classes)), int(stream(data.seed, "validation").integers(2**31))
    for rows, held_out in KFold(FOLDS, shuffle=True, random_state=state).split(np.arange(n)):
        q[held_out] = _posterior(data, rows, held_out)
    return q


def _posterior(data: LabelledData, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of the labels of ``others``, by EM on V and these ``rows`` of L, (m, C)."""
    L = data.labeled
    sources = np.zeros(len(L), np.int64) if data.sources is None else data.sources
    seen = LabelledData(L[rows], data.validation, data.n_classes, intercept=data.intercept)
    l2 = max(L2, L2_PER_FEATURE * L.X.shape[1])
    first = first_matrices(int(sources.max()) + 1, data.n_classes)
    found = expectation_maximisation(seen, l2, sources[rows], first)
    return posterior(found.W, L.X[others], L.y[others], sources[others], found.matrices)


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
