"""Frozen encoders, and the features they make: computed once, kept, and picked up where they stopped.

An encoder is an object with

- ``name``, and ``fingerprint``, which changes when the features would: of its weights and preparation,
- ``load(device)``, which makes it ready, and raises SalutaryError for weights or packages that are not here,
- ``encode(items) -> (m, width) float32`` of a batch, after ``load``,
- ``batch_size``: items that are encoded at a time.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import re
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from salutary.errors import SalutaryError
from salutary.system import sources
from salutary.system.files import locked, tidy, write_atomic
from salutary.system.progress import counting_bar
from salutary.system.threads import free_cores

log = logging.getLogger(__name__)

# Items whose features are one file until all are there: what an interruption loses at most.
CHUNK = 1024


class Encoder(ABC):
    """The contract. ``load`` comes before ``encode``, and only when features are not there yet."""

    name: str
    batch_size = 64

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when the features would."""

    @abstractmethod
    def load(self, device: str) -> None:
        """Make ready on a device. Raises SalutaryError for weights or packages that are not here."""

    @abstractmethod
    def encode(self, items: Sequence) -> np.ndarray:
        """Features (m, width) float32 of a batch."""


class FeatureCache:
    """Features in ``cache_dir``, by default the user's cache: ``<data>-<encoder>-<key>.npy``.

    The key is that of the items and of the encoder, so that other data or weights are other features. While
    they are computed, finished chunks are kept in ``<...>.parts``, where an interrupted extraction goes on;
    other processes that want the same features wait. ``device``: ``auto``, ``cpu``, ``cuda`` or ``cuda:<n>``.
    """

    def __init__(self, cache_dir: str | None = None, device: str = "auto"):
        self.folder = sources.directory(cache_dir) / "features"
        self.device = device

    def features(self, encoder: Encoder, items: Sequence, content: bytes, name: str) -> np.ndarray:
        """Features (n, width) float32 of ``items``, of which ``content`` is a checksum.

        ``items[start:stop]`` must be a batch as the encoder takes it. Raises SalutaryError if the folder
        cannot be written, or for what the encoder lacks.
        """
        key = hashlib.sha256(content + encoder.fingerprint.encode()).hexdigest()[:16]
        path = self.folder / f"{_plain(name)}-{_plain(encoder.name)}-{key}.npy"
        if not path.exists():
            try:
                with locked(path.with_suffix(".lock"), wait=lambda: log.info("waiting for %s", path.name)):
                    if not path.exists():
                        tidy(path)
                        self._extract(encoder, items, path)
            except OSError as error:
                raise SalutaryError(f"{path} cannot be written: {error.strerror}; set cache_dir") from error
        return _read(path, len(items))

    def _extract(self, encoder: Encoder, items: Sequence, path: Path) -> None:
        parts = path.with_suffix(".parts")
        parts.mkdir(exist_ok=True)
        starts = range(0, len(items), CHUNK)
        missing = [start for start in starts if not (parts / f"{start}.npy").exists()]
        device = self.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        encoder.load(device)
        started, description = time.perf_counter(), f"{path.name.rsplit('-', 1)[0]} on {device}"
        with all_threads(), counting_bar(description, len(items)) as advance:
            advance(len(items) - sum(min(CHUNK, len(items) - start) for start in missing))
            for start in missing:
                batches = []
                stop = min(start + CHUNK, len(items))
                for first in range(start, stop, encoder.batch_size):
                    batches.append(encoder.encode(items[first : min(first + encoder.batch_size, stop)]))
                    advance(len(batches[-1]))
                _write(parts / f"{start}.npy", np.concatenate(batches))
        if missing:
            n = sum(min(CHUNK, len(items) - start) for start in missing)
            rate = n / (time.perf_counter() - started)
            log.info("%s: %d items encoded, %.0f a second", description, n, rate)
        _write(path, np.concatenate([np.load(parts / f"{start}.npy") for start in starts]))
        shutil.rmtree(parts, ignore_errors=True)


@contextlib.contextmanager
def all_threads() -> Iterator[None]:
    """Every core for a while: an encoder's batches are large, and only one process encodes."""
    before = torch.get_num_threads()
    torch.set_num_threads(free_cores())
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _plain(name: str) -> str:
    return re.sub(r"[^\w.]+", "_", name)


def _write(path: Path, features: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, features, allow_pickle=False)
    write_atomic(path, buffer.getvalue())


def _read(path: Path, n: int) -> np.ndarray:
    try:
        features = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise SalutaryError(f"{path} is damaged ({error}): remove it") from error
    if len(features) != n or not np.isfinite(features).all():
        raise SalutaryError(f"{path} is damaged, {len(features)} rows for {n}: remove it")
    return features
