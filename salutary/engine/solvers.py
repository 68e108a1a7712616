"""Ways to solve H S = G."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from scipy.linalg import lapack
from torch import Tensor

from salutary.engine import costs
from salutary.engine.hessian import SMALL, Hessian
from salutary.engine.iteration import Iteration, dot, ratio
from salutary.engine.kept_system import System
from salutary.engine.refined import SMALLEST_PIVOT, by_single, refined, single, unit_diagonal
from salutary.errors import SalutaryError
from salutary.system import memory

# Up to so many parameters K D each of these takes a matrix of their square, and beyond it a way without one.
DENSE = {
    "factor": 6_000,  # a factor of the Hessian (0.3 GB), where conjugate gradients take as long
    "fitted": 2_000,  # a factor in any case: it tells whether a Hessian that need not be definite is
    "estimate": 2_000,  # leverages of a pool; beyond it they are refused
    "standard_error": 2_000,  # the covariance of the influences, or a sketch of it
    "precondition": 2_000,  # the inverse Hessian that all refits share, or none
    "posterior": 6_000,  # batchbald's draws: a factor, or a solution for each
}
# The same on a device, where it differs, as far as its memory reaches.
DENSE_ON_DEVICE = {"factor": 20_000}
# Up to so many parameters a factor in float64 takes a device next to no time, and the steps that refine one
# in float32 more: on an H200 .28 ms and 1.5 of 52 parameters, .60 and 2.1 of 84, 7.0 and 9.1 of 5,120.
SMALL_FACTOR = 2_000
# Bytes for each entry: the Hessian while its blocks are put in order, and its factor in float32.
BYTES_OF_FACTOR = 3 * 8 + 2 * 4
SOLVERS = ("auto", "cholesky", "cg")
# Added to a diagonal of ones, so that rounding does not make what preconditions indefinite.
RIDGE = 1e-13
# A factor that costs fewer iterations than these is made at once.
FEW_ITERATIONS = 30


def solve(hessian: Hessian, G: Tensor, method: str = "auto", rtol: float = 1e-10) -> Tensor:
    """S with H S = G, shape (K, D).

    ``method`` is ``cholesky`` (dense factor), ``cg`` (matrix-free conjugate gradients, see
    :func:`conjugate_gradients`) or ``auto``: what is cheaper for the shape, and a factor where conjugate
    gradients have cost as much as one. On a device the factor of a larger Hessian is one in float32,
    refined in float64, and one in float64 where that is not enough.
    Raises SalutaryError when H is not positive definite to working precision, or when conjugate
    gradients do not converge and H is too large for a factor.
    """
    if by_factor(method, hessian):
        return _factored(hessian, G)
    if method == "cg" or not is_dense("factor", G.numel(), G.device):
        return conjugate_gradients(hessian, G, rtol)
    S, found = _by_diagonal(hessian, G, rtol, iterations_of_a_factor(*hessian.shape, G.device))
    return S if found else _factored(hessian, G)


def is_dense(purpose: str, n_parameters: int, device: torch.device | None = None) -> bool:
    """Whether so many parameters are few enough for a dense matrix on the device, None being the CPU.

    ``purpose``: a key of ``DENSE``.
    """
    if n_parameters <= DENSE[purpose]:
        return True
    if device is None or device.type == "cpu" or n_parameters > DENSE_ON_DEVICE.get(purpose, 0):
        return False
    return memory.free(device) >= BYTES_OF_FACTOR * n_parameters**2


def by_factor(method: str, hessian: Hessian) -> bool:
    """Whether ``method`` takes a dense factor from the start. Raises ValueError for no method."""
    if method not in SOLVERS:
        raise ValueError(f"method must be one of {SOLVERS}, not {method!r}")
    if method != "auto":
        return method == "cholesky"
    return iterations_of_a_factor(*hessian.shape, hessian.X.device) <= FEW_ITERATIONS


def iterations_of_a_factor(n: int, K: int, D: int, device: torch.device | None = None) -> int:
    """How many iterations of conjugate gradients cost as much as a factor of the dense Hessian.

    On the CPU, which None means, counted in operations, with what calls and memory cost besides, as measured
    on one; on a device by :mod:`salutary.engine.costs`. Where a factor would be too large: as many as are
    worth trying, ten times the number of unknowns.
    """
    p = K * D
    if not is_dense("factor", p, device):
        return 10 * p
    if device is not None and device.type != "cpu":
        return max(3, int(costs.factor(n, K, D) / costs.iteration(n, K, D, n * D <= SMALL)))
    iteration = 4 * n * p + 20 * n * K + 1.2e5
    curvature = 1.5 * n * p**2 if K == 1 else 0.5 * n * p**2 + 30 * p**2
    return max(3, int((curvature + p**3 / 3 + 3e5 * min(K, 3)) / iteration))


def _factored(hessian: Hessian, G: Tensor) -> Tensor:
    """H^-1 G by a factor. Raises SalutaryError as :func:`cholesky` does."""
    if G.device.type != "cpu" and G.numel() > SMALL_FACTOR:
        S = refined(hessian.dense(), hessian.penalty, G)
        if S is not None:
            return S
    return substituted(cholesky(hessian), G)


def substituted(factor: Tensor, G: Tensor) -> Tensor:
    """H^-1 G (K, D), from H's lower factor (K D, K D)."""
    return torch.cholesky_solve(G.reshape(-1, 1), factor).reshape(G.shape)


def direct(hessian: Hessian, G: Tensor) -> Tensor:
    """H^-1 G (K, D), up to ``RIDGE``, by a factor; NaN where there is none. A device is not waited for."""
    H, scale = unit_diagonal(hessian.dense())
    H.diagonal().add_(RIDGE)
    factor, info = torch.linalg.cholesky_ex(H)
    S = torch.cholesky_solve((G.reshape(-1) * scale)[:, None], factor)[:, 0] * scale
    return S.where(info == 0, torch.nan).reshape(G.shape)


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
    working precision; on a device in float32, where there is one. ``patience``: so many iterations with it
    cost as much as a new factor.
    """

    def __init__(self, hessian: Hessian):
        """Raises SalutaryError if there is none even so."""
        H, self._scale = unit_diagonal(hessian.dense())
        H.diagonal().add_(RIDGE)
        self._factor = _some_factor(H)
        n, K, D = hessian.shape
        p, iterations = K * D, iterations_of_a_factor(n, K, D, H.device)
        if H.device.type == "cpu":
            iterations = int(iterations / (1 + 4 * p / (4 * n + 1.2e5 / p)))
            self._lower = np.asfortranarray(self._factor.numpy())
        else:
            iterations = int(costs.factor(n, K, D) / costs.preconditioned(n, K, D))
        self.patience = max(3, iterations)

    def solve(self, G: Any) -> Any:
        """Product of the inverse with G (K, D), a NumPy array or, on a device, a tensor."""
        if not isinstance(G, Tensor):
            scale = self._scale.numpy()
            return (lapack.dpotrs(self._lower, G.reshape(-1) * scale, lower=1)[0] * scale).reshape(G.shape)
        scaled = G.reshape(-1) * self._scale
        if self._factor.dtype == torch.float32:
            solved = by_single(self._factor, scaled)
        else:
            solved = torch.cholesky_solve(scaled[:, None], self._factor)[:, 0]
        return (solved * self._scale).reshape(G.shape)


def _some_factor(H: Tensor) -> Tensor:
    """Lower factor of H (p, p) with a diagonal of ones, of a larger one on a device in float32 if that is
    surely one.
    """
    if H.device.type != "cpu" and len(H) > SMALL_FACTOR:
        factor, margin = single(H)
        if float(margin.amin()) > 0:
            return factor
    factor, info = torch.linalg.cholesky_ex(H)
    if int(info):
        raise SalutaryError("the Hessian has no factor: raise model.l2")
    return factor


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
    if is_kept(hessian.X):
        return _system(hessian, inverse).solve(G, rtol, limit)
    return iterate(hessian.__matmul__, G, inverse.__mul__, rtol, limit)


def is_kept(X: Tensor) -> bool:
    """Whether the rows X (n, d) are for a system whose tensors are kept (:class:`System`)."""
    return X.device.type != "cpu" and X.dtype == torch.float64 and X.numel() <= SMALL


def _system(hessian: Hessian, inverse: Tensor) -> System:
    P = hessian.P[:, :1] * hessian.P[:, 1:] if len(hessian.penalty) == 1 else hessian.P
    return System(hessian.X, P.T, hessian.penalty, hessian._free_shift, inverse, hessian.weights)


def iterate(
    product: Callable[[Any], Any],
    G: Any,
    precondition: Callable[[Any], Any],
    rtol: float,
    limit: int,
    start: Any = None,
    captures: bool = True,
) -> tuple[Any, bool]:
    """Preconditioned conjugate gradients: S with product(S) = G, and whether it was found.

    Arrays are NumPy's or tensors. It is found when the residual r, in the norm r . precondition(r), is
    ``rtol`` of G, within ``limit`` iterations from ``start``, by default 0. ``captures``: that of
    :class:`Iteration`.
    """
    if isinstance(G, Tensor) and G.device.type != "cpu":
        return Iteration(product, precondition, G, captures).solve(G, rtol, limit, start)
    preconditioned = precondition(G)
    energy = dot(G, preconditioned)
    target = rtol**2 * energy
    S, residual = G * 0, G
    if start is not None:
        S, residual = start, G - product(start)
        preconditioned = precondition(residual)
        energy = dot(residual, preconditioned)
    direction = preconditioned
    for _ in range(limit):
        if energy <= target:
            return S, True
        image = product(direction)
        step = ratio(energy, dot(direction, image))
        S = S + step * direction
        residual = residual - step * image
        preconditioned = precondition(residual)
        previous, energy = energy, dot(residual, preconditioned)
        direction = preconditioned + ratio(energy, previous) * direction
    return S, bool(energy <= target)


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
