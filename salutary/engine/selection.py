"""The best of many points, without a score of each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.scores import best_influence
from salutary.errors import SalutaryError


def top(scores: Tensor | np.ndarray, budget: int) -> Tensor:
    """Positions of the ``budget`` highest scores, best first; of equals the lower position first.

    Raises SalutaryError for a score that is not a number.
    """
    scores = torch.as_tensor(scores)
    best = torch.topk(scores, budget).values  # a NaN counts as the highest
    if best[0].isnan():
        raise SalutaryError("a strategy returned a score that is not a number")
    if scores.device.type != "cpu":  # sorting all of them is cheaper there than waiting for a count
        return torch.argsort(scores, descending=True, stable=True)[:budget]
    # topk settles ties as it likes: take all that reach its last value, then sort stably.
    candidates = torch.nonzero(scores >= best[-1])[:, 0]
    order = torch.argsort(scores[candidates], descending=True, stable=True)
    return candidates[order[:budget]]


def top_by_bound(bounds: Tensor, scores: Callable[[Tensor], Tensor], budget: int) -> Tensor:
    """:func:`top` of scores that are dear, given an upper bound of each, (u,).

    ``scores`` maps positions (m,) to their scores (m,). The ``budget``-th best of the points with the
    highest bounds is a score that every chosen point reaches, so only bounds above it need a score.
    """

    def reaching(rows: Tensor) -> Tensor:
        reached = torch.topk(scores(rows), budget).values[-1]
        slack = 64 * torch.finfo(bounds.dtype).eps * reached.abs()  # bounds and scores are rounded
        return torch.nonzero(bounds >= reached - slack)[:, 0]

    size = 2 * budget
    rows = reaching(top(bounds, min(max(64, size), len(bounds))))
    if len(rows) > 8 * max(512, size):  # a better threshold is cheaper than so many scores
        rows = reaching(rows[top(bounds[rows], max(512, size))])
    return rows[top(scores(rows), budget)]


def top_confident(
    scorer: ConfidentInfluence, pool: Tensor, confidence: float, n: int, free: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The ``n`` points of the highest lower bound max over c of I(x, c) - confidence * se(x, c).

    Their positions in ``pool`` (u, d), labels, influences and lower bounds, all (n,), best first. The
    influence itself bounds them all, so that few standard errors are needed. ``free`` (u,): points that
    may be taken; those that may not come last.
    """

    def lower_bounds(rows: Tensor) -> Tensor:
        influence, error = scorer.score(pool[rows])
        lower = (influence - confidence * error).amax(1)
        return lower if free is None else lower.where(free[rows], -torch.inf)

    bounds = best_influence(scorer.W, scorer.S, pool)
    indices = top_by_bound(bounds if free is None else bounds.where(free, -torch.inf), lower_bounds, n)
    influence, error = scorer.score(pool[indices])
    lower, labels = (influence - confidence * error).max(1)
    return indices, labels, influence.gather(1, labels[:, None])[:, 0], lower
