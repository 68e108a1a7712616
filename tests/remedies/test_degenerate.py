"""Odd data through all of it: remedies, base models, judge and diagnosis."""

from dataclasses import replace

import numpy as np
import pytest
from planted import planted
from sklearn.datasets import load_digits

from salutary.remedies import Assigned, LabelledData, Part
from salutary.remedies.base_models import Logistic, candidates
from salutary.remedies.catalogue import all_remedies, named
from salutary.remedies.diagnosis import diagnose
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of

pytestmark = pytest.mark.slow  # half a minute


def of(
    n_labeled=40, n_validation=24, n_classes=2, y_labeled=None, y_validation=None, sources=None, **settings
):
    data, _ = planted(n_classes, n_labeled, n_validation, sources=sources, n_test=1, **settings)
    L, V = data.labeled, data.validation
    L = L if y_labeled is None else Part(L.X, np.resize(y_labeled, n_labeled))
    V = V if y_validation is None else Part(V.X, np.resize(y_validation, n_validation))
    return replace(data, labeled=L, validation=V)


def changed(data, change):
    L, V = data.labeled, data.validation
    return replace(data, labeled=Part(change(L.X), L.y), validation=Part(change(V.X), V.y))


ONE_ROW = np.where(np.arange(40) == 7, 2, np.arange(40) % 2)
UNUSED = np.arange(40) % 2 * 2
CASES = {
    "V of one class": of(y_validation=[1]),
    "V lacks classes": of(n_classes=4, y_validation=[1, 2]),
    "L lacks classes": of(n_classes=4, y_labeled=[1, 2]),
    "nobody has a class": of(n_classes=3, y_labeled=[0, 1], y_validation=[0, 1]),
    "V all of one class but one": of(y_validation=[0] * 23 + [1]),
    "a source of one row": of(sources=ONE_ROW),
    "a source without rows": of(sources=UNUSED),
    "L of one row": of(1),
    "L of two rows": of(2, y_labeled=[0, 1]),
    "V of 20 rows": of(n_validation=20),
    "V of four rows": of(n_validation=4, y_validation=[0, 1]),
    "V of three rows": of(n_validation=3, y_validation=[0, 1, 0]),
    "V of one row": of(n_validation=1),
    "ten classes of two rows": of(20, 20, 10, range(10), range(10)),
    "constant columns": changed(of(), lambda X: np.where([1, 0, 1, 0], X, 3.0)),
    "all constant": changed(of(), np.ones_like),
    "large numbers": changed(of(), lambda X: X * 1e4),
    "large numbers of three classes": changed(of(n_classes=3), lambda X: X * 1e4),
    "one column": changed(of(), lambda X: X[:, :1]),
    "more columns than rows": changed(of(n_classes=3), lambda X: np.tile(X, 12)),
    "without intercept": of(n_classes=3, l2=1.0, intercept=False, sources=ONE_ROW),
}


# Of those that differ by a number, one each.
ALIKE = {"weighted_16", "cleaned_4", "gold_loss_correction_30", "noise_model_3", "noise_model_30"}


def judgement(data, bases=("logistic",), remedies=None):
    judge = Judge(remedies or [one for one in all_remedies() if one.name not in ALIKE], candidates([*bases]))
    return judge.judge(data, folds_of(data.validation.y, 2, 0))


def check(data, found):
    weights = np.array([*found.weights.values()])
    assert weights.sum() == pytest.approx(1) and (weights > 0).all()
    P = found.handed.probabilities(np.concatenate([data.labeled.X, data.validation.X]))
    assert np.isfinite(P).all() and np.allclose(P.sum(1), 1)
    use, labels = found.of_labeled()
    assert (use >= 0).all() and np.allclose(labels.sum(1), 1)
    if found.folds:
        assert np.isfinite(found.handed_losses).all()
        assert all(np.isfinite(losses).all() for losses in found.losses.values())


@pytest.mark.parametrize("name", CASES)
def test_every_remedy_is_judged(name):
    data = CASES[name]
    check(data, judgement(data))


@pytest.mark.parametrize("name", CASES)
def test_it_is_diagnosed(name):
    data = CASES[name]
    names = {f"x{k}": [k] for k in range(data.labeled.X.shape[1])}
    found = diagnose(data, "abc", [f"c{k}" for k in range(data.n_classes)], names)
    assert np.isfinite([found.noise.wrong, found.noise.wrong_error]).all()
    assert np.isfinite(found.noise.matrix).all() and "nan" not in found.sentence
    assert all(np.isfinite(source.error) for source in found.sources)


@pytest.mark.parametrize(
    "name", ["V of one class", "nobody has a class", "L of one row", "ten classes of two rows", "one column"]
)
def test_trees_are_judged(name):
    data = CASES[name]
    remedies = named(["labeled_and_validation", "noise_model_10"])
    check(data, judgement(data, ["logistic", "hist_gradient_boosting", "random_forest"], remedies))


def test_a_pool_of_no_rows():
    data = of()
    pool = Assigned(data.labeled.X[:0], data.labeled.y[:0], 2.0)
    folds = folds_of(data.validation.y, 3, 0)
    found = Judge(named(["salutary"]), [Logistic()]).judge(data, folds, [pool] * 4)
    check(data, found)
    alone = Logistic().fit(named(["labeled"])[0].rows(replace(data, l2=2.0)), data)
    np.testing.assert_array_equal(found["salutary"].fitted.W, alone.W)


def test_ten_classes_of_pictures():
    """More parameters than the dense fit takes: 650."""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    X, y = X[rows] / 16 - 0.5, y[rows]
    L, V = Part(X[:120], y[:120]), Part(X[120:200], y[120:200])
    data = LabelledData(L, V, 10)
    found = judgement(data, remedies=named(["labeled_and_validation", "weighted_4", "fine_tuned"]))
    check(data, found)
    assert (found.handed.probabilities(X[200:]).argmax(1) == y[200:]).mean() > 0.85
