"""Pairs of texts: encoded together, or one by one and then compared."""

from __future__ import annotations

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
