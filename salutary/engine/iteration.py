"""Conjugate gradients on a device, where launching operations takes longer than what they do.

Everything that an iteration reads and writes stays in its place, so that on CUDA iterations can be captured
(:mod:`salutary.system.capture`), and the host looks at the residual rarely, since it has to wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from salutary.system.capture import repeated

# Iterations in one graph: after so many the host looks for the first time.
AT_ONCE = 2
# Iterations between looks later on: at first half as many as there have been.
LOOK_EVERY = 8
# A capture takes 20 to 50 ms and saves .135 ms an iteration (engine.costs): after so many plain ones it has
# paid by the time that as many have followed.
CAPTURE_AFTER = 320


def looks(limit: int) -> Iterator[int]:
    """How many iterations to make before each look, until there have been ``limit``: 2, 2, 4, 8, 8, ..."""
    made, following = 0, AT_ONCE
    while made < limit:
        yield following
        made += following
        following = min(made, LOOK_EVERY)


class Iteration:
    """Preconditioned conjugate gradients for tensors of the shape and place of ``like``.

    ``product`` and ``precondition`` give a new tensor each; whatever else they read must stay where it is,
    and nothing in them may wait for the device. The same bits with a graph as without. ``captures``: whether
    there may be a graph, which a library that solves by a factor need not allow.
    """

    def __init__(
        self,
        product: Callable[[Tensor], Tensor],
        precondition: Callable[[Tensor], Tensor],
        like: Tensor,
        captures: bool = True,
    ):
        self.captures = captures
        self.product, self.precondition = product, precondition
        self.S, self._residual, self._direction = (torch.zeros_like(like) for _ in range(3))
        self._energy = like.new_zeros(())
        self._made = 0
        self._some: Callable[[], None] | None = None

    def solve(self, G: Tensor, rtol: float, limit: int, start: Tensor | None = None) -> tuple[Tensor, bool]:
        """S with product(S) = G, and whether it was found: see :func:`salutary.engine.solvers.iterate`."""
        goal = rtol**2 * self.begin(G, start)
        for n in looks(limit):
            self.advance(n)
            energy, enough = torch.stack([self._energy, goal]).tolist()
            if energy <= enough:
                return self.S.clone(), True
            if energy != energy:
                break
        return self.S.clone(), False

    def begin(self, G: Tensor, start: Tensor | None = None) -> Tensor:
        """From ``start``, by default 0; G . precondition(G)."""
        preconditioned = self.precondition(G)
        size = energy = dot(G, preconditioned)
        if start is None:
            self.S.zero_()
            self._residual.copy_(G)
        else:
            self.S.copy_(start)
            self._residual.copy_(G - self.product(self.S))
            preconditioned = self.precondition(self._residual)
            energy = dot(self._residual, preconditioned)
        self._energy.copy_(energy)
        self._direction.copy_(preconditioned)
        return size

    def advance(self, n: int) -> None:
        """``n`` iterations, a multiple of ``AT_ONCE``."""
        if self.captures and self._some is None and self._made >= CAPTURE_AFTER:
            changed = (self.S, self._residual, self._direction, self._energy)
            self._some = repeated(self._iterations(), self.S.device, changed)
        some = self._some or self._iterations()
        for _ in range(0, n, AT_ONCE):
            some()
        self._made += n

    def _iterations(self) -> Callable[[], None]:
        """``AT_ONCE`` iterations; without a reference to this object, so that a graph goes when it goes."""
        product, precondition = self.product, self.precondition
        S, residual, direction, energy = self.S, self._residual, self._direction, self._energy

        def some() -> None:
            for _ in range(AT_ONCE):
                image = product(direction)
                step = ratio(energy, dot(direction, image))
                S.addcmul_(step, direction)
                residual.addcmul_(step, image, value=-1)
                preconditioned = precondition(residual)
                previous = energy.clone()
                energy.copy_(dot(residual, preconditioned))
                direction.mul_(ratio(energy, previous)).add_(preconditioned)

        return some


def dot(A: Any, B: Any) -> Any:
    """Of two tensors or two arrays."""
    return A.reshape(-1) @ B.reshape(-1)


def ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 once both are 0: iterations after an exact solution change nothing."""
    return a / (b + (b == 0))
