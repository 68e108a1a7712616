"""The summed log-loss of rows whose labels have weights, as a function of the parameters."""

from __future__ import annotations

import torch
from torch import Tensor

from salutary.engine.summed_loss import Array, SummedLoss

# A class of less weight than this, over all rows, is lacking.
LACKING = 1e-6


class SoftLoss(SummedLoss):
    """Sum over rows X (n, d) and classes of M_ic loss(x_i, c), to be minimised with a penalty.

    ``M`` (n, C) >= 0: the weight w_i q_ic of each label; w_i, its sum over the classes, is the row's weight,
    and q_i its label distribution. Gradients by the logits are w_i p_ic - M_ic. Curvatures are w_i times
    those of a row with one label: they do not depend on which.
    """

    def __init__(self, X: Tensor, M: Tensor, n_outputs: int, intercept: bool):
        super().__init__(X, M.argmax(1), n_outputs, intercept)
        self.is_kept = False  # the tensors that are kept on a device know no weights
        self._M = self.array(M.double().T.contiguous())
        self.weights = M.double().sum(1)
        self._w = self.array(self.weights)

    def _two_classes(self, z: Array) -> tuple[Array, Array, Array]:
        """Losses (n,), curvatures and residuals (1, n), without cancellation at either end."""
        xp, (m0, m1) = self.xp, self._M
        small = xp.exp(-abs(z))
        total = 1 + small
        losses = self._w * xp.log1p(small) + xp.where(z > 0, m0 * z, -m1 * z)
        first, second = (xp.where(sign * z > 0, 1.0, small) / total for sign in (-1, 1))
        curvatures = self._w * (small / (total * total))
        return losses, curvatures[None], (m0 * second - m1 * first)[None]

    def _classes(self, Z: Array) -> tuple[Array, Array, Array]:
        """Losses (n,), probabilities and residuals (K, n)."""
        xp = self.xp
        Z -= xp.amax(Z, 0)
        P = xp.exp(Z)
        total = P.sum(0)
        P /= total
        losses = self._w * xp.log(total) - (self._M * Z).sum(0)
        return losses, P, self._w * P - self._M

    def curvature(self, P: Array, V: Array) -> Array:
        if len(V) == 1:  # the weights are in P
            return super().curvature(P, V)
        U = self.logits(V)
        U *= P
        U -= P * U.sum(0)
        return self.adjoint(U * self._w)

    def _curvatures(self, P: Array) -> Array:
        return P if len(P) == 1 else self._w * super()._curvatures(P)


def lacks_a_class(y: Tensor, n_classes: int) -> bool:
    """Whether a class has no row: y (n,) class numbers, or (n, C) the weights of labels."""
    if y.ndim == 2:
        return bool((y.sum(0) < LACKING).any())
    return len(y.unique()) < n_classes


def one_hot(y: Tensor, n_classes: int) -> Tensor:
    """Class numbers (n,) as weights of labels (n, C), float64."""
    return torch.eye(n_classes, dtype=torch.float64, device=y.device)[y]
