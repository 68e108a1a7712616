"""Named random streams from one seed; the global generators are left as they were."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

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


@contextlib.contextmanager
def lent_global(rng: np.random.Generator) -> Iterator[int]:
    """NumPy's global generator, seeded from ``rng``, for code of others that draws from it; gives the seed.

    Afterwards it is as it was. For one thread at a time, as that generator is.
    """
    seed = int(rng.integers(2**31 - 1))
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield seed
    finally:
        np.random.set_state(before)  # noqa: NPY002
