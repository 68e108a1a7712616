"""Tables and texts that come with scikit-learn, or that it fetches."""

from __future__ import annotations

import io
import json
import logging
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import sklearn.datasets
from sklearn.utils import Bunch

from salutary.datasets import Table
from salutary.datasets.text import TextData, Texts
from salutary.encoders.columns import MINILM
from salutary.errors import SalutaryError
from salutary.system.files import directory, write_atomic
from salutary.system.rules import Choice, check

log = logging.getLogger(__name__)

COME_ALONG = ("breast_cancer", "digits", "iris", "wine")
FETCHED = ("covtype", "olivetti_faces")
TEXTS = "20newsgroups"
NAMES = (*COME_ALONG, *FETCHED, TEXTS)


class FromSklearn:
    """scikit-learn's data of classes, by ``name``: what comes along (breast_cancer, digits, iris, wine), or
    is fetched once (covtype: 581,012 x 54, 7 classes; olivetti_faces: 400 x 4,096, 40 classes;
    20newsgroups: 18,846 texts, 20 classes, as features of the ``encoder``, cut at ``max_length`` tokens).

    Its fetchers check the checksum of what they download, and keep it as pickles. Here they work in a folder
    of their own that is removed, so that no pickle is ever loaded; what they give is kept as plain numbers
    and texts in ``cache_dir``, ``sklearn/<name>.npz``, by default in the user's cache. ``device``: of the
    encoder.
    """

    def __init__(
        self,
        name: str | None = None,
        encoder: str = MINILM,
        max_length: int = 128,
        cache_dir: str | None = None,
        device: str = "auto",
    ):
        self.name = name
        self.encoder = encoder
        self.max_length = max_length
        self.cache_dir = cache_dir
        self.device = device

    def load(self) -> Table:
        """Raises SalutaryError for a name that is none of these, and where there is no network for it."""
        check(self, {"name": Choice(*NAMES)}, "dataset.")
        if self.name in COME_ALONG:
            bunch = getattr(sklearn.datasets, f"load_{self.name}")()
            return Table(
                bunch.data, bunch.target, bunch.target_names, feature_names=tuple(bunch.feature_names)
            )
        if self.name == TEXTS:
            return self._newsgroups().load()
        arrays = Kept(self.name, self.cache_dir).arrays()
        names = tuple(json.loads(arrays["class_names"].tobytes()))
        features = json.loads(arrays["feature_names"].tobytes())
        return Table(arrays["X"], arrays["y"], names, feature_names=tuple(features) or None)

    def files(self) -> dict[str, list[Path]]:
        """An encoder's, where it is a folder and there are texts."""
        return self._newsgroups().files() if self.name == TEXTS else {}

    def _newsgroups(self) -> Newsgroups:
        settings = {"cache_dir": self.cache_dir, "device": self.device}
        return Newsgroups(Kept(TEXTS, self.cache_dir), self.encoder, self.max_length, **settings)


class Newsgroups(TextData):
    """20newsgroups, training and test posts in this order, as they are."""

    name = TEXTS

    def __init__(self, kept: Kept, encoder: str, max_length: int, **settings: str | None):
        super().__init__(encoder, max_length, **settings)
        self._kept = kept

    def read(self) -> Texts:
        arrays = self._kept.arrays()
        texts, names = (json.loads(arrays[name].tobytes()) for name in ("texts", "class_names"))
        return Texts(texts, None, arrays["y"], tuple(names))


class Kept:
    """What scikit-learn's ``fetch_<name>`` gives, as arrays in a file without pickles."""

    def __init__(self, name: str, cache_dir: str | None):
        self.name = name
        self.file = directory(cache_dir) / "sklearn" / f"{name}.npz"

    def arrays(self) -> dict[str, np.ndarray]:
        """``X`` and ``y``, or ``texts`` and ``y``; texts are JSON in bytes. Raises SalutaryError."""
        if not self.file.exists():
            self._keep(_packed(self._fetched()))
        try:
            with np.load(self.file, allow_pickle=False) as stored:
                return dict(stored)
        except (OSError, ValueError, KeyError) as error:
            raise SalutaryError(f"{self.file} is damaged ({error}): remove it") from error

    def _fetched(self) -> Bunch:
        fetch = getattr(sklearn.datasets, f"fetch_{self.name}")
        more = {"subset": "all", "shuffle": False} if self.name == TEXTS else {}
        try:
            with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it tells of each attempt
                return fetch(data_home=folder, n_retries=1, **more)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise SalutaryError(
                f"cannot fetch scikit-learn's {self.name} ({reason}; is there a network?);"
                f" what was fetched once is kept as {self.file}"
            ) from error

    def _keep(self, arrays: Mapping[str, np.ndarray]) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        try:
            write_atomic(self.file, buffer.getvalue())
        except OSError as error:
            raise SalutaryError(f"{self.file} cannot be written: {error.strerror}; set cache_dir") from error


def _packed(bunch: Bunch) -> dict[str, np.ndarray]:
    """Classes are those that occur: covtype counts its from 1."""
    numbers, y = np.unique(bunch.target, return_inverse=True)
    if isinstance(bunch.data, list):
        names = [str(bunch.target_names[number]) for number in numbers]
        return {"texts": _as_bytes(bunch.data), "y": y, "class_names": _as_bytes(names)}
    X = np.asarray(bunch.data)
    whole = X.astype(np.int32)
    features = [str(name) for name in bunch.get("feature_names", [])]
    return {
        "X": whole if (whole == X).all() else X,
        "y": y,
        "class_names": _as_bytes([str(number) for number in numbers]),
        "feature_names": _as_bytes(features),
    }


def _as_bytes(texts: list[str]) -> np.ndarray:
    return np.frombuffer(json.dumps(texts).encode(), np.uint8)
