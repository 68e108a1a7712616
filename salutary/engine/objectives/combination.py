"""How an objective is made of means: phi(m), with its first two derivatives. Means m are (..., J)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import log
from typing import ClassVar

import torch
from torch import Tensor


class Combination(ABC):
    """phi of means."""

    @property
    @abstractmethod
    def is_linear(self) -> bool: ...

    @abstractmethod
    def value(self, m: Tensor) -> Tensor:
        """phi, (...,)."""

    @abstractmethod
    def slope(self, m: Tensor) -> Tensor:
        """(..., J)."""

    @abstractmethod
    def bend(self, m: Tensor) -> Tensor:
        """Of one m (J,): (J, J)."""


@dataclass(frozen=True)
class Quadratic(Combination):
    """c.m + 1/2 m^T Q m; ``c`` (J,), ``Q`` (J, J) symmetric."""

    c: Tensor
    Q: Tensor

    @property
    def is_linear(self) -> bool:
        return not bool(self.Q.any())

    @classmethod
    def mean(cls, n: int, device: torch.device) -> Quadratic:
        """The mean of n means."""
        c = torch.full((n,), 1 / n, dtype=torch.float64)
        return cls(c.to(device), torch.zeros(n, n, dtype=torch.float64).to(device))

    @classmethod
    def loss_and_gaps(cls, sizes: list[int], weight: float, device: torch.device) -> Quadratic:
        """The first mean, and ``weight`` times the squared gaps among those that follow, set by set.

        ``sizes``: how many means G each set has; of a set it is the sum over pairs of
        (m_g - m_h)^2 / (G - 1), which for two is their squared gap.
        """
        c = torch.tensor([1.0] + [0.0] * sum(sizes), dtype=torch.float64)
        blocks = [2 * weight / (G - 1) * (G * torch.eye(G, dtype=torch.float64) - 1) for G in sizes]
        Q = torch.block_diag(torch.zeros(1, 1, dtype=torch.float64), *blocks)
        return cls(c.to(device), Q.to(device))

    def value(self, m: Tensor) -> Tensor:
        return m @ self.c + 0.5 * ((m @ self.Q) * m).sum(-1)

    def slope(self, m: Tensor) -> Tensor:
        return self.c + m @ self.Q

    def bend(self, m: Tensor) -> Tensor:
        return self.Q


@dataclass(frozen=True)
class SmoothMaximum(Combination):
    """(1/tau) log of the mean of exp(tau m): at most log(J) / tau below the largest, and never above it."""

    tau: float
    is_linear: ClassVar[bool] = False

    def value(self, m: Tensor) -> Tensor:
        return (torch.logsumexp(self.tau * m, -1) - log(m.shape[-1])) / self.tau

    def slope(self, m: Tensor) -> Tensor:
        return torch.softmax(self.tau * m, -1)

    def bend(self, m: Tensor) -> Tensor:
        a = self.slope(m)
        return self.tau * (torch.diag(a) - torch.outer(a, a))
