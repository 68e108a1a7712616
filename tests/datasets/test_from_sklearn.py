"""``dataset=sklearn``: what comes along, and what fetchers give, without a network and without a pickle."""

import json
import os
import pickle
from urllib.error import URLError

import joblib
import numpy as np
import pytest
import sklearn.datasets
from sklearn.utils import Bunch

from salutary.datasets import from_sklearn, load
from salutary.datasets.from_sklearn import COME_ALONG, FromSklearn
from salutary.errors import SalutaryError


@pytest.mark.parametrize("name", COME_ALONG)
def test_what_comes_along(name):
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    table = load(FromSklearn(name), "sklearn")
    np.testing.assert_array_equal(table.X, bunch.data)
    np.testing.assert_array_equal(table.y, bunch.target)
    assert table.class_names == tuple(map(str, bunch.target_names))
    assert table.feature_names == tuple(bunch.feature_names) and not FromSklearn(name).files()


class Fetcher:
    """Stands in for one of scikit-learn's: it notes where it works, and leaves a pickle there."""

    def __init__(self, **content):
        self.content = content
        self.homes, self.settings = [], []

    def __call__(self, data_home, n_retries, **settings):
        assert not os.listdir(data_home)
        joblib.dump(self.content, os.path.join(data_home, "cache.pkz"))
        self.homes.append(data_home)
        self.settings.append(settings)
        return Bunch(**self.content)


@pytest.fixture
def covtype(monkeypatch):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 3000, size=(60, 3)).astype(float)
    y = rng.choice([1, 2, 7], size=60)
    fetcher = Fetcher(data=X, target=y, target_names=["Cover_Type"], feature_names=["a", "b", "c"])
    monkeypatch.setattr(sklearn.datasets, "fetch_covtype", fetcher)
    return fetcher


def forbidden(*args, **kwargs):
    raise AssertionError("a pickle is loaded")


def test_what_is_fetched_is_kept_as_numbers(covtype, tmp_path, monkeypatch):
    data = FromSklearn("covtype", cache_dir=str(tmp_path))
    first = load(data, "sklearn")
    np.testing.assert_array_equal(first.X, covtype.content["data"])
    assert first.class_names == ("1", "2", "7") and first.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(np.array([1, 2, 7])[first.y], covtype.content["target"])
    assert [path.name for path in tmp_path.rglob("*.*")] == ["covtype.npz"]
    assert not os.path.exists(covtype.homes[0])
    monkeypatch.setattr(joblib, "load", forbidden)
    monkeypatch.setattr(pickle, "loads", forbidden)
    monkeypatch.setattr(pickle, "load", forbidden)
    again = load(data, "sklearn")
    assert again.sha256 == first.sha256 and len(covtype.homes) == 1


def test_real_numbers_stay_as_they_are(monkeypatch, tmp_path):
    faces = np.random.default_rng(0).random((40, 6)).astype(np.float32)
    fetcher = Fetcher(data=faces, target=np.arange(40) // 10)
    monkeypatch.setattr(sklearn.datasets, "fetch_olivetti_faces", fetcher)
    table = load(FromSklearn("olivetti_faces", cache_dir=str(tmp_path)), "sklearn")
    np.testing.assert_array_equal(table.X, faces)
    assert table.feature_names is None and table.n_classes == 4


def test_texts_become_features(monkeypatch, tmp_path, tiny):
    rng = np.random.default_rng(0)
    words = [" ".join(rng.choice(["the", "orbit", "puck", "goal", "moon"], 6)) for _ in range(30)]
    fetcher = Fetcher(data=words, target=np.arange(30) % 2, target_names=["sci.space", "rec.sport.hockey"])
    monkeypatch.setattr(sklearn.datasets, "fetch_20newsgroups", fetcher)
    data = FromSklearn(
        "20newsgroups", encoder=str(tiny), max_length=16, cache_dir=str(tmp_path), device="cpu"
    )
    table = load(data, "sklearn")
    assert table.class_names == ("sci.space", "rec.sport.hockey") and len(table.X) == 30 and table.encoder
    assert fetcher.settings == [{"subset": "all", "shuffle": False}]
    assert [*data.files()] == ["encoder"]
    texts = from_sklearn.Kept("20newsgroups", str(tmp_path)).arrays()["texts"]
    assert json.loads(texts.tobytes()) == words


@pytest.mark.parametrize("error", [URLError("unplugged"), OSError("checksum differs")])
def test_without_a_network_it_is_one_line(error, monkeypatch, salutary_run, tmp_path):
    def unplugged(**settings):
        raise error

    monkeypatch.setattr(sklearn.datasets, "fetch_covtype", unplugged)
    status, _, err = salutary_run("dataset=sklearn", "dataset.name=covtype", f"cache_dir={tmp_path / 'kept'}")
    reason = getattr(error, "reason", error)
    assert status == 1 and "\n" not in err.strip()
    told = f"dataset=sklearn: cannot fetch scikit-learn's covtype ({reason}; is there a network?)"
    assert told in err and "covtype.npz" in err


def test_a_run(salutary_run, tmp_path):
    status, _, err = salutary_run("dataset=sklearn", "dataset.name=iris", "rounds=1", "protocol=standard")
    assert status == 0, err
    (run,) = tmp_path.glob("outputs/sklearn-salutary-*/run.json")
    assert json.loads(run.read_text())["data_shape"] == [150, 4]


def test_mistakes(covtype, tmp_path):
    with pytest.raises(SalutaryError, match=r"dataset\.name must be breast_cancer, .* not 'diabetes'"):
        load(FromSklearn("diabetes"), "sklearn")
    (tmp_path / "sklearn").mkdir()
    (tmp_path / "sklearn" / "covtype.npz").write_bytes(b"PK no")
    with pytest.raises(SalutaryError, match=r"covtype\.npz is damaged"):
        load(FromSklearn("covtype", cache_dir=str(tmp_path)), "sklearn")
