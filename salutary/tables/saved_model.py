"""Models that ``salutary-label`` has saved, for rows as people hold them."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from salutary.errors import SalutaryError
from salutary.system.files import as_path
from salutary.tables.encoded import IMAGES, TEXTS
from salutary.tables.features import Features
from salutary.tables.files import open_table
from salutary.tables.messages import one_line
from salutary.tables.picture_features import ImageEncoder
from salutary.tables.pictures import LABEL, PictureFolder
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema
from salutary.tables.table_file import check_columns
from salutary.tables.text_features import TextEncoder, Tfidf
from salutary.tables.texts import canonical
from salutary.tables.trusted_types import load

FILE = "model.skops"
# What a model keeps of columns that it does not have.
NOTHING: tuple[tuple, None] = ((), None)
# The step between preprocessor and model, where there is one.
MAP = "map"
# What meant no value in every column before 0.4.0.
MISSING_BEFORE = ("NA", "N/A", "n/a", "<NA>", "#N/A", "NaN", "nan", "-NaN", "-nan", "NULL", "null", "None")

# scikit-learn and pandas set warnings aside for a while, in the whole process: two threads that do so at once
# undo it for each other.
_ONE_AT_A_TIME = threading.Lock()

# Makes an encoder of what a saved model keeps of it.
EncoderOf = Callable[[Mapping[str, Any]], TextEncoder]
ImageEncoderOf = Callable[[Mapping[str, Any]], ImageEncoder]
Rows = pd.DataFrame | Mapping[str, Sequence] | Sequence[Mapping[str, Any]] | str | Path


def load_model(
    path: str | Path,
    trusted: Sequence[str] = (),
    encoder_of: EncoderOf | None = None,
    image_encoder_of: ImageEncoderOf | None = None,
) -> SavedModel:
    """The model in ``model.skops``, or in the folder that ``salutary-label`` has written.

    Nothing but arrays and estimators of scikit-learn is loaded, and no pickle; further types, of a
    model that you have chosen yourself, if their names are in ``trusted``. Forests and boosting are
    loaded, too: trust a file with trees only if it is of your own making. scikit-learn does not check
    what trees point at, and a file that was made for it can crash the process; skops leaves them
    untrusted on purpose. ``encoder_of``: makes the encoder of a model that reads texts, of what
    :meth:`TextEncoder.noted` says; ``image_encoder_of``: that of pictures. Raises SalutaryError for a
    file that is not there, is damaged, holds anything else or is no model of ``salutary-label``.
    """
    path = as_path(path)
    path = path / FILE if path.is_dir() else path
    if not path.exists():
        raise SalutaryError(f"there is no {path}")
    try:
        return SavedModel(load(path, trusted), encoder_of, image_encoder_of)
    except SalutaryError as error:
        raise SalutaryError(f"{path}: {error}") from error
    except Exception as error:  # a damaged archive can fail in many ways
        raise SalutaryError(f"{path} is no model of salutary-label: {one_line(error)}") from error


class SavedModel:
    """A pipeline of scikit-learn, preprocessing included, that takes rows in any form.

    ``rows`` are a DataFrame, columns by name, a list of records, or the name of a file that
    ``salutary-label`` reads. Their columns may have any order and type (nullable, categorical, Arrow,
    objects), and others are ignored: a value counts for what it is in the file that the model was trained on.
    None, NaN and the empty text mean no value. Threads may share it; they predict one at a time.

    Attributes
    ----------
    pipeline: the :class:`sklearn.pipeline.Pipeline`, as ``skops.io.load`` gives it.
    classes_: (C,) the classes, in the order of the columns of :meth:`predict_proba`.
    columns: names of the columns that it needs.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        encoder_of: EncoderOf | None = None,
        image_encoder_of: ImageEncoderOf | None = None,
    ):
        self.pipeline = pipeline
        self._features = features_of(pipeline, encoder_of, image_encoder_of)
        if not hasattr(pipeline, "predict_proba"):
            raise SalutaryError("it is a preprocessor, and no model")
        self._reading = reading_of(pipeline)

    @property
    def classes_(self) -> np.ndarray:
        return self.pipeline.classes_

    @property
    def columns(self) -> list[str]:
        return self._features.schema.used

    def predict(self, rows: Rows) -> np.ndarray:
        """The likeliest class of each row, (n,). Raises SalutaryError as :meth:`predict_proba` does."""
        return self.classes_[self.predict_proba(rows).argmax(1)]

    def predict_proba(self, rows: Rows) -> np.ndarray:
        """Probabilities of the classes, (n, C).

        Warns of a column that holds many categories which the labelled rows lack. Raises SalutaryError for a
        column that is missing or there twice, and, naming the row, for a number that is none.
        """
        features = self._features.fresh()
        parts = [np.empty((0, len(self.classes_)))]
        with _ONE_AT_A_TIME:
            read = self._reading
            images = self._features.schema.images
            source = _File(rows, read, images) if isinstance(rows, (str, Path)) else _Frame(rows, read)
            for frame in source.blocks(self.columns):
                made = features.schema.convert(frame, source.name, source.reading, source.folder)
                X = features.transform(as_trained(made, features), source.name)
                parts.append(self.pipeline[-1].predict_proba(X))
        for line in features.findings(source.name, strict=False):
            warnings.warn(line, UserWarning, stacklevel=2)
        return np.concatenate(parts)


class _File:
    """Rows in a file, block by block."""

    def __init__(self, path: str | Path, reading: tuple[str, Reading], images: Sequence[str] = ()):
        self._table = open_table(path, *reading)
        if images and isinstance(self._table, PictureFolder):
            self._table.call(images[0], LABEL)
        self.name, self.reading = str(self._table.path), self._table.reading
        self.folder = self._table.folder

    def blocks(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        return self._table.blocks(columns)


class _Frame:
    """Rows in memory."""

    def __init__(self, rows: Any, reading: tuple[str, Reading]):
        self._frame = _frame_of(rows)
        self.name, self.reading = type(rows).__name__, reading[1].with_nulls
        self.folder = Path()

    def blocks(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        frame = self._frame.set_axis(self._frame.columns.map(str), axis=1).reset_index(drop=True)
        check_columns(self.name, list(frame.columns), columns)
        return iter([frame[columns]] if len(frame) else [])


def _frame_of(rows: Any) -> pd.DataFrame:
    """A DataFrame of rows, those of Arrow and Polars included. Raises SalutaryError for what makes none."""
    if isinstance(rows, pd.DataFrame):
        return rows
    try:
        rows = rows.to_arrow() if hasattr(rows, "to_arrow") else rows
        if hasattr(rows, "to_pandas"):
            return rows.to_pandas(types_mapper=pd.ArrowDtype)
        return pd.DataFrame(rows, dtype=object)
    except (TypeError, ValueError) as error:
        forms = "a DataFrame, columns by name, a list of records or the name of a file"
        raise SalutaryError(f"rows must be {forms}: {one_line(error)}") from error


def as_trained(frame: pd.DataFrame, features: Features) -> pd.DataFrame:
    """Categories as a model spells them: before 0.4.0 TRUE and 1.50 were not yet True and 1.5."""
    for name, categories in features.categories.items():
        spelt = {canonical(each): each for each in map(str, categories) if canonical(each) != each}
        if spelt:
            frame[name] = frame[name].map(lambda text, spelt=spelt: spelt.get(text, text))
    return frame


def features_of(
    model: Pipeline | ColumnTransformer,
    encoder_of: EncoderOf | None = None,
    image_encoder_of: ImageEncoderOf | None = None,
) -> Features:
    """The preprocessor of a saved model, or a saved preprocessor. Raises SalutaryError for anything else, and
    for texts and pictures whose encoder is not there.
    """
    transformer = model[0] if isinstance(model, Pipeline) else model
    named = {name: columns for name, _, columns in getattr(transformer, "transformers", ())}
    if not named or not named.keys() <= {"numbers", "categories", TEXTS, IMAGES}:
        raise SalutaryError("model must be one that salutary-label or salutary-run has saved")
    units, encoder = _noted(model, TEXTS) if TEXTS in named else NOTHING
    images, image_encoder = _noted(model, IMAGES) if IMAGES in named else NOTHING
    plain = tuple(named.get("numbers", ())), tuple(named.get("categories", ()))
    schema = Schema(*plain, {}, tuple(map(tuple, units)), tuple(images))
    steps = model.named_steps if isinstance(model, Pipeline) else {}
    of_texts = _encoder(encoder, encoder_of) if encoder else None
    of_images = _handed(image_encoder, image_encoder_of, "pictures") if image_encoder else None
    return Features(schema, transformer, map=steps.get(MAP), encoder=of_texts, image_encoder=of_images)


def _noted(model: Pipeline | ColumnTransformer, part: str) -> tuple[Any, Mapping[str, Any]]:
    """The columns of a part, and what is kept of their encoder. Raises SalutaryError if nothing is."""
    noted = getattr(model, "salutary_", {}).get(part)
    if noted is None:
        raise SalutaryError(f"it reads {part}, but does not say by which encoder")
    return noted["columns"], noted["encoder"]


def _encoder(noted: Mapping[str, Any], encoder_of: EncoderOf | None) -> TextEncoder:
    if noted["name"] == Tfidf.name:
        return Tfidf(noted["fitted"])
    return _handed(noted, encoder_of, "texts")


def _handed(noted: Mapping[str, Any], encoder_of: Callable[..., Any] | None, what: str) -> Any:
    """Raises SalutaryError for an encoder that is a network, if nothing makes it."""
    if encoder_of is None:
        raise SalutaryError(f"its {what} are encoded by {noted['name']}: salutary.load_model applies it")
    return encoder_of(noted)


def note_reading(pipeline: Pipeline, separator: str, reading: Reading) -> None:
    """Keep within a pipeline how the files of its training rows were read."""
    texts = {"decimal": reading.decimal, "thousands": reading.thousands}
    lists = {"missing": list(reading.missing), "units": list(reading.units)}
    pipeline.salutary_ = {"separator": separator, **texts, **lists}


def note_encoders(pipeline: Pipeline, features: Features) -> None:
    """Keep within a pipeline which columns are texts and pictures, and what encodes them."""
    if features.encoder is not None:
        columns = [list(columns) for columns in features.schema.texts]
        pipeline.salutary_ |= {TEXTS: {"columns": columns, "encoder": features.encoder.noted()}}
    if features.image_encoder is not None:
        images = list(features.schema.images)
        pipeline.salutary_ |= {IMAGES: {"columns": images, "encoder": features.image_encoder.noted()}}


def reading_of(model: Pipeline | ColumnTransformer) -> tuple[str, Reading]:
    """The separator, and what texts mean, in the files of the training rows; the usual ones if not noted.

    Before 0.4.0, which noted nothing, markers were no value in any column.
    """
    noted: dict[str, Any] = getattr(model, "salutary_", {"missing": MISSING_BEFORE})
    missing, units = tuple(noted.get("missing", ())), tuple(noted.get("units", ()))
    reading = Reading(missing, noted.get("decimal", "."), noted.get("thousands"), units)
    return noted.get("separator", ","), reading
