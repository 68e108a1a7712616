"""Features of a table: a scikit-learn preprocessor, fitted on training rows only."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from salutary.errors import SalutaryError
from salutary.tables import archives
from salutary.tables.encoded import IMAGES, TEXTS, encoded_parts, fit_encoder, scale_as_one, widths_of
from salutary.tables.feature_maps import mapped
from salutary.tables.messages import as_setting, listed, quoted, where
from salutary.tables.picture_features import ImageEncoder
from salutary.tables.schema import Schema
from salutary.tables.standardised import TooLarge, standardise
from salutary.tables.text_features import TextEncoder

# Categories of a column beyond this many share one feature, the rarest ones.
MAX_CATEGORIES = 50
NO_VALUE = "(missing)"
# Numbers that differ by less than this share of them are equal but for rounding, not to be scaled up.
ROUNDING = 1e-10
# Rows from which on a column of nothing but unseen categories is a mistake; and the share that is told.
ENOUGH_ROWS = 20
MANY_UNSEEN = 0.1
NOTHING: Mapping[str, Sequence[str]] = MappingProxyType({})


def preprocessor(schema: Schema, encoded: Mapping[str, Sequence[str]] = NOTHING) -> ColumnTransformer:
    """Numbers: median for what is missing, and a feature that says so, standardised. Categories: one-hot,
    what is missing being one of its own, rare ones taken together, unseen ones with the rare (or none of
    them), with a warning, since a column that was read another way has nothing but such. ``encoded``: columns
    that encoders made of pictures and texts, by part, centred and scaled.
    """
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    one_hot = OneHotEncoder(handle_unknown="warn", max_categories=MAX_CATEGORIES, sparse_output=False)
    filled = SimpleImputer(strategy="constant", fill_value=NO_VALUE, keep_empty_features=True)
    categories = make_pipeline(filled, one_hot)
    parts = [("numbers", numbers, list(schema.numeric)), ("categories", categories, list(schema.categorical))]
    parts += [(part, StandardScaler(), list(columns)) for part, columns in encoded.items()]
    return ColumnTransformer([part for part in parts if part[2]])


@dataclass
class Features:
    """A fitted preprocessor.

    Of the ``n_rows`` that were transformed so far, by column: ``values``, those with a value;
    ``unseen``, those with a category that the training rows lack, the first of which is in
    ``examples``; ``empty``, those with an empty text, and ``first_empty``, the row of the first.
    ``map``: what puts further features behind them (:mod:`salutary.tables.feature_maps`), which have no
    names. ``encoder``: of the texts, fitted; ``image_encoder``: of the pictures.
    """

    schema: Schema
    transformer: ColumnTransformer
    unseen: Counter = field(default_factory=Counter)
    values: Counter = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    n_rows: int = 0
    map: ColumnTransformer | None = None
    encoder: TextEncoder | None = None
    image_encoder: ImageEncoder | None = None
    empty: Counter = field(default_factory=Counter)
    first_empty: dict[str, int] = field(default_factory=dict)

    @classmethod
    def fit(
        cls,
        schema: Schema,
        frame: pd.DataFrame,
        encoder: TextEncoder | None = None,
        image_encoder: ImageEncoder | None = None,
    ) -> Features:
        """Fit on training rows, as :meth:`Schema.convert` gives them; encoders: of texts and of pictures, if
        there are any. Raises SalutaryError for texts that an encoder makes nothing of, and for bad pictures.
        """
        if not (schema.texts or schema.images):
            return cls(schema, cls._fit(preprocessor(schema), schema, frame))
        encoder = fit_encoder(schema, frame, encoder)
        parts = encoded_parts(schema, frame, encoder, image_encoder)
        named = {part: pd.concat([*made.values()], axis=1) for part, made in parts.items()}
        both = pd.concat([frame[schema.plain], *named.values()], axis=1)
        names = {part: list(made.columns) for part, made in named.items()}
        transformer = cls._fit(preprocessor(schema, names), schema, both)
        for part, made in parts.items():
            scale_as_one(transformer.named_transformers_[part], [X.shape[1] for X in made.values()])
        return cls(schema, transformer, encoder=encoder, image_encoder=image_encoder)

    @staticmethod
    def _fit(transformer: ColumnTransformer, schema: Schema, frame: pd.DataFrame) -> ColumnTransformer:
        transformer.fit(frame)
        if schema.numeric:
            scaler = transformer.named_transformers_["numbers"][-1]
            scaler.scale_ = np.maximum(scaler.scale_, ROUNDING * np.abs(scaler.mean_))
        return transformer

    @property
    def names(self) -> list[str]:
        """Of the features before the map; two may have the same name, as a column ``city_a`` and the ``a`` of
        ``city``.
        """
        return [name.split("__", 1)[1] for name in self.transformer.get_feature_names_out()]

    @property
    def n_features(self) -> int:
        """With what the map makes of them."""
        return len(self.names) if self.map is None else len(self.map.get_feature_names_out())

    @property
    def n_comparable(self) -> int:
        """The first features, which rows that are alike have alike: all of them, but those of texts that the
        encoder has learned by heart, since it is fitted to them.
        """
        learned = widths_of(self.transformer, TEXTS) if self.encoder and self.encoder.learns else {}
        return len(self.names) - sum(learned.values())

    @property
    def column_groups(self) -> dict[str, list[int]]:
        """The features of each column, as places in :attr:`names`: its number, and what says that it is
        missing; or its categories; or what an encoder made of it.
        """
        groups = {name: [place] for place, name in enumerate(self.schema.numeric)}
        indicated = self._indicated if self.schema.numeric else []
        for place, column in enumerate(indicated, len(groups)):
            groups[column].append(place)
        end = len(groups) + len(indicated)
        if self.schema.categorical:
            widths = _widths(self.transformer.named_transformers_["categories"][-1])
            for column, width in zip(self.schema.categorical, widths, strict=True):
                groups[column] = [*range(end, end + width)]
                end += width
        encoded = widths_of(self.transformer, IMAGES) | widths_of(self.transformer, TEXTS)
        for name, width in encoded.items():
            groups[name] = [*range(end, end + width)]
            end += width
        return groups

    @property
    def encoded_by(self) -> str | None:
        """What the encoders are, None if there is none."""
        return " and ".join(each.about for each in (self.image_encoder, self.encoder) if each) or None

    def fresh(self) -> Features:
        """The same preprocessor, which has seen no rows yet."""
        kept = self.encoder, self.image_encoder
        return Features(self.schema, self.transformer, map=self.map, encoder=kept[0], image_encoder=kept[1])

    def findings(self, path: str | Path, strict: bool = True, prefix: str = "") -> list[str]:
        """A line for every column of which more than a tenth is unseen, or has no value though all training
        rows have one, or a text is empty.

        If this is ``strict``, raises SalutaryError for a column of which all values are unseen, if there are
        enough to tell: it was read otherwise, or means something else. ``prefix``: of settings' names.
        """
        lines = [self._told_empty(where(path, name, row), name) for name, row in self.first_empty.items()]
        for name in self.schema.plain if self.n_rows else ():
            place, n = where(path, name), self.n_rows
            if strict and self.unseen[name] == self.values[name] > 0 and n >= ENOUGH_ROWS:
                raise SalutaryError(f"{place}: {self._all_unseen(name, prefix)}")
            if name in self._without_gaps and (gaps := n - self.values[name]) > MANY_UNSEEN * n:
                lines.append(f"{place}: {gaps:,} of {n:,} rows have no value, as no row with a label has")
            if self.unseen[name] > MANY_UNSEEN * n:
                lines.append(
                    f"{place}: {self.unseen[name]:,} of {n:,} rows have a category that the rows with labels"
                    f" lack, such as {quoted(self.examples[name])}"
                )
        return lines

    @property
    def categories(self) -> dict[str, np.ndarray]:
        """Those of each column, of the training rows; none before it is fitted."""
        if not (self.schema.categorical and hasattr(self.transformer, "named_transformers_")):
            return {}
        encoder = self.transformer.named_transformers_["categories"][-1]
        return dict(zip(self.schema.categorical, encoder.categories_, strict=True))

    @property
    def _without_gaps(self) -> set[str]:
        """The columns that have a value in all training rows."""
        full = {name for name, categories in self.categories.items() if NO_VALUE not in categories}
        if not self.schema.numeric:
            return full
        return full | {*self.schema.numeric} - {*self._indicated}

    @property
    def _indicated(self) -> list[str]:
        """The columns of numbers that lack a value in a training row, which a feature of each says."""
        indicator = self.transformer.named_transformers_["numbers"][0].indicator_
        return [self.schema.numeric[place] for place in indicator.features_]

    def _told_empty(self, place: str, name: str) -> str:
        return f"{place}: the text is empty, and taken as such ({self.empty[name]:,} of {self.n_rows:,} rows)"

    def _all_unseen(self, name: str, prefix: str) -> str:
        known = listed([*self.categories[name]], 5)
        return (
            f"not one of its {self.values[name]:,} values, such as {quoted(self.examples[name])}, is known"
            f" from the rows with labels ({known}); {as_setting(prefix + 'ignore', [name])} does without it"
        )

    def transform(self, frame: pd.DataFrame, path: str | Path, dtype: type = np.float64) -> np.ndarray:
        """Features (n, :attr:`n_features`) of ``dtype``. Raises SalutaryError, naming the row, for a value
        that is too large for float32 once it is standardised.
        """
        X: np.ndarray = np.empty((len(frame), self.n_features), dtype)
        self.transform_into(X, frame, path)
        return X

    def transform_into(self, X: np.ndarray, frame: pd.DataFrame, path: str | Path) -> None:
        """:meth:`transform`, written into X (n, :attr:`n_features`)."""
        if self.map is None:
            return self._plain(frame, path, X)
        self._plain(frame, path, plain := np.empty((len(frame), len(self.names))))
        X[:] = mapped(self.map, plain)

    def _plain(self, frame: pd.DataFrame, path: str | Path, X: np.ndarray) -> None:
        """Before the map."""
        start, self.n_rows = 0, self.n_rows + len(frame)
        if self.schema.numeric:
            start = self._numbers(frame, path, X)
        if self.schema.categorical:
            self.values.update(frame[list(self.schema.categorical)].notna().sum().to_dict())
            start += self._one_hot(frame, X[:, start:])
        if self.schema.texts or self.schema.images:
            X[:, start:] = self._encoded(frame)

    def dumps(self) -> bytes:
        """The preprocessor in skops' format, which holds no pickle."""
        return archives.dumps(self.transformer)

    def _numbers(self, frame: pd.DataFrame, path: str | Path, X: np.ndarray) -> int:
        """Write the features of the numbers into X (n, k), and count the values. Gives how many features."""
        names = list(self.schema.numeric)
        values, fitted = frame[names].to_numpy(np.float64), self.transformer.named_transformers_["numbers"]
        try:
            counts, width = standardise(fitted, values, X)
        except TooLarge as error:
            place = where(path, names[error.column], frame.index[error.row])
            raise SalutaryError(f"{place}: the value is too large") from None
        self.values.update(dict(zip(names, counts.tolist(), strict=True)))
        return width

    def _encoded(self, frame: pd.DataFrame) -> np.ndarray:
        """What the encoders make of pictures and texts, scaled; notes the empty texts."""
        for name in self.schema.text:
            empty = np.flatnonzero(frame[name].to_numpy() == "")
            self.empty[name] += len(empty)
            if len(empty):
                self.first_empty.setdefault(name, int(frame.index[empty[0]]))
        parts = encoded_parts(self.schema, frame, self.encoder, self.image_encoder)
        scaled = []
        for part, made in parts.items():
            scaler = self.transformer.named_transformers_[part]
            scaled.append((np.hstack([*made.values()]) - scaler.mean_) / scaler.scale_)
        return np.hstack(scaled)

    def _one_hot(self, frame: pd.DataFrame, X: np.ndarray) -> int:
        """Write the features of the categories into X (n, k), and count what is not known. Each of a column's
        different values is encoded once. Gives the number of these features.
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
            texts = pd.Series(different, dtype=object)
            unseen = (texts.notna() & ~texts.isin(categories)).to_numpy()
            if unseen.any():
                self.unseen[name] += int(unseen[codes].sum())
                self.examples.setdefault(name, texts[unseen].iloc[0])
        return start


def _widths(encoder: OneHotEncoder) -> list[int]:
    """Features of each column: rare categories share one."""
    rare = getattr(encoder, "infrequent_categories_", [None] * len(encoder.categories_))
    shared = [0 if each is None else len(each) - 1 for each in rare]
    return [len(categories) - less for categories, less in zip(encoder.categories_, shared, strict=True)]
