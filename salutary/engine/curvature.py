"""The curvature of softmax regression as a matrix, from one block for each two classes.

    H = sum over rows of (diag(p) - p p^T) (x) x x^T,        (C, D, C, D)

Off the diagonal its blocks are H_ck = - sum over rows of p_c p_k x x^T. The blocks of a class sum to zero,
since adding the same to all logits changes nothing: H_cc = - sum over k != c of H_ck. So C (C - 1) / 2
symmetric blocks say it all, and p_c (1 - p_c), where a confident fit would cancel, is never computed.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from salutary.engine.softmax import each_block, product, with_ones

# With so many features for each class, a Gram matrix for each two classes beats one product for all of them.
FEATURES_PER_CLASS = 6


def softmax_curvature(X: Tensor, P: Tensor, n_columns: int, weights: Tensor | None = None) -> Tensor:
    """The matrix, (C, D, C, D) in float64, of the rows X (n, d) with probabilities P (n, C).

    ``n_columns`` = D is d, or d + 1 for an intercept. ``weights`` (n,) >= 0; None is one for each.
    """
    C, D = P.shape[1], n_columns
    blocks = (_by_features if D <= FEATURES_PER_CLASS * C else _by_classes)(X, P, D, weights)
    H = blocks.neg_().index_select(0, _pairs(C, 1, X.device)[2].flatten()).reshape(C, C, D, D)
    diagonal = H.diagonal()  # (D, D, C), of what must not be counted: a class has no pair with itself
    diagonal.zero_()
    diagonal.copy_(-H.sum(1).permute(1, 2, 0))
    return H.transpose(1, 2)


def gram(A: Tensor) -> Tensor:
    """A^T A in float64; of a matrix with itself BLAS computes one half."""
    return product(A.T, A).double()


def _by_features(X: Tensor, P: Tensor, D: int, weights: Tensor | None) -> Tensor:
    """-H_ck of each pair of classes, (pairs, D D), from the products of every two features."""
    first, second, number = _pairs(D, 0, X.device)
    n_pairs = P.shape[1] * (P.shape[1] - 1) // 2

    def of_block(rows: slice) -> Tensor:
        x = with_ones(X[rows], D).T.contiguous()
        x = x.index_select(0, first).mul_(x.index_select(0, second))
        return product(_curvatures(P, rows, weights), x.T)

    products = torch.zeros(n_pairs, len(first), dtype=torch.float64, device=X.device)
    for each in each_block(X, 16 * (len(first) + P.shape[1] ** 2), of_block):
        products += each
    return products.index_select(1, number.flatten())


def _by_classes(X: Tensor, P: Tensor, D: int, weights: Tensor | None) -> Tensor:
    """-H_ck of each pair of classes, (pairs, D D), as a Gram matrix."""
    C = P.shape[1]

    def of_block(rows: slice) -> list[Tensor]:
        x, roots = with_ones(X[rows], D), _curvatures(P, rows, weights).sqrt_()
        return [gram(x * root[:, None]) for root in roots]

    blocks = torch.zeros(C * (C - 1) // 2, D, D, dtype=torch.float64, device=X.device)
    for grams in each_block(X, 2 * D + C**2, of_block):
        for block, each in zip(blocks, grams, strict=True):
            block += each
    return blocks.flatten(1)


def _curvatures(P: Tensor, rows: slice, weights: Tensor | None) -> Tensor:
    """p_c p_k of each row and pair of classes, (pairs, n)."""
    P = P[rows].T.contiguous()
    first, second, _ = _pairs(len(P), 1, P.device)
    result = P.index_select(0, first).mul_(P.index_select(0, second))
    return result if weights is None else result.mul_(weights[rows])


@functools.lru_cache(maxsize=64)
def _pairs(n: int, offset: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Of n things, both members of each pair, and the number of any two's pair, (n, n).

    ``offset`` 0 pairs a thing with itself too, 1 does not, and numbers that 0.
    """
    first, second = torch.triu_indices(n, n, offset, device=device)
    number = torch.zeros(n, n, dtype=torch.long, device=device)
    number[first, second] = number[second, first] = torch.arange(len(first), device=device)
    return first, second, number
