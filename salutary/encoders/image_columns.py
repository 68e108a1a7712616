"""Frozen encoders for columns of pictures in tables, as :mod:`salutary.tables.picture_features` takes
them.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salutary.encoders import FeatureCache, all_threads
from salutary.encoders.columns import Count, checksum_of
from salutary.encoders.vision import FileEncoder, frozen
from salutary.errors import SalutaryError
from salutary.system.device import Device
from salutary.system.files import checksum
from salutary.tables.pictures import BadPicture


class FrozenImages:
    """``encoder`` for the pictures of a table, none of which it learns from.

    ``given``: how the user named it. ``cache``: keeps features by the files' content; None keeps nothing.
    ``advice``: what to do about a bad picture. ``counted``: what was encoded since :meth:`count`.
    """

    def __init__(
        self,
        encoder: FileEncoder,
        given: str,
        cache: FeatureCache | None = None,
        device: str = "auto",
        advice: str = "",
    ):
        self.encoder = encoder
        self.given = given
        self.counted = Count()
        self._cache = cache
        self._device = device
        self._advice = advice

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def about(self) -> str:
        return self.encoder.fingerprint

    def encode(self, name: str, paths: Sequence[str]) -> np.ndarray:
        """Features (n, width); each distinct content is encoded once. Raises SalutaryError for a bad
        picture.
        """
        try:
            contents = [_content(path) for path in paths]
            files = dict(sorted(zip(contents, paths, strict=True)))
            places = {content: place for place, content in enumerate(files)}
            found = self._encoded(name, [*files.values()], "".join(files))
        except BadPicture as error:
            raise SalutaryError(f"{error}{self._advice}") from error
        return found[[places[content] for content in contents]]

    def noted(self) -> dict[str, Any]:
        about = {"checksum": checksum_of(self.encoder), "pooling": self.encoder.pooling}
        return {"name": self.name, "given": self.given, **about}

    def count(self) -> Count:
        """What was encoded since the last call."""
        counted, self.counted = self.counted, Count()
        return counted

    def _encoded(self, name: str, files: list[str], contents: str) -> np.ndarray:
        encoder, started = self.encoder, time.perf_counter()
        before = encoder.n_items
        if self._cache is None:
            features = self._in_batches(files)
        else:
            content = hashlib.sha256(contents.encode()).digest()
            features = self._cache.features(encoder, files, content, name)
        if encoder.n_items > before:
            self.counted.n += encoder.n_items - before
            self.counted.seconds += time.perf_counter() - started
        return features

    def _in_batches(self, files: list[str]) -> np.ndarray:
        self.encoder.load(Device.named(self._device))
        size = self.encoder.batch_size
        with all_threads():
            batches = [self.encoder.encode(files[i : i + size]) for i in range(0, len(files), size)]
        return np.concatenate(batches)


def _content(path: str) -> str:
    """Of a file. Raises BadPicture for one that cannot be read."""
    try:
        return checksum(Path(path))
    except FileNotFoundError as error:
        raise BadPicture(f"{path} is not a whole picture: there is no such file") from error
    except (OSError, ValueError) as error:
        raise BadPicture(f"{path} is not a whole picture: {error}") from error


def encoder_of(noted: Mapping[str, Any], given: str | None = None) -> FrozenImages:
    """The encoder that a saved model was trained with, ``given`` by another name or folder if it moved.

    Raises SalutaryError if it is not here, or has other weights.
    """
    name = given or noted["given"]
    told = f"its pictures are encoded by {noted['name']} (checksum {noted['checksum'][:8]})"
    try:
        encoder = frozen(name)
        found = checksum_of(encoder)
        encoder.load("cpu")
    except SalutaryError as error:
        where = "load_model(..., image_encoder=...) says where it is"
        raise SalutaryError(f"{told}, which is not here: {error}; {where}") from error
    if (found, encoder.pooling) != (noted["checksum"], noted["pooling"]):
        raise SalutaryError(f"{told}, and {name} is another (checksum {found[:8]})")
    return FrozenImages(encoder, name)
