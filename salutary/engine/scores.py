"""Influences of many points with every label, from one matrix product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from salutary.engine.softmax import each_block, linear, to_probabilities


def influence_of_logits(P: Tensor, U: Tensor) -> Tensor:
    """I(x, c) for every class, (n, C), from probabilities P (n, C) and U = X S^T (n, K)."""
    if U.shape[1] == 1:
        return torch.cat([P[:, 1:] * U, -P[:, :1] * U], 1)
    U = U - U.gather(1, P.argmax(1, keepdim=True))  # see Hessian.curvature
    return (P * U).sum(1, keepdim=True) - U


def score_labels(W: Tensor, S: Tensor, X: Tensor) -> Tensor:
    """I(x, c) of every row of X (n, d) with every label, (n, C), from S = H^-1 g (K, D).

    One matrix product serves the predictions and the influences. The unit is that of g.
    """
    K = len(W)
    scores = X.new_empty(max(K, 2), len(X)).T

    def score(rows: slice) -> None:
        Z = linear(X[rows], torch.cat([W, S]))
        scores[rows] = influence_of_logits(to_probabilities(Z[:, :K]), Z[:, K:])

    for _ in each_block(X, 8 * K, score):
        pass
    return scores


def best_influence(W: Tensor, S: Tensor, X: Tensor) -> Tensor:
    """max over c of I(x, c) = p.u - min u, (n,): :func:`score_labels` without keeping the labels.

    Every term of sum over c of p_c (u_c - min u) is positive, so that nothing cancels.
    """
    return best_influences([(W, S)], X)[0]


def best_influences(models: Sequence[tuple[Tensor, Tensor]], X: Tensor) -> Tensor:
    """:func:`best_influence` for several (W, S) of one shape, (models, n), from one matrix product."""
    K, stacked = len(models[0][0]), torch.cat([each for model in models for each in model])
    best = X.new_empty(len(models), len(X))

    def score(rows: slice) -> None:
        for Z, result in zip(linear(X[rows], stacked).split(2 * K, 1), best[:, rows], strict=True):
            _best_of_logits(Z[:, :K], Z[:, K:], result)

    for _ in each_block(X, 2 * len(stacked), score):
        pass
    return best


def _best_of_logits(Z: Tensor, U: Tensor, result: Tensor) -> None:
    """The highest influence of each row, from logits Z (n, K) and U = X S^T (n, K), which it overwrites."""
    if U.shape[1] == 1:  # the label against the prediction: p_1 u if u > 0, else -p_0 u
        P = torch.sigmoid(torch.where(U > 0, Z, -Z)[:, 0])
        torch.mul(P, U[:, 0].abs(), out=result)
        return
    E = Z.sub_(Z.amax(1, keepdim=True)).exp_()
    gain = U.sub_(U.amin(1, keepdim=True)).mul_(E).sum(1)
    torch.div(gain, E.sum(1), out=result)


def best_labels(S: Tensor, X: Tensor) -> Tensor:
    """argmax over c of I(x, c), which is argmin of u_c, (n,); the lower class of equals."""
    U = linear(X, S)
    return (U[:, 0] < 0).long() if len(S) == 1 else U.argmin(1)
