"""Salutary labelling one point at a time, with confidence: ours, beyond the paper."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_labels
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.selection import top, top_confident
from salutary.models import ConvexModel
from salutary.strategies import JUDGE_PENALTIES, JUDGE_RULES, PoolView, Proposal, Strategy
from salutary.strategies.influence import optimum_of, real_fall
from salutary.system.rules import Choice, Flag, Number, Whole, Worded

# Fewer validation rows than this are few: one standard error then is not enough.
FEW = 300


class SalutaryGreedy(Strategy[ConvexModel]):
    """One point after the other, each the best for the model that the ones before it make; no human.

    score(x) = max over c of I(x, c) - confidence * se(x, c), label(x) = the c of that maximum. The b best
    points at once, as the paper takes them, are near-copies of each other; here the model is refitted after
    each pick, from where it was, and the validation gradient and all scores are computed anew. se is the
    standard error of I over the validation points (:mod:`salutary.engine.confidence`): the highest of many
    uncertain influences is likely an overestimate, the more so the smaller the validation set.

    Picks nothing more when no candidate has a positive bound, and says so. The Hessian is that of the
    labelled set, whatever the protocol says: it is a refit of that set whose effect is wanted.

    ``confidence``: 0 trusts the validation set; ``auto`` is 1, and 2 if that set has fewer than 300 rows
    (docs/confidence.md). ``exact``: refit from the start after every pick. ``rerank``: with each of the best
    so many candidates the model is really refitted, and the one of the largest real fall, less its
    uncertainty, is picked; where the penalty is weak, the influence alone can be far from that.
    ``judge``: ``retrained`` lets the networks of trial runs say which of the ``judge_penalties`` the
    surrogates have, or that nothing is labelled, see :mod:`salutary.experiments.judge`.
    """

    is_baseline = False
    needs_convex = True
    labels_alone = True
    RULES = {
        "confidence": Worded(Choice("auto") | Number(0), "auto or a number >= 0"),
        "exact": Flag(),
        "rerank": Whole(0),
        **JUDGE_RULES,
    }

    def __init__(
        self,
        confidence: float | str = "auto",
        exact: bool = False,
        rerank: int = 0,
        judge: str | None = None,
        judge_penalties: Sequence[float] = JUDGE_PENALTIES,
    ):
        self.judge = judge
        self.judge_penalties = judge_penalties
        self.confidence = confidence
        self.exact = exact
        self.rerank = rerank

    def propose(self, model: ConvexModel, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        growing = _Growing(model, view, self.exact)
        free = torch.ones(len(view.pool), dtype=torch.bool, device=view.pool.device)
        picks: list[_Pick] = []
        while len(picks) < budget:
            pick = self._pick(growing, free, rng)
            if pick is None:
                break
            picks.append(pick)
            free[pick.row] = False
            if len(picks) < budget:
                growing.add(view.pool[pick.row], pick.label)
        return Proposal(
            torch.tensor([pick.row for pick in picks], dtype=torch.int64),
            torch.tensor([pick.label for pick in picks], dtype=torch.int64),
            torch.tensor([pick.influence for pick in picks], dtype=torch.float64),
            stop=None if len(picks) == budget else "no point with a positive lower bound",
        )

    def for_validation(self, n: int) -> SalutaryGreedy:
        """A copy whose ``confidence`` is that of ``n`` rows, whatever the number of rows it is then shown."""
        fixed = copy.copy(self)
        fixed.confidence = self.standard_errors(n)
        return fixed

    def standard_errors(self, n_validation: int) -> float:
        """What ``confidence`` is for so many validation rows."""
        if not isinstance(self.confidence, str):
            return self.confidence
        return 2 if n_validation < FEW else 1

    def _pick(self, growing: _Growing, free: Tensor, rng: np.random.Generator) -> _Pick | None:
        """The free candidate of the highest lower bound, None if that is not positive."""
        n = min(max(self.rerank, 1), int(free.sum()))
        rows, labels, influence, lower = self._best(growing.model, growing.view, free, rng, n)
        sure = lower > 0
        rows, labels, influence, lower = (each[sure] for each in (rows, labels, influence, lower))
        if not len(rows):
            return None
        if not self.rerank:
            return _Pick(int(rows[0]), int(labels[0]), float(influence[0]))
        falls = real_fall(growing.model, growing.view, growing.view.pool[rows], labels)
        best = int((falls * lower / influence).argmax())  # a real fall is as uncertain, relatively
        return _Pick(int(rows[best]), int(labels[best]), float(falls[best])) if falls[best] > 0 else None

    def _best(
        self, model: ConvexModel, view: PoolView, free: Tensor, rng: np.random.Generator, n: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Rows, labels, influences and bounds of the ``n`` free candidates of the highest bounds, (n,)."""
        confidence = self.standard_errors(len(view.validation))
        optimum = optimum_of(model, view)
        if confidence:
            scorer = ConfidentInfluence.at(optimum, rng)
            return top_confident(scorer, view.pool, confidence, n, free)
        S = optimum.direction()
        influence = best_influence(optimum.W, S, view.pool).where(free, -torch.inf)
        best = top(influence, n)
        return best, best_labels(S, view.pool[best]), influence[best], influence[best]


@dataclass(frozen=True)
class _Pick:
    row: int
    label: int
    influence: float


class _Growing:
    """The view with the picks so far among its labelled rows, and a model of those."""

    def __init__(self, model: ConvexModel, view: PoolView, exact: bool):
        self.model = copy.copy(model)
        self.exact = exact
        self.view = replace(view, labeled=view.labeled.double())

    def add(self, x: Tensor, label: int) -> None:
        X = torch.cat([self.view.labeled, x[None].double()])
        y = torch.cat([self.view.labels, self.view.labels.new_tensor([label])])
        self.view = replace(self.view, labeled=X, labels=y)
        (self.model.fit if self.exact else self.model.update)(X, y)
