"""Logistic and softmax regression of rows with weights and label distributions.

    J(W) = sum over rows of w sum over c of -q_c log p_c(x; W) + 1/2 sum(penalty * (W - prior)^2)

A label that is known is a distribution of one class. Problems of few parameters, as labelled and validation
rows make them by the hundred: each Newton step takes a dense factor, and that of the optimum says what the
model would predict of a row that was left out. Fewer rows than columns are rotated into their span, which is
exact. Beyond ``DENSE`` parameters the fit is SciPy's L-BFGS, and the left out rows see a block of the Hessian
for each class.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from salutary.engine import leverage
from salutary.engine.hessian import Hessian

DENSE = 600
# A step that is to lower J by less than this is the last: it leaves about its square. Where a fit is only one
# of a row of them, more is enough. And steps allowed.
LAST, ROUGHLY = 1e-5, 1e-3
STEPS = 60
# A class of less weight than this is lacking: its intercept would run away, if it were not penalised.
LACKING = 1e-6
# Penalties to choose among, the strongest first. Two in a row that are worse than the best end the search.
L2_GRID = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3, 0.1)
PATIENCE = 2
# Least determinant and leverage that a row left out may leave, where the estimate breaks down.
LEAST = 1e-3


@dataclass(frozen=True)
class SoftRegression:
    """The objective on rows X (n, d), with distributions q (n, C) that sum to 1 and weights (n,) >= 0.

    Parameters W are (K, D): K = 1 for two classes, else C; D = d, and 1 with an ``intercept``.
    """

    X: np.ndarray
    q: np.ndarray
    weights: np.ndarray
    intercept: bool = True

    @property
    def shape(self) -> tuple[int, int]:
        """K and D."""
        n_classes = self.q.shape[1]
        return (1 if n_classes == 2 else n_classes), self.X.shape[1] + self.intercept

    @cached_property
    def is_dense(self) -> bool:
        return self.shape[0] * self.shape[1] <= DENSE

    @cached_property
    def targets(self) -> np.ndarray:
        """(n, K)."""
        return self.q[:, 1:] if self.q.shape[1] == 2 else self.q

    @cached_property
    def lacks_a_class(self) -> bool:
        return bool(((self.weights @ self.q) < LACKING).any())

    def penalty(self, l2: float, with_intercept: bool = False) -> np.ndarray:
        """(K, D): ``l2`` of all, of the intercepts only if that is asked or a class is lacking."""
        penalty = np.full(self.shape, float(l2))
        if self.intercept and not (with_intercept or self.lacks_a_class):
            penalty[:, -1] = 0
        return penalty

    def fit(
        self,
        penalty: np.ndarray,
        start: np.ndarray | None = None,
        prior: np.ndarray | float = 0.0,
        steps: int = STEPS,
        last: float = LAST,
    ) -> np.ndarray:
        """The optimum (K, D), searched from ``start``; ``steps`` of Newton's method at most.

        ``last``: the step that is to lower J by less than this ends it.
        """
        W = np.zeros(self.shape) if start is None else start
        if self._is_wide(penalty):
            prior = np.broadcast_to(prior, self.shape)
            near = self._in_span(prior)
            found = self._spanned.fit(self._of_span(penalty), self._in_span(W), near, steps, last)
            change = found - near
            return prior + np.hstack([change[:, : len(self.X)] @ self._span.T, change[:, len(self.X) :]])
        return (
            self._newton(W, penalty, prior, steps, last)
            if self.is_dense
            else self._lbfgs(W, penalty, prior, steps)
        )

    def _is_wide(self, penalty: np.ndarray) -> bool:
        """Whether there are fewer rows than columns, each class's columns of one penalty: the optimum then is
        the prior and a combination of rows, as the penalty is that of rotated columns too.
        """
        n, d = self.X.shape
        return n < d and bool((penalty[:, :d] == penalty[:, :1]).all())

    @cached_property
    def _span(self) -> np.ndarray:
        """An orthonormal basis of the rows, (d, n)."""
        return np.linalg.qr(self.X.T)[0]

    @cached_property
    def _spanned(self) -> SoftRegression:
        """The same with the n coordinates of the rows in their span for columns."""
        return SoftRegression(self.X @ self._span, self.q, self.weights, self.intercept)

    def _in_span(self, W: np.ndarray) -> np.ndarray:
        """Parameters (K, n), and intercepts, of the coordinates."""
        d = self.X.shape[1]
        return np.hstack([W[:, :d] @ self._span, W[:, d:]])

    def _of_span(self, penalty: np.ndarray) -> np.ndarray:
        n, d = self.X.shape
        return np.hstack([penalty[:, :n], penalty[:, d:]])

    def _newton(
        self, W: np.ndarray, penalty: np.ndarray, prior: np.ndarray | float, steps: int, last: float
    ) -> np.ndarray:
        value, Z = self._value(W, penalty, prior)
        for _ in range(steps):
            G = self._gradient(Z, W, penalty, prior)
            step = cho_solve(self._factor(Z, penalty), G.ravel(), check_finite=False).reshape(W.shape)
            fall, t = float((G * step).sum()), 1.0
            if fall < last:
                return W - step
            while True:
                at, Z_at = self._value(W - t * step, penalty, prior)
                if at <= value - 1e-4 * t * fall or t < 1e-6:
                    break
                t /= 2
            W, value, Z = W - t * step, at, Z_at
        return W

    def _lbfgs(self, W: np.ndarray, penalty: np.ndarray, prior: np.ndarray | float, steps: int) -> np.ndarray:
        def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
            V = flat.reshape(self.shape)
            value, Z = self._value(V, penalty, prior)
            return value, self._gradient(Z, V, penalty, prior).ravel()

        options: Any = {"maxiter": 10 * steps, "ftol": 1e-9, "gtol": 1e-4}
        found = minimize(objective, W.ravel(), jac=True, method="L-BFGS-B", options=options)
        return found.x.reshape(self.shape)

    def _value(
        self, W: np.ndarray, penalty: np.ndarray, prior: np.ndarray | float
    ) -> tuple[float, np.ndarray]:
        """J, and the logits (n, K)."""
        Z, change = logits(self.X, W), W - prior
        return float(self.weights @ cross_entropy(Z, self.targets) + 0.5 * (penalty * change**2).sum()), Z

    def _gradient(
        self, Z: np.ndarray, W: np.ndarray, penalty: np.ndarray, prior: np.ndarray | float
    ) -> np.ndarray:
        R = self.weights[:, None] * (to_probabilities(Z) - self.targets)
        G = R.T @ self.X
        if self.intercept:
            G = np.concatenate([G, R.sum(0)[:, None]], 1)
        return G + penalty * (W - prior)

    def _factor(self, Z: np.ndarray, penalty: np.ndarray) -> tuple[np.ndarray, bool]:
        tensors = map(torch.from_numpy, (self.X, of_classes(Z), penalty, self.weights))
        H = Hessian(*tensors).dense().numpy()
        H[np.diag_indices(len(H))] += 1e-9
        return cho_factor(H, lower=True, check_finite=False, overwrite_a=True)

    def left_out(self, W: np.ndarray, penalty: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Logits (m, K) of these rows (m,) by models fitted without each, approximately, from the optimum W.

        z + A (1 - w Q A)^-1 w (p - q), with A = x^T H^-1 x and Q = diag(p) - p p^T: one Newton step without
        the row (Rad & Maleki, "A scalable estimate of the out-of-sample prediction error via approximate
        leave-one-out cross-validation", JRSS B 2020). Beyond ``DENSE``: A of each class's own block of H.
        """
        if self._is_wide(penalty):
            return self._spanned.left_out(self._in_span(W), self._of_span(penalty), rows)
        Z = logits(self.X, W)
        z, w = Z[rows], self.weights[rows]
        p = to_probabilities(z)
        r = w[:, None] * (p - self.targets[rows])
        if len(W) == 1 or not self.is_dense:
            A = self._leverages(Z, penalty, rows)
            kept = np.maximum(1 - A * w[:, None] * p * (1 - p), LEAST)
            return z + A * r / kept
        K, D = W.shape
        x = _with_ones(self.X[rows], D)
        inverse = cho_solve(self._factor(Z, penalty), np.eye(K * D), check_finite=False)
        A = np.stack([np.tensordot(x, block, 1) for block in inverse.reshape(K, D, K * D)], 1)
        A = np.matmul(A.reshape(len(x), K * K, D), x[:, :, None])
        A = A.reshape(len(x), K, K)
        Q = w[:, None, None] * (p[:, :, None] * np.eye(K) - p[:, :, None] * p[:, None, :])
        return z + (A @ np.linalg.solve(np.eye(K) - Q @ A, r[:, :, None]))[:, :, 0]

    def _leverages(self, Z: np.ndarray, penalty: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """x^T H_c^-1 x of these rows (m, K), H_c the block of each class."""
        P, penalty, d = to_probabilities(Z), penalty + 1e-9, self.X.shape[1]
        curvature = self.weights[:, None] * P * (1 - P)
        if self._is_few(penalty):
            found = [
                leverage.by_rows(self._products, w, each[0], each[d] if len(each) > d else None, rows)
                for w, each in zip(curvature.T, penalty, strict=True)
            ]
        else:
            X = _with_ones(self.X, penalty.shape[1])
            found = [
                leverage.by_columns(X, w, each, rows) for w, each in zip(curvature.T, penalty, strict=True)
            ]
        return np.stack(found, 1)

    def _is_few(self, penalty: np.ndarray) -> bool:
        """Whether leverages go by rows: they are no more than columns, which have one penalty in each
        class, large enough that differences of the products keep nine digits.
        """
        n, d = self.X.shape
        if n > d or not (penalty[:, :d] == penalty[:, :1]).all():
            return False
        return bool(penalty[:, 0].min() > 1e-6 * self._products.diagonal().max())

    @cached_property
    def _products(self) -> np.ndarray:
        """X X^T."""
        return self.X @ self.X.T

    def tune(
        self, rows: np.ndarray, prior: np.ndarray | float = 0.0, grid: tuple[float, ...] = L2_GRID
    ) -> tuple[float, np.ndarray]:
        """The penalty of the least leave-one-out loss over ``rows`` (m,), of ``grid``, and the optimum with
        it.

        Where there is a ``prior``, intercepts are drawn to it as well.
        """
        best, W, worse = (np.inf, grid[0], np.zeros(self.shape)), None, 0
        for l2 in grid:
            penalty = self.penalty(l2, with_intercept=np.ndim(prior) > 0)
            start = prior if W is None and isinstance(prior, np.ndarray) else W
            W = self.fit(penalty, start, prior, last=ROUGHLY)
            Z = self.left_out(W, penalty, rows)
            loss = float(cross_entropy(Z, self.targets[rows]).mean())
            worse = 0 if loss < best[0] else worse + 1
            if loss < best[0]:
                best = (loss, l2, W)
            if worse == PATIENCE:
                break
        l2, W = best[1:]
        return l2, self.fit(self.penalty(l2, with_intercept=np.ndim(prior) > 0), W, prior)


def _with_ones(X: np.ndarray, n_columns: int) -> np.ndarray:
    return X if X.shape[1] == n_columns else np.concatenate([X, np.ones((len(X), 1))], 1)


def logits(X: np.ndarray, W: np.ndarray) -> np.ndarray:
    """(n, K) of rows X (n, d) by W (K, D)."""
    d = X.shape[1]
    Z = X @ W[:, :d].T
    return Z + W[:, d] if W.shape[1] > d else Z


def to_probabilities(Z: np.ndarray) -> np.ndarray:
    """(n, K): of two classes that of the second."""
    if Z.shape[1] == 1:
        small = np.exp(-abs(Z))
        return np.where(Z > 0, 1.0, small) / (1 + small)
    P = np.exp(Z - Z.max(1, keepdims=True))
    return P / P.sum(1, keepdims=True)


def of_classes(Z: np.ndarray) -> np.ndarray:
    """Probabilities (n, C) of all classes."""
    if Z.shape[1] > 1:
        return to_probabilities(Z)
    return np.hstack([to_probabilities(-Z), to_probabilities(Z)])


def cross_entropy(Z: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Of logits (n, K) and targets (n, K), as :class:`SoftRegression` has them: (n,)."""
    if Z.shape[1] == 1:
        z, t = Z[:, 0], targets[:, 0]
        return np.logaddexp(0, z) - t * z
    top = Z.max(1)
    return top + np.log(np.exp(Z - top[:, None]).sum(1)) - (targets * Z).sum(1)
