"""Ways to solve H S = G."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from salutary.engine.hessian import Hessian
from salutary.errors import SalutaryError

# Up to so many parameters K D each of these takes a matrix of their square, and beyond it a way without one.
DENSE = {
    "factor": 6_000,  # a factor of the Hessian (0.3 GB), where conjugate gradients take as long
    "fitted": 2_000,  # a factor in any case: it tells whether a Hessian that need not be definite is
    "estimate": 2_000,  # leverages of a pool; beyond it they are refused
    "standard_error": 2_000,  # the covariance of the influences, or a sketch of it
    "precondition": 2_000,  # the inverse Hessian that all refits share, or none
    "posterior": 6_000,  # batchbald's draws: a factor, or a solution for each
}
SOLVERS = ("auto", "cholesky", "cg")
# A pivot of this share of its diagonal entry has lost too many digits to rounding to be believed.
SMALLEST_PIVOT = 1e-12
# Added to a diagonal of ones, so that rounding does not make what preconditions indefinite.
RIDGE = 1e-13
# Iterations between looks at the residual: a device has to be waited for, on the CPU looking costs nothing.
LOOK_EVERY = 8
# A factor that costs fewer iterations than these is made at once.
FEW_ITERATIONS = 30


def solve(hessian: Hessian, G: Tensor, method: str = "auto", rtol: float = 1e-10) -> Tensor:
    """S with H S = G, shape (K, D).

    ``method`` is ``cholesky`` (dense factor), ``cg`` (matrix-free conjugate gradients, see
    :func:`conjugate_gradients`) or ``auto``: what is cheaper for the shape, and a factor where conjugate
    gradients have cost as much as one.
    Raises SalutaryError when H is not positive definite to working precision, or when conjugate
    gradients do not converge and H is too large for a factor.
    """
    if by_factor(method, hessian):
        return substituted(cholesky(hessian), G)
    if method == "cg" or not is_dense("factor", G.numel()):
        return conjugate_gradients(hessian, G, rtol)
    S, found = _by_diagonal(hessian, G, rtol, iterations_of_a_factor(*hessian.shape))
    return S if found else substituted(cholesky(hessian), G)


def is_dense(purpose: str, n_parameters: int) -> bool:
    """Whether so many parameters are few enough for a dense matrix; ``purpose``: a key of ``DENSE``."""
    return n_parameters <= DENSE[purpose]


def by_factor(method: str, hessian: Hessian) -> bool:
    """Whether ``method`` takes a dense factor from the start. Raises ValueError for no method."""
    if method not in SOLVERS:
        raise ValueError(f"method must be one of {SOLVERS}, not {method!r}")
    cheap = method == "auto" and iterations_of_a_factor(*hessian.shape) <= FEW_ITERATIONS
    return method == "cholesky" or cheap


def iterations_of_a_factor(n: int, K: int, D: int) -> int:
    """How many iterations of conjugate gradients cost as much as a factor of the dense Hessian.

    Counted in operations, with what calls and memory cost besides, as measured on a CPU. Where a factor would
    be too large: as many as are worth trying, ten times the number of unknowns.
    """
    p = K * D
    if not is_dense("factor", p):
        return 10 * p
    iteration = 4 * n * p + 20 * n * K + 1.2e5
    curvature = 1.5 * n * p**2 if K == 1 else 0.5 * n * p**2 + 30 * p**2
    return max(3, int((curvature + p**3 / 3 + 3e5 * min(K, 3)) / iteration))


def substituted(factor: Tensor, G: Tensor) -> Tensor:
    """H^-1 G (K, D), from H's lower factor (K D, K D)."""
    return torch.cholesky_solve(G.reshape(-1, 1), factor).reshape(G.shape)


def cholesky(hessian: Hessian) -> Tensor:
    """Lower factor of the dense H, (K D, K D).

    Raises SalutaryError when H is not positive definite to working precision.
    """
    H = hessian.dense()
    factor, info = torch.linalg.cholesky_ex(H)
    # Of a singular matrix Cholesky's method can succeed by rounding; columns may have any scale. In few
    # operations, since many Hessians are small, and with one wait for a device.
    pivots = factor.diagonal()
    lost = torch.addcmul(H.diagonal(), pivots, pivots, value=-1 / SMALLEST_PIVOT).amax()
    if H.device.type == "cpu":
        is_definite = not info.item() and lost.item() <= 0  # nor is it, where that is not a number
    else:
        is_definite = torch.maximum(lost, info).item() <= 0
    if not is_definite:
        raise SalutaryError("the Hessian is not positive definite to working precision: raise model.l2")
    return factor


class Factor:
    """A Cholesky factor that preconditions: of the Hessian where it was made, or of one nearby.

    It is of the Hessian scaled to a diagonal of ones, plus ``RIDGE``, so that it need not be definite to
    working precision. ``patience``: so many iterations with it cost as much as a new factor.
    """

    def __init__(self, hessian: Hessian):
        """Raises SalutaryError if there is none even so."""
        H = hessian.dense()
        diagonal = H.diagonal()
        scale = diagonal.where(diagonal > 0, 1.0) ** -0.5
        H = H * scale * scale[:, None]
        H.diagonal().add_(RIDGE)
        self._factor, info = torch.linalg.cholesky_ex(H)
        if int(info):
            raise SalutaryError("the Hessian has no factor: raise model.l2")
        n, p = len(hessian.X), len(H)
        self.patience = max(
            3, int(iterations_of_a_factor(*hessian.shape) / (1 + 4 * p / (4 * n + 1.2e5 / p)))
        )
        self._scale = scale
        self._lower = np.asfortranarray(self._factor.numpy()) if H.device.type == "cpu" else None

    def solve(self, G: Any) -> Any:
        """Product of the inverse with G (K, D), a NumPy array or, on a device, a tensor."""
        if isinstance(G, Tensor):
            scaled = (G.reshape(-1) * self._scale)[:, None]
            solved = torch.cholesky_solve(scaled, self._factor)[:, 0] * self._scale
        else:
            scale = self._scale.numpy()
            solved = lapack.dpotrs(self._lower, G.reshape(-1) * scale, lower=1)[0] * scale
        return solved.reshape(G.shape)


def conjugate_gradients(
    hessian: Hessian, G: Tensor, rtol: float = 1e-10, max_iter: int | None = None
) -> Tensor:
    """Solve H S = G without forming H, in O(n d C) an iteration; preconditioned by H's diagonal.

    Ends when the residual r is small in the scale of the columns: r . diag(H)^-1 r is ``rtol``^2 of the same
    of G; ``rtol`` is at least 100 times the machine precision of the rows. Raises SalutaryError if it is not
    after ``max_iter`` iterations, by default ten times the number of unknowns.
    """
    S, found = _by_diagonal(hessian, G, rtol, max_iter or 10 * G.numel())
    if found:
        return S
    raise SalutaryError("conjugate gradients did not converge: raise model.l2, or set strategy.solver=auto")


def _by_diagonal(hessian: Hessian, G: Tensor, rtol: float, limit: int) -> tuple[Tensor, bool]:
    rtol = max(rtol, 100 * torch.finfo(hessian.X.dtype).eps)
    diagonal = hessian.diagonal()
    inverse = 1 / diagonal.where(diagonal > 0, 1.0)
    return iterate(hessian.__matmul__, G, inverse.__mul__, rtol, limit)


def iterate(
    product: Callable[[Any], Any],
    G: Any,
    precondition: Callable[[Any], Any],
    rtol: float,
    limit: int,
    start: Any = None,
) -> tuple[Any, bool]:
    """Preconditioned conjugate gradients: S with product(S) = G, and whether it was found.

    Arrays are NumPy's or tensors. It is found when the residual r, in the norm r . precondition(r), is
    ``rtol`` of G, within ``limit`` iterations from ``start``, by default 0.
    """
    look_every = LOOK_EVERY if isinstance(G, Tensor) and G.device.type != "cpu" else 1
    preconditioned = precondition(G)
    energy = _dot(G, preconditioned)
    target = rtol**2 * energy
    S, residual = G * 0, G
    if start is not None:
        S, residual = start, G - product(start)
        preconditioned = precondition(residual)
        energy = _dot(residual, preconditioned)
    direction = preconditioned
    for iteration in range(limit):
        if iteration % look_every == 0 and energy <= target:
            return S, True
        image = product(direction)
        step = ratio(energy, _dot(direction, image))
        S = S + step * direction
        residual = residual - step * image
        preconditioned = precondition(residual)
        previous, energy = energy, _dot(residual, preconditioned)
        direction = preconditioned + ratio(energy, previous) * direction
    return S, bool(energy <= target)


def _dot(A: Any, B: Any) -> Any:
    return A.reshape(-1) @ B.reshape(-1)


def ratio(a: Any, b: Any) -> Any:
    """a / b, and 0 once both are 0: iterations after an exact solution change nothing."""
    return a / (b + (b == 0))


def lissa(hessian: Hessian, G: Tensor, batches: Iterable[Tensor], *, damping: float, scale: float) -> Tensor:
    """Stochastic estimate of H^-1 G by the recursion S <- G + (1 - damping) S - H_B S / scale.

    H_B is the mean loss Hessian of the rows of ``hessian`` in each batch, and the result is
    S / scale / n, in the unit of :func:`solve`. Agarwal, Bullins & Hazan, JMLR 2017; as used by ISAL,
    with the penalty left to the damping: unless scale * damping is small against H, the answer is far
    from H^-1 G (by default it is close to G / (scale * damping)).
    """
    S = G.clone()
    none = torch.zeros_like(hessian.penalty)
    for rows in batches:
        batch = Hessian(hessian.X[rows], hessian.P[rows], none)
        S = G + (1 - damping) * S - batch.curvature(S) / (len(rows) * scale)
    return S / (scale * len(hessian.X))
