"""Ways to solve H S = G."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from salutary.engine.hessian import Hessian
from salutary.errors import SalutaryError

# Up to so many parameters K D each of these takes a matrix of their square, and beyond it a way without one.
DENSE = {
    "solve": 300,  # one solution: a factor, or conjugate gradients
    "fitted": 2_000,  # the same, of a model that scikit-learn fitted
    "estimate": 2_000,  # leverages of a pool; beyond it they are refused
    "standard_error": 2_000,  # the covariance of the influences, or a sketch of it
    "precondition": 2_000,  # the inverse Hessian that all refits share, or none
    "posterior": 6_000,  # batchbald's draws: a factor (0.3 GB), or a solution for each
}
SOLVERS = ("auto", "cholesky", "cg")
# A pivot of this share of its diagonal entry has lost too many digits to rounding to be believed.
SMALLEST_PIVOT = 1e-12
# Iterations between looks at the residual: a device has to be waited for, on the CPU looking costs nothing.
LOOK_EVERY = 8


def solve(hessian: Hessian, G: Tensor, method: str = "auto", rtol: float = 1e-10) -> Tensor:
    """S with H S = G, shape (K, D).

    ``method`` is ``cholesky`` (dense factor), ``cg`` (matrix-free conjugate gradients, to a
    residual of ``rtol`` relative to G) or ``auto``, the first for small problems.
    Raises SalutaryError when H is not positive definite to working precision, or when conjugate
    gradients do not converge.
    """
    if by_factor(method, G.numel()):
        return substituted(cholesky(hessian), G)
    return conjugate_gradients(hessian, G, rtol)


def is_dense(purpose: str, n_parameters: int) -> bool:
    """Whether so many parameters are few enough for a dense matrix; ``purpose``: a key of ``DENSE``."""
    return n_parameters <= DENSE[purpose]


def by_factor(method: str, n_parameters: int) -> bool:
    """Whether ``method`` takes a dense factor for so many unknowns. Raises ValueError for no method."""
    if method not in SOLVERS:
        raise ValueError(f"method must be one of {SOLVERS}, not {method!r}")
    return method == "cholesky" or (method == "auto" and is_dense("solve", n_parameters))


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


def conjugate_gradients(
    hessian: Hessian, G: Tensor, rtol: float = 1e-10, max_iter: int | None = None
) -> Tensor:
    """Solve H S = G without forming H, in O(n d C) an iteration.

    Raises SalutaryError if the residual is not below ``rtol`` (at least 100 times the machine
    precision of the rows) of G after ``max_iter`` iterations, by default ten times the number of unknowns.
    """
    rtol = max(rtol, 100 * torch.finfo(hessian.X.dtype).eps)
    look_every = 1 if G.device.type == "cpu" else LOOK_EVERY
    S = torch.zeros_like(G)
    residual = G.clone()
    direction = G.clone()
    energy = (residual * residual).sum()
    target = rtol**2 * energy
    for iteration in range(max_iter or 10 * G.numel()):
        if iteration % look_every == 0 and energy <= target:
            return S
        image = hessian @ direction
        step = ratio(energy, (direction * image).sum())
        S = S + step * direction
        residual = residual - step * image
        previous, energy = energy, (residual * residual).sum()
        direction = residual + ratio(energy, previous) * direction
    if energy <= target:
        return S
    raise SalutaryError(
        "conjugate gradients did not converge: raise model.l2 or set strategy.solver=cholesky"
    )


def ratio(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 0 once both are 0: iterations after an exact solution change nothing."""
    return torch.where(b == 0, 0.0, a / b)


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
