"""Base models: rows for classifiers that take classes, weights in pipelines, seeds, names and refusals."""

from dataclasses import replace

import numpy as np
import pytest
from planted import planted
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from salutary.engine.soft_regression import SoftRegression
from salutary.errors import SalutaryError
from salutary.remedies import Part, TrainingRows
from salutary.remedies.base_models import MIXED, PRESENT, Estimator, Logistic, as_classes, candidates
from salutary.remedies.noise import NoiseModel
from salutary.remedies.plain import LabeledAndValidation, Weighted


class Recorder(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted to, and is certain of the first class."""

    seen = {}

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        Recorder.seen = {"X": X, "y": y, "weights": sample_weight}
        return self

    def predict_proba(self, X):
        return np.eye(len(self.classes_))[np.zeros(len(X), int)]


def soft_rows(n=40, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    q = rng.dirichlet(np.full(n_classes, 0.3), n)
    data, _ = planted(n_classes, n_labeled=n, n_validation=10)
    return data, TrainingRows.of(data, use=rng.uniform(0.5, 2, n), labels=q, validation=4)


def test_a_linear_model_is_tuned_or_given_its_penalty():
    data, rows = soft_rows()
    regression = SoftRegression(rows.X, rows.q, rows.weights)
    tuned = Logistic().fit(rows, data)
    expected, _ = regression.tune(rows.tuned_on)
    assert tuned.l2 == expected
    given = Logistic().fit(replace(rows, l2=5.0), data)
    np.testing.assert_array_equal(given.W, regression.fit(regression.penalty(5.0)))
    assert Logistic().fit(replace(rows, l2=5.0), replace(data, intercept=False)).W.shape == (3, 4)


def test_a_row_weighs_as_before_as_copies_of_each_class():
    _, rows = soft_rows()
    X, y, weights = as_classes(rows)
    for x, q, weight in zip(rows.X, rows.q, rows.weights, strict=True):
        of = (x == X).all(1)
        assert weights[of].sum() == pytest.approx(weight)
        share = np.bincount(y[of], weights[of], 3) / weight
        np.testing.assert_allclose(share, np.where(q > 0.02, q, 0) / q[q > 0.02].sum())


def test_every_class_has_a_row():
    data, _ = planted(n_labeled=20, n_validation=5)
    rows = TrainingRows.of(replace(data, n_classes=4))
    _, y, weights = as_classes(rows)
    assert np.unique(y).tolist() == [0, 1, 2, 3] and (weights > 0).all()
    assert (weights[y >= 2] == PRESENT).all()
    assert weights[y < 2].sum() == 25


def test_of_many_classes_none_is_lost():
    """A row that may be of any of 100 classes keeps them, though each weighs little."""
    data, _ = planted(n_labeled=3, n_validation=3)
    data = replace(data, n_classes=100)
    rows = TrainingRows.of(data, labels=np.full((3, 100), 0.01))
    assert len(as_classes(rows)[0]) == 303


def test_without_weights_only_plain_rows():
    data, rows = soft_rows()
    plain = LabeledAndValidation().rows(data)
    for model, takes_weights in [
        (KNeighborsClassifier(), False),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), False),
        (GaussianNB(), True),
        (make_pipeline(StandardScaler(), GaussianNB()), True),
    ]:
        base = Estimator("one", model)
        assert base.takes_weights == base.takes(rows)
        assert base.takes_weights == takes_weights and base.takes(plain)
    P = Estimator("knn", KNeighborsClassifier()).fit(plain, data).probabilities(rows.X)
    expected = KNeighborsClassifier().fit(plain.X, plain.q.argmax(1)).predict_proba(rows.X)
    shares = np.bincount(plain.q.argmax(1)) / len(plain.X)
    np.testing.assert_allclose(P, (1 - MIXED) * expected + MIXED * shares)


def test_pipelines_hand_the_weights_to_their_last_step():
    data, rows = soft_rows()
    Estimator("pipeline", make_pipeline(make_pipeline(StandardScaler(), Recorder()))).fit(rows, data)
    _, y, weights = as_classes(rows)
    np.testing.assert_array_equal(Recorder.seen["weights"], weights)
    np.testing.assert_array_equal(Recorder.seen["y"], y)
    np.testing.assert_allclose(Recorder.seen["X"].mean(0), 0, atol=1e-12)
    Estimator("pipeline", make_pipeline(Recorder())).fit(LabeledAndValidation().rows(data), data)
    assert Recorder.seen["weights"] is None  # none are needed


def test_weights_count():
    data, _ = planted(n_labeled=100, n_validation=20)
    rows = Weighted(16).rows(data)
    base = Estimator("logistic", LogisticRegression(C=0.1, tol=1e-10, max_iter=1000))
    found = base.fit(rows, data).estimator
    repeated = np.repeat(np.arange(120), [1] * 100 + [16] * 20)
    y = rows.q.argmax(1)
    expected = LogisticRegression(C=0.1, tol=1e-10, max_iter=1000).fit(rows.X[repeated], y[repeated])
    np.testing.assert_allclose(found.coef_, expected.coef_, atol=1e-5)


def test_no_probability_is_zero():
    data, rows = soft_rows()
    for model in (Recorder(), DecisionTreeClassifier()):
        P = Estimator("sure", model).fit(rows, data).probabilities(rows.X)
        assert P.min() > 0 and np.allclose(P.sum(1), 1)


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(5),
        make_pipeline(RandomForestClassifier(5)),
        BaggingClassifier(DecisionTreeClassifier()),
    ],
)
def test_the_seed_of_the_data_makes_it_reproducible(model):
    data, rows = soft_rows()
    P = [
        Estimator("forest", model).fit(rows, replace(data, seed=seed)).probabilities(rows.X)
        for seed in (3, 3, 4)
    ]
    np.testing.assert_array_equal(P[0], P[1])
    assert (P[0] != P[2]).any()
    assert model.get_params().get("random_state") is None  # the user's own is as it was


def test_a_given_seed_stays():
    data, rows = soft_rows()
    model = Estimator("forest", RandomForestClassifier(5, random_state=9))
    P = [model.fit(rows, replace(data, seed=seed)).probabilities(rows.X) for seed in (3, 4)]
    np.testing.assert_array_equal(*P)


@pytest.mark.parametrize("name", ["hist_gradient_boosting", "random_forest"])
def test_trees_by_name(name):
    data, _ = planted(3, n_labeled=80, n_validation=30)
    (base,) = candidates([name])
    rows = NoiseModel(10).rows(data)
    model = base.fit(rows, data)
    P = model.probabilities(data.validation.X)
    assert base.name == name and not base.is_linear and base.takes(rows)
    assert (P.argmax(1) == data.validation.y).mean() > 0.6
    if name == "random_forest":
        assert model.estimator.max_features == 2  # half of them


def test_names():
    models = candidates(
        ["logistic", GaussianNB(), GaussianNB(), "logistic", KNeighborsClassifier(), GaussianNB()]
    )
    names = ["logistic", "GaussianNB", "GaussianNB_2", "KNeighborsClassifier", "GaussianNB_3"]
    assert [model.name for model in models] == names


def test_refusals():
    with pytest.raises(
        SalutaryError, match="'forest' is none of logistic, hist_gradient_boosting, random_forest"
    ):
        candidates(["forest"])
    with pytest.raises(SalutaryError, match="at least one"):
        candidates([])
    with pytest.raises(SalutaryError, match="RidgeClassifier has no predict_proba"):
        candidates([RidgeClassifier()])


def test_a_class_that_nobody_has_does_not_stop_it():
    data, _ = planted(n_labeled=20, n_validation=10)
    data = replace(data, n_classes=3, labeled=Part(data.labeled.X, np.zeros(20, int)))
    rows = LabeledAndValidation().rows(data)
    for base in candidates(["logistic", "random_forest", "hist_gradient_boosting", KNeighborsClassifier()]):
        P = base.fit(rows, data).probabilities(data.validation.X)
        assert P.shape == (10, 3) and P.min() > 0


def test_rows_that_lost_digits_stay_on_their_side_of_a_split():
    """Boosting splits at values of rows, here one that stands for gaps; the pool's are float32."""
    rng = np.random.default_rng(0)
    gap = 0.1  # a little more as float32
    column = np.where(rng.random(400) < 0.3, gap, rng.normal(size=400))
    y = (column > gap).astype(int)
    data, _ = planted(n_labeled=400, n_validation=40)
    data = replace(data, labeled=Part(column[:, None], y), validation=Part(column[:40, None], y[:40]))
    (boosting,) = candidates(["hist_gradient_boosting"])
    model = boosting.fit(LabeledAndValidation().rows(data), data)
    X = data.labeled.X
    np.testing.assert_array_equal(model.probabilities(X.astype(np.float32)), model.probabilities(X))
    assert (model.probabilities(X).argmax(1) == y).all()
