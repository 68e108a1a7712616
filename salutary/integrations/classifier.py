"""Salutary labelling as a scikit-learn classifier."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.integrations import labelled, remedied
from salutary.integrations.arguments import aim_of, validation_rows
from salutary.integrations.spooled import by_block, opened_pool
from salutary.integrations.uncut import opened
from salutary.integrations.words import own_words
from salutary.labeling.judging import Judged, assigned
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.mapping import Mapping
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.remedies.judgement import folds_of
from salutary.strategies.track import Rows
from salutary.system.device import one_thread
from salutary.system.rules import Choice, Number, Worded, check
from salutary.tables.feature_maps import AUTO, KINDS

NO_POOL = "there is no pool"
TUNED = Choice("cv", "validation")
RULES = {
    "C": Worded(TUNED | Number(0, excluded=True), 'a positive number, "cv" or "validation"'),
    "features": Choice(*KINDS, AUTO),
    "strategy": labelled.STRATEGY,
}


def _has_logits(classifier: SalutaryClassifier) -> bool:
    """Raises AttributeError for one that has none."""
    model = getattr(classifier, "model_", None)
    if model is not None and not hasattr(model, "decision_function"):
        raise AttributeError("a soft vote of several models has probabilities only: take predict_proba")
    return True


class SalutaryClassifier(ClassifierMixin, BaseEstimator):
    """Logistic regression that also learns from a pool without labels, and asks nobody for them.

    Each round adds the pool points, each with the label, that are predicted to lower the mean loss on a
    validation set the most (one at a time, see :class:`salutary.strategies.salutary_greedy.SalutaryGreedy`).
    Without ``X_pool`` it is plain logistic regression. Features should be on one scale.

    Searches and cross-validation of scikit-learn cut each argument of ``fit`` that happens to have as many
    rows as their ``X``, the pool too. Such a fit is refused; ``params={"X_pool": Uncut(X_pool), ...}``, with
    :class:`salutary.Uncut`, hands the rows on whole.

    With ``remedies`` the model is the best that can be made of X, the validation rows and the pool: each
    remedy of :mod:`salutary.remedies`, with each of the candidates, is refitted in folds of the validation
    rows and measured on what was held out, and the average of those that are good is handed over. Who gave
    which label of y may be told to ``fit`` as ``source``.

    Parameters
    ----------
    C: inverse of the penalty on the summed loss, as scikit-learn's; ``"cv"`` or ``"validation"``: tuned on
        the labelled rows by cross-validation, or on the validation rows.
    fit_intercept: whether there is an intercept, which is not penalised.
    confidence: standard errors an influence has to exceed; ``"auto"``: 1, or 2 below 300 validation rows.
    rerank: so many candidates the model is really refitted with before one is picked; 0: influence alone.
    budget: points a round.
    rounds: so many rounds, or ``"auto"``: until ``patience`` rounds in a row have not lowered the loss on
        held-out validation rows; those up to the lowest loss are kept.
    patience, max_labels, min_influence, max_seconds: see :class:`salutary.labeling.stopping.Stopping`.
    folds: of the validation rows, for cross-fitting; 0 for none: the validation loss itself then stops.
    random_state: of the folds, and of whatever remedies draw.
    remedies: True for all that apply, a list of their names (:mod:`salutary.remedies.catalogue`), or None.
    candidates: base models that remedies are made with: names, and classifiers of scikit-learn's kind.
    combine: ``"average"``, ``"best"``, or the name of the one model that remedies are to hand over.
    features: of linear models: ``"linear"``: X; ``"splines"``, ``"nystroem"``: and what a map makes of it
        (:func:`salutary.tables.feature_maps.fitted_map`); ``"auto"``: by validation loss.
    objective: what the model is to be good at, one of :mod:`salutary.engine.objectives`, such as
        ``EqualOpportunity(positive="yes")``; None: the mean log-loss. All losses below then are its values.
    strategy: ``"salutary_greedy"``, which gives classes, or ``"salutary_soft"``, which gives distributions
        (:class:`salutary.strategies.salutary_soft.SalutarySoft`; without ``confidence`` and ``rerank``).

    Attributes
    ----------
    classes_: (C,). ``coef_``, ``intercept_``: as scikit-learn's LogisticRegression has them, of X and what
        ``map_`` makes of it. ``map_.kind``: the map in use; ``map_.losses``: what ``"auto"`` chose it by.
    indices_: (q,) rows of X_pool that were labelled, in that order. ``labels_``: (q,) what they were given.
    ids_: (q,) their ids, if ``fit`` was told ``id_pool``.
    label_distributions_: (q, C) the same as distributions, to which the model was fitted with the weights
        ``label_weights_`` (q,); ``labels_`` are their likeliest classes.
    influence_: (q,) the fall of the mean validation loss for which each was chosen: that of a refit with it,
        or the predicted one with ``rerank=0``.
    rounds_: (q,) the round of each, from 1.
    validation_loss_, held_out_loss_: of each round from round 0, on the validation rows that chose, and, by
        cross-fitting, on ones that did not (None without).
    stop_: why it stopped.
    model_: the fitted :class:`sklearn.linear_model.LogisticRegression`; with remedies it may be a
        :class:`sklearn.ensemble.VotingClassifier`, and then there are no ``coef_`` and ``intercept_``.

    With remedies also

    remedies_: DataFrame of name, about, weight, held_out_loss, standard_error, held_out_accuracy.
    handed_: the same of the model itself, how much lower its loss is than with plain training on all labels,
        and that in words: ``verdict``, ``warning``.
    diagnosis_: what is wrong with X and y; its ``sentence`` says it. ``judgement_``: all models.
    cleaned_weights_, cleaned_proba_: what a row of X counts for the model, where a validation row counts 1,
        (n,), and its label as the model has it, (n, C).

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
        remedies: bool | Sequence[str] | None = None,
        candidates: Sequence[str | BaseEstimator] = ("logistic", "hist_gradient_boosting", "random_forest"),
        combine: str = "average",
        features: str = "linear",
        objective: Criterion | None = None,
        strategy: str = labelled.GREEDY,
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
        self.remedies = remedies
        self.candidates = candidates
        self.combine = combine
        self.features = features
        self.objective = objective
        self.strategy = strategy

    @one_thread()
    @own_words()
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        X_pool: ArrayLike | None = None,
        X_val: ArrayLike | None = None,
        y_val: ArrayLike | None = None,
        source: Sequence[Any] | np.ndarray | None = None,
        groups_val: Sequence[Any] | np.ndarray | None = None,
        id_pool: str | None = None,
    ) -> Self:
        """Fit to X (n, d) with labels y (n,), label X_pool (u, d) by X_val (v, d) with y_val (v,), fit to
        all.

        X_pool may come in blocks, and then need not fit into memory: a Table, RecordBatchReader or Dataset of
        PyArrow, a Dataset of Ray Data, an iterator, any other iterable or a list of 2-D arrays, DataFrames or
        dictionaries of columns, or a callable that gives one of these. It is read once, in this process, and
        written to a temporary file (8 bytes a feature and row; TMPDIR says where), gone after the fit; model
        and labels are those of the same rows in memory. Columns are taken by name, in any order, and those
        that X lacks are not read; ``id_pool`` names one of them that holds ids.

        Those of the pool and the validation rows may be :class:`salutary.Uncut`. ``source`` (n,): who gave
        each label of y, any hashable values; one per row, and so an argument here that searches rightly cut
        along with X. Only remedies look at it, which need X_val and y_val. ``groups_val`` (v,): the group of
        each row of X_val, for an ``objective`` of groups. Raises SalutaryError, a ValueError, for arguments
        that do not fit each other, and for a pool or validation rows that a search of scikit-learn has cut.
        """
        started, seed = time.perf_counter(), self._seed()
        X, y = validate_data(self, X, y, dtype=np.float64)
        given = {"X_pool": X_pool, "X_val": X_val, "y_val": y_val, "groups_val": groups_val}
        X_pool, X_val, y_val, groups_val = opened(len(X), given)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise SalutaryError(f"y holds 1 class only, {self.classes_[0]}: at least two are needed")
        labeled = Rows(torch.tensor(X), torch.tensor(numbers))
        validation = validation_rows(self, X_val, y_val, groups_val)
        aim = aim_of(self.objective, self.classes_, validation)
        model = LogisticRegression(len(self.classes_), self._l2(validation), bool(self.fit_intercept))
        if self.features == AUTO and validation is None:
            raise SalutaryError('features="auto" needs X_val and y_val')
        self.map_ = Mapping.of(self.features, labeled, validation or labeled, model, seed)
        labeled, validation = self.map_.rows(labeled), validation and self.map_.rows(validation)
        case = remedied.Case.of(self, labeled, validation, source, model, seed, X_pool is not None, aim)
        if X_pool is None and case:
            V = case.data.validation
            folds = folds_of(V.y, self.folds, seed, V.groups)
            return self._remedied(case, case.judged(folds, None, None, 0.0), (), NO_POOL)
        if X_pool is None:
            model.tune(*self._tuning(labeled, validation, seed)).fit(labeled.X, labeled.y)
            return self._finish(model.to_sklearn(self.classes_), (), NO_POOL)
        if validation is None:
            raise SalutaryError("X_pool needs X_val and y_val: labels are chosen by them")
        with opened_pool(self, X_pool, id_pool, self._mapped) as (pool, ids):
            labeler = labelled.labeler_of(self, labeled, validation, pool, model, seed, aim.criterion)
            self._labelled(labeler, case, started)
            if ids:
                self.ids_ = ids.of(self.indices_)
        return self

    def _labelled(self, labeler: Labeler, case: remedied.Case | None, started: float) -> Self:
        """The rounds, and what comes of them. ``started``: when the fit did."""
        stopping = Stopping(self.rounds, self.patience, self.max_labels, self.min_influence, self.max_seconds)
        rounds = tuple(labeler.rounds(stopping))
        kept = stopping.kept([record.loss for record in rounds])
        self._curves(rounds)
        added = rounds[1 : kept + 1]
        if case:
            given, seconds = assigned(labeler, rounds, stopping), time.perf_counter() - started
            return self._remedied(
                case, case.judged(labeler.split, labeler.pool, given, seconds), added, labeler.stop
            )
        fitted = labeler.kept(rounds, kept).model
        return self._finish(fitted.to_sklearn(self.classes_), added, labeler.stop)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The likeliest class of each row, (n,); X may come in blocks, as ``X_pool`` of :meth:`fit`."""
        return by_block(self, self._fitted().predict, X, self._mapped)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Class probabilities, (n, C); X may come in blocks."""
        return by_block(self, self._fitted().predict_proba, X, self._mapped)

    @available_if(_has_logits)
    def decision_function(self, X: ArrayLike) -> np.ndarray:
        """Logits, (n,) for two classes, else (n, C); not of a soft vote, which has none."""
        return by_block(self, self._fitted().decision_function, X, self._mapped)

    def _fitted(self) -> Any:
        check_is_fitted(self)
        return self.model_

    def _mapped(self, X: ArrayLike) -> np.ndarray:
        """The rows in memory as the model takes them."""
        return self.map_.features(validate_data(self, X, dtype=np.float64, reset=False))

    def _l2(self, validation: Rows | None) -> float | str:
        if self.C == "validation" and validation is None:
            raise SalutaryError('C="validation" needs X_val and y_val')
        check(self, RULES)
        return self.C if isinstance(self.C, str) else 1 / float(self.C)

    def _tuning(self, labeled: Rows, validation: Rows | None, seed: int) -> tuple:
        seen = (validation.X, validation.y) if validation else None
        return labeled.X, labeled.y, np.random.default_rng(seed), seen

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _curves(self, rounds: tuple[LabelRound, ...]) -> None:
        self.validation_loss_ = np.array([record.validation[0] for record in rounds])
        is_held_out = rounds[0].held_out is not None
        self.held_out_loss_ = np.array([record.loss for record in rounds]) if is_held_out else None

    def _remedied(self, case: remedied.Case, found: Judged, added: tuple[LabelRound, ...], stop: str) -> Self:
        self._finish(case.fitted(found), added, stop)
        vars(self).update(remedied.attributes(found))
        return self

    def _finish(self, model: ClassifierMixin, added: tuple[LabelRound, ...], stop: str) -> Self:
        for name in ("coef_", "intercept_", "ids_", *remedied.FITTED):  # of an earlier fit
            vars(self).pop(name, None)
        self.model_ = model
        if hasattr(model, "coef_"):
            self.coef_, self.intercept_ = model.coef_, model.intercept_
        vars(self).update(labelled.attributes(added, self.classes_))
        self.stop_ = stop
        return self
