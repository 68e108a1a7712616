"""The log-odds of one class against the rest, s_c = z_c - log sum over k != c of exp(z_k), and derivatives.

The derivative is e_c - q with q the probabilities among the other classes, the second one
-(diag(q) - q q^T); with one logit z for two classes s_1 = z and s_0 = -z. Logits Z (n, K).
"""

from __future__ import annotations

import torch
from torch import Tensor


def log_odds(Z: Tensor, c: int) -> Tensor:
    """s_c, (...,) of Z (..., K)."""
    if Z.shape[-1] == 1:
        return (2 * c - 1) * Z[..., 0]
    return Z[..., c] - torch.logsumexp(_without(Z, c), -1)


def slope_of_log_odds(Z: Tensor, c: int) -> Tensor:
    """ds_c/dz, (n, K)."""
    if Z.shape[-1] == 1:
        return torch.full_like(Z, 2 * c - 1)
    slope = -torch.softmax(_without(Z, c), -1)
    slope[..., c].fill_(1)
    return slope


def bend_of_log_odds(Z: Tensor, c: int) -> Tensor:
    """d^2 s_c/dz^2, (n, K, K)."""
    if Z.shape[-1] == 1:
        return Z.new_zeros(len(Z), 1, 1)
    q = torch.softmax(_without(Z, c), -1)
    return q[:, :, None] * q[:, None, :] - torch.diag_embed(q)


def _without(Z: Tensor, c: int) -> Tensor:
    Z = Z.clone()
    Z[..., c].fill_(-torch.inf)
    return Z
