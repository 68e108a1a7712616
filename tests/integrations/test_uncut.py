"""Searches of scikit-learn: a pool and validation rows arrive whole, or the fit is refused."""

import doctest
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import (
    GridSearchCV,
    RandomizedSearchCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import salutary.integrations.uncut
from salutary import SalutaryClassifier, Uncut
from salutary.errors import SalutaryError

N = 90  # rows of X; two thirds of them are in a fold
NAMES = ("X_pool", "X_val", "y_val")
seen = []


class Spy(SalutaryClassifier):
    """Notes what its fits are given."""

    def fit(self, X, y, X_pool=None, X_val=None, y_val=None):
        seen.append((len(X_pool), len(X_val), len(y_val)))
        return super().fit(X, y, X_pool, X_val, y_val)


def rows(n, seed):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    X = rng.normal(0, 1, (n, 3))
    return X + y[:, None] * [1, 0, 0], y


X, Y = rows(N, 0)
MODEL = Spy(random_state=0, rounds=1, budget=2, rerank=0, confidence=0)


def arguments(n_pool, n_val, kind=lambda values: values):
    X_val, y_val = rows(n_val, 1)
    return dict(zip(NAMES, map(kind, (rows(n_pool, 2)[0], X_val, y_val)), strict=True))


def scores(model, params):
    return cross_val_score(model, X, Y, cv=3, params=params, error_score="raise")


SEARCHES = {
    "cross_val_score": scores,
    "cross_validate": lambda model, params: cross_validate(
        model, X, Y, cv=3, params=params, error_score="raise"
    ),
    "cross_val_predict": lambda model, params: cross_val_predict(model, X, Y, cv=3, params=params),
    "learning_curve": lambda model, params: learning_curve(
        model, X, Y, cv=3, train_sizes=[0.5, 1.0], params=params, error_score="raise"
    ),
    "GridSearchCV": lambda model, params: GridSearchCV(model, {"C": [0.1, 1]}, cv=3, error_score="raise").fit(
        X, Y, **params
    ),
    "RandomizedSearchCV": lambda model, params: RandomizedSearchCV(
        model, {"C": [0.1, 1]}, n_iter=1, cv=3, error_score="raise"
    ).fit(X, Y, **params),
}
SIZES = [(N, N), (N, N + 1), (N + 1, N), (N + 1, N + 2)]


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("sizes", SIZES)
def test_uncut_rows_arrive_whole(name, sizes):
    seen.clear()
    SEARCHES[name](MODEL, arguments(*sizes, Uncut))
    n_pool, n_val = sizes
    assert set(seen) == {(n_pool, n_val, n_val)}


@pytest.mark.parametrize("name", SEARCHES)
@pytest.mark.parametrize("sizes", SIZES)
def test_plain_rows_arrive_whole_or_are_refused(name, sizes):
    cut = [name for name, n in zip(NAMES, (sizes[0], sizes[1], sizes[1]), strict=True) if n == N]
    seen.clear()
    if not cut:
        SEARCHES[name](MODEL, arguments(*sizes))
        assert set(seen) == {(sizes[0], sizes[1], sizes[1])}
        return
    message = f"{' and '.join(cut)} came with .* its {N}: .*" + re.escape(f"give {cut[0]}=Uncut({cut[0]})")
    with pytest.raises(SalutaryError, match=message):
        SEARCHES[name](MODEL, arguments(*sizes))


@pytest.mark.parametrize("kind", [list, np.array, pd.DataFrame])
def test_every_kind_of_rows_is_guarded(kind):
    params = arguments(N, 40)
    other = params | {"X_pool": kind(params["X_pool"])}
    with pytest.raises(SalutaryError, match="X_pool came with 60 rows"):
        scores(MODEL, other)
    expected = scores(MODEL, params | {"X_pool": Uncut(params["X_pool"])})
    assert scores(MODEL, other | {"X_pool": Uncut(other["X_pool"])}).tolist() == expected.tolist()


def test_the_answers_are_those_of_fits_by_hand():
    params = arguments(N, N)
    folds = [(np.arange(N // 2), np.arange(N // 2, N)), (np.arange(N // 2, N), np.arange(N // 2))]
    found = cross_val_score(MODEL, X, Y, cv=folds, params={name: Uncut(v) for name, v in params.items()})
    by_hand = [clone(MODEL).fit(X[a], Y[a], **params).score(X[b], Y[b]) for a, b in folds]
    assert found.tolist() == by_hand


def test_a_fit_of_ones_own_may_have_any_sizes():
    model = clone(MODEL).fit(X, Y, **arguments(N, N))
    same = SalutaryClassifier(**MODEL.get_params()).fit(X, Y, **arguments(N, N, Uncut))
    assert model.indices_.tolist() == same.indices_.tolist() and len(model.indices_)
    np.testing.assert_array_equal(model.coef_, same.coef_)


def test_names_of_columns_are_kept():
    names = ["a", "b", "c"]
    params = arguments(N, N) | {"X_pool": Uncut(pd.DataFrame(arguments(N, N)["X_pool"], columns=names))}
    params["X_val"] = Uncut(pd.DataFrame(params["X_val"], columns=names))
    model = SalutaryClassifier(rounds=1).fit(pd.DataFrame(X, columns=names), Y, **params)
    assert list(model.feature_names_in_) == names
    with pytest.raises(ValueError, match="feature names should match"):
        model.fit(pd.DataFrame(X, columns=["c", "b", "a"]), Y, **params)


def test_a_pipeline_hands_them_on():
    pipeline = make_pipeline(StandardScaler(with_mean=False), MODEL)
    params = {f"spy__{name}": value for name, value in arguments(N, 40).items()}
    with pytest.raises(SalutaryError, match="X_pool came with 60 rows"):
        scores(pipeline, params)
    seen.clear()
    scores(pipeline, params | {"spy__X_pool": Uncut(params["spy__X_pool"])})
    assert set(seen) == {(N, 40, 40)}


@pytest.mark.parametrize("n_pool", [60, N, N + 1])
def test_a_pipeline_scales_uncut_rows(n_pool):
    """60 rows are as many as a fold has: once they are scaled nothing about them says that they are whole."""
    with sklearn.config_context(enable_metadata_routing=True):
        model = Spy(rounds=1, budget=2, rerank=0, confidence=0).set_fit_request(**dict.fromkeys(NAMES, True))
        steps = [("scale", StandardScaler()), ("model", model)]
        pipeline = Pipeline(steps, transform_input=["X_pool", "X_val"])
        seen.clear()
        scores(pipeline, arguments(n_pool, N, Uncut))
        assert set(seen) == {(n_pool, N, N)}
        with pytest.raises(SalutaryError, match="y_val came with 60 rows"):
            scores(pipeline, arguments(n_pool, N))


def test_a_fit_within_two_others():
    with sklearn.config_context(enable_metadata_routing=True):
        model = Spy(rounds=1, budget=2, rerank=0, confidence=0).set_fit_request(**dict.fromkeys(NAMES, True))
        nested = CalibratedClassifierCV(model, cv=2)
        seen.clear()
        scores(nested, arguments(N, 60, Uncut))
        assert set(seen) == {(N, 60, 60)}
        with pytest.raises(SalutaryError, match="X_val and y_val came with 30 rows"):
            scores(nested, arguments(N + 1, 60))


@pytest.mark.slow
def test_in_other_processes():
    with pytest.raises(SalutaryError, match="X_pool came with 60 rows"):
        cross_val_score(
            SalutaryClassifier(), X, Y, cv=3, params=arguments(N, 40), error_score="raise", n_jobs=2
        )


def test_of_uncut_rows_any_choice_is_all():
    held = Uncut(X)
    assert held[[0, 1]] is held and len(held) == N and held.shape == (N, 3)
    np.testing.assert_array_equal(np.asarray(held), X)
    assert [*map(tuple, held)] == [*map(tuple, X)]
    assert doctest.testmod(salutary.integrations.uncut) == (0, 2)
