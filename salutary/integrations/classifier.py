"""Salutary labelling as a scikit-learn classifier."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn import linear_model
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from salutary.errors import SalutaryError
from salutary.integrations.uncut import opened
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.pool import ArrayPool
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows
from salutary.system.device import one_thread
from salutary.system.rules import Choice, Number, Worded, check

TUNED = Choice("cv", "validation")
RULES = {"C": Worded(TUNED | Number(0, excluded=True), 'a positive number, "cv" or "validation"')}


@contextlib.contextmanager
def _own_words() -> Iterator[None]:
    """Errors of the model name its settings, which are ``C`` here."""
    try:
        yield
    except SalutaryError as error:
        text = (
            str(error)
            .replace(" or model.max_iter", "")
            .replace(", or set strategy.solver=auto", "")
            .replace("raise model.l2", "lower C")
        )
        raise SalutaryError(
            re.sub(r"model\.l2=(\S+)\)", lambda l2: f"C={1 / float(l2[1]):g})", text)
        ) from error


class SalutaryClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression that also learns from a pool without labels, and asks nobody for them.

    Each round adds the pool points, each with the label, that are predicted to lower the mean loss on a
    validation set the most (one at a time, see :class:`salutary.strategies.salutary_greedy.SalutaryGreedy`).
    Without ``X_pool`` it is plain logistic regression. Features should be on one scale.

    Searches and cross-validation of scikit-learn cut each argument of ``fit`` that happens to have as many
    rows as their ``X``, the pool too. Such a fit is refused; ``params={"X_pool": Uncut(X_pool), ...}``, with
    :class:`salutary.Uncut`, hands the rows on whole.

    Parameters
    ----------
    C: inverse of the penalty on the summed loss, as scikit-learn's; ``"cv"`` or ``"validation"``: tuned on
        the labelled rows by cross-validation, or on the validation rows.
    fit_intercept: whether there is an intercept, which is not penalised.
    confidence: standard errors that an influence has to exceed; ``"auto"``: 1, or 2 below 300 validation
    rows.
    rerank: so many candidates the model is really refitted with, before one is picked; 0: goes by influence
    alone.
    budget: points a round.
    rounds: so many rounds, or ``"auto"``: until ``patience`` rounds in a row have not lowered the loss on
        held-out validation rows; those up to the lowest loss are kept.
    patience, max_labels, min_influence, max_seconds: see :class:`salutary.labeling.stopping.Stopping`.
    folds: of the validation rows, for cross-fitting; 0 for none: the validation loss itself then stops.
    random_state: of the folds.

    Attributes
    ----------
    classes_: (C,). ``coef_``, ``intercept_``: as scikit-learn's LogisticRegression has them.
    indices_: (q,) rows of X_pool that were labelled, in that order. ``labels_``: (q,) the labels they were
    given.
    influence_: (q,) the fall of the mean validation loss for which each was chosen: that of a refit with it,
        or the predicted one with ``rerank=0``.
    rounds_: (q,) the round of each, from 1.
    validation_loss_, held_out_loss_: of each round from round 0, on the validation rows that chose, and, by
        cross-fitting, on ones that did not (None without).
    stop_: why it stopped.
    model_: the fitted :class:`sklearn.linear_model.LogisticRegression`.

    "Salutary labeling with zero human annotation", section 4.2.

    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.preprocessing import scale
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X = scale(X)
    >>> model = SalutaryClassifier(C="validation", random_state=0)
    >>> model = model.fit(X[:60], y[:60], X_pool=X[200:], X_val=X[60:200], y_val=y[60:200])
    >>> len(model.labels_) == len(model.indices_) == len(model.influence_)
    True
    """

    def __init__(
        self,
        C: float | str = 1.0,
        fit_intercept: bool = True,
        confidence: float | str = "auto",
        rerank: int = 20,
        budget: int = 10,
        rounds: int | str = "auto",
        patience: int = 3,
        max_labels: int | None = None,
        min_influence: float = 0.0,
        max_seconds: float | None = None,
        folds: int = 5,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.C = C
        self.fit_intercept = fit_intercept
        self.confidence = confidence
        self.rerank = rerank
        self.budget = budget
        self.rounds = rounds
        self.patience = patience
        self.max_labels = max_labels
        self.min_influence = min_influence
        self.max_seconds = max_seconds
        self.folds = folds
        self.random_state = random_state

    @one_thread()
    @_own_words()
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        X_pool: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
    ) -> Self:
        """Fit to X (n, d) with labels y (n,), label X_pool (u, d) by X_val (v, d) with y_val (v,), fit to
        all.

        The last three may be :class:`salutary.Uncut`. Raises SalutaryError, a ValueError, for arguments that
        do not fit each other, and for a pool or validation rows that a search of scikit-learn has cut.
        """
        X, y = validate_data(self, X, y, dtype=np.float64)
        X_pool, X_val, y_val = opened(len(X), {"X_pool": X_pool, "X_val": X_val, "y_val": y_val})
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise SalutaryError(f"y holds 1 class only, {self.classes_[0]}: at least two are needed")
        labeled = Rows(torch.tensor(X), torch.tensor(numbers))
        validation = self._validation(X_val, y_val)
        model = LogisticRegression(len(self.classes_), self._l2(validation), bool(self.fit_intercept))
        if X_pool is None:
            model.tune(*self._tuning(labeled, validation)).fit(labeled.X, labeled.y)
            return self._finish(model, (), "there is no pool")
        if validation is None:
            raise SalutaryError("X_pool needs X_val and y_val: labels are chosen by them")
        pool = ArrayPool(validate_data(self, X_pool, dtype=np.float64, reset=False))
        stopping = Stopping(self.rounds, self.patience, self.max_labels, self.min_influence, self.max_seconds)
        labeler = self._labeler(labeled, validation, pool, model)
        rounds = tuple(labeler.rounds(stopping))
        kept = stopping.kept([record.loss for record in rounds])
        self._curves(rounds)
        return self._finish(labeler.kept(rounds, kept).model, rounds[1 : kept + 1], labeler.stop)

    def _labeler(
        self, labeled: Rows, validation: Rows, pool: ArrayPool, model: LogisticRegression
    ) -> Labeler:
        return Labeler(
            labeled,
            validation,
            pool,
            len(self.classes_),
            model,
            SalutaryGreedy(self.confidence, rerank=self.rerank),
            budget=self.budget,
            folds=self.folds,
            seed=self._seed(),
        )

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The likeliest class of each row, (n,)."""
        return self._fitted().predict(validate_data(self, X, dtype=np.float64, reset=False))

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Class probabilities, (n, C)."""
        return self._fitted().predict_proba(validate_data(self, X, dtype=np.float64, reset=False))

    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Logits, (n,) for two classes, else (n, C)."""
        return self._fitted().decision_function(validate_data(self, X, dtype=np.float64, reset=False))

    def _fitted(self) -> linear_model.LogisticRegression:
        check_is_fitted(self)
        return self.model_

    def _validation(self, X_val: ArrayLike | None, y_val: ArrayLike | None) -> Rows | None:
        if X_val is None and y_val is None:
            return None
        if X_val is None or y_val is None:
            raise SalutaryError("X_val and y_val go together")
        X = validate_data(self, X_val, dtype=np.float64, reset=False)
        y = np.asarray(y_val)
        if y.shape != (len(X),):
            raise SalutaryError(f"X_val has {len(X)} rows, y_val the shape {y.shape}")
        unknown = ~np.isin(y, self.classes_)
        if unknown.any():
            raise SalutaryError(f"y_val holds {y[unknown].tolist()[0]!r}, which y does not")
        return Rows(torch.tensor(X), torch.tensor(np.searchsorted(self.classes_, y)))

    def _l2(self, validation: Rows | None) -> float | str:
        if self.C == "validation" and validation is None:
            raise SalutaryError('C="validation" needs X_val and y_val')
        check(self, RULES)
        return self.C if isinstance(self.C, str) else 1 / float(self.C)

    def _tuning(self, labeled: Rows, validation: Rows | None) -> tuple:
        seen = (validation.X, validation.y) if validation else None
        return labeled.X, labeled.y, np.random.default_rng(self._seed()), seen

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _curves(self, rounds: tuple[LabelRound, ...]) -> None:
        self.validation_loss_ = np.array([record.validation[0] for record in rounds])
        is_held_out = rounds[0].held_out is not None
        self.held_out_loss_ = np.array([record.loss for record in rounds]) if is_held_out else None

    def _finish(self, model: LogisticRegression, added: tuple[LabelRound, ...], stop: str) -> Self:
        picks = [record.picks[0] for record in added]
        no_rows = np.empty(0, np.int64)
        self.model_ = model.to_sklearn(self.classes_)
        self.coef_, self.intercept_ = self.model_.coef_, self.model_.intercept_
        self.indices_ = np.concatenate([no_rows, *(each.rows for each in picks)])
        self.labels_ = self.classes_[np.concatenate([no_rows, *(each.labels for each in picks)])]
        self.influence_ = np.concatenate([np.empty(0), *(each.influence for each in picks)])
        self.rounds_ = np.concatenate([no_rows, *(np.full(len(r.picks[0]), r.number) for r in added)])
        self.stop_ = stop
        return self
