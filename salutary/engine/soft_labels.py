"""Pool rows that join with label distributions: along a path, ever more by influence.

On labelled rows L, each of weight 1, and u pool rows, each of weight a, the model is the optimum of

    J(W) = sum over L of loss(x, y; W) + a sum over the pool of sum over c of q_c loss(x, c; W)
           + 1/2 sum(penalty * W^2),                                      a = weight * n_L / u,

and the distributions follow the influences I on an objective F at that model (its Hessian is that of J),

    q_c  proportional to  p_c exp(n_L I(x, c) / rho),

p what the model of L alone predicts. So q maximises n_L sum over c of q_c I(x, c) - rho KL(q || p): predicted
falls, at the price of leaving the prediction. I is of one row of weight 1, and n_L I hardly depends on how
many rows there are. One step is q <- (q + the above) / 2 and a refit; rho falls from large to small, and with
it F on the rows that it is taken on. At rho = infinity q = p, which leaves the model of L where it is: there
the pool's rows have no gradient. At rho = 0 each q would be the one label of the highest influence.

What follows F on a few rows too closely does not lower it on others; how far to go, held-out folds of these
rows say (:func:`held_out_values`). Nothing but F's gradient is needed, so that only the rows that F is taken on
need to know what it asks for, such as groups.

The influences are those of Koh & Liang, "Understanding black-box predictions via influence functions", ICML
2017; the distributions are those of entropic mirror descent that always starts at p (Beck & Teboulle, "Mirror
descent and nonlinear projected subgradient methods", Operations Research Letters 2003).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from salutary.engine.objective import Objective, OfLogits
from salutary.engine.optimum import Optimum
from salutary.engine.soft_regression import SoftRegression, logits, of_classes, to_probabilities

# rho along the path, in units of n_L times an influence; and the damped steps at each.
RHOS = (10.0, 10**0.5, 1.0, 10**-0.5, 0.1)
DAMPED_STEPS = 2
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
    relative to all of L's.
    """

    X: np.ndarray
    q: np.ndarray
    pool: np.ndarray
    penalty: np.ndarray
    objective: Objective
    weight: float = 1.0

    @property
    def pool_weight(self) -> float:
        """a, of one pool row."""
        return self.weight * len(self.X) / len(self.pool)

    @property
    def start(self) -> SoftStep:
        """The model of L, and what it predicts."""
        ones = np.ones(len(self.X))
        W = SoftRegression(self.X, self.q, ones, self._has_intercept).fit(self.penalty)
        return SoftStep(np.inf, of_classes(logits(self.pool, W)), W)

    def path(self, rhos: Sequence[float] = RHOS) -> list[SoftStep]:
        """The start, then where the damped steps at each of ``rhos``, all above 0, end."""
        steps = [self.start]
        for rho in rhos:
            steps.append(self._after(steps[-1], rho, steps[0].q))
        return steps

    def optimum(self, step: SoftStep) -> Optimum:
        """The model of a step, from which its influences follow."""
        rows = self.regression(step.q)
        tensors = map(torch.from_numpy, (step.W, self.penalty, rows.X))
        return Optimum(*tensors, self.objective, weights=torch.from_numpy(rows.weights))

    def influence(self, step: SoftStep) -> np.ndarray:
        """I (u, C) at the model of a step."""
        return self.optimum(step).influence(torch.from_numpy(self.pool)).numpy(force=True)

    def regression(self, q: np.ndarray) -> SoftRegression:
        """J with distributions q (u, C) of the pool's rows."""
        weights = np.repeat([1.0, self.pool_weight], [len(self.X), len(self.pool)])
        X = np.concatenate([self.X, self.pool])
        return SoftRegression(X, np.concatenate([self.q, q]), weights, self._has_intercept)

    def _after(self, step: SoftStep, rho: float, predicted: np.ndarray) -> SoftStep:
        for _ in range(DAMPED_STEPS):
            aimed = tilted(predicted, len(self.X) * self.influence(step) / rho)
            q = (step.q + aimed) / 2
            step = SoftStep(rho, q, self.regression(q).fit(self.penalty, step.W))
        return step

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
