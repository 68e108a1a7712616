"""Slow and obvious answers, in float64, that the fast code must equal."""

import numpy as np
import torch
from torch import Tensor

from salutary.models.logistic import LogisticRegression


def summed_loss(W: Tensor, X: Tensor, y: Tensor) -> Tensor:
    """Summed log-loss written from its definition; W (K, D), an intercept if D = d + 1."""
    if W.shape[1] > X.shape[1]:
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
    Z = X @ W.T
    if len(W) == 1:
        Z = torch.cat([torch.zeros_like(Z), Z], 1)
    return (torch.logsumexp(Z, 1) - Z[torch.arange(len(y)), y]).sum()


def objective(W: Tensor, X: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    return summed_loss(W, X, y) + 0.5 * (penalty * W**2).sum()


def gradient(W: Tensor, X: Tensor, y: Tensor) -> Tensor:
    return torch.func.grad(summed_loss)(W, X, y)


def hessian(W: Tensor, X: Tensor, y: Tensor, penalty: Tensor) -> Tensor:
    """(K D, K D) by automatic differentiation, exactly as the objective defines it."""
    return torch.func.hessian(objective)(W, X, y, penalty).reshape(W.numel(), W.numel())


def label_influence(W, penalty, X_pool, X_labeled, y_labeled, X_validation, y_validation) -> Tensor:
    """g_V . H^+ . grad loss(x, c) / n_V, one (point, label) at a time, H^+ the pseudo-inverse."""
    inverse = torch.linalg.pinv(hessian(W, X_labeled, y_labeled, penalty), hermitian=True)
    s = inverse @ gradient(W, X_validation, y_validation).flatten() / len(y_validation)
    n_classes = 2 if len(W) == 1 else len(W)
    rows = [
        [float(s @ gradient(W, x[None], torch.tensor([c])).flatten()) for c in range(n_classes)]
        for x in X_pool
    ]
    return torch.tensor(rows, dtype=torch.float64)


def retrained_fall(model: LogisticRegression, X, y, x, c, X_validation, y_validation) -> float:
    """How much the mean validation loss really falls when (x, c) joins (X, y) and the model is refitted."""

    def mean_loss(fitted: LogisticRegression) -> float:
        return float(summed_loss(fitted.coef_, X_validation, y_validation)) / len(y_validation)

    def fitted(X, y) -> LogisticRegression:
        return LogisticRegression(model.n_classes, model.l2, model.fit_intercept).fit(X, y)

    before = mean_loss(fitted(X, y))
    return before - mean_loss(fitted(torch.cat([X, x[None]]), torch.cat([y, torch.tensor([c])])))


def blobs(n: int, d: int, n_classes: int, seed: int = 0, spread: float = 1.0) -> tuple[Tensor, Tensor]:
    """A classification problem that overlaps: Gaussian classes around random centres."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % n_classes)
    centres = np.random.default_rng(99).standard_normal((n_classes, d))
    X = centres[y] + spread * rng.standard_normal((n, d))
    return torch.as_tensor(X), torch.as_tensor(y)
