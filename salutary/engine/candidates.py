"""Candidates, each of which joins the rows by itself, on their way to the optimum with it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from salutary.engine.iteration import ratio
from salutary.engine.near_inverse import Inverse, Points, own_logits
from salutary.engine.optimum import Optimum
from salutary.engine.softmax import (
    linear_of_each,
    loss_of_logits,
    product,
    residuals,
    to_probabilities,
)

# Steps towards the start.
OWN_STEPS = 12


class Rows(Protocol):
    """What all candidates share: the rows with their labels, an inverse near their Hessian's, and
    ``tolerance``, of the error of W in the norm of the Hessian. ``losses`` (m, n) of logits (m, n, K),
    ``residuals`` (m, n, K) of probabilities (m, n, C); ``weighted``: values (m, n) or (m, n, K), times
    the weights of the rows.
    """

    @property
    def optimum(self) -> Optimum: ...

    @property
    def inverse(self) -> Inverse: ...

    @property
    def tolerance(self) -> float: ...

    def losses(self, Z: Tensor) -> Tensor: ...

    def residuals(self, P: Tensor, K: int) -> Tensor: ...

    def weighted(self, values: Tensor) -> Tensor: ...


class Candidates:
    """m candidates on their way, the parameters of each W (m, K, D). Logits are (m, n, K)."""

    def __init__(self, refits: Rows, x: Tensor, c: Tensor, weight: float, W: Tensor, points: Points | None):
        self.refits, self.x, self.c, self.weight, self.W = refits, x, c, weight, W
        self.points = points
        self.Z, self.z, self.value = self._evaluate(W)
        if points is not None:
            self._start_near(points)
        self.first: Tensor | None = None
        self.previous = torch.full_like(self.value, torch.inf)

    def rest(self, left: Tensor) -> Candidates:
        """Those that are ``left`` (m,)."""
        for name in ("x", "c", "W", "Z", "z", "value", "first", "previous", "points"):
            if getattr(self, name) is not None:
                setattr(self, name, getattr(self, name)[left])
        return self

    def _start_near(self, points: Points) -> None:
        """Begin where the rows' Hessian, as it was, says, if that is better."""
        W = self.W - points.along(_own_steps(self.z, self.c, points.B))
        Z, z, value = self._evaluate(W)
        better = value < self.value
        self.W = W.where(better[:, None, None], self.W)
        self.Z, self.z = Z.where(better[:, None, None], self.Z), z.where(better[:, None], self.z)
        self.value = value.where(better, self.value)

    def _inverse(self, p: Tensor) -> Inverse:
        """What preconditions, with each point's own curvature."""
        if self.points is None:
            return self.refits.inverse
        return self.points.joined(self.refits.inverse, self.weight * curvature(p, self.W.shape[1]))

    def step(self) -> Tensor:
        """A Newton step, halved until the objective falls; whether each is at its optimum then, (m,)."""
        K = self.W.shape[1]
        P, p = to_probabilities(self.Z), to_probabilities(self.z)
        G = self._adjoint(self.refits.residuals(P, K), self.weight * residuals_of(p, self.c, K))
        G += self.refits.optimum.penalty * self.W
        inverse = self._inverse(p)
        M = inverse(G)
        size = _dot(G, M)[:, 0, 0].clamp(min=0).sqrt()
        there = size <= self.refits.tolerance
        if there.all():
            return there
        G, M = (each.where(~there[:, None, None], 0.0) for each in (G, M))  # what is left is rounding
        self.first = size if self.first is None else self.first
        # Inexact far from the optimum, so that steps are cheap and the end is still fast, and no more exact
        # than the end asks for.
        rtol = (0.3 * ratio(size, self.first).sqrt()).clamp(1e-6, 0.1)
        enough = 0.1 * ratio(torch.full_like(size, self.refits.tolerance), size)
        rtol = torch.maximum(rtol, enough).clamp(max=0.1)
        step, inexact = self._solve(P, p, G, M, rtol, inverse)
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

    def _evaluate(self, W: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        optimum = self.refits.optimum
        Z, z = linear_of_each(optimum.X, W), own_logits(self.x, W)
        value = self.refits.losses(Z).sum(1) + self.weight * losses(z, self.c)
        return Z, z, value + 0.5 * (optimum.penalty * W * W).flatten(1).sum(1)

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
        own = self.weight * _bent(p, own_logits(self.x, V))
        return self._adjoint(bent, own) + self.refits.optimum.penalty * V

    def _solve(
        self, P: Tensor, p: Tensor, G: Tensor, M: Tensor, rtol: Tensor, inverse: Inverse
    ) -> tuple[Tensor, Tensor]:
        """Preconditioned conjugate gradients, to ``rtol`` (m,) of each; and what is reached (m,).

        ``M``: G, preconditioned.
        """
        S, residual, direction = torch.zeros_like(G), G, M
        first = energy = _dot(residual, M)
        target = rtol[:, None, None] ** 2 * energy
        for _ in range(max(200, G[0].numel())):
            image = self._hessian_product(P, p, direction)
            # Beyond its target, a candidate that waits for the others would gather rounding.
            step = ratio(energy, _dot(direction, image)).where(energy > target, 0.0)
            S, residual = S + step * direction, residual - step * image
            M = inverse(residual)
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


def curvature(P: Tensor, K: int) -> Tensor:
    """diag(p) - p p^T of each of P (m, C), (m, K, K); p_0 p_1 of two classes."""
    if K == 1:
        return (P[:, :1] * P[:, 1:])[:, :, None]
    return torch.diag_embed(P) - P[:, :, None] * P[:, None, :]


def losses(Z: Tensor, y: Tensor) -> Tensor:
    """Of logits Z (..., K), (...,); y (...,) class numbers, or (..., C) the weight of each label."""
    if y.ndim < Z.ndim:
        return loss_of_logits(Z, y)
    if Z.shape[-1] == 1:
        softplus = torch.nn.functional.softplus
        return (y * softplus(torch.cat([Z, -Z], -1))).sum(-1)
    return y.sum(-1) * torch.logsumexp(Z, -1) - (y * Z).sum(-1)


def residuals_of(P: Tensor, y: Tensor, K: int) -> Tensor:
    """Their gradient with respect to the logits, (..., K), from probabilities P (..., C)."""
    if y.ndim < P.ndim:
        return residuals(P, y, K)
    if K == 1:
        return y[..., :1] * P[..., 1:] - y[..., 1:] * P[..., :1]
    return y.sum(-1, keepdim=True) * P - y


def _own_steps(z: Tensor, c: Tensor, B: Tensor) -> Tensor:
    """The s (m, K) of the least loss(z - B s, c) + 1/2 s^T B s, about."""
    K, one = z.shape[1], torch.eye(z.shape[1]).to(z)

    def value(S: Tensor, BS: Tensor) -> Tensor:
        return losses(z - BS, c) + 0.5 * (S * BS).sum(1)

    S = BS = torch.zeros_like(z)
    now = value(S, BS)
    for _ in range(OWN_STEPS):
        P = to_probabilities(z - BS)
        step = torch.linalg.solve(one + curvature(P, K) @ B, S - residuals_of(P, c, K))
        for t in (1.0, 0.3, 0.1):
            at = S - t * step
            B_at = (B @ at[:, :, None])[:, :, 0]
            falls = value(at, B_at) < now
            S, BS = at.where(falls[:, None], S), B_at.where(falls[:, None], BS)
            if falls.all():
                break
            step = step.where(~falls[:, None], 0.0)
        now = value(S, BS)
    return S


def _dot(A: Tensor, B: Tensor) -> Tensor:
    return (A * B).flatten(1).sum(1)[:, None, None]
