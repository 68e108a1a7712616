"""How well predicted probabilities rank rows, and whether they are calibrated.

All take ``p`` (n, C), whose rows are probabilities, and class numbers ``true`` (n,), and are NaN where
they are not defined. They equal scikit-learn's, which spends more time on checks than a round on its
influences.
"""

from __future__ import annotations

import math

import numpy as np

# Bins of the expected calibration error, of equal width.
BINS = 15


def ranking(p: np.ndarray, true: np.ndarray) -> tuple[float, float]:
    """AUROC and average precision, one class against the rest, each the mean over the classes present.

    AUROC of a class c: the probability that a row of c has a larger p_c than a row of another class,
    ties counting a half; of two classes that is the usual area. Average precision: the mean, over the
    rows of c, of the share of c among all rows whose p_c is at least as large (scikit-learn's, without
    interpolation); of two classes the mean of both, too. NaN for rows of a single class. In [0, 1],
    larger is better.

    Hand & Till, "A simple generalisation of the area under the ROC curve for multiple class
    classification problems", Machine Learning 2001.
    """
    counts = np.bincount(true, minlength=p.shape[1])
    present = np.flatnonzero(counts)
    if len(present) < 2 or not np.isfinite(p).all():
        return math.nan, math.nan
    scores, ends = np.ascontiguousarray(p.T), counts.cumsum()
    order = np.argsort(true, kind="stable")
    areas, precisions = [], []
    for c in present:
        own, everyone = np.sort(scores[c, order[ends[c] - counts[c] : ends[c]]]), np.sort(scores[c])
        n, n_others = counts[c], len(true) - counts[c]
        below = np.searchsorted(everyone, own)
        not_above = np.searchsorted(everyone, own, "right")
        own_below = np.searchsorted(own, own)
        areas.append((0.5 * (below.sum() + not_above.sum()) - 0.5 * n * n) / (n * n_others))
        precisions.append(np.mean((n - own_below) / (len(true) - below)))
    return float(np.mean(areas)), float(np.mean(precisions))


def brier(p: np.ndarray, true: np.ndarray) -> float:
    """Brier score: the mean over rows of sum over classes c of (p_c - 1[y = c])^2, in [0, 2]; 0 is best.

    Of two classes it is twice the mean of (p_1 - y)^2. Brier, "Verification of forecasts expressed in
    terms of probability", Monthly Weather Review 1950.
    """
    errors = p.astype(np.float64)
    errors[np.arange(len(true)), true] -= 1
    errors *= errors  # not by BLAS, whose last digit depends on where the numbers lie
    return float(errors.sum() / len(true))


def calibration_error(p: np.ndarray, true: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error of the confidence max_c p_c of the predicted class, in [0, 1]; 0 is
    best.

    ``bins`` of equal width: bin b of rows whose confidence is in ((b - 1) / bins, b / bins]. The sum
    over bins of their share of the rows times |their accuracy - their mean confidence|. Guo, Pleiss, Sun
    & Weinberger, "On calibration of modern neural networks", ICML 2017.
    """
    predicted = p.argmax(1)
    confidence = p[np.arange(len(true)), predicted].astype(np.float64)
    if not np.isfinite(confidence).all():
        return math.nan
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, (predicted == true) - confidence, bins)
    return float(np.abs(gaps).sum() / len(true))


def kappa(confusion: np.ndarray) -> float:
    """Cohen's kappa of a confusion matrix (C, C): (observed - expected) / (1 - expected) agreement.

    ``expected``: of predictions that have nothing to do with the classes, but are as frequent. In [-1,
    1]; 0 is no better than chance; NaN where all rows are of one class and predicted so. Cohen, "A
    coefficient of agreement for nominal scales", Educational and Psychological Measurement 1960.
    """
    n = confusion.sum()
    observed = confusion.trace() / n
    expected = float(confusion.sum(0) @ confusion.sum(1)) / n**2
    return float((observed - expected) / (1 - expected)) if expected < 1 else math.nan
