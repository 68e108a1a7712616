"""Pairs of texts: encoded together, or one by one and then compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from salutary.encoders.texts import TextEncoder
from salutary.errors import SalutaryError

AUTO, SEPARATE, JOINT = WAYS = ("auto", "separate", "joint")


def are_separate(pairs: str, encoder: TextEncoder) -> bool:
    """Whether texts are encoded one by one; ``auto``: as the encoder was trained to.

    Raises SalutaryError for a way that is none.
    """
    if pairs not in WAYS:
        raise SalutaryError(f"dataset.pairs must be {', '.join(WAYS[:-1])} or {WAYS[-1]}, not {pairs!r}")
    return pairs == SEPARATE or (pairs == AUTO and encoder.is_of_sentences)


def compared(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Features (n, 2 w + 1) of pairs from those of their texts, (n, w) each: [|u - v|, u * v, cosine] of the
    normalised u and v; the same for (v, u). A text of nothing, u = 0, stays that.

    As in Conneau et al., "Supervised learning of universal sentence representations from natural language
    inference data", EMNLP 2017, but without u and v themselves.
    """
    u, v = _normalised(u), _normalised(v)
    return np.hstack([np.abs(u - v), u * v, (u * v).sum(1, keepdims=True)])


def distinct(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The different texts, the longest first, and the place of each text (n,) among them."""
    different = sorted(dict.fromkeys(texts), key=len, reverse=True)
    places = {text: place for place, text in enumerate(different)}
    return different, np.array([places[text] for text in texts], np.int64)


def _normalised(u: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(u, axis=1, keepdims=True)
    return u / np.where(norms == 0, 1, norms)
