"""Features of a table: a scikit-learn preprocessor, fitted on training rows only."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from salutary.errors import SalutaryError
from salutary.tables.messages import where
from salutary.tables.schema import LARGEST, Schema

# Categories of a column beyond this many share one feature, the rarest ones.
MAX_CATEGORIES = 50
NO_VALUE = "(missing)"
# Numbers that differ by less than this share of them are equal but for rounding, not to be scaled up.
ROUNDING = 1e-10


def preprocessor(schema: Schema) -> ColumnTransformer:
    """Numbers: median for what is missing, and a feature that says so, standardised. Categories: one-hot,
    what is missing being one of its own, rare ones taken together, unseen ones with the rare (or none of
    them), with a warning, since a column that was read another way has nothing but such.
    """
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    one_hot = OneHotEncoder(handle_unknown="warn", max_categories=MAX_CATEGORIES, sparse_output=False)
    filled = SimpleImputer(strategy="constant", fill_value=NO_VALUE, keep_empty_features=True)
    categories = make_pipeline(filled, one_hot)
    parts = [("numbers", numbers, list(schema.numeric)), ("categories", categories, list(schema.categorical))]
    return ColumnTransformer([part for part in parts if part[2]])


@dataclass
class Features:
    """A fitted preprocessor. ``unseen``: rows so far of a category its training rows lack, by column."""

    schema: Schema
    transformer: ColumnTransformer
    unseen: Counter = field(default_factory=Counter)

    @classmethod
    def fit(cls, schema: Schema, frame: pd.DataFrame) -> Features:
        """Fit on training rows, as :meth:`Schema.convert` gives them."""
        transformer = preprocessor(schema).fit(frame)
        if schema.numeric:
            scaler = transformer.named_transformers_["numbers"][-1]
            scaler.scale_ = np.maximum(scaler.scale_, ROUNDING * np.abs(scaler.mean_))
        return cls(schema, transformer)

    @property
    def names(self) -> list[str]:
        """Of the features; two may have the same name, as a column ``city_a`` and the ``a`` of ``city``."""
        return [name.split("__", 1)[1] for name in self.transformer.get_feature_names_out()]

    def transform(self, frame: pd.DataFrame, path: str | Path, dtype: type = np.float64) -> np.ndarray:
        """Features (n, d) of ``dtype``. Raises SalutaryError, naming the row, for a value that is too large
        for float32 once it is standardised.
        """
        X: np.ndarray = np.empty((len(frame), len(self.names)), dtype)
        start = 0
        if self.schema.numeric:
            numbers = self._numbers(frame, path)
            start = numbers.shape[1]
            X[:, :start] = numbers
        if self.schema.categorical:
            self._one_hot(frame, X[:, start:])
        return X

    def dumps(self) -> bytes:
        """The preprocessor in skops' format, which holds no pickle."""
        import skops.io

        return skops.io.dumps(self.transformer)

    def _numbers(self, frame: pd.DataFrame, path: str | Path) -> np.ndarray:
        X = self.transformer.named_transformers_["numbers"].transform(frame[list(self.schema.numeric)])
        fits = np.abs(X) <= LARGEST
        if not fits.all():
            row, column = np.argwhere(~fits)[0]
            raise SalutaryError(
                f"{where(path, self.names[column], frame.index[row])}: the value is too large"
            )
        return X

    def _one_hot(self, frame: pd.DataFrame, X: np.ndarray) -> None:
        """Write the features of the categories into X (n, k), and count what is not known. Each of a column's
        different values is encoded once.
        """
        pipeline: Pipeline = self.transformer.named_transformers_["categories"]
        columns = {name: pd.factorize(frame[name], use_na_sentinel=False) for name in self.schema.categorical}
        n = max(len(different) for _, different in columns.values())
        short = {name: np.resize(different, n) for name, (_, different) in columns.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found unknown categories")  # they are counted below
            table, start = pipeline.transform(pd.DataFrame(short, dtype=object)).astype(X.dtype), 0
        for (name, (codes, different)), categories, width in zip(
            columns.items(), pipeline[-1].categories_, _widths(pipeline[-1]), strict=True
        ):
            X[:, start : start + width] = table[: len(different), start : start + width][codes]
            start += width
            unseen = ~pd.Series(different, dtype=object).fillna(NO_VALUE).isin(categories).to_numpy()
            if unseen.any():
                self.unseen[name] += int(unseen[codes].sum())


def _widths(encoder: OneHotEncoder) -> list[int]:
    """Features of each column: rare categories share one."""
    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    shared = [0 if each is None else len(each) - 1 for each in rare]
    return [len(categories) - less for categories, less in zip(encoder.categories_, shared, strict=True)]
