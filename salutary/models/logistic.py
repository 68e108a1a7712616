"""Logistic regression (two classes) and softmax regression (more), fitted to the true optimum."""

from __future__ import annotations

import copy
import warnings
from typing import Self

import numpy as np
import torch
from sklearn import linear_model
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from salutary import engine
from salutary.engine.newton import Minimum, minimise
from salutary.engine.soft_loss import SoftLoss, lacks_a_class
from salutary.engine.solvers import cholesky, is_dense
from salutary.engine.summed_loss import SummedLoss
from salutary.errors import SalutaryError
from salutary.models import require_features
from salutary.system import rules
from salutary.system.rules import Choice, Flag, Number, Whole, Worded

L2_GRID = tuple(10.0**k for k in range(-3, 5))
STRONGEST_FIRST = L2_GRID[::-1]
# Gradient at which fits that are only compared end, relative to that at W = 0.
TUNING_TOLERANCE = 1e-4
PENALTY = Number(0, excluded=True)
L2 = "a positive number, cv or validation"
# Rows to fit to and rows to measure on: X, y, X, y.
Fold = tuple[Tensor, Tensor, Tensor, Tensor]


class LogisticRegression:
    """Minimises the **summed** log-loss + l2/2 ||W||^2 (scikit-learn's C is 1 / l2).

    Two classes share one weight vector, as in scikit-learn. Intercepts are not penalised, with one
    exception: when the labelled set lacks a class they are penalised like weights, since otherwise
    the missing class's would run to minus infinity and no optimum would exist. If that is so for the
    initial set, it stays so for the whole run: one run, one objective.

    Parameters
    ----------
    n_classes: C; probabilities are always over all of them.
    l2: penalty > 0, or chosen once, on the initial set, by the lowest log-loss over 10^-3 .. 10^4 (ties go
        to the stronger penalty): ``"cv"``, stratified 5-fold cross-validated, or ``"validation"``, on the
        validation set.
    fit_intercept: whether the last column of ``coef_`` is an intercept.
    tol: gradient norm at which the fit stops, relative to the gradient at W = 0.
    max_iter: Newton steps allowed.

    Attributes
    ----------
    coef_: (K, D) float64, K = 1 for two classes, C otherwise; D = d (+ 1 with an intercept).
    penalty_: (K, D), the penalty of each parameter.
    l2_: the penalty in use.
    n_iter_: Newton's steps of the last fit or update.
    gradient_norm_: norm of the objective's gradient at ``coef_``.
    """

    is_convex = True
    update_is_exact = True
    takes_distributions = True
    RULES = {
        "fit_intercept": Flag(),
        "tol": Worded(Number(0, 1e-4, excluded=True), "in (0, 1e-4]"),
        "max_iter": Whole(1),
        "l2": Worded(PENALTY | Choice("cv", "validation"), L2),
    }

    def __init__(
        self,
        n_classes: int,
        l2: float | str = 1.0,
        fit_intercept: bool = True,
        tol: float = 1e-10,
        max_iter: int = 100,
    ):
        self.n_classes = n_classes
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter

    def tune(
        self,
        X: Tensor,
        y: Tensor,
        rng: np.random.Generator,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> Self:
        """Settle ``l2_``, and for good whether intercepts are penalised because a class is missing.

        Raises SalutaryError for a setting that makes no sense.
        """
        require_features(X, "logistic")
        rules.check(self, self.RULES, "model.")
        self.penalise_intercept_ = lacks_a_class(y, self.n_classes)
        if self.l2 == "cv":
            self._choose_l2(X, y, _folds(X, y, rng))
        elif self.l2 == "validation" and validation is not None:
            self._choose_l2(X, y, [(X, y, *validation)])
        else:
            self.l2_ = self._given_l2()
        return self

    def fit(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> Self:
        """Fit to (X, y) by Newton's method from W = 0, in float64; ``unlabeled`` is not used.

        y (n,) holds class numbers, or y (n, C) the weight of each label of a row: w q of a row of weight w
        with the label distribution q (:class:`salutary.engine.soft_loss.SoftLoss`).

        Raises SalutaryError if the gradient at the end is not small: an influence taken away
        from the optimum means nothing.
        """
        return self._fit(X, y, None)

    def update(self, X: Tensor, y: Tensor) -> Self:
        """Fit to (X, y), a small change of the fitted set: :meth:`fit`, started at ``coef_``."""
        return self._fit(X, y, self.coef_)

    def _fit(self, X: Tensor, y: Tensor, start: Tensor | None) -> Self:
        if not hasattr(self, "l2_"):
            self.l2_ = self._given_l2()
        self.penalty_ = self._penalty(X, y)
        kind = SoftLoss if y.ndim == 2 else SummedLoss
        loss = kind(X, y, len(self.penalty_), self.fit_intercept)
        return self._ended(minimise(loss, self.penalty_, start, self.tol, self.max_iter), X)

    def _ended(self, minimum: Minimum, X: Tensor) -> Self:
        """With the parameters at a minimum of the objective over X. Raises SalutaryError if it is none."""
        self.gradient_norm_ = minimum.gradient_norm
        is_small = self.gradient_norm_ <= 1e3 * self.tol * minimum.scale
        # Where W = 0 is optimal, rounding is all of the gradient. (No number is small either.)
        if not is_small and not self.gradient_norm_ <= _rounding(X):
            raise SalutaryError(
                f"logistic regression stopped at a gradient of {self.gradient_norm_:.1e} and is not"
                f" at its optimum (model.l2={self.l2_:g}): raise model.l2 or model.max_iter"
            )
        self.coef_, self.n_iter_ = minimum.W, minimum.steps
        return self

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities, (n, C)."""
        return engine.probabilities(X, self.coef_)

    def to_sklearn(self, classes: np.ndarray) -> linear_model.LogisticRegression:
        """scikit-learn's logistic regression with these coefficients, C = 1 / l2; ``classes`` (C,)."""
        W, n_weights = self.coef_.numpy(force=True), self.coef_.shape[1] - self.fit_intercept
        fitted = linear_model.LogisticRegression(C=1 / self.l2_, fit_intercept=self.fit_intercept)
        fitted.classes_ = classes
        fitted.coef_ = W[:, :n_weights].copy()
        fitted.intercept_ = W[:, n_weights].copy() if self.fit_intercept else np.zeros(len(W))
        fitted.n_features_in_, fitted.n_iter_ = n_weights, np.zeros(1, np.int32)
        return fitted

    def _given_l2(self) -> float:
        """``l2`` where there is nothing to choose it by. Raises SalutaryError unless it is a number."""
        rules.check(self, {"l2": Worded(PENALTY, L2)}, "model.")
        return float(self.l2)

    def _penalty(self, X: Tensor, y: Tensor) -> Tensor:
        rows = 1 if self.n_classes == 2 else self.n_classes
        penalty = X.new_full((rows, X.shape[1] + self.fit_intercept), self.l2_, dtype=torch.float64)
        if self.fit_intercept:
            always = getattr(self, "penalise_intercept_", False)
            penalty[:, -1] *= always or lacks_a_class(y, self.n_classes)
        return penalty

    def _choose_l2(self, X: Tensor, y: Tensor, folds: list[Fold]) -> None:
        """Settle on the penalty of the lowest log-loss on what is held out; of equals the strongest.

        Of those with which (X, y) has an optimum, and a Hessian that is definite to working precision, as far
        as a factor can tell: raises SalutaryError if none has.
        """
        losses = sum(self._held_out_losses(fold) for fold in folds)
        refused: SalutaryError | None = None
        for place in np.argsort(losses, kind="stable"):
            self.l2_ = STRONGEST_FIRST[place]
            try:
                self.fit(X, y)
                self._require_definite(X)
                return
            except SalutaryError as error:
                refused = refused or error
        raise refused or SalutaryError("model.l2: there is no penalty to choose")

    def _require_definite(self, X: Tensor) -> None:
        if is_dense("fitted", self.coef_.numel()):
            cholesky(engine.Hessian.at(self.coef_, X, self.penalty_))

    def _held_out_losses(self, fold: Fold) -> np.ndarray:
        """Log-loss of a fold's held-out rows for each penalty of the grid, the strongest first.

        Each fit starts at the one before, and need only be good enough to compare by.
        """
        X, y, X_held_out, y_held_out = fold
        trial, W, losses = copy.copy(self), None, []
        for trial.l2_ in STRONGEST_FIRST:
            penalty = trial._penalty(X, y)
            if W is None:
                summed = SummedLoss(X, y, len(penalty), self.fit_intercept)
            W = minimise(summed, penalty, W, max(self.tol, TUNING_TOLERANCE), self.max_iter).W
            losses.append(float(engine.loss(X_held_out, y_held_out, W).sum()))
        return np.array(losses)


def _rounding(X: Tensor) -> float:
    """What rounding may leave of a gradient over the rows X."""
    return 16 * torch.finfo(torch.float64).eps * float(X.double().norm())


def _folds(X: Tensor, y: Tensor, rng: np.random.Generator) -> list[Fold]:
    n_folds = min(5, int(y.bincount().max()))
    if n_folds < 2:
        raise SalutaryError("model.l2=cv needs a class with two labels or more: set a number")
    splitter = StratifiedKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # then some folds lack it
        folds = list(splitter.split(X.cpu(), y.cpu()))
    rows = ((torch.as_tensor(a, device=X.device), torch.as_tensor(b, device=X.device)) for a, b in folds)
    return [(X[fitted], y[fitted], X[held_out], y[held_out]) for fitted, held_out in rows]
