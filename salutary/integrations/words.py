"""Errors in the words of :class:`salutary.SalutaryClassifier`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from salutary.errors import SalutaryError

# What the commands say, and what it is called here.
WORDS = {
    " or model.max_iter": "",
    ", or set strategy.solver=auto": "",
    "raise model.l2": "lower C",
    "model.candidates": "candidates",
    "others are named by _target_": "others are given as classifiers",
    " needs pool=": " needs X_pool",
    " needs source=": " needs source",
}


@contextlib.contextmanager
def own_words() -> Iterator[None]:
    """Errors of the model name its settings, which are ``C`` here."""
    try:
        yield
    except SalutaryError as error:
        text = str(error)
        for theirs, ours in WORDS.items():
            text = text.replace(theirs, ours)
        raise SalutaryError(
            re.sub(r"model\.l2=(\S+)\)", lambda l2: f"C={1 / float(l2[1]):g})", text)
        ) from error
