"""Influence of adding a labelled point to (regularised) logistic regression, in closed form.

**Sign.** Every influence here is the *predicted fall of the mean validation loss* when the point
is added to the labelled set with that label. Positive helps. (Eq. 1 of the paper prints the
opposite sign; its selection rule means this one.)

Notation: n points of d features, C classes. The parameters W have shape (K, D): K = C rows for
softmax regression, K = 1 for two classes (one weight vector, as logistic regression is usually
fitted); D = d, or d + 1 when the last column holds an intercept. The objective over the labelled
set L is a **sum**,

    J(W) = sum over L of loss(x, y; W) + 1/2 sum(penalty * W**2),        penalty (K, D),

so that scikit-learn's C is 1 / l2. With S = H^-1 g_V (g_V the gradient of the validation loss, H
the Hessian of J), p = softmax(W x) and u = S x, the influence of adding (x, c) is

    I(x, c) = g_V . H^-1 . grad loss(x, c) = p.u - u_c                   (softmax)
    I(x, c) = (p_1 - c) u                                                (two classes)

hence *all labels of all points cost one matrix product*, and sum over c of p_c I(x, c) = 0.

Pure tensor functions of torch tensors, on whatever device and dtype they arrive.

References: Koh & Liang, "Understanding black-box predictions via influence functions", ICML 2017;
"Salutary labeling with zero human annotation", sections 4.1 and 4.2.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from salutary.errors import SalutaryError

# Up to this many parameters a dense factor is cheaper than conjugate gradients.
DENSE_LIMIT = 300
SOLVERS = ("auto", "cholesky", "cg")


def product(A: Tensor, B: Tensor) -> Tensor:
    """A @ B; on the CPU by NumPy's BLAS, which for tall, thin float64 matrices takes half as long.

    A tall float64 product is faster still as the transpose of a flat one.
    """
    if A.device.type != "cpu":
        return A @ B
    if B.ndim == 2 and A.dtype == torch.float64 and len(A) > 16 * B.shape[1]:
        return torch.from_numpy(B.T.numpy() @ A.T.numpy()).T.contiguous()
    return torch.from_numpy(A.numpy() @ B.numpy())


def linear(X: Tensor, W: Tensor) -> Tensor:
    """X (n, d) times W (K, D) transposed, plus W's last column if it is an intercept: (n, K)."""
    d = X.shape[1]
    Z = product(X, W[:, :d].T)
    return Z + W[:, d] if W.shape[1] > d else Z


def _linear_transposed(X: Tensor, R: Tensor, n_columns: int) -> Tensor:
    """Adjoint of :func:`linear`: R (n, K) to (K, D)."""
    G = product(R.T, X)
    return torch.cat([G, R.sum(0)[:, None]], 1) if n_columns > X.shape[1] else G


def to_probabilities(Z: Tensor) -> Tensor:
    """Logits (..., K) to class probabilities (..., C). Both tails keep full relative precision."""
    if Z.shape[-1] == 1:
        return torch.sigmoid(torch.cat([-Z, Z], -1))
    return torch.softmax(Z, -1)


def probabilities(X: Tensor, W: Tensor) -> Tensor:
    """Class probabilities (n, C) of the model W (K, D) at X (n, d)."""
    return to_probabilities(linear(X, W))


def loss(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Negative log-likelihood of each point, (n,), without the penalty."""
    Z = linear(X, W)
    if Z.shape[1] == 1:
        return torch.nn.functional.softplus(torch.where(y == 1, -Z[:, 0], Z[:, 0]))
    return torch.nn.functional.cross_entropy(Z, y, reduction="none")


def residuals(P: Tensor, y: Tensor, n_rows: int) -> Tensor:
    """Gradient of each point's loss with respect to its logits, (n, K): P - onehot(y).

    The entry of the true class is minus the sum of the others, not p - 1, which would cancel
    for a confident fit.
    """
    if n_rows == 1:
        return torch.where(y == 1, -P[:, 0], P[:, 1])[:, None]
    rows = torch.arange(len(y), device=y.device)
    R = P.clone()
    R[rows, y] = 0
    R[rows, y] = -R.sum(1)
    return R


def gradient(X: Tensor, y: Tensor, W: Tensor) -> Tensor:
    """Gradient of the **summed** loss over (X, y) at W, without the penalty: (K, D)."""
    R = residuals(probabilities(X, W), y, len(W))
    return _linear_transposed(X, R, W.shape[1])


def _relative_to_predicted(U: Tensor, P: Tensor) -> Tensor:
    """U (n, C) minus its column of the most probable class.

    Softmax quantities do not change under such a shift, and without it differences between the
    predicted class and the mean cancel in float32 (relative error 8e-3 instead of 6e-7).
    """
    return U - U.gather(1, P.argmax(1, keepdim=True))


@dataclass(frozen=True)
class Hessian:
    """Hessian of J over the points X (n, d), whose class probabilities are P (n, C).

    ``hessian @ V`` costs O(n d C) and builds nothing; :meth:`dense` costs O(n d^2 C^2). With
    unpenalised intercepts, adding one constant to all of them changes nothing, so the softmax
    Hessian is singular along it and a Cholesky factor "succeeds" with a silently wrong solution.
    Both forms add 1 1^T to the intercept block, which is exact: every right-hand side that occurs
    is orthogonal to that direction. (A small ridge would not be exact.)
    """

    X: Tensor
    P: Tensor
    penalty: Tensor

    @cached_property
    def _shift_is_free(self) -> bool:
        K, D = self.penalty.shape
        return K > 1 and self.X.shape[1] < D and not bool(self.penalty[:, -1].any())

    def curvature(self, V: Tensor) -> Tensor:
        """Product of the summed loss's Hessian, without the penalty, with V (K, D)."""
        U = linear(self.X, V)
        if len(V) == 1:
            R = self.P[:, :1] * self.P[:, 1:] * U
        else:
            U = _relative_to_predicted(U, self.P)
            R = self.P * (U - (self.P * U).sum(1, keepdim=True))
        return _linear_transposed(self.X, R, V.shape[1])

    def __matmul__(self, V: Tensor) -> Tensor:
        """Product with V (K, D), shape (K, D)."""
        product = self.curvature(V) + self.penalty * V
        if self._shift_is_free:
            product[:, -1] += V[:, -1].sum()
        return product

    def dense(self) -> Tensor:
        """The matrix, (K D, K D), rows ordered as W.flatten()."""
        K, D = self.penalty.shape
        X, P = self.X, self.P
        if X.shape[1] < D:
            X = torch.cat([X, torch.ones_like(X[:, :1])], 1)
        if K == 1:
            H = product((X * (P[:, :1] * P[:, 1:])).T, X)[None, :, None, :]
        else:
            H = X.new_empty(K, D, K, D)
            for i in range(K):
                others = torch.cat([P[:, :i], P[:, i + 1 :]], 1).sum(1)
                H[i, :, i] = product((X * (P[:, i] * others)[:, None]).T, X)
                for j in range(i):
                    H[i, :, j] = -product((X * (P[:, i] * P[:, j])[:, None]).T, X)
                    H[j, :, i] = H[i, :, j].T
        if self._shift_is_free:
            H[:, -1, :, -1] += 1
        H = H.reshape(K * D, K * D)
        H.diagonal().add_(self.penalty.flatten())
        return H


def solve(hessian: Hessian, G: Tensor, method: str = "auto", rtol: float = 1e-10) -> Tensor:
    """S with H S = G, shape (K, D).

    ``method`` is ``cholesky`` (dense factor), ``cg`` (matrix-free conjugate gradients, to a
    residual of ``rtol`` relative to G) or ``auto``, the first for small problems.
    Raises SalutaryError when H is not positive definite to working precision, or when conjugate
    gradients do not converge.
    """
    if method not in SOLVERS:
        raise ValueError(f"method must be one of {SOLVERS}, not {method!r}")
    if method == "cg" or (method == "auto" and G.numel() > DENSE_LIMIT):
        return conjugate_gradients(hessian, G, rtol)
    factor, info = torch.linalg.cholesky_ex(hessian.dense())
    if info.item():
        raise SalutaryError("the Hessian is not positive definite: raise model.l2")
    return torch.cholesky_solve(G.reshape(-1, 1), factor).reshape(G.shape)


def conjugate_gradients(hessian: Hessian, G: Tensor, rtol: float, max_iter: int | None = None) -> Tensor:
    """Solve H S = G without forming H, in O(n d C) an iteration.

    Raises SalutaryError if the residual is not below ``rtol`` (at least 100 times machine
    precision) of G after ``max_iter`` iterations, by default ten times the number of unknowns.
    """
    rtol = max(rtol, 100 * torch.finfo(G.dtype).eps)
    S = torch.zeros_like(G)
    residual = G.clone()
    direction = G.clone()
    energy = (residual * residual).sum()
    target = rtol**2 * energy
    for _ in range(max_iter or 10 * G.numel()):
        if energy <= target:
            return S
        product = hessian @ direction
        step = energy / (direction * product).sum()
        S = S + step * direction
        residual = residual - step * product
        previous, energy = energy, (residual * residual).sum()
        direction = residual + (energy / previous) * direction
    if energy <= target:
        return S
    raise SalutaryError(
        "conjugate gradients did not converge: raise model.l2 or set strategy.solver=cholesky"
    )


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


def influence_of_logits(P: Tensor, U: Tensor) -> Tensor:
    """I(x, c) for every class, (n, C), from probabilities P (n, C) and U = X S^T (n, K)."""
    if U.shape[1] == 1:
        return torch.cat([P[:, 1:] * U, -P[:, :1] * U], 1)
    U = _relative_to_predicted(U, P)
    return (P * U).sum(1, keepdim=True) - U


def score_labels(W: Tensor, S: Tensor, X: Tensor) -> Tensor:
    """I(x, c) of every row of X (n, d) with every label, (n, C), from S = H^-1 g (K, D).

    One matrix product serves the predictions and the influences. The unit is that of g.
    """
    Z = linear(X, torch.cat([W, S]))
    return influence_of_logits(to_probabilities(Z[:, : len(W)]), Z[:, len(W) :])


def label_influence(
    W: Tensor,
    penalty: Tensor,
    *,
    X_pool: Tensor,
    X_hessian: Tensor,
    X_validation: Tensor,
    y_validation: Tensor,
    solver: str = "auto",
) -> Tensor:
    """Predicted fall of the **mean** validation loss for every pool point and label, (n, C).

    ``W`` (K, D) must be an optimum of J with this ``penalty`` (K, D). ``X_hessian`` are the
    points the Hessian is taken over: the labelled set (the paper's equation) or the pool (the
    authors' code). ``y_validation`` are class numbers. Section 4.2 of the paper, eq. (2).
    """
    g = gradient(X_validation, y_validation, W) / len(y_validation)
    hessian = Hessian(X_hessian, probabilities(X_hessian, W), penalty)
    return score_labels(W, solve(hessian, g, solver), X_pool)
