"""Measures of probabilities against scikit-learn's, and the calibration error against a plain loop."""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from salutary.experiments.probability_metrics import brier, calibration_error, kappa, ranking


def predictions(n: int, n_classes: int, seed: int, decimals: int | None = None):
    """Probabilities that know something of the classes; rounded ones have ties."""
    rng = np.random.default_rng(seed)
    true = rng.integers(n_classes, size=n)
    logits = rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[true]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return (p if decimals is None else p.round(decimals)), true


CASES = [(300, 2, 0, None), (300, 2, 1, 1), (500, 4, 2, None), (500, 4, 3, 1), (90, 10, 4, 2)]


@pytest.mark.parametrize("case", CASES)
def test_ranking_is_that_of_scikit_learn_of_each_class(case):
    p, true = predictions(*case)
    own = np.eye(p.shape[1])[true]
    auroc, average_precision = ranking(p, true)
    classes = range(p.shape[1])
    assert auroc == pytest.approx(np.mean([sk.roc_auc_score(own[:, c], p[:, c]) for c in classes]), abs=1e-14)
    expected = np.mean([sk.average_precision_score(own[:, c], p[:, c]) for c in classes])
    assert average_precision == pytest.approx(expected, abs=1e-14)
    if case[3] is None:  # scikit-learn wants rows that sum to one
        scores = p[:, 1] if p.shape[1] == 2 else p
        assert auroc == pytest.approx(sk.roc_auc_score(true, scores, multi_class="ovr"), abs=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_decisions_and_squares_are_those_of_scikit_learn(case):
    p, true = predictions(*case)
    confusion = sk.confusion_matrix(true, p.argmax(1), labels=range(p.shape[1]))
    assert kappa(confusion) == pytest.approx(sk.cohen_kappa_score(true, p.argmax(1)), abs=1e-14)
    if case[3] is None:
        expected = sk.brier_score_loss(true, p, scale_by_half=False, labels=range(p.shape[1]))
        assert brier(p, true) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_calibration_error_is_that_of_a_loop_over_bins(case):
    p, true = predictions(*case)
    confidence, right = p.max(1), p.argmax(1) == true
    expected = 0.0
    for b in range(1, 16):
        rows = [i for i in range(len(true)) if (b - 1) / 15 < confidence[i] <= b / 15]
        if rows:
            accuracy = sum(right[i] for i in rows) / len(rows)
            mean = sum(confidence[i] for i in rows) / len(rows)
            expected += len(rows) / len(true) * abs(accuracy - mean)
    assert calibration_error(p, true) == pytest.approx(expected, abs=1e-14)


def test_by_hand():
    p, true = np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 0, 1, 1])
    # Of the four pairs of a row of each class three are in order.
    assert ranking(p, true)[0] == 0.75
    assert brier(p, true) == pytest.approx((0.02 + 0.32 + 0.32 + 0.98) / 4)
    # The confidences 0.9, 0.6, 0.6 and 0.7: 0.6 = 9/15 is the end of the ninth bin.
    assert calibration_error(p, true) == pytest.approx((0.1 + 0.8 + 0.7) / 4)
    assert kappa(np.array([[2, 0], [1, 1]])) == pytest.approx(0.5)
    certain = np.eye(2)[true]
    assert ranking(certain, true) == (1, 1) and brier(certain, true) == calibration_error(certain, true) == 0
    assert brier(certain[:, ::-1], true) == 2 and calibration_error(certain[:, ::-1], true) == 1


def test_a_class_that_no_row_has_is_no_part_of_the_means():
    p, true = predictions(200, 4, 5)
    rows = true != 2
    own = np.eye(4)[true[rows]]
    auroc, average_precision = ranking(p[rows], true[rows])
    present = (0, 1, 3)
    assert auroc == pytest.approx(np.mean([sk.roc_auc_score(own[:, c], p[rows, c]) for c in present]))
    expected = np.mean([sk.average_precision_score(own[:, c], p[rows, c]) for c in present])
    assert average_precision == pytest.approx(expected)


def test_what_is_not_defined_is_nan():
    """Without a warning: those are errors here."""
    p, alone = predictions(20, 3, 6)[0], np.ones(20, int)
    assert all(map(math.isnan, ranking(p, alone)))
    assert math.isnan(kappa(np.diag([0, 20, 0]))) and kappa(np.array([[0, 0], [5, 15]])) == 0
    assert brier(p, alone) > 0 and 0 <= calibration_error(p, alone) <= 1
    nothing = np.full((4, 2), math.nan)
    assert all(map(math.isnan, ranking(nothing, np.array([0, 1, 0, 1]))))
    assert math.isnan(calibration_error(nothing, np.array([0, 1, 0, 1])))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_single_precision_is_summed_in_double(dtype):
    p, true = predictions(2000, 3, 7)
    p = p.astype(dtype)
    assert brier(p, true) == pytest.approx(brier(p.astype(np.float64), true), abs=1e-15)
    assert calibration_error(p, true) == pytest.approx(
        calibration_error(p.astype(np.float64), true), abs=1e-15
    )
