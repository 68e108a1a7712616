"""Frozen encoders for columns of texts in tables, as :mod:`salutary.tables.text_features` takes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Self

import numpy as np

from salutary.encoders.frozen import Frozen, checksum_of
from salutary.encoders.pairs import AUTO, are_separate
from salutary.encoders.texts import HuggingFace, MiniLM, TextEncoder
from salutary.errors import SalutaryError
from salutary.tables.text_features import Texts, compared, distinct

MINILM = "minilm"


def frozen(encoder: str, max_length: int, prefix: str = "") -> TextEncoder:
    """``minilm``, or what a folder or the Hugging Face Hub has. Raises SalutaryError for what is neither."""
    if encoder == MINILM:
        return MiniLM(max_length, prefix)
    return HuggingFace(encoder, max_length, prefix)


class FrozenTexts(Frozen[TextEncoder]):
    """For the texts of a table.

    Sentence encoders take the texts of a pair one by one. The features of a text are the same but for
    rounding, some 1e-6, whatever texts are encoded beside it.
    """

    learns = False

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

    def _encoded(self, name: str, items: list[tuple[str, str | None]]) -> np.ndarray:
        """Features (m, width) of distinct items, the longest first."""
        before = self.encoder.n_cut
        features = self._features(name, items, hashlib.sha256(json.dumps(items).encode()).digest())
        self.counted.n_cut += self.encoder.n_cut - before
        return features


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
