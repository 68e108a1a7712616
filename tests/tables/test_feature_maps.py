"""Maps of features, against scikit-learn's own."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from scipy.spatial.distance import cdist
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import SplineTransformer

from salutary import load_model, read_rows
from salutary.labeling.outputs import saved_pipeline
from salutary.tables.feature_maps import COMPONENTS, KINDS, LINEAR, NYSTROEM, SPLINES, fitted_map, mapped
from salutary.tables.features import Features
from salutary.tables.reading import Reading
from salutary.tables.saved_model import features_of
from salutary.tables.schema import Schema
from salutary.tables.trusted_types import untrusted_types

MAPS = (SPLINES, NYSTROEM)
SCHEMA = Schema(("x", "z", "flat"), ("city",), {})


def drawn(n, d=5, seed=0):
    """Standard normal, but for the last column, of two values."""
    X = np.random.default_rng(seed).normal(size=(n, d))
    X[:, -1] = X[:, -1] > 0
    return X


def fitted(kind, X, seed=0):
    return fitted_map(kind, X, np.random.default_rng(seed))


def frame_of(n, seed=0, flat=1.0):
    """Numbers, one of them skewed with gaps, another constant, and a category."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.exponential(size=n).round(2), "flat": flat})
    frame["city"] = rng.choice(["Graz", "Linz", "Wien"], n).astype(object)
    frame.loc[::9, ["z", "city"]] = np.nan
    return frame


def with_map(kind, frame):
    features = Features.fit(SCHEMA, frame)
    features.map = fitted(kind, features.fresh().transform(frame, "train"))
    return features


def test_splines_are_those_of_scikit_learn():
    X, other = drawn(80), 1.5 * drawn(50, seed=1)
    found = fitted(SPLINES, X)
    expected = [other]
    for place in range(4):  # the last column has two values: it stays as it is
        column = slice(place, place + 1)
        knots = np.quantile(X[:, column], [0, 0.5, 1], axis=0)
        spline = SplineTransformer(knots=knots, extrapolation="constant", include_bias=False).fit(
            X[:, column]
        )
        made = spline.transform(X[:, column])
        expected.append((spline.transform(other[:, column]) - made.mean(0)) / made.std(0))
    np.testing.assert_allclose(mapped(found, other), np.hstack(expected), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found.transform(other), np.hstack(expected), rtol=1e-10, atol=1e-12)


def test_the_kernel_is_that_of_scikit_learn():
    X, other = drawn(150), drawn(40, seed=1)
    found = fitted(NYSTROEM, X, seed=3)
    distances = cdist(X, X) ** 2
    state = int(np.random.default_rng(3).integers(2**31))
    gamma = 0.5 / np.median(distances[np.triu_indices(150, 1)])
    kernel = Nystroem(gamma=gamma, n_components=COMPONENTS, random_state=state).fit(X)
    made = kernel.transform(X)
    centred = (kernel.transform(other) - made.mean(0)) / np.sqrt(made.var(0).sum() / 5)
    np.testing.assert_allclose(mapped(found, other)[:, 5:], centred, rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(mapped(found, other)[:, :5], other)
    np.testing.assert_allclose(mapped(found, other), found.transform(other), rtol=1e-8, atol=1e-9)
    assert mapped(found, X)[:, 5:].var(0).sum() == pytest.approx(5)


def test_of_many_rows_some_are_measured():
    X = drawn(3000)
    kernel = fitted(NYSTROEM, X).named_transformers_[NYSTROEM][0]
    assert len(kernel.components_) == COMPONENTS
    assert 0.5 / kernel.gamma == pytest.approx(np.median(cdist(X, X) ** 2), rel=0.05)


def test_all_rows_make_the_kernel_where_they_are_few():
    """And then it is exact: products of what is made are the kernel, but for the scale and the mean."""
    X = drawn(30)
    found = fitted(NYSTROEM, X)
    kernel, scaler = found.named_transformers_[NYSTROEM]
    made = mapped(found, X)[:, 5:] * scaler.scale_ + scaler.mean_
    np.testing.assert_allclose(made @ made.T, np.exp(-kernel.gamma * cdist(X, X) ** 2), atol=1e-8)


@pytest.mark.parametrize("kind", MAPS)
@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_row_is_the_same_in_any_block(kind, size):
    found, X = fitted(kind, drawn(150, 23)), drawn(301, 23, seed=1)
    blocks = [mapped(found, X[start : start + size]) for start in range(0, len(X), size)]
    np.testing.assert_array_equal(np.concatenate(blocks), mapped(found, X))
    np.testing.assert_array_equal(mapped(found, np.asfortranarray(X)), mapped(found, X))


def test_an_outlier_moves_the_linear_part_alone():
    X = drawn(80)
    found = fitted(SPLINES, X)
    far, edge = X[:1].copy(), X[:1].copy()
    far[0, 0], edge[0, 0] = 1e30, X[:, 0].max()
    np.testing.assert_array_equal(mapped(found, far)[:, 5:], mapped(found, edge)[:, 5:])
    assert mapped(found, far)[0, 0] == 1e30
    of_kernel = mapped(fitted(NYSTROEM, X), far)
    assert np.isfinite(of_kernel).all() and (np.abs(of_kernel[:, 5:]) < 1e3).all()


def test_there_may_be_nothing_to_map():
    few = np.random.default_rng(0).integers(0, 9, (60, 3)).astype(float)
    rounding = 1 + 1e-12 * drawn(60)[:, :3]
    assert fitted(LINEAR, drawn(60)) is None
    assert fitted(SPLINES, few) is None and fitted(SPLINES, rounding) is None
    assert fitted(NYSTROEM, few) is not None and fitted(NYSTROEM, np.ones((20, 3))) is None


@pytest.mark.parametrize("kind", MAPS)
def test_a_column_constant_in_the_labelled_rows(kind):
    """It is no spline; where it is not constant among other rows, all is finite."""
    features = with_map(kind, frame_of(60))
    other = frame_of(40, 1)
    usual = features.transform(other, "x")
    other["flat"] = np.random.default_rng(2).normal(size=40)
    moved = features.transform(other, "x")
    assert np.isfinite(moved).all() and features.n_features == usual.shape[1]
    assert np.ptp(usual[:, 2]) == 0 and np.ptp(moved[:, 2]) > 0
    if (
        kind == SPLINES
    ):  # of x and z: neither of the constant, nor of categories, nor of what says z is missing
        assert usual.shape[1] == len(features.names) + 2 * 4
        np.testing.assert_array_equal(np.delete(usual, 2, 1), np.delete(moved, 2, 1))


@pytest.mark.parametrize("kind", MAPS)
def test_what_is_plain_stands_in_front(kind):
    frame, other = frame_of(60), frame_of(40, 1)
    plain, features = Features.fit(SCHEMA, frame), with_map(kind, frame)
    assert features.names == plain.names and features.column_groups == plain.column_groups
    X = features.transform(other, "x")
    np.testing.assert_array_equal(X[:, : len(plain.names)], plain.transform(other, "x"))
    np.testing.assert_array_equal(features.transform(other, "x", np.float32), X.astype(np.float32))
    assert features.fresh().n_features == X.shape[1] > plain.n_features == len(plain.names)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_answers_as_before(kind, tmp_path):
    frame, new = frame_of(120), frame_of(50, 1)
    features = with_map(kind, frame)
    X, y = features.fresh().transform(frame, "x"), np.where(np.abs(frame["x"]) > 0.7, "far", "near")
    model = LogisticRegression().fit(X, y)
    expected = model.predict_proba(features.fresh().transform(new, "x"))
    data = saved_pipeline(features, model, ",", Reading())
    (tmp_path / "model.skops").write_bytes(data)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(new), expected)
    plain = skops.io.loads(data, trusted=untrusted_types(data))
    assert isinstance(plain, Pipeline) and len(plain) == 2 + (kind != LINEAR)
    new.to_csv(tmp_path / "new.csv", index=False)
    np.testing.assert_allclose(loaded.predict_proba(tmp_path / "new.csv"), expected, rtol=1e-9)
    np.testing.assert_allclose(
        plain.predict_proba(read_rows(tmp_path / "new.csv", plain)), expected, rtol=1e-9
    )
    assert features_of(plain).n_features == features.n_features
    if kind != SPLINES:
        assert untrusted_types(data) == ["numpy.dtype"]
