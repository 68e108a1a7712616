"""H S = G for many right-hand sides at once: each product with the Hessian serves them all.

Conjugate gradients side by side, every column with steps of its own. (Columns that share one Krylov space
take two thirds of the iterations, but orthogonalising them costs what that saves.) What need not be exact is
solved in float32; the residual that counts is computed anew at the end, and what float32 cannot reach float64
has to.

Of fewer rows than features only the rows matter. With a penalty l on every weight, each row's block of the
Hessian A_i = F_i F_i^T and the Gram matrix g of the rows, the solution of H S = Z is

    S = (Z - sum over i of F_i b_i (x) x_i) / l,
    b_i + F_i^T sum over j of g_ij F_j b_j / l = F_i^T Z x_i / l:

n K unknowns with one product of n x n an iteration, instead of K D unknowns with two products of n x D.
Intercepts without a penalty are Lagrange multipliers: they fix the sum over i of F_i b_i.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import cached_property

import torch
from torch import Tensor

from salutary.engine.hessian import Hessian
from salutary.engine.iteration import LOOK_EVERY, ratio
from salutary.engine.softmax import each_block, product, row_blocks, with_ones
from salutary.errors import SalutaryError

# Relative errors from which float32 will do.
LOOSE = 1e-4
# Rows whose Gram matrix may be built (32 MB).
MOST_ROWS = 2_000
# A recursion drifts away from the residual that it stands for: so often it begins anew with the true one.
PASSES = 4


class BlockSolver:
    """Solves with one Hessian, as often as is asked."""

    def __init__(self, hessian: Hessian):
        self.hessian = hessian

    def solve(self, G: Tensor, rtol: float = 1e-10) -> Tensor:
        """S (m, K, D) in float64 with H S_k = G_k for each of the right-hand sides G (m, K, D).

        ``rtol``: the error of each, relative to it, in the norm of H (or of H's diagonal, where there are
        more rows than features), so that the scale of the columns does not matter. Raises SalutaryError where
        that is not reached.
        """
        for system in self._systems(rtol):
            S = system.solve(G.to(system.dtype), rtol)
            if S is not None:
                return S.double()
        raise SalutaryError("conjugate gradients did not converge: raise model.l2")

    def _systems(self, rtol: float) -> Iterator[_System]:
        """The ways to solve it, the cheapest first."""
        dtypes = (torch.float32, torch.float64) if rtol >= LOOSE else (torch.float64,)
        if self._of_rows is not None:
            gram, roots, bound = self._of_rows
            for dtype in dtypes:
                # The solution is a difference of numbers that are so many times as large.
                if torch.finfo(dtype).eps * (1 + bound) <= rtol / 4:
                    yield _Rows(self.hessian, gram, roots, dtype)
            dtypes = (torch.float64,)
        yield from (_Columns(self.hessian, dtype) for dtype in dtypes)

    @cached_property
    def _of_rows(self) -> tuple[Tensor, Tensor, float] | None:
        """Gram matrix (n, n), F (n, K, K), a bound of curvature over penalty; None where that is no help."""
        X, penalty = self.hessian.X, self.hessian.penalty
        if len(X) > min(X.shape[1], MOST_ROWS) or not _is_uniform(self.hessian):
            return None
        gram, F = product(X, X.T).double(), row_roots(self.hessian)
        size = F.square().sum((1, 2)).sqrt()
        return gram, F, float((gram * size[:, None] * size).norm() / penalty[0, 0])


def _is_uniform(hessian: Hessian) -> bool:
    """Whether all weights have one penalty, and intercepts, if any, none."""
    penalty, d = hessian.penalty, hessian.X.shape[1]
    return bool((penalty[:, :d] == penalty[0, 0]).all() & (penalty[:, d:] == 0).all() & (penalty[0, 0] > 0))


class _System(ABC):
    """What conjugate gradients ask of a system of many right-hand sides."""

    dtype: torch.dtype

    @abstractmethod
    def solve(self, G: Tensor, rtol: float) -> Tensor | None:
        """Solutions of G (m, K, D), None if they are not precise enough."""

    @abstractmethod
    def product(self, V: Tensor) -> Tensor: ...

    @abstractmethod
    def precondition(self, R: Tensor) -> Tensor: ...

    @abstractmethod
    def dot(self, A: Tensor, B: Tensor) -> Tensor:
        """Of each column, in a shape to be multiplied with them."""

    def conjugate_gradients(self, residual: Tensor, goal: Tensor) -> Tensor:
        """From zero until the squared residual of every column, preconditioned, is below its ``goal``."""
        look_every = 1 if residual.device.type == "cpu" else LOOK_EVERY
        S, direction = torch.zeros_like(residual), self.precondition(residual)
        energy = self.dot(residual, direction)
        for iteration in range(1, 10 * residual.numel() // goal.numel()):
            image = self.product(direction)
            step = ratio(energy, self.dot(direction, image))
            S.addcmul_(step, direction)
            residual = residual.addcmul(step, image, value=-1)
            image = self.precondition(residual)
            previous, energy = energy, self.dot(residual, image)
            if iteration % look_every == 0 and (energy <= goal).all():
                break
            direction = image.addcmul(ratio(energy, previous), direction)
        return S


class _Columns(_System):
    """The system as it stands, (m, K, D), preconditioned by its diagonal."""

    def __init__(self, hessian: Hessian, dtype: torch.dtype):
        self.dtype, self.X = dtype, hessian.X
        self.P = hessian.P.T.to(dtype).contiguous()  # (C, n)
        self.predicted = self.P.argmax(0)
        self.penalty = hessian.penalty.to(dtype)
        self.weights = None if hessian.weights is None else hessian.weights.to(dtype)
        self.shift = hessian._free_shift
        self.scale = 1 / self._diagonal()

    def solve(self, G: Tensor, rtol: float) -> Tensor | None:
        S, R, goal = torch.zeros_like(G), G, self.dot(G, self.precondition(G))
        for _ in range(PASSES):
            S = S + self.conjugate_gradients(R, 0.5 * rtol**2 * goal)
            R, goal = G - self.product(S), self.dot(G, S)
            if (self.dot(R, self.precondition(R)) <= rtol**2 * goal).all():
                return S
        return None

    def dot(self, A: Tensor, B: Tensor) -> Tensor:
        return (A * B).sum((1, 2), keepdim=True)

    def precondition(self, R: Tensor) -> Tensor:
        return self.scale * R

    def product(self, V: Tensor) -> Tensor:
        m, K, D = V.shape
        flat, result = V.reshape(m * K, D), self.penalty * V
        result[:, :, -1] += self.shift * V[:, :, -1].sum(1, keepdim=True)

        def of_block(rows: slice) -> Tensor:
            x = with_ones(self.X[rows].to(V.dtype), D)
            U = product(flat, x.T).reshape(m, K, -1)
            return product(self._bent(U, rows).reshape(m * K, -1), x).reshape(V.shape)

        for each in each_block(self.X, 3 * m * K, of_block):
            result += each
        return result

    def _bent(self, U: Tensor, rows: slice) -> Tensor:
        """(diag(p) - p p^T) u of the logits U (m, K, n), which are overwritten; p_0 p_1 u for two classes."""
        P = self.P[:, rows]
        if U.shape[1] == 1:
            U *= P[0] * P[1]
        else:
            U -= U.gather(1, self.predicted[rows].expand(len(U), 1, -1))  # see Hessian.curvature
            U = U.sub_((P * U).sum(1, keepdim=True)).mul_(P)
        return U if self.weights is None else U.mul_(self.weights[rows])

    def _diagonal(self) -> Tensor:
        K, D = self.penalty.shape
        result = self.penalty.clone()
        result[:, -1] += self.shift
        for rows in row_blocks(self.X, D):
            P = self.P[:, rows]
            curvature = P[:1] * P[1:] if K == 1 else P * (1 - P)
            if self.weights is not None:
                curvature = curvature * self.weights[rows]
            x = with_ones(self.X[rows].to(P.dtype), D)
            result += product(curvature, x * x)
        return result


class _Rows(_System):
    """The system of the rows, (n, K, m)."""

    def __init__(self, hessian: Hessian, gram: Tensor, roots: Tensor, dtype: torch.dtype):
        self.dtype, self.X, self.gram = dtype, hessian.X.to(dtype), gram.to(dtype)
        self.penalty = hessian.penalty[0, 0].to(dtype)
        self.F, self.adjoint = roots.to(dtype), roots.transpose(1, 2).contiguous().to(dtype)
        self.J: Tensor | None = None
        if hessian.penalty.shape[1] > hessian.X.shape[1]:  # sum over i of F_i b_i = J^T b
            self.J = self.adjoint.flatten(0, 1)
            bent = (roots @ roots.transpose(1, 2)).sum(0) + hessian._free_shift
            inverse, singular = torch.linalg.inv_ex(bent)
            self.inverse = inverse.where(singular == 0, torch.nan).to(dtype)  # then nothing is precise enough

    def solve(self, G: Tensor, rtol: float) -> Tensor | None:
        (m, K), n, d = G.shape[:2], len(self.X), self.X.shape[1]
        Z = G[:, :, :d].transpose(0, 1).reshape(K * m, d)
        U, squares = product(self.X, Z.T).reshape(n, K, m), Z.square().sum(1).reshape(K, m).sum(0)
        B = self._begin(G, U)
        for _ in range(PASSES):
            FB = self.F @ B
            logits = (U - self._by_gram(FB)) / self.penalty  # S x, without intercepts
            R = torch.baddbmm(B, self.adjoint, logits, beta=-1)
            energy = (squares - self.dot(U, FB)) / self.penalty  # G . S
            intercepts = self._multipliers(R)
            if intercepts is not None:
                R = torch.baddbmm(R, self.adjoint, intercepts.expand(n, -1, -1))
                energy = energy + (G[:, :, d].T * intercepts).sum(0)
            # The squared error of S in the norm of H is at most R . R.
            if (self.dot(R, R) <= rtol**2 * energy).all():
                S = ((Z - product(FB.reshape(n, -1).T, self.X)) / self.penalty).reshape(K, m, d)
                S = S if intercepts is None else torch.cat([S, intercepts[:, :, None]], 2)
                return S.transpose(0, 1)
            B = B + self.conjugate_gradients(R, 0.5 * rtol**2 * energy)
        return None

    def dot(self, A: Tensor, B: Tensor) -> Tensor:
        return (A * B).sum((0, 1))

    def precondition(self, R: Tensor) -> Tensor:
        return R

    def product(self, V: Tensor) -> Tensor:
        image = torch.baddbmm(V, self.adjoint, self._by_gram(self.F @ V) / self.penalty)
        multipliers = self._multipliers(image)
        if multipliers is None:
            return image
        return torch.baddbmm(image, self.adjoint, multipliers.expand(len(V), -1, -1))

    def _begin(self, G: Tensor, U: Tensor) -> Tensor:
        """The least b with the sum over i of F_i b_i that the right-hand sides of the intercepts ask for."""
        if self.J is None:
            return torch.zeros_like(U)
        return (self.J @ (self.inverse @ G[:, :, -1].T)).reshape(U.shape)

    def _by_gram(self, V: Tensor) -> Tensor:
        return product(self.gram, V.reshape(len(V), -1)).reshape(V.shape)

    def _multipliers(self, R: Tensor) -> Tensor | None:
        """a (K, m) such that R + F^T a does not change the sum over i of F_i b_i; None without intercepts."""
        return None if self.J is None else -self.inverse @ (self.J.T @ R.flatten(0, 1))


def row_roots(hessian: Hessian) -> Tensor:
    """F_i (n, K, K) in float64, F F^T being each row's block of the Hessian: diag(sqrt p) - p sqrt(p)^T."""
    P = hessian.P.double()
    if len(hessian.penalty) == 1:
        F = (P[:, :1] * P[:, 1:]).sqrt()[:, :, None]
    else:
        F = -P[:, :, None] * P[:, None, :].sqrt()
        diagonal = F.diagonal(dim1=1, dim2=2)
        diagonal.zero_()
        diagonal.sub_(F.sum(1))  # from the others, not 1 - p, where a confident fit would cancel
    if hessian.weights is not None:
        F = F * hessian.weights.sqrt()[:, None, None]
    return F.contiguous()  # or each row's product is taken by itself, and slowly
