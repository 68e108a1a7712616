"""What encoders make of columns of pictures and texts: parts of the preprocessor, behind numbers and
categories.

Texts come last, since what learned them by heart is not compared (:attr:`Features.n_comparable`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

from salutary.tables.picture_features import ImageEncoder
from salutary.tables.schema import Schema
from salutary.tables.text_features import TextEncoder

# Names of the parts.
IMAGES, TEXTS = "images", "texts"


def fit_encoder(schema: Schema, frame: pd.DataFrame, encoder: TextEncoder | None) -> TextEncoder | None:
    """The encoder of texts, fitted to those of the rows if there are any."""
    if not schema.texts:
        return None
    assert encoder is not None
    return encoder.fit(texts_of(schema, frame))


def encoded_parts(
    schema: Schema, frame: pd.DataFrame, encoder: TextEncoder | None, image_encoder: ImageEncoder | None
) -> dict[str, dict[str, pd.DataFrame]]:
    """Features (n, width) of each column, or pair, by part."""
    made: dict[str, dict[str, np.ndarray]] = {IMAGES: {}, TEXTS: {}}
    for name in schema.images:
        assert image_encoder is not None
        made[IMAGES][name] = image_encoder.encode(name, frame[name].tolist())
    for name, texts in texts_of(schema, frame).items():
        assert encoder is not None
        made[TEXTS][name] = encoder.encode(name, texts)
    return {
        part: {name: _named(X, name, frame.index) for name, X in columns.items()}
        for part, columns in made.items()
        if columns
    }


def _named(X: np.ndarray, name: str, index: pd.Index) -> pd.DataFrame:
    return pd.DataFrame(X.astype(float), index, [f"{name} [{place}]" for place in range(X.shape[1])])


def scale_as_one(scaler: StandardScaler, widths: Sequence[int]) -> None:
    """Features of a text or picture get one scale, since how far they vary tells how much they mean;
    each varies as much as a number does, on average. ``widths``: features of each column.
    """
    start = 0
    for width in widths:
        places = slice(start, start + width)
        scaler.scale_[places] = np.sqrt(scaler.var_[places].mean()) or 1.0
        start += width


def widths_of(transformer: ColumnTransformer, part: str) -> dict[str, int]:
    """Features of each column, or pair, in a part of a fitted preprocessor."""
    made = next((columns for name, _, columns in transformer.transformers_ if name == part), ())
    return Counter(name.rpartition(" [")[0] for name in made)


def texts_of(schema: Schema, frame: pd.DataFrame) -> dict[str, list[list[str]]]:
    """The texts of each column, or pair of columns, by its name."""
    return {" + ".join(columns): [frame[name].tolist() for name in columns] for columns in schema.texts}
