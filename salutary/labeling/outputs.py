"""What a labelling leaves: the table of labels, models without pickle, curves and facts."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED

import numpy as np
import pandas as pd
from sklearn import linear_model
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline

from salutary.errors import SalutaryError, needs
from salutary.labeling.labeler import LabelRound
from salutary.labeling.track import soft_labels_of, weights_and_distributions
from salutary.models.logistic import LogisticRegression
from salutary.system import files
from salutary.system.files import write_atomic
from salutary.tables import archives
from salutary.tables.features import Features
from salutary.tables.labels import Classes
from salutary.tables.reading import Reading
from salutary.tables.saved_model import MAP, note_encoders, note_reading
from salutary.tables.schema import Schema
from salutary.tables.votes import single_threaded

# Of labels that are distributions: what a row weighs, and before a class's name its probability.
SOFT_WEIGHT, SOFT_LABEL = "soft_weight", "soft_label_"


def label_table(rounds: tuple[LabelRound, ...], classes: Classes, soft: bool = False) -> pd.DataFrame:
    """A row per label, in the order they were given.

    ``row``: of the pool, from 0. ``influence``: the fall of the mean validation loss for which it was
    chosen, found by a refit, or predicted with ``strategy.rerank=0``. ``influence_<class>``: the predicted
    fall with every class, and ``prediction`` with its ``probability``: all before the first point of the
    ``round``; ``rank`` counts within it, from 0.

    ``soft``: some of the labels are distributions; then also ``soft_weight``, what the row weighs where a
    labelled row weighs 1, and ``soft_label_<class>``, its distribution; ``label`` is the likeliest class.
    """
    frames = [_round_table(record, classes) for record in rounds[1:]]
    table = pd.concat(frames, ignore_index=True) if frames else _no_labels(classes)
    return pd.concat([table, _soft_table(rounds, classes)], axis=1) if soft else table


def has_distributions(rounds: tuple[LabelRound, ...]) -> bool:
    """Whether some labels of the result are distributions."""
    return any(record.picks[0].soft_labels is not None for record in rounds[1:])


def _soft_table(rounds: tuple[LabelRound, ...], classes: Classes) -> pd.DataFrame:
    picks = [record.picks[0] for record in rounds[1:]]
    M = soft_labels_of(picks, len(classes.names))
    M = np.empty((0, len(classes.names))) if M is None else M
    weights, q = weights_and_distributions(M)
    of_classes = {f"{SOFT_LABEL}{name}": q[:, place] for place, name in enumerate(classes.names)}
    return pd.DataFrame({SOFT_WEIGHT: weights, **of_classes})


def _round_table(record: LabelRound, classes: Classes) -> pd.DataFrame:
    picks = record.picks[0]
    predicted = picks.probabilities.argmax(1)
    frame = pd.DataFrame(
        {"row": picks.rows, "label": classes.values[picks.labels], "influence": picks.influence}
    )
    for number, name in enumerate(classes.names):
        frame[f"influence_{name}"] = picks.influences[:, number]
    frame["prediction"] = classes.values[predicted]
    frame["probability"] = picks.probabilities.max(1)
    return frame.assign(round=record.number, rank=np.arange(len(picks)))


def _no_labels(classes: Classes) -> pd.DataFrame:
    names = ["row", "label", "influence", *(f"influence_{name}" for name in classes.names)]
    return pd.DataFrame(columns=[*names, "prediction", "probability", "round", "rank"])


def curves(rounds: tuple[LabelRound, ...]) -> pd.DataFrame:
    """A row per round: labels so far, loss and accuracy on validation rows that chose, and held-out ones."""
    n, rows = 0, []
    for record in rounds:
        n += len(record.picks[0]) if record.picks else 0
        loss, accuracy = record.validation
        row = {"round": record.number, "n_added": n, "validation_loss": loss, "validation_accuracy": accuracy}
        if record.held_out:
            losses, hits = record.held_out
            row |= {"held_out_loss": losses.mean(), "held_out_accuracy": hits.mean()}
        rows.append({**row, "seconds": record.seconds})
    return pd.DataFrame(rows)


def saved_model(
    features: Features, model: LogisticRegression, classes: Classes, separator: str, reading: Reading
) -> bytes:
    """:func:`saved_pipeline` of a linear model."""
    return saved_pipeline(features, model.to_sklearn(classes.values), separator, reading)


def saved_pipeline(features: Features, estimator: ClassifierMixin, separator: str, reading: Reading) -> bytes:
    """Preprocessor, map and model as one scikit-learn pipeline, in skops' format, which holds no pickle; and
    how the files of its training rows were read.

    ``estimator``: a classifier of scikit-learn, fitted to the features, whose ``classes_`` are the users'
    (else :func:`~salutary.tables.votes.soft_vote` makes one of it). What is saved predicts in one thread, and
    has the same bytes for the same model.
    """
    between = [] if features.map is None else [(MAP, features.map)]
    steps = [("features", features.transformer), *between, ("model", single_threaded(estimator))]
    pipeline = Pipeline(steps)
    note_reading(pipeline, separator, reading)
    note_encoders(pipeline, features)
    is_linear = isinstance(estimator, linear_model.LogisticRegression)
    compression = ZIP_STORED if is_linear else ZIP_DEFLATED  # a forest takes a seventh
    return archives.dumps(pipeline, compression)


@contextlib.contextmanager
def locked(*paths: Path) -> Iterator[None]:
    """Where tables are to be written; folders that are made for them go again if nothing comes of it.

    A table and the folder of its name are one. What killed writes have left is taken away. Raises
    SalutaryError if that cannot be, or if another process is writing one of them.
    """
    with contextlib.ExitStack() as locks:
        for lock, path in {path.with_name(f".{path.stem}.lock"): path for path in paths}.items():
            try:
                locks.enter_context(files.locked(lock, wait=partial(_refuse, path)))
            except OSError as error:
                raise SalutaryError(f"{path} cannot be written: {error.strerror}") from error
        for path in paths:
            for each in (path, path.with_suffix("")):
                files.tidy(each)
        yield


def _refuse(path: Path) -> None:
    raise SalutaryError(f"another salutary-label is writing {path}")


def require_parquet(path: Path) -> None:
    """Raises SalutaryError if the table is to be .parquet, and PyArrow is not installed."""
    if path.suffix.lower() == ".parquet":
        require_pyarrow()


def require_pyarrow() -> None:
    """Raises SalutaryError if it is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise needs("pyarrow", "parquet") from error


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """As .parquet or .csv, whole or not at all."""
    buffer = io.BytesIO()
    if path.suffix.lower() == ".parquet":
        frame.to_parquet(buffer, index=False)
    else:
        frame.to_csv(buffer, index=False)
    write_atomic(path, buffer.getvalue())


def as_json(facts: dict) -> bytes:
    return (json.dumps(facts, indent=2) + "\n").encode()


def columns(schema: Schema) -> dict:
    """What facts say of a table's columns."""
    return {
        "numeric": list(schema.numeric),
        "categorical": list(schema.categorical),
        "text": [" + ".join(columns) for columns in schema.texts],
        "images": list(schema.images),
        "left_out": schema.left_out,
    }


def versions(*packages: str) -> dict[str, str]:
    return {name: metadata.version(name) for name in packages}
