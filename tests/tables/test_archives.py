"""Saved models have the same bytes for the same model."""

import io
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from salutary.tables.archives import reproducible

X, Y = load_iris(return_X_y=True)
MODELS = {
    "linear": lambda: make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y),
    "splines": lambda: make_pipeline(SplineTransformer(), LogisticRegression()).fit(X, Y),
    "forest": lambda: RandomForestClassifier(5, random_state=0).fit(X, Y.astype(str)),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=3, random_state=0).fit(X, Y),
    "texts": lambda: TfidfVectorizer(stop_words=[*"xy"]).fit(["a bad one", "a good one", "ein grünes"]),
}
TEXTS = np.array(["a good one", "other"], dtype=object)


def result(name, model):
    return model.transform(TEXTS).toarray() if name == "texts" else model.predict_proba(X)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("name", MODELS)
def test_the_same_model_has_the_same_bytes_and_is_what_it_was(name, compression):
    model = MODELS[name]()
    one, other = (skops.io.dumps(each, compression=compression) for each in (model, MODELS[name]()))
    assert one != other  # by addresses
    same = reproducible(one)
    assert same == reproducible(other) == reproducible(same)
    loaded = skops.io.loads(same, trusted=skops.io.get_untrusted_types(data=same))
    np.testing.assert_array_equal(result(name, loaded), result(name, model))
    assert {each.compress_type for each in zipfile.ZipFile(io.BytesIO(same)).infolist()} == {compression}


def loaded(value):
    same = reproducible(skops.io.dumps(value))
    return skops.io.loads(same, trusted=skops.io.get_untrusted_types(data=same))


def test_parts_that_are_shared_stay_so():
    array = np.arange(3)
    for value in ([array, array], {"a": array, "b": [array]}):
        found = loaded(value)
        first, other = found if isinstance(found, list) else (found["a"], found["b"][0])
        assert first is other


def test_what_is_named_at_random_or_like_an_address_is_kept():
    value = {
        "__id__": {"file": "a.npy", "bytes": b"\x00\xff"},
        "more": [bytearray(b"x")],
    }
    assert loaded(value) == value
    assert reproducible(skops.io.dumps(b"x")) == reproducible(skops.io.dumps(b"x"))


def test_gaps_between_fields_hold_no_memory():
    dtype = np.dtype({"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8], "itemsize": 24})
    one = np.frombuffer(b"\x01" * 48, dtype).copy()
    other = np.frombuffer(b"\x02" * 48, dtype).copy()
    other["a"], other["b"] = one["a"], one["b"]
    assert one.tobytes() != other.tobytes()
    assert reproducible(skops.io.dumps(one)) == reproducible(skops.io.dumps(other))
    np.testing.assert_array_equal(loaded(one), one)


def test_sparse_matrices_are_kept():
    sparse = pytest.importorskip("scipy.sparse").random(5, 4, 0.5, format="csr", random_state=0)
    np.testing.assert_array_equal(loaded(sparse).toarray(), sparse.toarray())


def test_another_model_has_others():
    one, other = (LogisticRegression(C=c).fit(X / 9, Y) for c in (1, 1.0001))
    assert reproducible(skops.io.dumps(one)) != reproducible(skops.io.dumps(other))
