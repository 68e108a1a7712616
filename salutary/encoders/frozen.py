"""Frozen encoders for columns of tables: what those of texts and those of pictures have in common."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from salutary.encoders import FeatureCache, all_threads
from salutary.encoders.texts import TextEncoder
from salutary.encoders.vision import FileEncoder
from salutary.system.device import Device

E = TypeVar("E", bound=TextEncoder | FileEncoder)


@dataclass
class Count:
    """``n`` items were encoded in so many ``seconds``; ``n_cut`` of them, texts, were too long."""

    n: int = 0
    n_cut: int = 0
    seconds: float = 0.0


class Frozen(Generic[E]):
    """``encoder`` for columns of a table, of which it learns nothing.

    ``given``: how the user named it. ``cache``: keeps features by what is encoded; None keeps nothing.
    ``counted``: what was encoded since :meth:`count`.
    """

    def __init__(self, encoder: E, given: str, cache: FeatureCache | None = None, device: str = "auto"):
        self.encoder = encoder
        self.given = given
        self.counted = Count()
        self._cache = cache
        self._device = device

    @property
    def name(self) -> str:
        return self.encoder.name

    @property
    def about(self) -> str:
        return self.encoder.fingerprint

    def count(self) -> Count:
        """What was encoded since the last call."""
        counted, self.counted = self.counted, Count()
        return counted

    def _features(self, name: str, items: Sequence, content: bytes) -> np.ndarray:
        """Features (m, width) of items, of which ``content`` is a checksum; ``name``: of the column."""
        before, started = self.encoder.n_items, time.perf_counter()
        if self._cache is None:
            features = self._in_batches(items)
        else:
            features = self._cache.features(self.encoder, items, content, name)
        if self.encoder.n_items > before:
            self.counted.n += self.encoder.n_items - before
            self.counted.seconds += time.perf_counter() - started
        return features

    def _in_batches(self, items: Sequence) -> np.ndarray:
        self.encoder.load(Device.named(self._device))
        size = self.encoder.batch_size
        with all_threads():
            batches = [self.encoder.encode(items[i : i + size]) for i in range(0, len(items), size)]
        return np.concatenate(batches)


def checksum_of(encoder: TextEncoder | FileEncoder) -> str:
    """Of the weights, whatever their folder is called."""
    return encoder.weights_fingerprint.rpartition(" ")[2]
