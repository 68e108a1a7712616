"""Frozen encoders for columns of texts in tables, as :mod:`salutary.tables.text_features` takes them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from salutary.encoders import FeatureCache, all_threads
from salutary.encoders.pairs import AUTO, are_separate
from salutary.encoders.texts import HuggingFace, MiniLM, TextEncoder
from salutary.errors import SalutaryError
from salutary.system.device import Device
from salutary.tables.text_features import Texts, compared, distinct

MINILM = "minilm"


def frozen(encoder: str, max_length: int, prefix: str = "") -> TextEncoder:
    """``minilm``, or what a folder or the Hugging Face Hub has. Raises SalutaryError for what is neither."""
    if encoder == MINILM:
        return MiniLM(max_length, prefix)
    return HuggingFace(encoder, max_length, prefix)


@dataclass
class Count:
    """``n`` texts were encoded in so many ``seconds``; ``n_cut`` of them were too long."""

    n: int = 0
    n_cut: int = 0
    seconds: float = 0.0


class FrozenTexts:
    """``encoder`` for the texts of a table, none of which it learns from.

    ``given``: how the user named it. ``cache``: keeps features by the texts' content; None keeps nothing.
    Sentence encoders take the texts of a pair one by one. ``counted``: what was encoded since :meth:`count`.
    The features of a text are the same but for rounding, some 1e-6, whatever texts are encoded beside it.
    """

    learns = False

    def __init__(
        self, encoder: TextEncoder, given: str, cache: FeatureCache | None = None, device: str = "auto"
    ):
        self.encoder = encoder
        self.given = given
        self._cache = cache
        self._device = device
        self.counted = Count()

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def about(self) -> str:
        return self.encoder.fingerprint

    def fit(self, texts: Mapping[str, Texts]) -> Self:
        return self

    def encode(self, name: str, texts: Texts) -> np.ndarray:
        """Features (n, width) of texts, or of pairs; each distinct one is encoded once."""
        if len(texts) == 1 or are_separate(AUTO, self.encoder):
            different, places = distinct([(text, None) for column in texts for text in column])
            each = np.split(self._encoded(name, different)[places], len(texts))
            return each[0] if len(each) == 1 else compared(*each)
        different, places = distinct([*zip(*texts, strict=True)])
        return self._encoded(name, different)[places]

    def noted(self) -> dict[str, Any]:
        encoder = self.encoder
        checksum, pooling = checksum_of(encoder), encoder.pooling
        about = {"given": self.given, "checksum": checksum, "pooling": pooling}
        return {"name": self.name, "max_length": encoder.max_length, **about}

    def count(self) -> Count:
        """What was encoded since the last call."""
        counted, self.counted = self.counted, Count()
        return counted

    def _encoded(self, name: str, items: list[tuple[str, str | None]]) -> np.ndarray:
        """Features (m, width) of distinct items, the longest first."""
        encoder, started = self.encoder, time.perf_counter()
        before = encoder.n_items, encoder.n_cut
        if self._cache is None:
            features = self._in_batches(items)
        else:
            content = hashlib.sha256(json.dumps(items).encode()).digest()
            features = self._cache.features(encoder, items, content, name)
        if encoder.n_items > before[0]:
            self.counted.n += encoder.n_items - before[0]
            self.counted.n_cut += encoder.n_cut - before[1]
            self.counted.seconds += time.perf_counter() - started
        return features

    def _in_batches(self, items: Sequence) -> np.ndarray:
        self.encoder.load(Device.named(self._device))
        size = self.encoder.batch_size
        with all_threads():
            batches = [self.encoder.encode(items[i : i + size]) for i in range(0, len(items), size)]
        return np.concatenate(batches)


def checksum_of(encoder: TextEncoder) -> str:
    """Of the weights, whatever their folder is called."""
    return encoder.weights_fingerprint.rpartition(" ")[2]


def encoder_of(noted: Mapping[str, Any], given: str | None = None) -> FrozenTexts:
    """The encoder that a saved model was trained with, ``given`` by another name or folder if it moved.

    Raises SalutaryError if it is not here, or has other weights.
    """
    name = given or noted["given"]
    try:
        encoder = frozen(name, noted["max_length"])
        found, pooling = checksum_of(encoder), encoder.pooling
        encoder.load("cpu")
    except SalutaryError as error:
        raise SalutaryError(
            f"its texts are encoded by {noted['name']} (checksum {noted['checksum'][:8]}), which is not here:"
            f" {error}; load_model(..., encoder=...) says where it is"
        ) from error
    if (found, pooling) != (noted["checksum"], noted["pooling"]):
        raise SalutaryError(
            f"its texts are encoded by {noted['name']} (checksum {noted['checksum'][:8]},"
            f" {noted['pooling']}), and {name} is another (checksum {found[:8]}, {pooling})"
        )
    return FrozenTexts(encoder, name)
