"""IBDS: influence-based data selection with a regression tree."""

from __future__ import annotations

import copy
import dataclasses
import math

import numpy as np
import torch
from sklearn.tree import DecisionTreeRegressor
from torch import Tensor

from salutary.engine.selection import top
from salutary.models import ConvexModel
from salutary.strategies import PoolView, Proposal
from salutary.strategies.influence import InfluenceStrategy
from salutary.system.rules import Flag, Whole


class Ibds(InfluenceStrategy):
    """A regression tree from features to influence; highest predictions, true labels bought.

    The tree learns the influences of the initial set with its true labels, under the model fitted
    to the initial set, so it is the same in every round, as in the authors' code. (It is grown
    anew each time instead of being kept: strategies hold no state.) Its at most ``n_init``
    distinct values tie most of the pool; ties go to the lower pool index.
    Chhabra et al., "What data benefits my classifier?", ICLR 2024.

    ``refit``: grow the tree on all labelled points, under the current model, in every round.
    ``tree_seed``: ``random_state`` of the tree, 42 in the authors' code.
    """

    RULES = {**InfluenceStrategy.RULES, "tree_seed": Whole(0), "refit": Flag()}

    def __init__(
        self,
        hessian: str = "labeled",
        solver: str = "auto",
        refit: bool = False,
        tree_seed: int = 42,
    ):
        super().__init__(hessian, solver)
        self.refit = refit
        self.tree_seed = tree_seed

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        start, first = view, model
        if not self.refit:
            start = _at_round_zero(view)
            first = copy.copy(model).fit(start.labeled, start.labels)
        X, y = start.labeled, start.labels
        target, unit = _whole(self.influence(first, start, X).gather(1, y[:, None])[:, 0])
        tree = DecisionTreeRegressor(random_state=self.tree_seed).fit(X.numpy(force=True), target)
        predicted = torch.as_tensor(tree.predict(view.pool.numpy(force=True)), device=X.device)
        indices = top(predicted, budget)
        return Proposal(indices, influence=predicted[indices] * unit)


def _at_round_zero(view: PoolView) -> PoolView:
    """The view before the first query: the rows queried since are back in the pool.

    The pool is in the order of its rows' bytes, the same in every round: another order would change
    the last bits of the Hessian, and with them the tree, which splits down to single rows.
    """
    n = view.n_initial
    pool = torch.cat([view.pool, view.labeled[n:]])
    rows = np.ascontiguousarray(pool.numpy(force=True))
    order = np.argsort(rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1])))[:, 0])
    return dataclasses.replace(
        view,
        pool=pool[torch.as_tensor(order, device=pool.device)],
        labeled=view.labeled[:n],
        labels=view.labels[:n],
    )


def _whole(influence: Tensor) -> tuple[np.ndarray, float]:
    """Influences (n,) as whole numbers of a unit, seven digits of the largest, and the unit.

    Many splits of a tree down to single rows are the same split by another feature. Sums of whole numbers are
    exact, so that these are equally good whatever the order of the sum, and the tree's seed decides between
    them, on all machines and devices alike; of plain influences the last bits would, and accuracies with
    them, by up to 7 points on celeba. Two devices differ by 1e-10 of the largest, which moves a number across
    the border between two whole ones in one of some thousands of cases.
    """
    values = influence.double().numpy(force=True)
    unit = 10.0 ** (math.floor(math.log10(max(np.abs(values).max(), np.finfo(float).tiny))) - 6)
    return np.round(values / unit), unit
