"""What adding a point really does: the model refitted with it, for many candidates at once.

Newton's method from the optimum W without the point, all candidates in step; each linear system is
solved by conjugate gradients, preconditioned by the inverse Hessian that all of them share. A
candidate changes that Hessian by little more than rank K, so that a handful of iterations suffice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from salutary.engine.optimum import Optimum
from salutary.engine.softmax import linear_of_each, loss_of_logits, product, residuals, to_probabilities
from salutary.engine.solvers import is_dense, ratio

# Numbers in the largest array: candidates times classes times rows.
CHUNK = 4 * 2**20
NEWTON_STEPS = 20
TOLERANCE = 1e-5


def refitted_fall(optimum: Optimum, X_new: Tensor, y_new: Tensor) -> Tensor:
    """Real fall of the objective when one point joins the optimum's rows and the model is refitted, (m,).

    ``optimum``: with the labels ``y``, without weights. ``X_new`` (m, d), ``y_new`` (m,): the candidates,
    each added alone. Newton's method ends when every gradient is 1e-5 of what it was at W, or after 20 steps.
    """
    if optimum.y is None or optimum.weights is not None:
        raise ValueError("refits need the labels of the rows, and no weights")
    X, y, X_new, objective = optimum.X.double(), optimum.y, X_new.double(), optimum.objective
    W, penalty = optimum.W, optimum.penalty
    precondition = _preconditioner(replace(optimum, X=X))
    before = objective.value(W)
    size = max(1, CHUNK // (len(W) * max(len(X), len(objective))))
    falls = [
        before - objective.values(_Candidates(X, y, x, c, W, penalty).refit(precondition).W)
        for x, c in zip(X_new.split(size), y_new.split(size), strict=True)
    ]
    return torch.cat(falls)


def _preconditioner(optimum: Optimum) -> Callable[[Tensor], Tensor]:
    """Product with the inverse Hessian at W of (m, K, D); the identity if that matrix were too large."""
    if not is_dense("precondition", optimum.W.numel()):
        return lambda G: G
    inverse = torch.cholesky_inverse(optimum.factor)
    return lambda G: product(G.flatten(1), inverse).reshape(G.shape)


@dataclass
class _Candidates:
    """m candidates and the parameters of each, W (m, K, D). Logits are (m, n, K)."""

    X: Tensor
    y: Tensor
    x: Tensor
    c: Tensor
    start: Tensor
    penalty: Tensor

    def __post_init__(self) -> None:
        self.W = self.start.expand(len(self.x), -1, -1).clone()

    def refit(self, precondition: Callable[[Tensor], Tensor]) -> _Candidates:
        """Newton's method to the optimum, each step halved until its own objective falls."""
        Z, z, value = self._evaluate(self.W)
        first = None
        for _ in range(NEWTON_STEPS):
            P, p = to_probabilities(Z), to_probabilities(z)
            G = self._adjoint(
                residuals(P, self.y.expand(len(P), -1), len(self.start)),
                residuals(p, self.c, len(self.start)),
            )
            G += self.penalty * self.W
            size = G.flatten(1).norm(dim=1)
            first = size if first is None else first
            if (size <= TOLERANCE * first).all():
                break
            # Inexact far from the optimum, so that steps are cheap and the end is still fast.
            rtol = (0.3 * (size / first).sqrt()).clamp(1e-3, 0.1)
            step = self._solve(P, p, G, precondition, rtol)
            slope = (G * step).flatten(1).sum(1)
            t = torch.ones_like(value)
            for _ in range(30):
                candidate = self.W - t[:, None, None] * step
                Z, z, new = self._evaluate(candidate)
                rises = new > value - 1e-4 * t * slope + 1e-12 * value.abs()
                if not rises.any():
                    break
                t = torch.where(rises, t / 2, t)
            self.W, value = candidate, new
        return self

    def _own_logits(self, V: Tensor) -> Tensor:
        d = self.x.shape[1]
        z = (V[:, :, :d] @ self.x[:, :, None])[:, :, 0]
        return z + V[:, :, d] if V.shape[2] > d else z

    def _evaluate(self, W: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        Z, z = linear_of_each(self.X, W), self._own_logits(W)
        value = loss_of_logits(Z, self.y.expand(len(W), -1)).sum(1) + loss_of_logits(z, self.c)
        return Z, z, value + 0.5 * (self.penalty * W * W).flatten(1).sum(1)

    def _adjoint(self, R: Tensor, r: Tensor) -> Tensor:
        """Sum over rows of R (m, n, K) times x, and r (m, K) times the own point: (m, K, D)."""
        flat = R.transpose(1, 2).reshape(-1, len(self.X))
        G = product(flat, self.X).reshape(len(R), -1, self.X.shape[1]) + r[:, :, None] * self.x[:, None, :]
        if self.penalty.shape[1] > self.X.shape[1]:
            G = torch.cat([G, (R.sum(1) + r)[:, :, None]], 2)
        return G

    def _hessian_product(self, P: Tensor, p: Tensor, V: Tensor) -> Tensor:
        bent = (_bent(Q, U) for Q, U in ((P, linear_of_each(self.X, V)), (p, self._own_logits(V))))
        return self._adjoint(*bent) + self.penalty * V

    def _solve(
        self, P: Tensor, p: Tensor, G: Tensor, precondition: Callable[[Tensor], Tensor], rtol: Tensor
    ) -> Tensor:
        """Preconditioned conjugate gradients, to ``rtol`` (m,) of each right-hand side."""
        S, residual = torch.zeros_like(G), G.clone()
        target = rtol[:, None, None] ** 2 * _dot(G, G)
        direction = M = precondition(residual)
        energy = _dot(residual, M)
        for _ in range(200):
            image = self._hessian_product(P, p, direction)
            step = ratio(energy, _dot(direction, image))
            S, residual = S + step * direction, residual - step * image
            if (_dot(residual, residual) <= target).all():
                break
            M = precondition(residual)
            previous, energy = energy, _dot(residual, M)
            direction = M + ratio(energy, previous) * direction
        return S


def _bent(P: Tensor, U: Tensor) -> Tensor:
    """(diag(p) - p p^T) u along the last dimension; p_0 p_1 u for two classes."""
    if U.shape[-1] == 1:
        return P[..., :1] * P[..., 1:] * U
    return P * (U - (P * U).sum(-1, keepdim=True))


def _dot(A: Tensor, B: Tensor) -> Tensor:
    return (A * B).flatten(1).sum(1)[:, None, None]
