"""Salutary labelling as a query strategy of modAL and scikit-activeml: real loops on real tables."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from modAL.models import ActiveLearner
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import scale

from salutary.errors import SalutaryError
from salutary.integrations.fitted import influence
from salutary.integrations.modal import salutary_sampling

MODEL = LogisticRegression(tol=1e-6)


class Rows:
    """A scaled table: 40 labelled rows, 60 for validation, the others the pool; labels are names or not."""

    def __init__(self, load, names=True):
        data = load()
        order = np.random.default_rng(0).permutation(len(data.target))
        X, y = scale(data.data)[order], data.target[order]
        y = data.target_names[y] if names else y
        self.X, self.X_val, self.X_pool = np.split(X, [40, 100])
        self.y, self.y_val, self.y_pool = np.split(y, [40, 100])

    def validation(self):
        return {"X_val": self.X_val, "y_val": self.y_val}

    def picks(self, X, y, X_pool, n):
        """Positions in X_pool, labels and influences of the n best, from ``influence`` itself."""
        model = LogisticRegression(tol=1e-6).fit(X, y)
        fall = influence(model, X_train=X, X_pool=X_pool, **self.validation())
        best = np.argsort(-fall.max(axis=1), kind="stable")[:n]
        return best, model.classes_[fall[best].argmax(axis=1)], fall[best].max(axis=1)


@pytest.fixture(params=[load_breast_cancer, load_wine])
def rows(request):
    return Rows(request.param)


def learner(rows, **changed):
    initial = {"X_training": rows.X, "y_training": rows.y, **changed}
    return ActiveLearner(LogisticRegression(tol=1e-6), salutary_sampling(rows.X_val, rows.y_val), **initial)


def test_modal_queries_and_grows(rows):
    """Five rounds of ten points, in the way that modal.py's docstring shows."""
    active, pool = learner(rows), rows.X_pool
    for _ in range(5):
        expected, labels, influences = rows.picks(active.X_training, active.y_training, pool, 10)
        chosen, X_new, metrics = active.query(pool, n_instances=10, return_metrics=True)
        np.testing.assert_array_equal(chosen, expected)
        np.testing.assert_array_equal(X_new, pool[expected])
        np.testing.assert_allclose(metrics, influences)
        np.testing.assert_array_equal(active.query_strategy.labels_, labels)
        active.X_training = np.concatenate([active.X_training, X_new])
        active.y_training = np.concatenate([active.y_training, labels])
        active.estimator.fit(active.X_training, active.y_training)
        pool = np.delete(pool, chosen, axis=0)
    assert len(active.y_training) == 90


def test_modal_queries_a_row_of_a_frame():
    rows = Rows(load_wine)
    expected = rows.picks(rows.X, rows.y, rows.X_pool, 1)
    rows.X, rows.X_val, rows.X_pool = (
        pd.DataFrame(X, columns=load_wine().feature_names) for X in (rows.X, rows.X_val, rows.X_pool)
    )
    active = learner(rows)
    chosen, X_new = active.query(rows.X_pool)
    np.testing.assert_array_equal(chosen, expected[0])
    assert X_new.equals(rows.X_pool.iloc[chosen])
    np.testing.assert_array_equal(active.query_strategy.labels_, expected[1])
    with pytest.raises(SalutaryError, match="X_pool: The feature names should match"):
        active.query(rows.X_pool.rename(columns={"hue": "tint"}))


def test_modal_takes_the_lower_of_equal_rows():
    rows = Rows(load_wine)
    twice = np.repeat(rows.X_pool, 2, axis=0)
    best, *_ = rows.picks(rows.X, rows.y, rows.X_pool, 3)
    chosen, _ = learner(rows).query(twice, n_instances=5)
    np.testing.assert_array_equal(chosen, (2 * best[:, None] + [0, 1]).flatten()[:5])


def test_modal_passes_sample_weights_on():
    rows, weights = Rows(load_wine), np.linspace(0.1, 3, 40)
    active = learner(rows, sample_weight=weights)
    with pytest.warns(ConvergenceWarning, match="sample_weight it was fitted to"):
        active.query(rows.X_pool)
    chosen, _ = active.query(rows.X_pool, n_instances=5, sample_weight=weights)
    fall = influence(
        active.estimator, X_train=rows.X, X_pool=rows.X_pool, sample_weight=weights, **rows.validation()
    )
    np.testing.assert_array_equal(chosen, np.argsort(-fall.max(axis=1), kind="stable")[:5])


def test_modal_notices_that_its_data_are_not_what_was_fitted():
    rows = Rows(load_wine)
    active = learner(rows)
    active.estimator.fit(rows.X_pool, rows.y_pool)
    with pytest.warns(ConvergenceWarning, match="pass the X_train, y_train and sample_weight"):
        active.query(rows.X_pool)


@pytest.mark.parametrize("n", [0, 79, 1.5])
def test_modal_refuses_more_rows_than_there_are(n):
    rows = Rows(load_wine)
    with pytest.raises(SalutaryError, match=f"n_instances must be a whole number from 1 to 78, not {n}"):
        learner(rows).query(rows.X_pool, n_instances=n)


def test_modal_refuses_a_learner_without_data():
    rows = Rows(load_wine)
    active = learner(rows, X_training=None, y_training=None)
    with pytest.raises(SalutaryError, match="the learner has no X_training"):
        active.query(rows.X_pool)


@pytest.fixture
def activeml():
    pytest.importorskip("skactiveml", reason="needs the extra activeml")
    from skactiveml.classifier import SklearnClassifier

    from salutary.integrations.skactiveml import SalutarySampling

    return SalutarySampling, SklearnClassifier


def partly_labelled(rows, missing=None):
    """X and y of labelled and pool rows, those without a label between the others."""
    X, y = np.concatenate([rows.X, rows.X_pool]), np.concatenate([rows.y, rows.y_pool]).astype(object)
    y[40:] = missing
    order = np.random.default_rng(1).permutation(len(y))
    return X[order], y[order]


def test_skactiveml_loop(rows, activeml):
    """Five queries, each label taken from the strategy, none asked for."""
    strategy, wrap = activeml
    X, y = partly_labelled(rows)
    query = strategy(missing_label=None)
    clf = wrap(LogisticRegression(tol=1e-6), missing_label=None, classes=np.unique(rows.y))
    for _ in range(5):
        labelled = y != None  # noqa: E711
        free = np.flatnonzero(~labelled)
        expected, labels, influences = rows.picks(X[labelled], y[labelled].astype(str), X[free], 7)
        validation = (rows.X_val, rows.y_val)
        chosen, utilities = query.query(X, y, clf, *validation, batch_size=7, return_utilities=True)
        np.testing.assert_array_equal(chosen, free[expected])
        np.testing.assert_array_equal(query.labels_, labels)
        np.testing.assert_allclose(utilities[range(7), chosen], influences)
        assert np.isnan(utilities[:, labelled]).all()
        for row in range(7):
            assert np.isnan(utilities[row, chosen[:row]]).all()
            assert np.nanargmax(utilities[row]) == chosen[row]
        y[chosen] = query.labels_
    assert (y != None).sum() == 75  # noqa: E711


@pytest.fixture
def numbered():
    """Wine's rows with class numbers, and NaN where there is no label."""
    rows = Rows(load_wine, names=False)
    X, y = partly_labelled(rows, np.nan)
    return rows, X, y.astype(float)


def test_skactiveml_default_is_one_row(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    free = np.flatnonzero(np.isnan(y))
    expected = rows.picks(X[~np.isnan(y)], y[~np.isnan(y)], X[free], 1)
    query = strategy()
    chosen = query.query(X, y, wrap(MODEL, classes=[0, 1, 2]), rows.X_val, rows.y_val)
    np.testing.assert_array_equal(chosen, free[expected[0]])
    np.testing.assert_array_equal(query.labels_, expected[1])


def test_skactiveml_candidates_as_indices_and_as_rows(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    clf, validation = wrap(MODEL), (rows.X_val, rows.y_val)
    free = np.flatnonzero(np.isnan(y))[::-3]  # descending
    by_index, utilities = strategy().query(
        X, y, clf, *validation, candidates=free, batch_size=4, return_utilities=True
    )
    assert set(by_index) <= set(free)
    assert utilities.shape == (4, len(X))
    np.testing.assert_array_equal(np.flatnonzero(~np.isnan(utilities[0])), np.sort(free))
    by_row, of_rows = strategy().query(
        X, y, clf, *validation, candidates=X[free], batch_size=4, return_utilities=True
    )
    np.testing.assert_array_equal(free[by_row], by_index)
    assert of_rows.shape == (4, len(free))
    np.testing.assert_allclose(of_rows[0], utilities[0, free])


def test_skactiveml_takes_the_lower_of_equal_rows(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    free = np.flatnonzero(np.isnan(y))
    X[free] = X[free[0]]
    chosen = strategy().query(X, y, wrap(MODEL), rows.X_val, rows.y_val, candidates=free[::-1], batch_size=3)
    np.testing.assert_array_equal(chosen, free[:3])


def test_skactiveml_with_weights_and_with_a_fitted_classifier(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    weights, labelled = np.linspace(0.1, 3, len(y)), ~np.isnan(y)
    query, arguments = strategy(), {"batch_size": 5, "return_utilities": True, "sample_weight": weights}
    chosen, utilities = query.query(X, y, wrap(MODEL), rows.X_val, rows.y_val, **arguments)
    model = LogisticRegression(tol=1e-6).fit(X[labelled], y[labelled], sample_weight=weights[labelled])
    fall = influence(
        model, X_train=X[labelled], X_pool=X[~labelled], sample_weight=weights[labelled], **rows.validation()
    )
    np.testing.assert_allclose(utilities[0, ~labelled], fall.max(axis=1))
    clf = wrap(MODEL).fit(X, y, sample_weight=weights)
    again, _ = query.query(X, y, clf, rows.X_val, rows.y_val, fit_clf=False, **arguments)
    np.testing.assert_array_equal(again, chosen)


def test_skactiveml_changes_nothing_that_was_passed_in(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    clf, before = wrap(MODEL), (X.copy(), y.copy())
    strategy().query(X, y, clf, rows.X_val, rows.y_val, batch_size=3)
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert not hasattr(clf, "classes_") and not hasattr(MODEL, "coef_")


@pytest.mark.filterwarnings("ignore")
def test_skactiveml_refusals(numbered, activeml):
    strategy, wrap = activeml
    from skactiveml.classifier import ParzenWindowClassifier
    from sklearn.exceptions import NotFittedError
    from sklearn.naive_bayes import GaussianNB

    rows, X, y = numbered
    validation = (rows.X_val, rows.y_val)
    with pytest.raises(TypeError, match="clf"):
        strategy().query(X, y, ParzenWindowClassifier(), *validation)
    with pytest.raises(SalutaryError, match="LogisticRegression, not GaussianNB"):
        strategy().query(X, y, wrap(GaussianNB()), *validation)
    with pytest.raises(NotFittedError):
        strategy().query(X, y, wrap(MODEL), *validation, fit_clf=False)
    with pytest.raises(SalutaryError, match="y_val holds 9, a label"):
        strategy().query(X, y, wrap(MODEL), rows.X_val, [9] * 60)
    y[y > 0] = np.nan
    with pytest.raises(SalutaryError, match="clf could not be fitted"):
        strategy().query(X, y, wrap(MODEL, classes=[0, 1, 2]), *validation)


def test_skactiveml_batch_larger_than_the_candidates(numbered, activeml):
    strategy, wrap = activeml
    rows, X, y = numbered
    with pytest.warns(UserWarning, match="batch_size=78"):
        chosen = strategy().query(X, y, wrap(MODEL), rows.X_val, rows.y_val, batch_size=1000)
    np.testing.assert_array_equal(np.sort(chosen), np.flatnonzero(np.isnan(y)))


def test_without_scikit_activeml():
    """Importing says what to install; modAL's module does without modAL."""
    code = """
import sys
sys.modules["skactiveml"] = sys.modules["modAL"] = None
import salutary.integrations.modal
from salutary.errors import SalutaryError
try:
    import salutary.integrations.skactiveml
except SalutaryError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "scikit-activeml is not installed: pip install 'salutary[activeml]'\n", done.stderr
