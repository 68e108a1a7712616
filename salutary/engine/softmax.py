"""Predictions, losses and gradients of logistic and softmax regression, over blocks of rows.

Matrices with a column per class are stored class by class: an operation over the classes of many rows
then runs along contiguous rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from salutary.system.threads import in_order

Result = TypeVar("Result")

# Bytes of one block of rows and of what is built of it: on the CPU the size of its cache.
BLOCK_BYTES = {"cpu": 8 * 2**20, "device": 256 * 2**20}
MIN_ROWS = 64


def row_blocks(X: Tensor, width: int) -> Iterator[slice]:
    """Slices of the rows of X (n, d), such that a block and ``width`` columns built of it stay in cache."""
    row = (X.shape[1] + width) * X.element_size()
    size = max(MIN_ROWS, BLOCK_BYTES["cpu" if X.device.type == "cpu" else "device"] // row)
    return (slice(start, min(start + size, len(X))) for start in range(0, len(X), size))


def each_block(X: Tensor, width: int, function: Callable[[slice], Result]) -> Iterator[Result]:
    """``function`` of each of :func:`row_blocks`, in order; on the CPU some of them at once."""
    blocks = row_blocks(X, width)
    return map(function, blocks) if X.device.type != "cpu" else in_order(function, blocks)


def product(A: Tensor, B: Tensor) -> Tensor:
    """A @ B; on the CPU by NumPy's BLAS, which for tall, thin float64 matrices takes half as long.

    A tall product is faster still as the transpose of a flat one, and is returned as that.
    """
    if A.device.type != "cpu":
        return A @ B
    if B.ndim == 2 and len(A) > 16 * B.shape[1]:
        return torch.from_numpy(B.T.numpy() @ A.T.numpy()).T
    return torch.from_numpy(A.numpy() @ B.numpy())


def linear(X: Tensor, W: Tensor) -> Tensor:
    """X (n, d) times W (K, D) transposed, plus W's last column if it is an intercept: (n, K)."""
    W, d = W.to(X.dtype), X.shape[1]
    Z = product(W[:, :d], X.T)
    if W.shape[1] > d:
        Z += W[:, d:]
    return Z.T


def linear_of_each(X: Tensor, W: Tensor) -> Tensor:
    """:func:`linear` of several models, W (m, K, D), from one matrix product: (m, n, K)."""
    Z = linear(X, W.flatten(0, 1))  # (n, m K), stored by column
    return Z.T.reshape(*W.shape[:2], len(X)).transpose(1, 2)


def linear_adjoint(X: Tensor, R: Tensor, n_columns: int) -> Tensor:
    """Adjoint of :func:`linear`: R (n, K) to (K, ``n_columns``), in float64."""
    G = product(R.T, X)
    if n_columns > X.shape[1]:
        G = torch.cat([G, R.sum(0)[:, None]], 1)
    return G.double()


def to_probabilities(Z: Tensor) -> Tensor:
    """Logits (..., K) to class probabilities (..., C). Both tails keep full relative precision."""
    if Z.shape[-1] == 1:
        return torch.sigmoid(torch.cat([-Z, Z], -1))
    if Z.stride(-1) == 1:
        return torch.softmax(Z, -1)
    return torch.softmax(Z.transpose(-1, -2), -2).transpose(-1, -2)  # keeps the storage by class


def to_logits(P: Tensor) -> Tensor:
    """Class probabilities (n, C) to logits (n, K), float64; what is 0 counts as the least number above it."""
    Z = P.double().clamp(min=torch.finfo(torch.float64).tiny).log()
    return Z[:, 1:] - Z[:, :1] if Z.shape[1] == 2 else Z


def probabilities(X: Tensor, W: Tensor) -> Tensor:
    """Class probabilities (n, C) of the model W (K, D) at X (n, d)."""
    return to_probabilities(linear(X, W))


def loss(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Negative log-likelihood of each point, (n,), without the penalty."""
    return loss_of_logits(linear(X, W), y)


def loss_of_logits(Z: Tensor, y: Tensor) -> Tensor:
    """Negative log-likelihood (...,) from logits Z (..., K) and class numbers y (...,)."""
    if Z.shape[-1] == 1:
        return torch.nn.functional.softplus(torch.where(y == 1, -Z[..., 0], Z[..., 0]))
    return torch.logsumexp(Z, -1) - Z.gather(-1, y[..., None])[..., 0]


def residuals(P: Tensor, y: Tensor, n_rows: int) -> Tensor:
    """Gradient of each point's loss with respect to its logits, (..., K): P - onehot(y).

    The entry of the true class is minus the sum of the others, not p - 1, which would cancel
    for a confident fit.
    """
    if n_rows == 1:
        return torch.where(y == 1, -P[..., 0], P[..., 1])[..., None]
    R, true = P.transpose(-1, -2).clone(), y[..., None, :]
    R.scatter_(-2, true, 0)
    return R.scatter_(-2, true, -R.sum(-2, keepdim=True)).transpose(-1, -2)


def residuals_of_every_label(P: Tensor) -> Tensor:
    """p - e_c for every label c of each row of P (n, C), (n, C, C); for more than two classes."""
    n, C = P.shape
    labels = torch.arange(C, device=P.device).expand(n, -1)
    return residuals(P[:, None, :].expand(-1, C, -1), labels, C)


def with_ones(X: Tensor, n_columns: int) -> Tensor:
    """X (n, d), with a column of ones for the intercept if parameters have ``n_columns`` = d + 1."""
    return torch.cat([X, torch.ones_like(X[:, :1])], 1) if X.shape[1] < n_columns else X


def gradient(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Gradient of the **summed** loss over (X, y) at W, without the penalty: (K, D), float64."""

    def of_block(rows: slice) -> Tensor:
        R = residuals(probabilities(X[rows], W), y[rows], len(W))
        return linear_adjoint(X[rows], R, W.shape[1])

    zero = torch.zeros(W.shape, dtype=torch.float64, device=X.device)
    return sum(each_block(X, 4 * len(W), of_block), start=zero)
