"""How an objective is made of means: phi(m), with its first two derivatives. Means m are (..., J)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log

import torch
from torch import Tensor


class Combination(ABC):
    """phi of means."""

    @abstractmethod
    def value(self, m: Tensor) -> Tensor:
        """phi, (...,)."""

    @abstractmethod
    def slope(self, m: Tensor) -> Tensor:
        """Of one m (J,): (J,)."""

    @abstractmethod
    def bend(self, m: Tensor) -> Tensor:
        """Of one m (J,): (J, J)."""


@dataclass(frozen=True)
class Quadratic(Combination):
    """c.m + 1/2 m^T Q m; ``c`` (J,), ``Q`` (J, J) symmetric."""

    c: Tensor
    Q: Tensor

    @classmethod
    def mean(cls, n: int, like: Tensor) -> Quadratic:
        """The mean of n means."""
        return cls(like.new_full((n,), 1 / n, dtype=torch.float64), _zeros(n, like))

    @classmethod
    def loss_and_gaps(cls, sizes: list[int], weight: float, like: Tensor) -> Quadratic:
        """The first mean, and ``weight`` times the squared gaps among those that follow, set by set.

        ``sizes``: how many means G each set has; of a set it is the sum over pairs of
        (m_g - m_h)^2 / (G - 1), which for two is their squared gap.
        """
        c = like.new_zeros(1 + sum(sizes), dtype=torch.float64)
        c[0] = 1
        blocks = [_zeros(1, like)]
        for G in sizes:
            centred = G * torch.eye(G, dtype=torch.float64, device=like.device) - 1
            blocks.append(2 * weight / (G - 1) * centred)
        return cls(c, torch.block_diag(*blocks))

    def value(self, m: Tensor) -> Tensor:
        return m @ self.c + 0.5 * ((m @ self.Q) * m).sum(-1)

    def slope(self, m: Tensor) -> Tensor:
        return self.c + self.Q @ m

    def bend(self, m: Tensor) -> Tensor:
        return self.Q


@dataclass(frozen=True)
class SmoothMaximum(Combination):
    """(1/tau) log of the mean of exp(tau m): at most log(J) / tau below the largest, and never above it."""

    tau: float

    def value(self, m: Tensor) -> Tensor:
        return (torch.logsumexp(self.tau * m, -1) - log(m.shape[-1])) / self.tau

    def slope(self, m: Tensor) -> Tensor:
        return torch.softmax(self.tau * m, -1)

    def bend(self, m: Tensor) -> Tensor:
        a = self.slope(m)
        return self.tau * (torch.diag(a) - torch.outer(a, a))


def _zeros(n: int, like: Tensor) -> Tensor:
    return like.new_zeros(n, n, dtype=torch.float64)
