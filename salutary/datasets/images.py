"""Image data sets: as images for networks, or as the features of a frozen encoder for everything else."""

from __future__ import annotations

import hashlib
import io
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salutary.datasets import Table
from salutary.encoders import FeatureCache
from salutary.encoders.efficientnet_lite0 import EfficientNetLite0
from salutary.encoders.images import ImageEncoder
from salutary.encoders.resnet34 import ResNet34Features
from salutary.errors import SalutaryError, require_whole
from salutary.system import sources
from salutary.system.files import as_path

ENCODERS = ("resnet34", "efficientnet_lite0")
# Rows of the training and the test part whose features lie with the small data sets.
STORED_ROWS = (5000, 1000)
INPUTS = ("features", "images")


@dataclass(frozen=True)
class Images:
    """``pixels`` (n, channels, height, width) of bytes, class numbers y (n,), the names of the classes."""

    pixels: np.ndarray
    y: np.ndarray
    class_names: tuple[str, ...]


class ImageData(ABC):
    """Base of the image data sets; a data set is :meth:`read`.

    ``encoder``: ``resnet34`` (the paper's) or ``efficientnet_lite0`` (its weights come with a package).
    ``inputs``: ``features`` of the encoder, or ``images`` for ``model=cnn`` and the like, which set it.
    ``image_size``: side that images are resized to for the encoder. ``weights``: of the encoder resnet34.
    ``cache_dir``: where features are kept, by default the user's cache. ``device``: of the encoder.
    """

    name: str

    def __init__(
        self,
        encoder: str = "resnet34",
        inputs: str = "features",
        image_size: int = 224,
        weights: str = "imagenet",
        data_dir: str | None = None,
        cache_dir: str | None = None,
        device: str = "auto",
    ):
        self.encoder = encoder
        self.inputs = inputs
        self.image_size = image_size
        self.weights = weights
        self.data_dir = data_dir
        self.cache_dir = cache_dir
        self.device = device

    @abstractmethod
    def read(self) -> Images:
        """All images. Raises SalutaryError for files that are missing or wrong."""

    def files(self) -> dict[str, list[Path]]:
        """The files that are read, by the setting that names them: weights, where they are of the user's."""
        weights = as_path(self.weights)
        return {"weights": [weights]} if self.weights != "imagenet" and weights.is_file() else {}

    def stored(self) -> Table | None:
        """Features of this encoder that lie with the data, if there are any."""
        return None

    def load(self) -> Table:
        """Raises SalutaryError for settings, files, weights or packages that are missing or wrong."""
        if self.inputs not in INPUTS:
            raise SalutaryError(f"inputs must be {' or '.join(INPUTS)}, not {self.inputs!r}")
        if self.inputs == "images":
            images = self.read()
            return Table(images.pixels, images.y, images.class_names)
        if self.encoder not in ENCODERS:
            raise SalutaryError(f"dataset.encoder must be {' or '.join(ENCODERS)}, not {self.encoder!r}")
        return self.stored() or self._features()

    def _features(self) -> Table:
        images, encoder = self.read(), self._encoder()
        content = (
            f"{images.pixels.shape}".encode()
            + hashlib.sha256(np.ascontiguousarray(images.pixels).data).digest()
        )
        cache = FeatureCache(self.cache_dir, self.device)
        X = cache.features(encoder, images.pixels, content, self.name)
        return Table(X, images.y, images.class_names, encoder.fingerprint)

    def _encoder(self) -> ImageEncoder:
        if self.encoder == "efficientnet_lite0":
            return EfficientNetLite0(self.image_size)
        return ResNet34Features(self.weights, self.image_size, self.data_dir)


class Benchmark(ImageData):
    """An image data set with a test part of its own: rows of the training part, then those of the test part.

    ``n_train``, ``n_test``: only so many first rows of each, or all of them (null).
    """

    class_names: tuple[str, ...]
    # File and checksum of features of 5,000 and 1,000 rows, by encoder.
    features_files: dict[str, tuple[str, str]] = {}

    def __init__(self, n_train: int | None = None, n_test: int | None = None, **settings):
        super().__init__(**settings)
        self.n_train = n_train
        self.n_test = n_test

    def first(self, train: np.ndarray, test: np.ndarray) -> np.ndarray:
        """The first rows of both parts. Raises SalutaryError if there are not so many."""
        for name, rows, n in (("n_train", train, self.n_train), ("n_test", test, self.n_test)):
            if n is not None:
                require_whole(f"dataset.{name}", n, 1)
            if n is not None and n > len(rows):
                raise SalutaryError(f"dataset.{name}={n} is more than the {len(rows)} rows there are")
        return np.concatenate([train[: self.n_train], test[: self.n_test]])

    def stored(self) -> Table | None:
        if (self.n_train, self.n_test) != STORED_ROWS or self.encoder not in self.features_files:
            return None
        file, sha256 = self.features_files[self.encoder]
        path = sources.find(self.data_dir, file)
        if path is None:
            return None
        with np.load(io.BytesIO(sources.read(path, sha256)), allow_pickle=False) as arrays:
            X, y = (
                self.first(arrays[f"train_{kind}"], arrays[f"test_{kind}"]) for kind in ("features", "labels")
            )
        return Table(X, y, self.class_names, f"{self.encoder}, from {file}")
