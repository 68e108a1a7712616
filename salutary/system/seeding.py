"""Named random streams from one seed; the global generators are never touched."""

from __future__ import annotations

import numpy as np

STREAMS = (
    *("initial", "strategy", "model", "validation", "pool", "noise", "study", "remedies", "figures"),
    *("soft_labels", "ask"),
)


def stream(seed: int, name: str, *key: int) -> np.random.Generator:
    """The generator of stream ``name``; ``key`` (such as a round) opens an independent sub-stream.

    A sub-stream depends on nothing drawn before it, so that a round can be redone by itself.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAMS.index(name), *key)))
