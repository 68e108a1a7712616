"""Influences at a logistic regression that scikit-learn fitted.

scikit-learn minimises, over the training rows with weights s_i (sample weight times class weight),

    J(W) = sum over i of s_i loss(x_i, y_i; W) + 1/(2 C) ||W||^2,

which is the objective of :mod:`salutary.engine`, weighted, with l2 = 1 / C. The intercepts are not in
||W||, except with solver=liblinear, which appends a feature of the constant ``intercept_scaling`` and
penalises its weight: of an intercept b that is b^2 / (2 C intercept_scaling^2).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from salutary.engine import (
    Optimum,
    influence_of_logits,
    linear,
    linear_adjoint,
    residuals,
    to_probabilities,
)
from salutary.engine.objectives import Criterion, objective_on
from salutary.engine.solvers import is_dense
from salutary.errors import SalutaryError
from salutary.integrations.arguments import aim_of, group_numbers, row_weights
from salutary.strategies.track import Rows

RowsLike: TypeAlias = ArrayLike | sparse.spmatrix | sparse.sparray
NOT_DEFINITE = "the Hessian is not positive definite to working precision: fit the model with a smaller C"
NOT_CONVERGED = "conjugate gradients did not converge: scale the features, or fit the model with a smaller C"
# Above this change of a log-odds by one more Newton step a model is not at its optimum. (The norm of the
# gradient says little: columns of large values make most of it, and a weak penalty lets a small one matter.)
LARGEST_STEP = 0.1


def influence(
    model: LogisticRegression | Pipeline,
    *,
    X_train: RowsLike,
    X_pool: RowsLike,
    X_val: RowsLike,
    y_val: ArrayLike,
    sample_weight: ArrayLike | None = None,
    y_train: ArrayLike | None = None,
    objective: Criterion | None = None,
    groups_val: Sequence[Any] | np.ndarray | None = None,
) -> np.ndarray:
    """Predicted fall of the mean validation loss if a pool row joined the training set with a label.

    I(x, c) = g_V . H^-1 . grad loss(x, c), with g_V the gradient of the mean log-loss over the validation
    rows and H the Hessian of J at the fitted parameters. Returns (n, C) for the n rows of ``X_pool``, with
    the columns in the order of ``model.classes_``. **Positive helps.** Of every row, the influences
    weighted by the model's probabilities sum to zero.

    An added row has weight 1. What ``class_weight`` would make of it is that weight times its column (and
    ``"balanced"`` would also weigh all other rows anew, which is not counted).

    Parameters
    ----------
    model: a fitted ``LogisticRegression``, or ``LogisticRegressionCV`` with ``refit=True``, of scikit-learn;
        two classes or multinomial, any solver, with or without an intercept, with an l2 penalty or none. Or a
        fitted ``Pipeline`` that ends with one, whose other steps are taken as they are: rows go through them.
        (Where one fits otherwise than it transforms, as a TargetEncoder, ``y_train`` brings the warning.)
    X_train: (m, d), the rows the model was fitted to, which the Hessian is taken over.
    X_pool, X_val: (n, d) and (n_V, d). Rows are arrays, DataFrames (of the columns that the model was fitted
        to) or sparse; sparse rows of ``X_train`` and ``X_val`` are made dense, those of ``X_pool`` are not.
    y_val: (n_V,), labels as in ``model.classes_``.
    sample_weight: (m,), what ``fit`` was given, >= 0.
    y_train: (m,), the labels the model was fitted to. ``class_weight`` needs them; otherwise they are only
        used to see whether the model is at its optimum, which an influence takes for granted.
    objective: what is to fall instead, one of :mod:`salutary.engine.objectives`; ``groups_val`` (n_V,): the
        group of each row of ``X_val``, any hashable values, for one of groups.

    Warns
    -----
    ConvergenceWarning, if ``y_train`` is given, when one more Newton step would move the log-odds of two
    classes at some training row by more than 0.1. Of lbfgs fits to breast_cancer, wine and digits, those
    that draw no warning have influences within 2% of the largest. With the default tol=1e-4 and scaled
    columns these are the fits up to C=1 (digits just not); at C=100 influences are off by 22 to 140%, and of
    columns as they are, after 500 iterations, by up to 160%. Lower ``tol`` and raise ``max_iter`` there.
    (``pytest -s tests/integrations/test_fitted.py -k without_a_warning`` prints it all.)

    Raises
    ------
    SalutaryError (a ValueError) for a model that is not of this kind, rows or labels that do not fit it or
    each other, values that are missing, and a Hessian that is not positive definite to working precision.
    NotFittedError, from scikit-learn.

    Reference: Koh & Liang, "Understanding black-box predictions via influence functions", ICML 2017.

    Example
    -------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> train, val, pool = slice(100), slice(100, 300), slice(300, None)
    >>> model = LogisticRegression(tol=1e-6).fit(X[train], y[train])
    >>> fall = influence(
    ...     model, X_train=X[train], y_train=y[train], X_pool=X[pool], X_val=X[val], y_val=y[val]
    ... )
    >>> fall.shape
    (269, 2)
    >>> best = fall.max(axis=1).argsort()[::-1][:3]  # the three rows that would help most ...
    >>> model.classes_[fall[best].argmax(axis=1)]  # ... and the labels with which they would
    array([1, 1, 1])
    """
    if isinstance(model, Pipeline):
        _check_kind(model[-1])
        X_train = _through(model, "X_train", X_train)
        X_pool = _through(model, "X_pool", X_pool)
        X_val = _through(model, "X_val", X_val)
        model = model[-1]
    _check_kind(model)
    X = _dense(_rows(model, "X_train", X_train))
    pool = _rows(model, "X_pool", X_pool)
    X_validation = _dense(_rows(model, "X_val", X_val))
    y_validation = _class_numbers("y_val", y_val, model, X_validation)
    y = None if y_train is None else _class_numbers("y_train", y_train, model, X)
    W, penalty = _parameters(model), _penalty(model)
    groups = None if groups_val is None else group_numbers(groups_val, len(X_validation), "groups_val")
    validation = Rows(X_validation, y_validation, None if groups is None else torch.from_numpy(groups))
    criterion = aim_of(objective, model.classes_, validation).criterion
    of = objective_on(criterion, X_validation, y_validation, validation.groups, len(model.classes_))
    optimum = Optimum(W, penalty, X, of, y, row_weights(model, X, sample_weight, y))
    S = _solved(optimum, optimum.gradient)
    if y is not None:
        _check_optimum(optimum, y)
    return _scores(W, S, pool)


def _through(pipeline: Pipeline, name: str, X: RowsLike) -> RowsLike:
    """The rows as the pipeline's last step gets them. Raises SalutaryError naming the argument."""
    for label, step in pipeline.steps[:-1]:
        if step is None or step == "passthrough":
            continue
        if hasattr(step, "fit_resample"):
            raise SalutaryError(
                f"step {label!r} resamples: pass the last step, and the rows that it was fitted to"
            )
        try:
            X = step.transform(X)
        except NotFittedError:
            raise
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise SalutaryError(f"{name}: {' '.join(str(error).split())}") from error
    return X


def _check_kind(model: object) -> None:
    """Raises SalutaryError unless the model is at the optimum of J, as far as its settings tell."""
    if not isinstance(model, LogisticRegression):
        raise SalutaryError(
            f"model must be scikit-learn's LogisticRegression, not {type(model).__name__}, or a Pipeline that"
            " ends with one (of a search pass best_estimator_)"
        )
    check_is_fitted(model)
    if _l1_ratio(model) > 0:
        raise SalutaryError("influences need an l2 penalty: l1 and elasticnet have no Hessian")
    if isinstance(model, LogisticRegressionCV) and not model.refit:
        raise SalutaryError("LogisticRegressionCV(refit=False) averages fits, and is at no optimum")
    _check_multi_class(model)


def _l1_ratio(model: LogisticRegression) -> float:
    """Share of the penalty that is l1: up to scikit-learn 1.7 ``penalty`` says it, later ``l1_ratio``."""
    penalty = getattr(model, "penalty", "deprecated")
    if penalty in ("l2", None):
        return 0.0
    if penalty == "l1":
        return 1.0
    ratio = model.l1_ratio_ if isinstance(model, LogisticRegressionCV) else model.l1_ratio
    return float(np.ravel(ratio)[0] or 0)


def _check_multi_class(model: LogisticRegression) -> None:
    """Raises SalutaryError for what scikit-learn 1.6 and 1.7 still fit besides one softmax or logistic."""
    setting, two = getattr(model, "multi_class", "deprecated"), len(model.classes_) == 2
    if two and setting == "multinomial":
        raise SalutaryError("of two classes, multi_class=multinomial is not supported: leave it unset")
    if not two and (setting == "ovr" or model.solver == "liblinear"):
        raise SalutaryError("of more than two classes, one model per class is not supported: fit one of all")


def _parameters(model: LogisticRegression) -> Tensor:
    """W (K, D), the intercept in the last column."""
    coef = model.coef_.toarray() if sparse.issparse(model.coef_) else model.coef_
    columns = [coef, model.intercept_[:, None]] if model.fit_intercept else [coef]
    return torch.from_numpy(np.concatenate(columns, axis=1, dtype=np.float64))


def _penalty(model: LogisticRegression) -> Tensor:
    """Penalty of each parameter, (K, D): 1 / C, and of intercepts what their solver makes of it."""
    C = float(np.ravel(model.C_)[0]) if isinstance(model, LogisticRegressionCV) else model.C
    l2 = 0.0 if getattr(model, "penalty", "deprecated") is None else 1 / C
    penalty = torch.full(_parameters(model).shape, l2, dtype=torch.float64)
    if model.fit_intercept:
        penalty[:, -1] *= model.intercept_scaling**-2 if model.solver == "liblinear" else 0.0
    return penalty


def _rows(model: LogisticRegression, name: str, X: RowsLike) -> np.ndarray | sparse.csr_matrix:
    """The rows as the model takes them, float64, by row. Raises SalutaryError naming the argument."""
    try:
        checks = {"dtype": np.float64, "order": "C", "accept_sparse": "csr", "ensure_all_finite": False}
        X = validate_data(model, X, reset=False, **checks)
    except (TypeError, ValueError) as error:
        raise SalutaryError(f"{name}: {' '.join(str(error).split())}") from error
    if not np.isfinite(X.data if sparse.issparse(X) else X).all():
        raise SalutaryError(f"{name} holds values that are missing or infinite")
    return X


def _dense(X: np.ndarray | sparse.csr_matrix) -> Tensor:
    X = X.toarray() if sparse.issparse(X) else X
    return torch.from_numpy(np.require(X, requirements=["C", "W"]))  # a DataFrame's values may be read-only


def _class_numbers(name: str, y: ArrayLike, model: LogisticRegression, X: Tensor) -> Tensor:
    """Positions of the labels in ``classes_``. Raises SalutaryError naming a label that is not there."""
    y = np.asarray(y)
    if y.shape != (len(X),):
        raise SalutaryError(f"{name} must be {len(X)} labels, one per row, not of the shape {y.shape}")
    numbers = {label: number for number, label in enumerate(model.classes_.tolist())}
    try:
        return torch.tensor([numbers[label] for label in y.tolist()])
    except KeyError as error:
        raise SalutaryError(f"{name} holds {error.args[0]!r}, a label the model was not fitted to") from error


def _solved(optimum: Optimum, G: Tensor) -> Tensor:
    """H^-1 G (K, D). Raises SalutaryError, which says what to change of scikit-learn's model."""
    dense = is_dense("fitted", G.numel())
    try:
        return optimum.solve(G, "cholesky" if dense else "auto")
    except SalutaryError as error:
        raise SalutaryError(NOT_DEFINITE if dense else NOT_CONVERGED) from error


def _check_optimum(optimum: Optimum, y: Tensor) -> None:
    """Warn unless Newton's step from W leaves the predictions at the training rows where they are."""
    W, hessian = optimum.W, optimum.hessian
    R = residuals(hessian.P, y, len(W))
    if hessian.weights is not None:
        R = R * hessian.weights[:, None]
    step = _solved(optimum, linear_adjoint(hessian.X, R, W.shape[1]) + hessian.penalty * W)
    moved = linear(hessian.X, step)
    largest = float(moved.abs().max() if len(W) == 1 else (moved.amax(1) - moved.amin(1)).max())
    if largest > LARGEST_STEP:
        warnings.warn(
            f"the model is not at its optimum: one more Newton step would move log-odds by {largest:.1g}."
            " Lower tol or raise max_iter, and pass the X_train, y_train and sample_weight it was fitted to",
            ConvergenceWarning,
            stacklevel=3,
        )


def _scores(W: Tensor, S: Tensor, X: np.ndarray | sparse.csr_matrix) -> np.ndarray:
    """I(x, c) of every row of X (n, d), which may be sparse, with every label, (n, C)."""
    d, K = X.shape[1], len(W)
    WS = torch.cat([W, S]).numpy()
    Z = torch.from_numpy(WS[:, :d] @ X.T + WS[:, d:].sum(1, keepdims=True)).T
    return influence_of_logits(to_probabilities(Z[:, :K]), Z[:, K:]).numpy()
