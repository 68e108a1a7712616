"""Columns of texts as numbers: what an encoder has to do, and the light one that needs no network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import Normalizer

from salutary.errors import SalutaryError
from salutary.tables.messages import shown

# Features of the light encoder, at most.
COMPONENTS = 256
# The texts of a column, or of the two columns of a pair: a list of n texts for each.
Texts = Sequence[Sequence[str]]


class TextEncoder(Protocol):
    """What makes numbers of texts. It is handed in: networks stand above tables.

    ``name``: as people call it; ``about``: what it is, for the model card; ``learns``: whether it is fitted
    to the labelled rows, so that the texts of other rows look otherwise to it.
    """

    learns: bool

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    def fit(self, texts: Mapping[str, Texts]) -> Self:
        """One that has seen the texts of the labelled rows, by name of the column or pair."""

    def encode(self, name: str, texts: Texts) -> np.ndarray:
        """Features (n, width) of the n texts, or pairs, of the column or pair ``name``."""

    def noted(self) -> dict[str, Any]:
        """What a saved model keeps of it, in types that skops knows."""


class Tfidf:
    """Words by how often they are in a text and how rare elsewhere (TF-IDF, logarithmic counts), projected
    onto at most 256 directions of the labelled rows' texts and normalised: latent semantic analysis
    (Deerwester et al., "Indexing by latent semantic analysis", JASIS 1990). Pairs are :func:`compared`.

    ``fitted``: the pipeline of each column or pair.
    """

    name = "tfidf"
    learns = True

    def __init__(self, fitted: Mapping[str, Pipeline] | None = None):
        self.fitted = dict(fitted or {})

    @property
    def about(self) -> str:
        return "tfidf, fitted on the labelled rows and inside the model"

    def fit(self, texts: Mapping[str, Texts]) -> Tfidf:
        """Raises SalutaryError for a column without a word."""
        return Tfidf({name: _fitted(name, columns) for name, columns in texts.items()})

    def encode(self, name: str, texts: Texts) -> np.ndarray:
        different, places = distinct([text for column in texts for text in column])
        made = self.fitted[name].transform(different) if different else np.empty((0, self._width(name)))
        each = np.split(made[places], len(texts))
        return each[0] if len(each) == 1 else compared(*each)

    def noted(self) -> dict[str, Any]:
        return {"name": self.name, "fitted": self.fitted}

    def _width(self, name: str) -> int:
        return len(self.fitted[name][1].components_)


def compared(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Features (n, 2 w + 1) of pairs from those of their texts, (n, w) each: [|u - v|, u * v, cosine] of the
    normalised u and v; the same for (v, u). A text of nothing, u = 0, stays that.

    As in Conneau et al., "Supervised learning of universal sentence representations from natural language
    inference data", EMNLP 2017, but without u and v themselves.
    """
    u, v = _normalised(u), _normalised(v)
    return np.hstack([np.abs(u - v), u * v, (u * v).sum(1, keepdims=True)])


def distinct(texts: Sequence[Any]) -> tuple[list[Any], np.ndarray]:
    """The different texts, or pairs of them, the longest first, and the place of each (n,) among them."""
    different = sorted(dict.fromkeys(texts), key=_length, reverse=True)
    places = {text: place for place, text in enumerate(different)}
    return different, np.array([places[text] for text in texts], np.int64)


def _length(text: str | tuple[str | None, ...]) -> int:
    return len(text) if isinstance(text, str) else sum(len(each or "") for each in text)


def _normalised(u: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(u, axis=1, keepdims=True)
    return u / np.where(norms == 0, 1, norms)


def _fitted(name: str, columns: Texts) -> Pipeline:
    texts = [text for column in columns for text in column]
    words = TfidfVectorizer(sublinear_tf=True)
    try:
        counts = words.fit_transform(texts)
    except ValueError as error:
        raise SalutaryError(f"column {shown(name)}: no text has a word, of two letters at least") from error
    svd = TruncatedSVD(min(COMPONENTS, *counts.shape), random_state=0)
    with warnings.catch_warnings(), np.errstate(invalid="ignore"):  # of texts that are all the same
        warnings.simplefilter("ignore", RuntimeWarning)
        return make_pipeline(words, svd.fit(counts), Normalizer())
