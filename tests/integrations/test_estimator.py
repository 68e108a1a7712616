"""SalutaryClassifier: scikit-learn's own checks, pipelines, DataFrames, and the answers of the labeller."""

import doctest
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import salutary.integrations.classifier
from salutary import SalutaryClassifier
from salutary.errors import SalutaryError


@parametrize_with_checks([SalutaryClassifier(), SalutaryClassifier(C="cv", fit_intercept=False)])
def test_what_scikit_learn_asks_of_a_classifier(estimator, check):
    if check.func.__name__ == "check_array_api_input":
        pytest.skip("array API support is not offered")
    check(estimator)


def data(names=False, scale=True):
    frame = load_breast_cancer(as_frame=True)
    X, y = frame.data, frame.target.map({0: "malignant", 1: "benign"}).to_numpy()
    if scale:
        X = pd.DataFrame(StandardScaler().fit_transform(X), columns=X.columns)
    X = X if names else X.to_numpy()
    return X[:40], y[:40], X[40:140], y[40:140], X[140:], y[140:]


def fitted(**settings):
    X, y, X_val, y_val, X_pool, _ = data()
    return SalutaryClassifier(**{"folds": 2, **settings}).fit(X, y, X_pool=X_pool, X_val=X_val, y_val=y_val)


def test_labels_are_in_the_words_of_y():
    model = fitted(rounds=2, confidence=0, random_state=0)
    assert (
        model.labels_.shape == model.indices_.shape == model.influence_.shape == model.rounds_.shape == (20,)
    )
    assert set(model.labels_) <= {"benign", "malignant"} and len(set(model.indices_)) == 20
    assert model.rounds_.tolist() == [1] * 10 + [2] * 10 and (model.influence_ > 0).all()
    assert model.validation_loss_.shape == model.held_out_loss_.shape == (3,)
    assert (np.diff(model.validation_loss_) < 0).all() and model.stop_ == "rounds=2"


@pytest.mark.parametrize("C", [0.1, 10.0])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_the_model_is_logistic_regression_of_the_labels_it_gave(C, fit_intercept):
    X, y, _, _, X_pool, _ = data()
    model = fitted(C=C, fit_intercept=fit_intercept, rounds=1, confidence=0)
    both = np.r_[X, X_pool[model.indices_]], np.r_[y, model.labels_]
    expected = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10, max_iter=10_000).fit(*both)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X_pool), expected.predict_proba(X_pool), atol=1e-5)
    assert (model.decision_function(X_pool) > 0).tolist() == (model.predict(X_pool) == "malignant").tolist()


def test_more_classes_and_no_pool():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SalutaryClassifier().fit(X, y)
    expected = LogisticRegression(tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)
    assert (
        model.labels_.shape == (0,) and model.labels_.dtype == y.dtype and model.stop_ == "there is no pool"
    )
    pooled = SalutaryClassifier(rounds=1, confidence=0).fit(X[::4], y[::4], X[1::4], X[2::4], y[2::4])
    assert len(pooled.labels_) == 10 and pooled.decision_function(X).shape == (len(X), 3)


def test_rerank_zero_reports_the_predicted_fall_and_falls_are_real_otherwise():
    X, y, X_val, y_val, X_pool, _ = data()
    model = fitted(rounds=1, budget=1, confidence=0)

    def loss(rows, labels):
        exact = LogisticRegression(tol=1e-12, max_iter=100_000).fit(rows, labels)
        columns = np.searchsorted(exact.classes_, y_val)
        return -np.log(exact.predict_proba(X_val)[np.arange(len(y_val)), columns]).mean()

    added = loss(np.r_[X, X_pool[model.indices_]], np.r_[y, model.labels_])
    assert model.influence_[0] == pytest.approx(loss(X, y) - added, rel=1e-4)
    predicted = fitted(rounds=1, budget=1, confidence=0, rerank=0)
    from salutary import influence

    exact = LogisticRegression(tol=1e-12, max_iter=100_000).fit(X, y)
    expected = influence(exact, X_train=X, X_pool=X_pool, X_val=X_val, y_val=y_val)
    assert predicted.influence_[0] == pytest.approx(expected.max(), rel=1e-5)
    assert predicted.indices_[0] == expected.max(1).argmax()


def test_dataframes_and_their_names():
    X, y, X_val, y_val, X_pool, _ = data(names=True)
    model = SalutaryClassifier(rounds=1, confidence=0).fit(X, y, X_pool, X_val, y_val)
    assert list(model.feature_names_in_) == list(X.columns)
    assert model.indices_.tolist() == fitted(rounds=1, confidence=0).indices_.tolist()
    with pytest.raises(ValueError, match="feature names should match"):
        SalutaryClassifier().fit(X, y, X_pool[X.columns[::-1]], X_val, y_val)


def test_a_pipeline_transforms_pool_and_validation_rows_too():
    X, y, X_val, y_val, X_pool, _ = data(scale=False)
    model = SalutaryClassifier(C="validation", rounds=2, confidence=0, folds=2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(X_pool=True, X_val=True, y_val=True)
        steps = [("scale", StandardScaler()), ("model", model)]
        pipeline = Pipeline(steps, transform_input=["X_pool", "X_val"])
        pipeline.fit(X, y, X_pool=X_pool, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    expected = clone(model).fit(
        scaler.transform(X), y, scaler.transform(X_pool), scaler.transform(X_val), y_val
    )
    assert pipeline["model"].indices_.tolist() == expected.indices_.tolist()
    assert (pipeline.predict(X_pool) == expected.predict(scaler.transform(X_pool))).all()


def test_searches_and_cross_validation():
    X, y, *_ = data()
    pipeline = make_pipeline(StandardScaler(), SalutaryClassifier())
    search = GridSearchCV(pipeline, {"salutaryclassifier__C": [0.1, 1]}, cv=3)
    assert search.fit(X, y).best_score_ > 0.8
    assert cross_val_score(SalutaryClassifier(), X, y, cv=3).mean() > 0.8


def test_one_seed_one_answer():
    first, second = (fitted(rounds=2, random_state=3) for _ in range(2))
    assert first.indices_.tolist() == second.indices_.tolist()
    np.testing.assert_array_equal(first.held_out_loss_, second.held_out_loss_)


X, y, X_VAL, Y_VAL, X_POOL, _ = data()
MISTAKES = {
    "X_pool needs X_val and y_val": ({}, {"X_pool": X_POOL}),
    "X_val and y_val go together": ({}, {"X_pool": X_POOL, "X_val": X_VAL}),
    "X_val has 100 rows, y_val the shape": ({}, {"X_pool": X_POOL, "X_val": X_VAL, "y_val": Y_VAL[:9]}),
    "y_val holds 'maybe', which y does not": ({}, {"X_val": X_VAL, "y_val": ["maybe"] * 100}),
    "X_pool|features": ({}, {"X_pool": X_POOL[:, :3], "X_val": X_VAL, "y_val": Y_VAL}),
    'C="validation" needs X_val': ({"C": "validation"}, {}),
    "C must be a positive number": ({"C": -1.0}, {}),
    'C must be a positive number, "cv"': ({"C": "best"}, {}),
    "rounds must be auto or": ({"rounds": "many"}, {"X_pool": X_POOL, "X_val": X_VAL, "y_val": Y_VAL}),
    "folds must be 0": ({"folds": 1}, {"X_pool": X_POOL, "X_val": X_VAL, "y_val": Y_VAL}),
    "confidence must be auto": ({"confidence": "high"}, {"X_pool": X_POOL, "X_val": X_VAL, "y_val": Y_VAL}),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(message):
    settings, arguments = MISTAKES[message]
    with pytest.raises(ValueError, match=message) as error:
        SalutaryClassifier(**settings).fit(X, y, **arguments)
    assert "features" in message or isinstance(error.value, SalutaryError)


def test_the_docstring():
    assert doctest.testmod(salutary.integrations.classifier) == (0, 7)


def test_importing_it_starts_neither_hydra_nor_the_command_line():
    code = (
        "import sys, salutary; assert 'torch' not in sys.modules;"
        "from salutary import SalutaryClassifier, influence; import salutary.integrations.modal;"
        "assert callable(influence) and callable(SalutaryClassifier);"
        "print([name for name in sys.modules if name.split('.')[0] in ('hydra', 'omegaconf')])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = salutary.nothing


def test_a_fit_takes_one_thread_and_leaves_the_number_as_it_was(monkeypatch):
    seen, fit = set(), salutary.integrations.classifier.LogisticRegression.fit
    monkeypatch.setattr(
        salutary.integrations.classifier.LogisticRegression,
        "fit",
        lambda *each: seen.add(torch.get_num_threads()) or fit(*each),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        X, y = load_wine(return_X_y=True)
        SalutaryClassifier().fit(X, y)
        assert seen == {1} and torch.get_num_threads() == 2
        with pytest.raises(SalutaryError):
            SalutaryClassifier().fit(X, np.zeros(len(y)))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("C", [1.0, "validation"])
def test_columns_of_unequal_scale(C):
    """410 parameters, one column a thousand times the others: the optimum, as scikit-learn has it."""
    X, y = load_digits(return_X_y=True)
    X = X[:, 10:50].copy()
    X[:, 3] *= 1000
    parts = {"X_pool": X[600:700], "X_val": X[300:600], "y_val": y[300:600]}
    model = SalutaryClassifier(C, rounds=1, budget=2, rerank=0, confidence=0).fit(X[:300], y[:300], **parts)
    assert model.coef_.size + model.intercept_.size == 410
    rows, labels = np.r_[np.arange(300), 600 + model.indices_], np.r_[y[:300], model.labels_]
    same = LogisticRegression(C=model.model_.C, solver="newton-cholesky", tol=1e-10)
    theirs = same.fit(X[rows], labels).predict_proba(X[700:])
    np.testing.assert_allclose(model.predict_proba(X[700:]), theirs, atol=1e-6)


def test_what_cannot_be_fitted_is_told_in_the_words_of_the_classifier():
    X, y, X_val, y_val, X_pool, _ = (part[:, :2] if part.ndim == 2 else part for part in data())
    X, X_val, X_pool = (np.c_[part, part] for part in (X, X_val, X_pool))
    y = np.roll(y, 7)  # classes that are not separable
    with pytest.raises(SalutaryError, match=r"not positive definite to working precision: lower C$"):
        SalutaryClassifier(C=1e15).fit(X, y, X_pool=X_pool, X_val=X_val, y_val=y_val)
