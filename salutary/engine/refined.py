"""H S = G by a factor in float32, refined in float64: on a device the factor is what takes time and memory.

H is scaled to a diagonal of ones, so that the scale of columns does not matter. The factor preconditions a
few conjugate gradient steps, whose residuals are in float64: each takes off as many digits as the factor has.
"""

from __future__ import annotations

import torch
from torch import Tensor

from salutary.engine.iteration import Iteration, dot, looks

# More steps than these take as long as a factor in float64.
STEPS = 8
# A pivot of this share of its diagonal entry has lost too many digits to rounding to be believed.
SMALLEST_PIVOT = 1e-12
# The same of one in float32, of whose digits as many are lost then.
SMALLEST_OF_SINGLE = SMALLEST_PIVOT * torch.finfo(torch.float32).eps / torch.finfo(torch.float64).eps


def unit_diagonal(H: Tensor) -> tuple[Tensor, Tensor]:
    """H (p, p), which is overwritten, as D H D with a diagonal of ones, and D (p,)."""
    diagonal = H.diagonal()
    scale = diagonal.where(diagonal > 0, 1.0) ** -0.5
    return H.mul_(scale).mul_(scale[:, None]), scale


def single(H: Tensor) -> tuple[Tensor, Tensor]:
    """Lower factor in float32 of H (p, p), whose diagonal is ones, and by how much its pivots are above
    those that cannot be believed, (p,); below 0 if it is no factor."""
    factor, info = torch.linalg.cholesky_ex(H.float())
    margin = factor.diagonal().square() - SMALLEST_OF_SINGLE
    return factor, margin.where(info == 0, -1.0).double()


def by_single(factor: Tensor, R: Tensor) -> Tensor:
    """R (p,), of any size, times the inverse of what a float32 factor (p, p) is of, in float64."""
    size = R.abs().amax().clamp(min=torch.finfo(torch.float64).tiny)
    return torch.cholesky_solve((R / size).float()[:, None], factor)[:, 0].double() * size


def refined(H: Tensor, penalty: Tensor, G: Tensor, rtol: float = 1e-10) -> Tensor | None:
    """S (K, D) with H S = G; None if H (p, p), which is overwritten, may not be definite.

    ``penalty`` (K, D) is what H's diagonal has of it: by so much at least a pivot is above 0, however it is
    rounded. The residual r is small in the scale of the columns: r . diag(H)^-1 r is at most ``rtol``^2 of
    the same of G. Also None where that is not reached. The host waits once, if two steps are enough, as
    mostly they are.
    """
    H, scale = unit_diagonal(H)
    g = G.reshape(-1) * scale
    factor, margin = single(H)
    by_penalty = penalty.reshape(-1) * scale * scale - SMALLEST_PIVOT
    sure = torch.maximum(margin, by_penalty).amin()
    steps = Iteration(H.__matmul__, lambda R: by_single(factor, R), g, captures=False)
    steps.begin(g)
    goal = rtol**2 * dot(g, g)
    for n in looks(STEPS):
        steps.advance(n)
        residual = g - H @ steps.S
        is_sure, excess = torch.stack([sure, dot(residual, residual) - goal]).tolist()
        if not is_sure > 0:
            return None
        if excess <= 0:
            return (steps.S * scale).reshape(G.shape)
    return None
