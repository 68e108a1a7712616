"""The summed log-loss of a set of rows as a function of the parameters, for a method that minimises it.

Rows with more columns than there are rows are rotated into the space that they span, where the optimum is
too, since the penalty is one for all columns. (On a device few rows are not: there launches are what takes
time.) On the CPU the arrays are NumPy's, whose calls on small ones take half as long; on a device they are
torch's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from salutary.engine.hessian import SMALL, Hessian
from salutary.engine.softmax import row_blocks
from salutary.engine.solvers import RIDGE, Factor, is_kept
from salutary.errors import SalutaryError
from salutary.system.threads import in_order

# NumPy's or torch's: what is used here has the same name and meaning in both.
Array = Any


@dataclass(frozen=True)
class Iterate:
    """Parameters W (K, D), the objective's ``value``, and what gradients and curvatures are made of.

    ``R`` (K, n): gradient of each row's loss with respect to its logits. ``P`` (K, n): probabilities, or of
    two classes the curvature p_0 p_1.
    """

    W: Array
    value: Array
    P: Array
    R: Array


class SummedLoss:
    """Sum of the log-losses of rows X (n, d) with class numbers y (n,), to be minimised with a penalty.

    ``n_outputs``: K, 1 for two classes, else C. ``intercept``: whether W has one more column, for a constant.
    Every row weighs 1 (:class:`salutary.engine.soft_loss.SoftLoss` has others).
    """

    weights: Tensor | None = None

    def __init__(self, X: Tensor, y: Tensor, n_outputs: int, intercept: bool):
        X = X.double()
        self._basis: Array | None = None
        self.is_kept = is_kept(X)
        if X.shape[1] > len(X) > 0 and not self.is_kept:
            self._basis, triangle = torch.linalg.qr(X.T)
            X = triangle.T.contiguous()
        self.X, self.n_outputs, self.intercept = X, n_outputs, intercept
        x, self._labels = self.array(X), self.array(y)
        self._row_numbers = self.array(torch.arange(len(y), device=y.device))
        self._signs = self.array(1 - 2 * y.double())  # of the margin: negative where the label is 1
        self.xp: Any = np if isinstance(x, np.ndarray) else torch
        # Rows are read in blocks that stay in cache; a small X is one, and stored by column too.
        blocks = [slice(None)] if X.numel() <= SMALL else list(row_blocks(X, 6 * n_outputs))
        by_column = self.array(X.T.contiguous()) if X.numel() <= SMALL else x.T
        self._blocks = [(rows, x[rows], by_column[:, rows]) for rows in blocks]

    @staticmethod
    def array(tensor: Tensor) -> Array:
        """What is computed with: on the CPU NumPy's view of the tensor."""
        return tensor.numpy() if tensor.device.type == "cpu" else tensor

    def rotated(self, penalty: Tensor) -> Tensor:
        """The penalty of the coordinates in use, (K, D)."""
        if self._basis is None:
            return penalty
        d, r = self._basis.shape
        if not (penalty[:, :d] == penalty[:, :1]).all():
            raise ValueError("with more features than rows, all need the same penalty")
        return torch.cat([penalty[:, :r], penalty[:, d:]], 1)

    def inwards(self, W: Tensor) -> Tensor:
        """W (K, D) in the coordinates in use."""
        if self._basis is None:
            return W
        d = self._basis.shape[0]
        return torch.cat([W[:, :d] @ self._basis, W[:, d:]], 1)

    def outwards(self, W: Tensor) -> Tensor:
        """The inverse of :meth:`inwards`, for what lies in the rows' space."""
        if self._basis is None:
            return W
        r = self._basis.shape[1]
        return torch.cat([W[:, :r] @ self._basis.T, W[:, r:]], 1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """n, K and D of the coordinates in use."""
        return len(self.X), self.n_outputs, self.X.shape[1] + self.intercept

    @cached_property
    def _squares(self) -> Array | None:
        """The squared features, if there are few."""
        return self._blocks[0][1] ** 2 if len(self._blocks) == 1 else None

    def _each(self, function: Callable[[slice, Array, Array], Array]) -> list[Array]:
        """``function`` of the numbers of each block's rows, its rows, and the same by column."""
        if len(self._blocks) == 1:
            return [function(*self._blocks[0])]
        # On a device threads would launch no faster, and nothing could be captured.
        each = in_order if self.xp is np else map
        return list(each(lambda block: function(*block), self._blocks))

    def logits(self, V: Array) -> Array:
        """V (K, D) times the rows, (K, n)."""
        d = self.X.shape[1]
        parts = self._each(lambda rows, x, by_column: V[:, :d] @ by_column)
        U = parts[0] if len(parts) == 1 else self.xp.concatenate(parts, 1)
        if self.intercept:
            U += V[:, d:]
        return U

    def adjoint(self, R: Array) -> Array:
        """R (K, n) times the rows, (K, D)."""
        return self._with_intercept(R, sum(self._each(lambda rows, x, _: R[:, rows] @ x)))

    def _with_intercept(self, R: Array, G: Array) -> Array:
        """G (K, d), with the sums of R (K, n) over the rows as the column of an intercept."""
        return self.xp.concatenate([G, R.sum(1)[:, None]], 1) if self.intercept else G

    def at(self, W: Array, penalty: Array) -> Iterate:
        """The objective at W, with its penalty."""
        Z = self.logits(W)
        losses, P, R = self._two_classes(Z[0]) if len(W) == 1 else self._classes(Z)
        return Iterate(W, losses.sum() + 0.5 * (penalty * W * W).sum(), P, R)

    def read(self, *numbers: Array) -> list[float]:
        """The numbers; a device is waited for once."""
        if self.xp is np:
            return [float(number) for number in numbers]
        return torch.stack(numbers).tolist()

    def _two_classes(self, z: Array) -> tuple[Array, Array, Array]:
        """Losses (n,), curvatures and residuals (1, n), without cancellation at either end."""
        xp, margin = self.xp, self._signs * z
        small = xp.exp(-abs(margin))
        total = 1 + small
        losses = xp.log1p(small) + xp.where(margin > 0, margin, 0.0)
        wrong = xp.where(margin > 0, 1.0, small) / total
        return losses, (small / (total * total))[None], (wrong * self._signs)[None]

    def _classes(self, Z: Array) -> tuple[Array, Array, Array]:
        """Losses (n,), probabilities and residuals (K, n). The residual of the true class is minus the sum of
        the others, not p - 1, which would cancel."""
        xp, true = self.xp, (self._labels, self._row_numbers)
        Z -= xp.amax(Z, 0)
        P = xp.exp(Z)
        total = P.sum(0)
        P /= total
        R = xp.concatenate([P])  # a copy
        R[true] = 0
        wrong = R.sum(0)
        R[true] = -wrong
        small = xp.where(wrong < 0.5, wrong, 0.0)
        losses = xp.where(wrong < 0.5, -xp.log1p(-small), xp.log(total) - Z[true])
        return losses, P, R

    def curvature(self, P: Array, V: Array) -> Array:
        """Product of the Hessian of the losses with V (K, D)."""
        U = self.logits(V)
        U *= P
        if len(V) > 1:
            U -= P * U.sum(0)
        return self.adjoint(U)

    def _curvatures(self, P: Array) -> Array:
        """Second derivative of each row's loss by each of its logits, (K, n)."""
        return P if len(P) == 1 else P * (1 - P)

    def diagonal(self, P: Array) -> Array:
        """Diagonal of the Hessian of the losses, (K, D)."""
        curvature = self._curvatures(P)
        if self._squares is not None:
            return self._with_intercept(curvature, curvature @ self._squares)
        squared = self._each(lambda rows, x, _: curvature[:, rows] @ (x * x))
        return self._with_intercept(curvature, sum(squared))

    def averaged_inverse(self, P: Array, penalty: Array) -> Array:
        """Inverse (D, D) of the Hessian's block of one class, the average of all; of two classes H^-1."""
        xp = self.xp
        weights = P[0] if len(P) == 1 else self._curvatures(P).sum(0) / len(P)
        M = sum(self._each(lambda rows, x, by_column: (by_column * weights[rows]) @ x))
        if self.intercept:
            border: Array = sum(self._each(lambda rows, _, by_column: by_column @ weights[rows]))
            border = border[None]
            M = xp.concatenate([M, border], 0)
            M = xp.concatenate([M, xp.concatenate([border, weights.sum()[None, None]], 1).T], 1)
        diagonal = xp.diagonal(M) + penalty[0]
        scale = xp.where(diagonal > 0, diagonal, 1.0) ** -0.5
        M = M * scale * scale[:, None]
        one = 1 + RIDGE  # of columns that are alike there is no inverse
        np.fill_diagonal(M, one) if xp is np else M.fill_diagonal_(one)
        inverse = xp.linalg.inv(M) if xp is np else torch.linalg.inv_ex(M).inverse  # the other waits
        return inverse * scale * scale[:, None]

    def hessian(self, W: Array, penalty: Tensor) -> Hessian:
        """Of the losses and the penalty, at W."""
        return Hessian.at(torch.as_tensor(W), self.X, penalty, self.weights)

    def factor(self, W: Array, penalty: Tensor) -> Factor | None:
        """Factor of the dense Hessian at W; None if that is not positive definite to working precision."""
        try:
            return Factor(self.hessian(W, penalty))
        except SalutaryError:
            return None
