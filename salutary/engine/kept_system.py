"""H S = G for a Hessian of few rows on a device, in tensors that stay from one solve to the next.

The labelled set grows by some rows a round, and each Newton step has a Hessian of its own, but their shape
hardly changes: with the rows filled up to a multiple of ``ROWS`` (by some of no curvature), all are one
sequence of operations on other numbers, and one captured graph serves them all.

    H V = sum over rows of w (diag(p) - p p^T) V x x^T + penalty * V + shift * (1 1^T of the intercepts)
"""

from __future__ import annotations

import atexit
import functools
import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from salutary.engine.iteration import Iteration

ROWS = 256
# Shapes of which the tensors and the graph are kept, a few MB each.
SHAPES = 4


@dataclass(frozen=True)
class System:
    """What makes up H and a matrix near it.

    ``X`` (n, d) in float64. ``P`` (K, n): probabilities, or p_0 p_1 of two classes. ``penalty`` (K, D).
    ``shift``: 1 if adding one constant to all intercepts changes nothing, else 0. ``inverse``: what
    preconditions, of the diagonal (K, D) or of the average block (D, D). ``weights`` (n,) of the rows.
    """

    X: Tensor
    P: Tensor
    penalty: Tensor
    shift: Tensor | float
    inverse: Tensor
    weights: Tensor | None = None

    def solve(self, G: Tensor, rtol: float, limit: int) -> tuple[Tensor, bool]:
        """S (K, D) with H S = G, and whether it was found within ``limit`` iterations."""
        n, d = self.X.shape
        shape = -(-n // ROWS) * ROWS, d, *self.penalty.shape, self.inverse.shape != self.penalty.shape
        places, iteration = _places(*shape, self.X.device, threading.get_ident())
        places.fill(self)
        return iteration.solve(G, rtol, limit)


class _Places:
    """Where the numbers of a system stay."""

    def __init__(self, n: int, d: int, K: int, D: int, by_block: bool, device: torch.device):
        def place(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.float64, device=device)

        self.X, self.P, self.weights = place(n, d), place(K, n), place(n)
        self.penalty, self.shift = place(K, D), place()
        self.inverse = place(D, D) if by_block else place(K, D)
        self.by_block = by_block

    def fill(self, system: System) -> None:
        n = len(system.X)
        self.X[:n], self.P[:, :n] = system.X, system.P
        self.weights[:n] = 1 if system.weights is None else system.weights
        self.P[:, n:] = 0  # whatever rows an earlier system left there, of no number too
        self.penalty.copy_(system.penalty)
        self.inverse.copy_(system.inverse)
        if isinstance(system.shift, Tensor):
            self.shift.copy_(system.shift)
        else:
            self.shift.fill_(system.shift)

    def product(self, V: Tensor) -> Tensor:
        d = self.X.shape[1]
        U = V[:, :d] @ self.X.T
        if V.shape[1] > d:
            U += V[:, d:]
        U *= self.P
        if len(V) > 1:
            U -= self.P * U.sum(0)
        U *= self.weights
        result = self.penalty * V
        result[:, :d].addmm_(U, self.X)
        if V.shape[1] > d:
            result[:, d] += U.sum(1) + self.shift * V[:, d].sum()
        return result

    def precondition(self, R: Tensor) -> Tensor:
        return R @ self.inverse if self.by_block else R * self.inverse


@functools.lru_cache(maxsize=SHAPES)
def _places(
    n: int, d: int, K: int, D: int, by_block: bool, device: torch.device, thread: int
) -> tuple[_Places, Iteration]:
    places = _Places(n, d, K, D, by_block, device)
    return places, Iteration(places.product, places.precondition, places.penalty)


atexit.register(_places.cache_clear)  # graphs must not outlive the driver
