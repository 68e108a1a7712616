"""Text data sets, as the features of a frozen encoder."""

from __future__ import annotations

import hashlib
import json
import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from salutary.datasets import Table
from salutary.encoders import FeatureCache
from salutary.encoders.columns import MINILM, frozen
from salutary.encoders.pairs import AUTO, are_separate
from salutary.encoders.texts import TextEncoder
from salutary.errors import SalutaryError
from salutary.system.files import as_path, files_in
from salutary.tables import UNLABELED
from salutary.tables.files import open_table
from salutary.tables.findings import class_findings
from salutary.tables.places import files_of
from salutary.tables.text_features import compared, distinct
from salutary.tables.texts import as_text, to_texts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Texts:
    """n texts, or n pairs of them; class numbers y (n,), UNLABELED where unknown; the names of the classes.

    ``places``: where the first and the second texts stand, for messages. Raises SalutaryError, naming place
    and row, for an empty text.
    """

    first: list[str]
    second: list[str] | None
    y: np.ndarray
    class_names: tuple[str, ...]
    places: tuple[str, str] = ("first text", "second text")

    def __post_init__(self) -> None:
        for place, texts in zip(self.places, (self.first, self.second), strict=True):
            for row, text in enumerate(texts or [], start=1):
                if not text or text.isspace():
                    raise SalutaryError(f"{place}, row {row}: the text is empty")

    @property
    def pairs(self) -> list[tuple[str, str | None]]:
        return list(zip(self.first, self.second or [None] * len(self.first), strict=True))


class TextData(ABC):
    """Base of the text data sets; a data set is :meth:`read`.

    ``encoder``: ``minilm`` (its weights come with a package), or the name on the Hugging Face Hub, or the
    folder, of any other, such as ``roberta-base`` (the paper's). ``max_length``: tokens after which a text,
    or a pair that is encoded together, is cut. ``pairs``: ``joint``, encoded together; ``separate``, one by
    one, and :func:`compared`; or ``auto``, as the encoder was trained to. ``cache_dir``: where features are
    kept, by default the user's cache. ``device``: of the encoder.
    """

    name: str

    def __init__(
        self,
        encoder: str = "roberta-base",
        max_length: int = 128,
        pairs: str = AUTO,
        data_dir: str | None = None,
        cache_dir: str | None = None,
        device: str = "auto",
    ):
        self.encoder = encoder
        self.max_length = max_length
        self.pairs = pairs
        self.data_dir = data_dir
        self.cache_dir = cache_dir
        self.device = device

    @abstractmethod
    def read(self) -> Texts:
        """All texts. Raises SalutaryError for files that are missing or wrong."""

    def files(self) -> dict[str, list[Path]]:
        """The files that are read, by the setting that names them: an encoder's, where it is a folder."""
        folder = as_path(self.encoder)
        is_own = self.encoder != MINILM and folder.is_dir()
        return {"encoder": files_in(folder)} if is_own else {}

    def load(self) -> Table:
        """Raises SalutaryError for settings, files, weights or packages that are missing or wrong."""
        encoder = self._encoder()
        separate = are_separate(self.pairs, encoder)
        texts = self.read()
        if texts.second is None or not separate:
            features, way = self._features(encoder, texts.pairs), ""
        else:
            features, way = self._compared(encoder, texts.first, texts.second), ", pairs compared"
        return Table(features, texts.y, texts.class_names, f"{encoder.fingerprint}{way}")

    def _compared(self, encoder, first: list[str], second: list[str]) -> np.ndarray:
        """Features (n, 2 width + 1) of pairs; each distinct text is encoded once."""
        different, places = distinct([*first, *second])
        u = self._features(encoder, [(text, None) for text in different])
        return compared(u[places[: len(first)]], u[places[len(first) :]])

    def _features(self, encoder, pairs: list[tuple[str, str | None]]) -> np.ndarray:
        """Features (n, width) in the order of the pairs, encoded in that of their lengths: less padding.

        The longest come first: what does not fit into memory fails at once.
        """
        order = np.argsort([-len(first) - len(second or "") for first, second in pairs], kind="stable")
        ordered = [pairs[row] for row in order]
        content = hashlib.sha256(json.dumps(ordered).encode()).digest()
        cache = FeatureCache(self.cache_dir, self.device)
        features = cache.features(encoder, ordered, content, self.name)
        if encoder.n_cut:
            cut = (self.name, encoder.n_cut, self.max_length)
            log.info("%s: %d texts were cut at dataset.max_length=%d tokens", *cut)
        X = np.empty_like(features)
        X[order] = features
        return X

    def _encoder(self) -> TextEncoder:
        return frozen(self.encoder, self.max_length, "dataset.")


class TextFile(TextData):
    """Your own texts, in a file of any form that :func:`salutary.tables.files.open_table` opens.

    ``text``: its column of texts; ``second``: that of second texts, for pairs; ``label``: that of labels. The
    classes are the distinct labels, sorted as text; rows without one form the pool. Messages count rows from
    1, without the header.
    """

    name = "text"

    def __init__(
        self,
        path: str | None = None,
        text: str | None = None,
        label: str | None = None,
        second: str | None = None,
        **settings,
    ):
        super().__init__(**settings)
        self.path = path
        self.text = text
        self.label = label
        self.second = second

    def files(self) -> dict[str, list[Path]]:
        own = {"path": files_of(self.path)} if self.path else {}
        return {**super().files(), **own}

    def read(self) -> Texts:
        if not (self.path and self.text and self.label):
            raise SalutaryError("set dataset.path, a file, dataset.text and dataset.label, columns of it")
        used = [self.text, self.label, *([self.second] if self.second else [])]
        table = open_table(self.path)
        path = table.path
        frame = table.read(used)
        columns = {name: [as_text(each) for each in frame[name]] for name in used}
        labels = to_texts(frame[self.label]).fillna("").tolist()
        for line in class_findings(frame[self.label], path, table.reading):
            log.info("%s", line)
        names = tuple(sorted({label for label in labels if label}))
        if len(names) < 2:
            present = f"{len(names)} classes" if not names else f"the single class {names[0]}"
            raise SalutaryError(f"{path}, column {self.label}: {present}, but at least two are needed")
        numbers = {name: number for number, name in enumerate(names)}
        y = np.array([numbers.get(label, UNLABELED) for label in labels])
        places = (f"{path}, column {self.text}", f"{path}, column {self.second}")
        return Texts(columns[self.text], columns.get(self.second), y, names, places)
