"""Rows as a saved model takes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from salutary.errors import SalutaryError
from salutary.tables.files import open_table
from salutary.tables.saved_model import as_trained, features_of, reading_of


def read_rows(
    path: str | Path, model: Pipeline | ColumnTransformer, separator: str | None = None
) -> pd.DataFrame:
    """The columns of a file that a saved model or preprocessor takes, as it was trained on them.

    Numbers are float64, categories text: what ``pandas.read_csv`` makes of codes such as 007, of True and of
    numbers that are categories, a plain pipeline does not know. ``model``: what ``skops.io.load`` makes of a
    .skops file of ``salutary-label`` or ``salutary-run``. ``path``: any file that those take; ``separator``:
    of a .csv file, by default that of the training rows.

    :func:`salutary.load_model` does all that, for rows in memory, too. Raises SalutaryError, naming file,
    column and row, for what is wrong in the file, and for another model or one of texts.

    >>> import tempfile
    >>> from salutary.tables.features import preprocessor
    >>> from salutary.tables.schema import Schema
    >>> model = preprocessor(Schema(("age",), ("city",), {}))  # the first step of a model that was saved
    >>> file = Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = file.write_text("city,name,age\\n007,Ada,30\\n 12 ,Bob,\\n")
    >>> read_rows(file, model)
        age city
    0  30.0  007
    1   NaN   12
    """
    features, (usual, reading) = features_of(model), reading_of(model)
    if features.encoder is not None:
        raise SalutaryError("the model reads texts, which salutary.load_model encodes: use that")
    if features.image_encoder is not None:
        raise SalutaryError("the model reads pictures, which salutary.load_model encodes: use that")
    table, schema = open_table(path, separator or usual, reading), features.schema
    return as_trained(schema.convert(table.read(schema.used), table.path, table.reading), features)
