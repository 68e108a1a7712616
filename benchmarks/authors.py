"""The closed formulas of the authors' public code, as it computes them, to time ours beside.

The Hessian over the pool is a sum of one matrix per pool point (all of them held at once for two classes,
a loop over points for more), and a gradient is built for every pool point and label. With more
than two classes their gradients and Hessians have unpenalised intercepts, though their model has none,
and a pseudo-inverse is taken. (github.com/wxxiaoss/salutary-labeling; only the formulas are theirs.)
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, softmax


def two_classes(w: np.ndarray, l2: float, X_pool, X_validation, y_validation) -> np.ndarray:
    """Influence on the summed validation loss with label 0 and with label 1, (n, 2); w (d,)."""
    weights = np.ones(len(X_pool))
    p_validation = expit(X_validation @ w)
    validation_gradient = (X_validation * (p_validation - y_validation)[:, None]).sum(0)
    p = expit(X_pool @ w)
    point_hessians = np.einsum("a,ai,aj->aij", p * (1 - p), X_pool, X_pool)
    hessian = np.einsum("aij,a->ij", point_hessians, weights) + l2 * np.eye(len(w))
    direction = cho_solve(cho_factor(hessian), validation_gradient)
    gradients = (X_pool * (p - label)[:, None] * weights[:, None] for label in (0, 1))
    return np.stack([g.dot(direction) for g in gradients], 1)


def many_classes(W: np.ndarray, l2: float, X_pool, X_validation, y_validation) -> np.ndarray:
    """Influence on the summed validation loss with every label, (n, C); W (C, d)."""
    n_classes, d = W.shape
    one_hot = np.eye(n_classes)

    def gradients(X: np.ndarray, y: np.ndarray) -> np.ndarray:
        residual = softmax(X @ W.T, axis=1) - one_hot[y]
        of_weights = np.multiply(residual[:, :, None], X[:, None, :]).reshape(len(X), -1)
        return np.concatenate([of_weights * np.ones((len(X), 1)), residual], axis=1)

    hessian = torch.zeros(n_classes * (d + 1), n_classes * (d + 1), dtype=torch.float64)
    for p, x in zip(softmax(X_pool @ W.T, axis=1), X_pool, strict=True):
        p, x = torch.tensor(p), torch.tensor(x)
        curvature = torch.diag(p) - torch.einsum("i,j->ij", p, p)
        block = torch.einsum("ij,k,l->ikjl", curvature, x, x).reshape(n_classes * d, -1)
        side = torch.einsum("ij,k->ijk", curvature, x).reshape(n_classes, -1)
        rows = torch.cat([block, side.T], 1), torch.cat([side, curvature], 1)
        hessian += torch.cat(rows)
    hessian.diagonal()[: n_classes * d] += l2
    validation_gradient = gradients(X_validation, y_validation).sum(0)
    direction = torch.linalg.pinv(hessian).numpy() @ validation_gradient
    labels = (np.full(len(X_pool), label) for label in range(n_classes))
    return np.stack([gradients(X_pool, y).dot(direction) for y in labels], 1)
