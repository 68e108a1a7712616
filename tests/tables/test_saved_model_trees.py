"""Saved models that are more than a linear one: they answer as they did before, in any thread; what a file
may hold is said.
"""

import operator
import zipfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, SplineTransformer

from salutary import load_model, read_rows
from salutary.errors import SalutaryError
from salutary.labeling.outputs import saved_pipeline
from salutary.tables.features import Features
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema
from salutary.tables.trusted_types import TREES, untrusted_types
from salutary.tables.votes import single_threaded, soft_vote

CLASSES = {
    "two texts": np.array(["no", "yes"]),
    "three texts": np.array(["a", "b, c", "ü"]),
    "two numbers": np.array([-1, 7]),
    "numbers": np.array([2, 9, 10, 11]),
    "their own numbers": np.array([0, 1, 2]),
}
MODELS = {
    "linear": LogisticRegression,
    "forest": lambda: RandomForestClassifier(20, n_jobs=2, random_state=0),
    "extra trees": lambda: ExtraTreesClassifier(20, n_jobs=2, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "stopped boosting": lambda: HistGradientBoostingClassifier(
        max_iter=5, early_stopping=True, random_state=0
    ),
    "other boosting": lambda: GradientBoostingClassifier(n_estimators=3, random_state=0),
    "splines": lambda: make_pipeline(SplineTransformer(), LogisticRegression()),
    "Nystroem": lambda: make_pipeline(Nystroem(n_components=9, random_state=0), LogisticRegression()),
    "Bayes": GaussianNB,
}  # fmt: skip
VOTED = ("linear", "forest", "boosting")


def rows(n, n_classes, seed=0):
    """Numbers with gaps and a category, and the numbers of the classes."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    frame = pd.DataFrame({"x": y + rng.normal(size=n), "z": rng.normal(size=n)})
    frame["city"] = rng.choice(["Graz", "Linz", "Wien"], n).astype(object)
    frame.loc[::9, ["x", "city"]] = np.nan
    return frame, y


def fitted(names, classes, with_values):
    """The features, and models by name, fitted to the ``classes`` or to their numbers."""
    frame, y = rows(160, len(classes))
    features = Features.fit(Schema(("x", "z"), ("city",), {}), frame)
    X = features.transform(frame, "train")
    labels = classes[y] if with_values else y
    return features, [(name, MODELS[name]().fit(X, labels)) for name in names]


def saved(features, model, folder):
    data = saved_pipeline(features, model, ";", Reading(missing=("?",)))
    (folder / "model.skops").write_bytes(data)
    return data


@pytest.fixture(scope="module")
def new():
    return rows(50, 2, seed=1)[0]


@pytest.mark.parametrize("with_values", [True, False], ids=["their classes", "their numbers"])
@pytest.mark.parametrize("case", CLASSES)
def test_a_vote_is_the_weighted_mean(case, with_values, new, tmp_path):
    classes, weights = CLASSES[case], [2, 0.5, 1]
    features, members = fitted(VOTED, classes, with_values)
    vote = soft_vote(members, weights, classes)
    X = features.fresh().transform(new, "new")
    each = [member.predict_proba(X) for _, member in members]
    expected = sum(w * p for w, p in zip(weights, each, strict=True)) / 3.5
    data = saved(features, vote, tmp_path)
    plain = skops.io.loads(data, trusted=untrusted_types(data))
    for model, held in ((vote, X), (plain, new), (load_model(tmp_path), new)):
        np.testing.assert_allclose(model.predict_proba(held), expected, rtol=1e-12)
        assert model.classes_.tolist() == classes.tolist()
        found = model.predict(held)
        assert found.tolist() == classes[expected.argmax(1)].tolist()
        assert found.dtype.kind == classes.dtype.kind
    assert [name for name, _ in plain[-1].estimators] == list(VOTED)


def test_a_vote_is_that_of_scikit_learn(new):
    """Of its own fit, which has the same members."""
    classes = CLASSES["three texts"]
    features, members = fitted(VOTED, classes, False)
    frame, y = rows(160, 3)
    theirs = VotingClassifier(
        [(name, MODELS[name]()) for name in VOTED], voting="soft", weights=[1, 2, 3]
    ).fit(features.transform(frame, "train"), classes[y])
    X = features.transform(new, "new")
    ours = soft_vote(members, [1, 2, 3], classes)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-12)
    assert ours.predict(X).tolist() == theirs.predict(X).tolist()
    assert ours.n_features_in_ == theirs.n_features_in_ == X.shape[1]


def test_votes_may_be_members(new):
    classes = CLASSES["three texts"]
    features, members = fitted(VOTED, classes, False)
    X = features.transform(new, "new")
    inner = soft_vote(members[1:], [1, 1], classes)
    outer = soft_vote([members[0], ("others", inner)], [1, 2], classes)
    expected = sum(member.predict_proba(X) for _, member in members) / 3
    np.testing.assert_allclose(outer.predict_proba(X), expected, rtol=1e-12)
    alone = single_threaded(outer)
    assert alone.estimators_[1].estimators_[0].n_jobs == 1
    assert members[1][1].n_jobs == 2  # what is given stays as it is


def test_a_vote_of_one_gives_it_the_users_classes(new):
    classes = CLASSES["numbers"]
    features, (forest,) = fitted(["forest"], classes, False)
    X = features.transform(new, "new")
    vote = soft_vote([forest], [0.3], classes)
    np.testing.assert_allclose(vote.predict_proba(X), forest[1].predict_proba(X), rtol=1e-12)
    assert set(vote.predict(X)) <= set(classes.tolist())


def test_a_member_that_lacks_a_class_is_one_line():
    classes = CLASSES["three texts"]
    features, members = fitted(VOTED, classes, True)
    frame, y = rows(160, 3)
    some = y != 1
    lacking = GaussianNB().fit(features.transform(frame[some], "x"), classes[y[some]])
    with pytest.raises(SalutaryError, match=r"^model bayes knows the classes a, ü, and not a, b, c, ü$"):
        soft_vote([*members, ("bayes", lacking)], [1] * 4, classes)
    reversed_ = GaussianNB().fit(features.transform(frame, "x"), classes[y])
    reversed_.classes_ = classes[::-1]
    with pytest.raises(SalutaryError, match=r"^model bayes knows the classes ü, b, c, a, and not"):
        soft_vote([("bayes", reversed_)], [1], classes)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("case", ["two texts", "numbers"])
def test_models_answer_as_before(name, case, new, tmp_path):
    features, [(_, model)] = fitted([name], CLASSES[case], True)
    expected = model.predict_proba(features.fresh().transform(new, "new"))
    data = saved(features, model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_allclose(loaded.predict_proba(new), expected, rtol=1e-12)
    plain = skops.io.loads(data, trusted=untrusted_types(data))
    new.to_csv(tmp_path / "new.csv", index=False, sep=";", na_rep="?")
    for found in (plain.predict_proba(read_rows(tmp_path / "new.csv", plain)),
                  loaded.predict_proba(tmp_path / "new.csv")):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    names = zipfile.ZipFile(tmp_path / "model.skops").namelist()
    assert not any(each.endswith((".pkl", ".pickle")) for each in names)


def test_a_linear_model_needs_no_trees(tmp_path):
    for name in ("linear", "Nystroem", "Bayes"):
        features, [(_, model)] = fitted([name], CLASSES["two texts"], True)
        assert untrusted_types(saved(features, model, tmp_path)) == ["numpy.dtype"]
        assert skops.io.load(tmp_path / "model.skops", trusted=["numpy.dtype"])[-1].classes_.tolist() == [
            "no",
            "yes",
        ]
    features, members = fitted(["linear", "Nystroem"], CLASSES["two texts"], True)
    vote = soft_vote(members, [1, 1], CLASSES["two texts"])
    assert untrusted_types(saved(features, vote, tmp_path)) == ["numpy.dtype"]


def test_trees_are_told_to_who_loads_them_otherwise(tmp_path):
    features, members = fitted(VOTED, CLASSES["two texts"], True)
    data = saved(features, soft_vote(members, [1, 1, 1], CLASSES["two texts"]), tmp_path)
    assert {*untrusted_types(data)} - {"numpy.dtype"} <= {*TREES}
    assert "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor" in untrusted_types(data)


def test_a_member_is_saved_once(tmp_path):
    features, [forest] = fitted(["forest"], CLASSES["two texts"], True)
    alone = len(saved(features, forest[1], tmp_path))
    assert len(saved(features, soft_vote([forest], [1], CLASSES["two texts"]), tmp_path)) < 1.2 * alone


def test_other_types_are_named(new, tmp_path):
    features, _ = fitted([], CLASSES["two texts"], True)
    frame, y = rows(160, 2)
    neighbours = KNeighborsClassifier(algorithm="kd_tree").fit(features.transform(frame, "x"), y)
    data = saved(features, neighbours, tmp_path)
    needed = ["sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree"]
    with pytest.raises(SalutaryError) as told:
        load_model(tmp_path)
    line = str(told.value)
    assert line.startswith(f"{tmp_path / 'model.skops'}: it holds {', '.join(needed)}, which may be anything")
    assert line.endswith(f"load_model(..., trusted={needed})") and "\n" not in line
    X = features.fresh().transform(new, "new")
    found = load_model(tmp_path, trusted=needed).predict_proba(new)
    np.testing.assert_array_equal(found, neighbours.predict_proba(X))
    assert {*needed} < {*untrusted_types(data)}


def test_a_function_is_not_loaded_unasked(tmp_path):
    features, [(_, model)] = fitted(["linear"], CLASSES["two texts"], True)
    evil = Pipeline([("f", FunctionTransformer(operator.methodcaller("tolist"))), ("m", model)])
    saved(features, evil, tmp_path)
    with pytest.raises(SalutaryError, match=r"it holds .*operator\.methodcaller.*, which may be anything"):
        load_model(tmp_path)


def test_threads_find_the_same(new, tmp_path):
    features, members = fitted(VOTED, CLASSES["three texts"], False)
    saved(features, soft_vote(members, [1, 2, 3], CLASSES["three texts"]), tmp_path)
    model = load_model(tmp_path)
    assert model.pipeline[-1].estimators_[1].n_jobs == 1
    unknown = new.assign(city=np.where(np.arange(50) % 20 == 0, "Bonn", new["city"]))  # which warns within
    expected = model.predict_proba(unknown)
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(model.predict_proba, [unknown] * 200):
            np.testing.assert_array_equal(found, expected)
