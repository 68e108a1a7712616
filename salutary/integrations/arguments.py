"""Arguments in scikit-learn's forms, as rows with class and group numbers, and as weights."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike
from sklearn.linear_model import LogisticRegression
from sklearn.utils import compute_class_weight
from sklearn.utils.validation import validate_data
from torch import Tensor

from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.labeling.aim import Aim
from salutary.strategies.track import Rows
from salutary.tables.groups import NO_GROUP


def validation_rows(
    estimator: Any, X_val: ArrayLike | None, y_val: ArrayLike | None, groups_val: Any = None
) -> Rows | None:
    """The validation rows of a fit of ``estimator``, which knows its classes and features; None without.

    Raises SalutaryError for arguments that do not fit each other or the classes.
    """
    if X_val is None and y_val is None:
        if groups_val is not None:
            raise SalutaryError("groups_val needs X_val and y_val")
        return None
    if X_val is None or y_val is None:
        raise SalutaryError("X_val and y_val go together")
    X = validate_data(estimator, X_val, dtype=np.float64, reset=False)
    y = np.asarray(y_val)
    if y.shape != (len(X),):
        raise SalutaryError(f"X_val has {len(X)} rows, y_val the shape {y.shape}")
    unknown = ~np.isin(y, estimator.classes_)
    if unknown.any():
        raise SalutaryError(f"y_val holds {y[unknown].tolist()[0]!r}, which y does not")
    groups = None if groups_val is None else torch.tensor(group_numbers(groups_val, len(X), "groups_val"))
    return Rows(torch.tensor(X), torch.tensor(np.searchsorted(estimator.classes_, y)), groups)


def group_numbers(groups: Any, n: int, name: str) -> np.ndarray:
    """(n,) numbers of any hashable values in the order in which they come, NO_GROUP of those that are
    missing. Raises SalutaryError for what is not a value for each of ``n`` rows.
    """
    try:
        codes, _ = pd.factorize(pd.Series(list(groups), dtype=object))
    except TypeError as error:
        raise SalutaryError(f"{name} must be a group for each row: {error}") from error
    if len(codes) != n:
        raise SalutaryError(f"{name} must have a group for each of {n} rows, not {len(codes)}")
    return np.where(codes < 0, NO_GROUP, codes).astype(np.int64)


def aim_of(objective: Criterion | None, classes: np.ndarray, validation: Rows | None) -> Aim:
    """What the parameter ``objective`` asks for. Raises SalutaryError for what does not fit the data."""
    aim = Aim() if objective is None else Aim.of(objective, None)
    if validation is None:
        if aim.criterion:
            raise SalutaryError("objective needs X_val and y_val: it is measured on them")
        return aim
    return aim.resolved([*map(str, classes)], validation, "groups_val")


def row_weights(
    model: LogisticRegression, X: Tensor, sample_weight: ArrayLike | None, y: Tensor | None
) -> Tensor | None:
    """Weight of each training row X (m, d) of a fitted ``model``, (m,), or None if all are 1.

    Raises SalutaryError for a ``sample_weight`` that is none, and for a ``class_weight`` without labels y.
    """
    weights = None if sample_weight is None else _checked_weights(sample_weight, len(X))
    if model.class_weight is None:
        return weights
    if y is None:
        raise SalutaryError("a model with class_weight needs y_train, the labels it was fitted to")
    weights = torch.ones(len(X), dtype=torch.float64) if weights is None else weights
    return weights * _class_weights(model, y, weights)[y]


def _checked_weights(sample_weight: ArrayLike, n: int) -> Tensor:
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise SalutaryError(f"sample_weight must be {n} finite numbers >= 0, one per row of X_train")
    return torch.tensor(weights)


def _class_weights(model: LogisticRegression, y: Tensor, sample_weight: Tensor) -> Tensor:
    """Weight of each class, (C,)."""
    if len(y.unique()) < len(model.classes_):
        raise SalutaryError("y_train lacks a class that the model was fitted to")
    # From scikit-learn 1.7 on "balanced" balances the sum of the sample weights, before the number of rows.
    counted = "sample_weight" in inspect.signature(compute_class_weight).parameters
    options = {"sample_weight": sample_weight.numpy()} if counted else {}
    labels = model.classes_[y.numpy()]
    return torch.from_numpy(
        compute_class_weight(model.class_weight, classes=model.classes_, y=labels, **options)
    )
