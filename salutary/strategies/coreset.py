"""CoreSet: k-centre greedy."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from salutary.engine import product
from salutary.models import Predictor
from salutary.strategies import PoolView, Proposal, Strategy

BLOCK = 1_024  # pool rows whose distances to all centres are in memory at once


class CoreSet(Strategy[Predictor]):
    """Covers the pool: repeatedly the point farthest from all labelled and chosen points.

    From the labelled set on, j = argmax d, then d <- min(d, ||x - x_j||), ties to the lower index.
    The covering radius is at most twice the best possible one for this many points. Distances
    are Euclidean in the model's features; O(u (l + b) d) time, O(u) memory beyond a block.
    The true labels are bought.
    Sener & Savarese, "Active learning for convolutional neural networks: a core-set approach",
    ICLR 2018.
    """

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        cover = _Cover(view.pool, view.labeled)
        chosen: list[int] = []
        for _ in range(budget):
            j = int(cover.nearest.argmax())
            chosen.append(j)
            cover.add(j)
            cover.nearest[chosen] = -torch.inf
        return Proposal(torch.tensor(chosen, device=view.pool.device))


class _Cover:
    """``nearest`` (n,): squared distance of each row of X to the nearest centre so far.

    Distances are taken from the mean of X, since they cancel less there, without a centred copy of X.
    Those below rounding error are zero, so that a copy of a centre is at distance zero.
    """

    def __init__(self, X: Tensor, centres: Tensor):
        self.X = X
        self.mean = X.mean(0)
        centres = centres - self.mean
        squares = (centres**2).sum(1)
        self.tolerance = 64 * torch.finfo(X.dtype).eps
        self.norms, self.nearest = X.new_empty(len(X)), X.new_empty(len(X))
        for start in range(0, len(X), BLOCK):
            block = X[start : start + BLOCK] - self.mean
            rows = slice(start, start + BLOCK)
            self.norms[rows] = torch.linalg.vector_norm(block, dim=1) ** 2
            relative, centre = (squares - 2 * product(block, centres.T)).min(1)
            distances = relative + self.norms[rows]
            distances[distances < self.tolerance * (self.norms[rows] + squares[centre])] = 0
            self.nearest[rows] = distances

    def add(self, j: int) -> None:
        """Make row j a centre."""
        centre = self.X[j] - self.mean
        distances = self.norms + self.norms[j] - 2 * (product(self.X, centre) - self.mean @ centre)
        scale = self.norms + self.norms[j] + self.mean.norm() * centre.norm()
        distances[distances < self.tolerance * scale] = 0
        torch.minimum(self.nearest, distances, out=self.nearest)
