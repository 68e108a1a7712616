"""Features of images that are computed once and kept."""

import numpy as np
import pytest

from salutary import encoders as embeddings
from salutary.encoders import Encoder, FeatureCache
from salutary.errors import SalutaryError


class Counting(Encoder):
    """Doubles numbers; stops after so many batches."""

    name = "counting"
    batch_size = 100

    def __init__(self, stop_after=10**9):
        self.encoded = 0
        self.stop_after = stop_after

    @property
    def fingerprint(self):
        return "counting 1"

    def load(self, device):
        assert device in ("cpu", "cuda")

    def encode(self, items):
        if self.encoded >= self.stop_after:
            raise KeyboardInterrupt
        self.encoded += len(items)
        return 2 * items.astype(np.float32)


def test_features_are_computed_once_and_go_on_after_an_interruption(tmp_path):
    items = np.arange(2500.0).reshape(-1, 1)
    cache = FeatureCache(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        cache.features(Counting(stop_after=2100), items, b"key", "some data")
    assert not list(tmp_path.rglob("some_data-counting-*.npy"))
    second = Counting()
    assert np.array_equal(cache.features(second, items, b"key", "some data"), 2 * items)
    assert second.encoded == 2500 - 2 * embeddings.CHUNK
    third = Counting()
    assert np.array_equal(cache.features(third, items, b"key", "some data"), 2 * items)
    assert third.encoded == 0
    other = Counting()
    cache.features(other, items, b"other key", "some data")
    assert other.encoded == 2500
    assert not list(tmp_path.rglob("*.parts"))


def test_damaged_features_are_named(tmp_path):
    items = np.arange(10.0).reshape(-1, 1)
    cache = FeatureCache(str(tmp_path))
    cache.features(Counting(), items, b"key", "data")
    (file,) = tmp_path.rglob("*.npy")
    for content in (b"", file.read_bytes()[:-8]):
        file.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"data-counting-\w+\.npy is damaged"):
            cache.features(Counting(), items, b"key", "data")


def test_extraction_from_real_images(data_dir, tmp_path, salutary_run):
    """A hundred digits through the real encoder, by the command line; the second run reads what is kept."""
    pytest.importorskip("efficientnet_lite_pytorch")
    settings = ["dataset=mnist_small", "dataset.n_train=150", "dataset.n_test=50", "dataset.image_size=32"]
    settings += ["recipe.official_test=50", "recipe.parts.validation=50", "n_init=40", "rounds=1"]
    settings += [f"data_dir={data_dir}", f"cache_dir={tmp_path / 'cache'}"]
    status, out, err = salutary_run(*settings)
    assert status == 0, err
    assert "200 items encoded" in out and "a second" in out
    (file,) = (tmp_path / "cache").rglob("*.npy")
    assert file.name.startswith("mnist-efficientnet_lite0-")
    status, out, _ = salutary_run(*settings, "seed=1")
    assert status == 0 and "encoded" not in out
