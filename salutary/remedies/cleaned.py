"""L without the rows whose labels cross-validation denies."""

from __future__ import annotations

import warnings

import numpy as np
from cleanlab.filter import find_label_issues
from sklearn.model_selection import KFold

from salutary.engine.soft_regression import SoftRegression, logits, of_classes
from salutary.remedies import LabelledData, Remedy, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import LabeledAndValidation, Validation
from salutary.system.seeding import stream

FOLDS = 5


class Cleaned(Remedy):
    """L without what cleanlab's filter takes for wrong, and V, whose rows weigh ``validation``.

    Confident learning, pruned by noise rate: Northcutt, Jiang & Chuang, "Confident learning: estimating
    uncertainty in dataset labels", JAIR 2021. What is predicted of a row of L is so by the other folds of L
    and all of V.
    """

    def __init__(self, validation: int = 1):
        self.validation = validation
        self.name = "cleaned" if validation == 1 else f"cleaned_{validation}"
        weight = "" if validation == 1 else f", these {validation}-fold"
        self.about = f"labelled rows that cross-validation does not deny + validation rows{weight}"
        self.suits_all = validation == 1

    def rows(self, data: LabelledData) -> TrainingRows:
        keeps = ~suspect(data, out_of_fold(data))
        return TrainingRows.of(data, use=keeps.astype(float), validation=self.validation)


def out_of_fold(data: LabelledData) -> np.ndarray:
    """Probabilities (n_L, C) of L's rows by linear models of the other folds and V, at the penalty of
    both.
    """
    L, V = data.labeled, data.validation
    l2 = Logistic().fit(LabeledAndValidation().rows(data), data).l2
    P = np.empty((len(L), data.n_classes))
    if len(L) == 1:
        return of_classes(logits(L.X, Logistic().fit(Validation().rows(data), data).W))
    state = int(stream(data.seed, "validation").integers(2**31))
    folds = KFold(min(FOLDS, len(L)), shuffle=True, random_state=state)
    for rows, held_out in folds.split(L.X):
        X, y = np.concatenate([L.X[rows], V.X]), np.concatenate([L.y[rows], V.y])
        regression = SoftRegression(X, data.one_hot(y), np.ones(len(y)), data.intercept)
        P[held_out] = of_classes(logits(L.X[held_out], regression.fit(regression.penalty(l2))))
    return P


def suspect(data: LabelledData, P: np.ndarray) -> np.ndarray:
    """Whether the filter takes the label of each row of L for wrong, (n_L,), by the probabilities P
    (n_L, C).
    """
    if len(np.unique(data.labeled.y)) < data.n_classes:  # of a class without a label it cannot say anything
        return np.zeros(len(P), bool)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "May not flag all label issues")  # a class of very few rows
        return find_label_issues(data.labeled.y, P, n_jobs=1)
