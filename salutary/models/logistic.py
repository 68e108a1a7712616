"""Logistic regression (two classes) and softmax regression (more), fitted to the true optimum."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from sklearn import linear_model
from sklearn.model_selection import StratifiedKFold
from torch import Tensor

from salutary import engine
from salutary.errors import SalutaryError
from salutary.models import require_features
from salutary.system import rules
from salutary.system.rules import Choice, Flag, Number, Whole, Worded

L2_GRID = tuple(10.0**k for k in range(-3, 5))
PENALTY = Number(0, excluded=True)
L2 = "a positive number, cv or validation"
# Rows to fit to and rows to measure on: X, y, X, y.
Fold = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class _Iterate:
    """Parameters W (K, D), their logits Z (n, K) and objective."""

    W: Tensor
    Z: Tensor
    objective: float


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
    gradient_norm_: norm of the objective's gradient at ``coef_``.
    """

    is_convex = True
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
            self.l2_ = self._best_l2(_folds(X, y, rng))
        elif self.l2 == "validation" and validation is not None:
            self.l2_ = self._best_l2([(X, y, *validation)])
        else:
            self.l2_ = self._given_l2()
        return self

    def fit(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> Self:
        """Fit to (X, y) by Newton's method from W = 0, in float64; ``unlabeled`` is not used.

        Raises SalutaryError if the gradient at the end is not small: an influence taken away
        from the optimum means nothing.
        """
        if not hasattr(self, "l2_"):
            self.l2_ = self._given_l2()
        X = X.double()
        self.penalty_ = self._penalty(X, y)
        at = self._evaluate(X, y, torch.zeros_like(self.penalty_))
        P, G = self._gradient(X, y, at)
        scale, previous = max(float(G.norm()), 1e-30), float("inf")
        for _ in range(self.max_iter):
            norm = float(G.norm())
            # Beyond tol, go on while it pays: an error in the gradient is one of 1 / l2 in W.
            if norm <= self.tol * scale and (norm <= self.tol * self.l2_ * scale or norm > previous / 2):
                break
            previous = norm
            at = self._newton_step(X, y, at, P, G, norm / scale)
            P, G = self._gradient(X, y, at)
        self.gradient_norm_ = float(G.norm())
        rounding = (
            16 * torch.finfo(X.dtype).eps * float(X.norm())
        )  # all of the gradient, where W = 0 is optimal
        if self.gradient_norm_ > max(1e3 * self.tol * scale, rounding):
            raise SalutaryError(
                f"logistic regression stopped at a gradient of {self.gradient_norm_:.1e} and is not"
                f" at its optimum (model.l2={self.l2_:g}): raise model.l2 or model.max_iter"
            )
        self.coef_ = at.W
        return self

    def update(self, X: Tensor, y: Tensor) -> Self:
        """Follow a small change of the fitted set (X, y): Newton steps from ``coef_``, usually one.

        Ends when a step lowers the objective by less than a hundredth: steps shrink quadratically, so
        that much less is left. :meth:`fit` ends at the optimum.
        """
        X = X.double()
        at = self._evaluate(X, y, self.coef_)
        for _ in range(self.max_iter):
            before = at
            at = self._newton_step(X, y, at, *self._gradient(X, y, at), 1e-16)
            if before.objective - at.objective <= 1e-2 * at.objective:
                break
        self.coef_ = at.W
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
        penalty = X.new_full((rows, X.shape[1] + self.fit_intercept), self.l2_)
        if self.fit_intercept:
            always = getattr(self, "penalise_intercept_", False)
            penalty[:, -1] *= always or lacks_a_class(y, self.n_classes)
        return penalty

    def _evaluate(self, X: Tensor, y: Tensor, W: Tensor) -> _Iterate:
        Z = engine.linear(X, W)
        penalty = 0.5 * (self.penalty_ * W * W).sum()
        return _Iterate(W, Z, float(engine.loss_of_logits(Z, y).sum() + penalty))

    def _gradient(self, X: Tensor, y: Tensor, at: _Iterate) -> tuple[Tensor, Tensor]:
        """Probabilities (n, C) and the objective's gradient (K, D)."""
        P = engine.to_probabilities(at.Z)
        R = engine.residuals(P, y, len(at.W))
        return P, engine.linear_adjoint(X, R, at.W.shape[1]) + self.penalty_ * at.W

    def _newton_step(
        self, X: Tensor, y: Tensor, at: _Iterate, P: Tensor, G: Tensor, progress: float
    ) -> _Iterate:
        """One Newton step, halved until the objective falls; ``at`` where rounding hides any fall.

        ``progress``: the norm of the gradient G relative to that at W = 0.
        """
        # An inexact direction far from the optimum keeps the steps cheap and the end quadratic.
        rtol = 0.1 * min(progress**0.5, 0.1)
        S = engine.solve(engine.Hessian(X, P, self.penalty_), G, rtol=rtol)
        slope = float((G * S).sum())
        t = 1.0
        while t > 1e-8:
            candidate = self._evaluate(X, y, at.W - t * S)
            if candidate.objective <= at.objective - 1e-4 * t * slope + 1e-14 * abs(at.objective):
                return candidate
            t /= 2
        return at

    def _best_l2(self, folds: list[Fold]) -> float:
        """The penalty of the lowest log-loss on what is held out; of equals the strongest."""
        return min(sorted(L2_GRID, reverse=True), key=lambda l2: self._held_out_loss(l2, folds))

    def _held_out_loss(self, l2: float, folds: list[Fold]) -> float:
        """Infinite where a fit has no optimum to working precision: a stronger penalty may have one."""
        trial = copy.copy(self)
        trial.l2_ = l2
        try:
            return sum(
                float(engine.loss(X_held_out, y_held_out, trial.fit(X, y).coef_).sum())
                for X, y, X_held_out, y_held_out in folds
            )
        except SalutaryError:
            return float("inf")


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


def lacks_a_class(y: Tensor, n_classes: int) -> bool:
    """Whether some class number below ``n_classes`` does not occur in y."""
    return len(y.unique()) < n_classes
