"""What adding a point really does: the model refitted with it, for many candidates at once.

Newton's method from the optimum without the point, all candidates in step; each linear system is solved by
conjugate gradients, preconditioned by an inverse Hessian that all of them share. A candidate changes that
Hessian by little more than rank K, so that a handful of iterations suffice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from salutary.engine.iteration import ratio
from salutary.engine.optimum import Optimum
from salutary.engine.softmax import (
    linear_of_each,
    loss_of_logits,
    product,
    residuals,
    to_probabilities,
    with_ones,
)
from salutary.engine.solvers import is_dense
from salutary.errors import SalutaryError

# Numbers in the largest array: candidates times classes times rows.
CHUNK = 4 * 2**20
NEWTON_STEPS = 100
# What is left of a fall's error, as a share of the objective.
TOLERANCE = 1e-11


def refitted_fall(optimum: Optimum, X_new: Tensor, y_new: Tensor) -> Tensor:
    """Real fall of the objective when one point joins the optimum's rows and the model is refitted, (m,).

    ``optimum``: with the labels ``y``. ``X_new`` (m, d), ``y_new`` (m,): the candidates, each added alone
    with weight 1. Both models, without and with the point, are followed to their optimum: what is left
    would move the objective by about 1e-11 of it, or is rounding. Raises SalutaryError where an optimum is
    not reached.
    """
    if not len(X_new):
        return optimum.W.new_zeros(0)
    before, *after = refitted(optimum, X_new, y_new)
    value = optimum.objective.values(before)
    return torch.cat([value - optimum.objective.values(W) for W in after])


def refitted(
    optimum: Optimum, X_new: Tensor, y_new: Tensor, tolerance: float = TOLERANCE
) -> Iterator[Tensor]:
    """Parameters of the optimum itself (1, K, D), then of some of the candidates at a time (m, K, D), each of
    them refitted with its own point: see :func:`refitted_fall`.

    ``tolerance``: what is left of a fall's error, as a share of the objective.
    """
    if optimum.y is None:
        raise ValueError("refits need the labels of the rows")
    optimum, X_new = replace(optimum, X=optimum.X.double()), X_new.double()
    n, allowed = len(optimum.objective), _tolerance(optimum, tolerance)
    optimum, X_new, basis = _spanned(optimum, X_new)
    refits = _Refits(optimum, _preconditioner(optimum), allowed)
    # A model that is only nearly at its optimum would spoil every difference to it.
    nothing = X_new.new_zeros(1, X_new.shape[1])
    W = refits.of(optimum.W, nothing, y_new.new_zeros(1), weight=0.0)
    yield _outwards(W, basis)
    size = max(1, CHUNK // (W.shape[1] * max(len(optimum.X), n)))
    for x, c in zip(X_new.split(size), y_new.split(size), strict=True):
        yield _outwards(refits.of(W[0], x, c), basis)


def _tolerance(optimum: Optimum, tolerance: float) -> float:
    """What the error of W may be, in the norm of the Hessian."""
    # An error e of W moves the objective by at most |e| times its steepness, and by about |e|^2.
    steepness = (optimum.gradient * optimum.direction()).sum().clamp(min=1e-300).sqrt()
    allowed = tolerance * optimum.objective.value(optimum.W).abs()
    return float(torch.minimum(allowed / steepness, allowed.sqrt()))


def _spanned(optimum: Optimum, X_new: Tensor) -> tuple[Optimum, Tensor, Tensor | None]:
    """The optimum and the candidates in a basis (d, r) of the space that all rows span, where all the optima
    are if features have one penalty; as they are, and None, where that space is no smaller."""
    W, penalty, d = optimum.W, optimum.penalty, X_new.shape[1]
    rows = torch.cat([optimum.X, X_new])
    if len(rows) >= d or not (penalty[:, :d] == penalty[:, :1]).all():
        return optimum, X_new, None
    basis = torch.linalg.qr(rows.T)[0]
    W = torch.cat([W[:, :d] @ basis, W[:, d:]], 1)
    penalty = torch.cat([penalty[:, : len(rows)], penalty[:, d:]], 1)
    X, X_new = (product(each, basis) for each in (optimum.X, X_new))
    return replace(optimum, W=W, penalty=penalty, X=X), X_new, basis


def _outwards(W: Tensor, basis: Tensor | None) -> Tensor:
    """Parameters (m, K, D) of the features themselves."""
    if basis is None:
        return W
    return torch.cat([W[:, :, : basis.shape[1]] @ basis.T, W[:, :, basis.shape[1] :]], 2)


def _preconditioner(optimum: Optimum) -> Callable[[Tensor], Tensor]:
    """Product of (m, K, D) with the inverse Hessian at W or, if that were too large, of its diagonal."""
    if is_dense("precondition", optimum.W.numel()):
        inverse = torch.cholesky_inverse(optimum.factor)
        return lambda G: product(G.flatten(1), inverse).reshape(G.shape)
    P, penalty = optimum.hessian.P, optimum.penalty
    X = with_ones(optimum.X, penalty.shape[1])
    curvatures = P[:, :1] * P[:, 1:] if len(penalty) == 1 else P * (1 - P)
    curvatures = curvatures if optimum.weights is None else curvatures * optimum.weights[:, None]
    scale = 1 / (product(curvatures.T, X * X) + penalty)
    return lambda G: scale * G


@dataclass(frozen=True)
class _Refits:
    """What all refits share; ``tolerance``: of the error of W, in the norm of the Hessian."""

    optimum: Optimum
    precondition: Callable[[Tensor], Tensor]
    tolerance: float

    @property
    def y(self) -> Tensor:
        assert self.optimum.y is not None
        return self.optimum.y

    def weighted(self, values: Tensor) -> Tensor:
        """Values (m, n) or (m, n, K) of the rows, times their weights."""
        weights = self.optimum.weights
        if weights is None:
            return values
        return values * (weights if values.ndim == 2 else weights[:, None])

    def of(self, W: Tensor, x: Tensor, c: Tensor, weight: float = 1.0) -> Tensor:
        """Parameters (m, K, D) fitted with each of the points x (m, d), labels c (m,), from W (K, D) on.

        ``weight``: of the added point's loss. Raises SalutaryError where Newton's method does not end.
        """
        start, left = W.expand(len(x), -1, -1), torch.arange(len(x), device=x.device)
        fitted, fits = start.clone(), _Candidates(self, x, c, weight, start)
        for _ in range(NEWTON_STEPS):
            done = fits.step()
            fitted[left] = fits.W
            left = left[~done]
            if not len(left):
                return fitted
            if done.any():
                fits = fits.rest(~done)
        raise SalutaryError("a refit with one more point did not reach its optimum: raise model.l2")


class _Candidates:
    """m candidates on their way, the parameters of each W (m, K, D). Logits are (m, n, K)."""

    def __init__(self, refits: _Refits, x: Tensor, c: Tensor, weight: float, W: Tensor):
        self.refits, self.x, self.c, self.weight, self.W = refits, x, c, weight, W
        self.Z, self.z, self.value = self._evaluate(W)
        self.first: Tensor | None = None
        self.previous = torch.full_like(self.value, torch.inf)

    def rest(self, left: Tensor) -> _Candidates:
        """Those that are ``left`` (m,)."""
        for name in ("x", "c", "W", "Z", "z", "value", "first", "previous"):
            setattr(self, name, getattr(self, name)[left])
        return self

    def step(self) -> Tensor:
        """A Newton step, halved until the objective falls; whether each is at its optimum then, (m,)."""
        K, y = self.W.shape[1], self.refits.y
        P, p = to_probabilities(self.Z), to_probabilities(self.z)
        R = self.refits.weighted(residuals(P, y.expand(len(P), -1), K))
        G = self._adjoint(R, self.weight * residuals(p, self.c, K))
        G += self.refits.optimum.penalty * self.W
        M = self.refits.precondition(G)
        size = _dot(G, M)[:, 0, 0].clamp(min=0).sqrt()
        if (size <= self.refits.tolerance).all():
            return size <= self.refits.tolerance
        self.first = size if self.first is None else self.first
        # Inexact far from the optimum, so that steps are cheap and the end is still fast.
        rtol = (0.3 * ratio(size, self.first).sqrt()).clamp(1e-6, 0.1)
        step, inexact = self._solve(P, p, G, M, rtol)
        slope = _dot(G, step)[:, 0, 0]
        t = torch.ones_like(slope)
        for _ in range(50):
            W = self.W - t[:, None, None] * step
            Z, z, value = self._evaluate(W)
            rises = value > self.value - 1e-4 * t * slope + 1e-12 * self.value.abs()
            if not rises.any():
                break
            t = torch.where(rises, t / 2, t)
        # A step of size e leaves an error of e times the change of the Hessian, which the logits' bounds.
        change = torch.maximum((Z - self.Z).abs().amax((1, 2)), (z - self.z).abs().amax(1))
        size = slope.clamp(min=0).sqrt()
        error = torch.where(t == 1, size * (2 * change + inexact), torch.inf)
        rounding = (change <= 1e-3) & (inexact <= rtol) & (size >= self.previous / 2)
        self.W, self.Z, self.z, self.value, self.previous = W, Z, z, value, size
        return (error <= self.refits.tolerance) | rounding

    def _own_logits(self, V: Tensor) -> Tensor:
        d = self.x.shape[1]
        z = (V[:, :, :d] @ self.x[:, :, None])[:, :, 0]
        return z + V[:, :, d] if V.shape[2] > d else z

    def _evaluate(self, W: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        optimum = self.refits.optimum
        X, y, penalty = optimum.X, self.refits.y, optimum.penalty
        Z, z = linear_of_each(X, W), self._own_logits(W)
        losses = self.refits.weighted(loss_of_logits(Z, y.expand(len(W), -1)))
        value = losses.sum(1) + self.weight * loss_of_logits(z, self.c)
        return Z, z, value + 0.5 * (penalty * W * W).flatten(1).sum(1)

    def _adjoint(self, R: Tensor, r: Tensor) -> Tensor:
        """Sum over rows of R (m, n, K) times x, and r (m, K) times the own point: (m, K, D)."""
        X = self.refits.optimum.X
        flat = R.transpose(1, 2).reshape(-1, len(X))
        G = product(flat, X).reshape(len(R), -1, X.shape[1]) + r[:, :, None] * self.x[:, None, :]
        if self.W.shape[2] > X.shape[1]:
            G = torch.cat([G, (R.sum(1) + r)[:, :, None]], 2)
        return G

    def _hessian_product(self, P: Tensor, p: Tensor, V: Tensor) -> Tensor:
        bent = self.refits.weighted(_bent(P, linear_of_each(self.refits.optimum.X, V)))
        own = self.weight * _bent(p, self._own_logits(V))
        return self._adjoint(bent, own) + self.refits.optimum.penalty * V

    def _solve(self, P: Tensor, p: Tensor, G: Tensor, M: Tensor, rtol: Tensor) -> tuple[Tensor, Tensor]:
        """Preconditioned conjugate gradients, to ``rtol`` (m,) of each; and what is reached (m,).

        ``M``: G, preconditioned.
        """
        S, residual, direction = torch.zeros_like(G), G, M
        first = energy = _dot(residual, M)
        target = rtol[:, None, None] ** 2 * energy
        for _ in range(max(200, G[0].numel())):
            image = self._hessian_product(P, p, direction)
            step = ratio(energy, _dot(direction, image))
            S, residual = S + step * direction, residual - step * image
            M = self.refits.precondition(residual)
            previous, energy = energy, _dot(residual, M)
            if (energy <= target).all():
                break
            direction = M + ratio(energy, previous) * direction
        return S, ratio(energy, first)[:, 0, 0].clamp(min=0).sqrt()


def _bent(P: Tensor, U: Tensor) -> Tensor:
    """(diag(p) - p p^T) u along the last dimension; p_0 p_1 u for two classes."""
    if U.shape[-1] == 1:
        return P[..., :1] * P[..., 1:] * U
    return P * (U - (P * U).sum(-1, keepdim=True))


def _dot(A: Tensor, B: Tensor) -> Tensor:
    return (A * B).flatten(1).sum(1)[:, None, None]
