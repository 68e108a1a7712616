"""Rows as a saved model takes them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from salutary.errors import SalutaryError
from salutary.tables.files import open_table
from salutary.tables.schema import Schema


def read_rows(path: str | Path, model: Pipeline | ColumnTransformer, separator: str = ",") -> pd.DataFrame:
    """The columns of a file that a saved model or preprocessor takes, as it was trained on them.

    Numbers are float64, categories text without spaces around it: what ``pandas.read_csv`` makes of codes
    such as 007, of True and of numbers that are categories, the model does not know. ``model``: what
    ``skops.io.load`` makes of a .skops file of ``salutary-label`` or ``salutary-run``. ``path``: any file
    that those take.

    Raises SalutaryError, naming file, column and row, for what is wrong in the file, and for another model.

    >>> import tempfile
    >>> from salutary.tables.features import preprocessor
    >>> model = preprocessor(Schema(("age",), ("city",), {}))  # the first step of a model that was saved
    >>> file = Path(tempfile.mkdtemp(), "rows.csv")
    >>> _ = file.write_text("city,name,age\\n007,Ada,30\\n 12 ,Bob,\\n")
    >>> read_rows(file, model)
        age city
    0  30.0  007
    1   NaN   12
    """
    transformer = model[0] if isinstance(model, Pipeline) else model
    named = {name: columns for name, _, columns in getattr(transformer, "transformers", ())}
    if not named or not named.keys() <= {"numbers", "categories"}:
        raise SalutaryError("model must be one that salutary-label or salutary-run has saved")
    schema = Schema(tuple(named.get("numbers", ())), tuple(named.get("categories", ())), {})
    table = open_table(path, separator)
    return schema.convert(table.read(schema.used), table.path)
