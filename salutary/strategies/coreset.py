"""CoreSet: k-centre greedy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from salutary.split import PoolView
from salutary.strategies import Proposal, Strategy

BLOCK = 4_096  # pool rows whose distances to all centres are in memory at once


class CoreSet(Strategy):
    """Covers the pool: repeatedly the point farthest from all labelled and chosen points.

    From the labelled set on, j = argmax d, then d <- min(d, ||x - x_j||), ties to the lower index.
    The covering radius is at most twice the best possible one for this many points. Distances
    are Euclidean in the model's features; O(u (l + b) d) time, O(u) memory beyond a block.
    The true labels are bought.
    Sener & Savarese, "Active learning for convolutional neural networks: a core-set approach",
    ICLR 2018.
    """

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        centre = view.pool.mean(0)  # distances do not change, but cancel less
        pool, labeled = view.pool - centre, view.labeled - centre
        norms = (pool**2).sum(1)
        nearest = _nearest_squared(pool, norms, labeled)
        chosen = []
        for _ in range(budget):
            j = int(nearest.argmax())
            chosen.append(j)
            torch.minimum(nearest, _squared(pool, norms, pool[j : j + 1])[:, 0], out=nearest)
            nearest[chosen] = -torch.inf
        return Proposal(torch.tensor(chosen, device=pool.device))


def _squared(X: Tensor, norms: Tensor, centres: Tensor) -> Tensor:
    """Squared distances (n, k) of X (n, d), with its squared norms (n,), to centres (k, d).

    Distances below rounding error are zero, so that a copy of a centre is at distance zero.
    """
    scale = norms[:, None] + (centres**2).sum(1)
    distances = scale - 2 * X @ centres.T
    return torch.where(distances > 64 * torch.finfo(X.dtype).eps * scale, distances, 0.0)


def _nearest_squared(X: Tensor, norms: Tensor, centres: Tensor) -> Tensor:
    blocks = range(0, len(X), BLOCK)
    return torch.cat([_squared(X[i : i + BLOCK], norms[i : i + BLOCK], centres).amin(1) for i in blocks])
