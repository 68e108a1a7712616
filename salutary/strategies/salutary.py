"""Salutary labelling: the paper's method, and its ground-truth twin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from salutary.engine import best_influence, best_labels
from salutary.engine.added_point import ESTIMATES, AddedPoint
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.selection import top, top_by_bound, top_confident
from salutary.errors import SalutaryError
from salutary.models import ConvexModel, Model
from salutary.strategies import JUDGE_PENALTIES, JUDGE_RULES, PoolView, Proposal
from salutary.strategies.influence import InfluenceStrategy, real_fall
from salutary.system.rules import Choice, Number, Whole


class Salutary(InfluenceStrategy):
    """The points with the highest influence over all labels, each with its best label; no human.

    score(x) = max over c of I(x, c), label(x) = argmax over c of I(x, c) (the lower class of
    equals). Section 4.2 of the paper, eq. (2) and algorithm 1.

    ``estimate``: of the fall of the validation loss; ``gradient`` (the influence, as in the paper),
    ``newton`` (also sees that the added point changes the Hessian) or ``second_order`` (also that the
    validation loss bends), see :mod:`salutary.engine.added_point`. They estimate a refit of the
    labelled set, so the last two mean little with ``hessian=pool``.
    ``rerank``: the best so many points by the estimate are ranked again by the real fall, the model
    refitted with each of them and its label; 0 leaves the ranking to the estimate.
    ``confidence``: standard errors of I over the validation points that are taken off before points and
    labels are compared, see :mod:`salutary.engine.confidence`; 0 as in the paper.
    ``judge``: ``retrained`` lets the networks of trial runs say which of the ``judge_penalties`` the
    surrogates have, or that nothing is labelled, see :mod:`salutary.experiments.judge`; None as in the paper.
    """

    is_baseline = False
    labels_alone = True
    RULES = {
        **InfluenceStrategy.RULES,
        "rerank": Whole(0),
        "confidence": Number(0),
        "estimate": Choice(*ESTIMATES),
        **JUDGE_RULES,
    }

    def __init__(
        self,
        hessian: str = "labeled",
        solver: str = "auto",
        estimate: str = "gradient",
        rerank: int = 0,
        confidence: float = 0,
        judge: str | None = None,
        judge_penalties: Sequence[float] = JUDGE_PENALTIES,
    ):
        super().__init__(hessian, solver)
        self.confidence = confidence
        self.judge = judge
        self.judge_penalties = judge_penalties
        self.estimate = estimate
        self.rerank = rerank

    def check(self, model: Model) -> None:
        super().check(model)
        if self.confidence and self.estimate != "gradient":
            raise SalutaryError("strategy.confidence needs strategy.estimate=gradient")
        if self.solver == "cg" and (self.confidence or self.estimate != "gradient"):
            raise SalutaryError("strategy.solver=cg is for strategy.estimate=gradient without confidence")

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        if not self.rerank:
            return Proposal(*self._best(model, view, budget, rng))
        indices, labels, _ = self._best(model, view, min(max(self.rerank, budget), len(view.pool)), rng)
        falls = real_fall(model, view, view.pool[indices], labels)
        chosen = top(falls, budget)
        return Proposal(indices[chosen], labels[chosen], falls[chosen])

    def _best(
        self, model: ConvexModel, view: PoolView, n: int, rng: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pool positions, labels and estimated falls of the ``n`` best points, best first."""
        if self.confidence:
            scorer = ConfidentInfluence.at(self.optimum(model, view), rng)
            return top_confident(scorer, view.pool, self.confidence, n)[:3]
        if self.estimate == "gradient":
            S = self.direction(model, view)
            influence = best_influence(model.coef_, S, view.pool)
            indices = top(influence, n)
            return indices, best_labels(S, view.pool[indices]), influence[indices]
        second_order = self.estimate == "second_order"
        point = AddedPoint.at(self.optimum(model, view), second_order)
        indices = _search(point, view.pool, n) if view.n_classes == 2 else top(point.best(view.pool), n)
        falls, labels = point.fall(view.pool[indices]).max(dim=1)
        return indices, labels, falls


class SalutaryGroundTruth(Salutary):
    """Its twin: the same points, chosen with their own labels; then the true ones are bought ("Ours w/ GT").

    ``influence`` remains that of the salutary label, for which the point was chosen.
    """

    labels_alone = False

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        chosen = super().propose(model, view, budget, rng)
        return Proposal(chosen.indices, influence=chosen.influence)


def _search(point: AddedPoint, pool: Tensor, n: int) -> Tensor:
    """Positions of the ``n`` highest falls of two classes: none is above the gradient estimate."""
    bounds = best_influence(point.W, point.S, pool)
    return top_by_bound(bounds, lambda rows: point.best(pool[rows]), n)
