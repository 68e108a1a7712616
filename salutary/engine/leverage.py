"""Leverages of rows of a ridge regression with weights, x^T (X^T diag(w) X + diag(penalty))^-1 x.

By columns, one Cholesky factor of that matrix (D, D). By rows, where they are fewer and features have one
penalty l2, of B = diag(w)^1/2 X X^T diag(w)^1/2 + l2 (n, n), whose products X X^T serve any weights
(Woodbury); with v = diag(w)^1/2 X x,

    x^T H^-1 x = (x^T x - v^T B^-1 v) / l2,

and an intercept of another penalty, or none, is eliminated by its Schur complement.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cholesky, solve_triangular


def by_columns(X: np.ndarray, weights: np.ndarray, penalty: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of ``rows`` (m,) of X (n, D), with weights (n,) >= 0 and penalty (D,): (m,)."""
    half = X * np.sqrt(weights)[:, None]
    H = half.T @ half
    H[np.diag_indices(len(H))] += penalty
    return (_halfway(H, X[rows].T) ** 2).sum(0)


def by_rows(
    products: np.ndarray, weights: np.ndarray, l2: float, intercept: float | None, rows: np.ndarray
) -> np.ndarray:
    """The same from ``products`` (n, n) of the rows without an intercept, and its penalty, None if there is
    none.
    """
    half = np.sqrt(weights)
    B = half[:, None] * products * half
    B[np.diag_indices(len(B))] += l2
    solved = _halfway(B, half[:, None] * np.column_stack([products[:, rows], np.ones(len(B))]))
    V, ones = solved[:, :-1], solved[:, -1]
    leverages = (products[rows, rows] - (V**2).sum(0)) / l2
    if intercept is None:
        return leverages
    return leverages + (1 - ones @ V) ** 2 / (intercept + l2 * (ones @ ones))


def _halfway(H: np.ndarray, Y: np.ndarray) -> np.ndarray:
    """L^-1 Y, H = L L^T."""
    L = cholesky(H, lower=True, check_finite=False, overwrite_a=True)
    return solve_triangular(L, Y, lower=True, check_finite=False)
