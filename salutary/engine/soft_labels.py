"""Pool rows that join with label distributions: ever more by influence, along a path.

On labelled rows L, each of weight 1, and u pool rows, each of weight a, the model is the optimum W(q) of

    J(W) = sum over L of loss(x, y; W) + a sum over the pool of sum over c of q_c loss(x, c; W)
           + 1/2 sum(penalty * W^2),                                      a = weight * n_L / u.

With I the influences on an objective F at that model, its Hessian that of J, dF(W(q))/dq_c is -a I(x, c), but
for a number that is the same for all c. So, p being what the model of L alone predicts,

    F(W(q)) + rho weight mean over the pool of KL(q || p)

is stationary where  q_c is proportional to  p_c exp(n_L I(x, c) / rho):  labels that lower F, at the price of
leaving the prediction. (n_L I hardly depends on how many rows there are.) :meth:`SoftLabels.path` goes there
for one rho after the other, from large to small, by steps towards these distributions that are shortened
until the sum above falls: the generalised conditional gradient. At rho = infinity q = p, and W is the model
of L: there the pool's rows have no gradient.

F on few rows can be lowered further than F on others follows: a gap between groups that is closed on them is
still open elsewhere. :meth:`SoftLabels.beyond` does not stop there: half of each label is the prediction,
half the distribution above with the influences at the model of L; as rho falls, nothing is measured anew, and
F on its own rows rises again. How far to go, held-out folds of these rows say (:func:`held_out_values`). Of F
only values and gradients are needed: no other rows have to know what it asks for, such as groups.

Koh & Liang, "Understanding black-box predictions via influence functions", ICML 2017; Bredies, Lorenz &
Maass, "A generalized conditional gradient method and its connection to an iterative shrinkage method",
Computational Optimization and Applications 2009.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from scipy.special import rel_entr

from salutary.engine.objective import Objective, OfLogits
from salutary.engine.optimum import Optimum
from salutary.engine.soft_regression import SoftRegression, logits, of_classes, to_probabilities

# rho along the path, in units of n_L times an influence, and steps at each.
RHOS = (10.0, 10**0.5, 1.0, 10**-0.5, 0.1)
UPDATES = 4
# The share of the way that a step goes at first, and that is too small to go on with.
SHARE, LEAST_SHARE = 0.5, 1e-3
# Rows that stand for a larger pool: more of them, of the same total weight, change little.
POOL_ROWS = 1500


@dataclass(frozen=True)
class SoftStep:
    """Distributions q (u, C) of the pool's rows, and the optimum W (K, D) with them; infinite ``rho`` at the
    start."""

    rho: float
    q: np.ndarray
    W: np.ndarray


@dataclass(frozen=True)
class SoftLabels:
    """What a path is made of: L's rows X (n, d) with distributions q (n, C), one-hot where classes are known,
    the ``pool`` (u, d), u > 0, and the ``objective`` F that is to fall.

    ``penalty`` (K, D), K = 1 for two classes, D = d + 1 with an intercept. ``weight``: of all pool rows,
    relative to all of L's. ``weights`` (n,): of L's rows, None for 1 each; n_L then is their sum.
    """

    X: np.ndarray
    q: np.ndarray
    pool: np.ndarray
    penalty: np.ndarray
    objective: Objective
    weight: float = 1.0
    weights: np.ndarray | None = None

    @property
    def pool_weight(self) -> float:
        """a, of one pool row."""
        return self.weight * self.total / len(self.pool)

    @cached_property
    def total(self) -> float:
        """n_L, the weight of all of L's rows."""
        return float(self._weights.sum())

    @property
    def _weights(self) -> np.ndarray:
        return np.ones(len(self.X)) if self.weights is None else self.weights

    @cached_property
    def start(self) -> SoftStep:
        """The model of L, and p."""
        W = SoftRegression(self.X, self.q, self._weights, self._has_intercept).fit(self.penalty)
        return SoftStep(np.inf, of_classes(logits(self.pool, W)), W)

    def path(self, rhos: Sequence[float] = RHOS) -> list[SoftStep]:
        """The start, then where the steps at each of ``rhos``, all above 0, end: at most ``UPDATES``."""
        found, share = [self.start], SHARE
        for rho in rhos:
            step = replace(found[-1], rho=rho)
            for _ in range(UPDATES):
                step, share = self._lowered(step, min(2 * share, SHARE))
            found.append(step)
        return found

    def beyond(self, rho: float) -> SoftStep:
        """Half of each label by the influences at the model of L, whatever F does then."""
        start = replace(self.start, rho=rho)
        return self._towards(start, self.aimed(start), 0.5)

    def penalised(self, step: SoftStep) -> float:
        """F + rho weight mean KL(q || p): what the steps at one rho lower."""
        divergence = rel_entr(step.q, np.maximum(self.start.q, np.finfo(float).tiny)).sum(1).mean()
        F = float(self.objective.value(torch.from_numpy(step.W)))
        return F + step.rho * self.weight * float(divergence)

    def influence(self, step: SoftStep) -> np.ndarray:
        """I (u, C) of each pool row, as one more of weight 1, with each label at the model of a step."""
        return self.optimum(step).influence(torch.from_numpy(self.pool)).numpy(force=True)

    def optimum(self, step: SoftStep) -> Optimum:
        """The model of a step, from which its influences follow."""
        rows = self.regression(step.q)
        W, penalty, X, weights = map(torch.from_numpy, (step.W, self.penalty, rows.X, rows.weights))
        return Optimum(W, penalty, X, self.objective, weights=weights)

    def regression(self, q: np.ndarray) -> SoftRegression:
        """J with distributions q (u, C) of the pool's rows."""
        weights = np.concatenate([self._weights, np.full(len(self.pool), self.pool_weight)])
        return SoftRegression(self._rows, np.concatenate([self.q, q]), weights, self._has_intercept)

    def aimed(self, step: SoftStep) -> np.ndarray:
        """p exp(n_L I / rho), normalised, with the influences at the model of a step, (u, C)."""
        return tilted(self.start.q, self.total * self.influence(step) / step.rho)

    def _lowered(self, step: SoftStep, share: float) -> tuple[SoftStep, float]:
        """A step of ``share`` of the way, or of as much of it as lowers :meth:`penalised`, and that share;
        the same step where none does.
        """
        aimed, now = self.aimed(step), self.penalised(step)
        while share > LEAST_SHARE:
            found = self._towards(step, aimed, share)
            if self.penalised(found) < now:
                return found, share
            share /= 2
        return step, share

    def _towards(self, step: SoftStep, aimed: np.ndarray, share: float) -> SoftStep:
        q = step.q + share * (aimed - step.q)
        return replace(step, q=q, W=self.regression(q).fit(self.penalty, step.W))

    @cached_property
    def _rows(self) -> np.ndarray:
        return np.concatenate([self.X, self.pool])

    @property
    def _has_intercept(self) -> bool:
        return self.penalty.shape[1] > self.X.shape[1]


def tilted(P: np.ndarray, exponents: np.ndarray) -> np.ndarray:
    """Distributions proportional to P exp(exponents), both (u, C); no probability is taken for 0."""
    return to_probabilities(np.log(np.maximum(P, np.finfo(float).tiny)) + exponents)


def held_out_values(
    path_of: Callable[[np.ndarray], Sequence[np.ndarray]],
    folds: Sequence[tuple[np.ndarray, np.ndarray]],
    objective: OfLogits,
) -> np.ndarray:
    """The objective (steps,) of each step of a path that is repeated in ``folds`` of the objective's rows,
    by logits of rows that were not seen, those of all folds together.

    ``path_of``: the parameters (K, D) of each step, as many always, by these rows alone. ``folds``: numbers
    of the rows that are seen and of those held out; every row is held out once.
    """
    X = objective.X.double().numpy(force=True)
    held_out = np.concatenate([rows for _, rows in folds])
    parts = [np.stack([logits(X[rows], W) for W in path_of(seen)]) for seen, rows in folds]
    Z = np.concatenate(parts, 1)[:, held_out.argsort()]
    return objective.value_at(torch.from_numpy(Z).to(objective.X.device)).numpy(force=True)
