"""What adding a point really does: the model refitted with it, for many candidates at once.

Newton's method, all candidates in step; each linear system is solved by conjugate gradients,
preconditioned by an inverse near the Hessian's that all of them share and each candidate's own curvature
(:mod:`salutary.engine.near_inverse`), so that a handful of iterations suffice. Where a candidate matters
much, its own logits bend most: with the Hessian of the rows as it was, and -V s the change of
parameters, the least of

    loss(z - B s, c) + 1/2 s^T B s        over s (K,)

is that model's optimum, and where the method starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from salutary.engine import near_inverse
from salutary.engine.candidates import Candidates, curvature, losses, residuals_of
from salutary.engine.near_inverse import Inverse, Points, own_logits
from salutary.engine.optimum import Optimum
from salutary.engine.softmax import product, to_probabilities, with_ones
from salutary.engine.solvers import is_dense
from salutary.errors import SalutaryError

# Numbers in the largest array: candidates times classes times rows, or times classes times columns.
CHUNK = 4 * 2**20
NEWTON_STEPS = 100
# What is left of a fall's error, as a share of the objective.
TOLERANCE = 1e-11


def refitted_fall(optimum: Optimum, X_new: Tensor, y_new: Tensor) -> Tensor:
    """Real fall of the objective when one point joins the optimum's rows and the model is refitted,
    (m,).

    ``optimum``: with the labels ``y``. ``X_new`` (m, d), ``y_new`` (m,): the candidates, each added
    alone with weight 1. Both models, without and with the point, are followed to their optimum: what is
    left would move the objective by about 1e-11 of it, or is rounding. Raises SalutaryError where an
    optimum is not reached.
    """
    if not len(X_new):
        return optimum.W.new_zeros(0)
    before, *after = refitted(optimum, X_new, y_new)
    value = optimum.objective.values(before)
    return torch.cat([value - optimum.objective.values(W) for W in after])


def refitted(
    optimum: Optimum, X_new: Tensor, y_new: Tensor, tolerance: float = TOLERANCE
) -> Iterator[Tensor]:
    """Parameters of the optimum itself (1, K, D), then of some of the candidates at a time (m, K, D),
    each of them refitted with its own point: see :func:`refitted_fall`.

    ``tolerance``: what is left of a fall's error, as a share of the objective.
    """
    refits = Refits.of(optimum, X_new, tolerance)
    yield refits.W
    yield from refits.each(X_new, y_new)


def _tolerance(optimum: Optimum, tolerance: float) -> float:
    """What the error of W may be, in the norm of the Hessian."""
    # An error e of W moves the objective by at most |e| times its steepness, and by about |e|^2.
    steepness = (optimum.gradient * optimum.direction()).sum().clamp(min=1e-300).sqrt()
    allowed = tolerance * optimum.objective.value(optimum.W).abs()
    return float(torch.minimum(allowed / steepness, allowed.sqrt()))


def _spanned(optimum: Optimum, X_new: Tensor) -> tuple[Optimum, Tensor, Tensor | None]:
    """The optimum and the candidates in a basis (d, r) of the space that all rows span, where all the
    optima are if features have one penalty; as they are, and None, where that space is no smaller."""
    W, penalty, d = optimum.W, optimum.penalty, X_new.shape[1]
    rows = torch.cat([optimum.X, X_new])
    if len(rows) >= d or not (penalty[:, :d] == penalty[:, :1]).all():
        return optimum, X_new, None
    basis = torch.linalg.qr(rows.T)[0]
    W = torch.cat([W[:, :d] @ basis, W[:, d:]], 1)
    penalty = torch.cat([penalty[:, : len(rows)], penalty[:, d:]], 1)
    X, X_new = (product(each, basis) for each in (optimum.X, X_new))
    return replace(optimum, W=W, penalty=penalty, X=X), X_new, basis


def _inverse(optimum: Optimum) -> Inverse:
    """Near that of the Hessian at W: the inverse itself, or if that were too large by rows, or a
    diagonal."""
    penalty = optimum.penalty
    if is_dense("precondition", optimum.W.numel()):
        return near_inverse.by_factor(optimum.factor)
    if (penalty == penalty[:1]).all():
        return near_inverse.ByRows(optimum.hessian)
    P = optimum.hessian.P
    X = with_ones(optimum.X, penalty.shape[1])
    curvatures = P[:, :1] * P[:, 1:] if len(penalty) == 1 else P * (1 - P)
    curvatures = curvatures if optimum.weights is None else curvatures * optimum.weights[:, None]
    scale = 1 / (product(curvatures.T, X * X) + penalty)
    return lambda G: scale * G


@dataclass(frozen=True)
class Refits:
    """Of one optimum with more points.

    ``optimum``: in a basis (d, r), or None, of a space of rows. ``tolerance``: of the error of W, in the
    norm of the Hessian.
    """

    optimum: Optimum
    inverse: Inverse
    tolerance: float
    basis: Tensor | None

    @classmethod
    def of(cls, optimum: Optimum, X: Tensor, tolerance: float = TOLERANCE) -> Refits:
        """For points among X (m, d). The optimum is followed to its end: a model that is only nearly
        there would spoil every difference to it. ``tolerance``: see :func:`refitted`; also for what it
        raises.
        """
        if optimum.y is None:
            raise ValueError("refits need the labels of the rows")
        optimum = replace(optimum, X=optimum.X.double())
        allowed = _tolerance(optimum, tolerance)
        optimum, X, basis = _spanned(optimum, X.double())
        refits = cls(optimum, _inverse(optimum), allowed, basis)
        nothing, y = X.new_zeros(1, X.shape[1]), torch.zeros(1, dtype=torch.long, device=X.device)
        W = refits._with(optimum.W, nothing, y, weight=0.0)[0]
        return replace(refits, optimum=replace(optimum, W=W))

    @property
    def W(self) -> Tensor:
        """Parameters of the optimum itself, (1, K, D)."""
        return self._outwards(self.optimum.W[None])

    def each(self, X: Tensor, y: Tensor) -> Iterator[Tensor]:
        """Parameters (m, K, D) of some of the points X (u, d) at a time, each joined by itself; y (u,)
        class numbers, or (u, C) distributions."""
        W, X = self.optimum.W, self._inwards(X)
        rows = max(len(self.optimum.X), len(self.optimum.objective), W.numel())
        for x, c in zip(*(each.split(max(1, CHUNK // (len(W) * rows))) for each in (X, y)), strict=True):
            yield self._outwards(self._with(W, x, c))

    def joined(self, x: Tensor, q: Tensor) -> Refits:
        """With the point x (d,), of distribution q (C,), for good."""
        optimum, inside = self.optimum, self._inwards(x[None])
        W = self._with(optimum.W, inside, q[None])[0]
        y, n = _labels_of(optimum, len(q)), len(optimum.X)
        weights = W.new_ones(n) if optimum.weights is None else optimum.weights
        grown = replace(
            optimum,
            W=W,
            X=torch.cat([optimum.X, inside]),
            y=torch.cat([y, q[None]]),
            weights=torch.cat([weights, W.new_ones(1)]),
        )
        p = to_probabilities(own_logits(inside, W[None]))
        point = Points.of(inside, self.inverse, *W.shape)
        inverse = point.joined(self.inverse, curvature(p, len(W)))
        return replace(self, optimum=grown, inverse=inverse)

    def _inwards(self, X: Tensor) -> Tensor:
        return X.double() if self.basis is None else product(X.double(), self.basis)

    def _outwards(self, W: Tensor) -> Tensor:
        """Parameters (m, K, D) of the features themselves."""
        if self.basis is None:
            return W
        r = self.basis.shape[1]
        return torch.cat([W[:, :, :r] @ self.basis.T, W[:, :, r:]], 2)

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

    def losses(self, Z: Tensor) -> Tensor:
        """Of the rows, (m, n), from their logits (m, n, K)."""
        found = losses(Z, self.y.expand(len(Z), *self.y.shape))
        return found if self.y.ndim == 2 else self.weighted(found)

    def residuals(self, P: Tensor, K: int) -> Tensor:
        """Of the rows, (m, n, K), from their probabilities (m, n, C)."""
        found = residuals_of(P, self.y.expand(len(P), *self.y.shape), K)
        return found if self.y.ndim == 2 else self.weighted(found)

    def _with(self, W: Tensor, x: Tensor, c: Tensor, weight: float = 1.0) -> Tensor:
        """Parameters (m, K, D) fitted with each of the points x (m, d), labels c (m,) or (m, C), from W
        (K, D) on.

        ``weight``: of the added point's loss. Raises SalutaryError where Newton's method does not end.
        """
        start, left = W.expand(len(x), -1, -1), torch.arange(len(x), device=x.device)
        points = Points.of(x, self.inverse, *W.shape) if weight else None
        fitted, fits = start.clone(), Candidates(self, x, c, weight, start, points)
        for _ in range(NEWTON_STEPS):
            done = fits.step()
            fitted[left] = fits.W
            left = left[~done]
            if not len(left):
                return fitted
            if done.any():
                fits = fits.rest(~done)
        raise SalutaryError("a refit with one more point did not reach its optimum: raise model.l2")


def _labels_of(optimum: Optimum, n_classes: int) -> Tensor:
    """The weight of each label of the optimum's rows, (n, C)."""
    y, weights = optimum.y, optimum.weights
    assert y is not None
    if y.ndim == 2:
        return y
    M = torch.eye(n_classes, dtype=torch.float64, device=y.device)[y]
    return M if weights is None else M * weights[:, None]
