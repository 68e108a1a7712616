"""The rows of a pool that are worth a closer look, for several models in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influences
from salutary.engine.confidence import ConfidentInfluence
from salutary.labeling.track import Track
from salutary.pools import Pool, TopRows, check_finite, scored_blocks

# Scores (m,) of each track, from the number of a block's first row, its rows and the best so far.
Score: TypeAlias = Callable[[int, Tensor, list[TopRows]], Iterable[Tensor]]


class Shortlist:
    """Of each track the ``n`` rows of the highest scores that it has not taken, as row numbers, ascending.

    A pool of at most ``n`` rows is not read for it. Methods raise SalutaryError, naming the row, for a value
    that is not finite; ``title``: of the bar.
    """

    def __init__(self, pool: Pool, n: int, device: torch.device, progress: bool = False):
        self.pool = pool
        self.n = n
        self.device = device
        self.progress = progress

    @property
    def is_whole(self) -> bool:
        return len(self.pool) <= self.n

    def by_influence(
        self, tracks: Sequence[Track], directions: Sequence[Tensor], title: str
    ) -> list[np.ndarray]:
        """By the highest influence over all labels: ``salutary`` chooses of those what it would of all."""
        models = [(track.model.coef_, S) for track, S in zip(tracks, directions, strict=True)]

        def score(start: int, X: Tensor, _: list[TopRows]) -> Tensor:
            influences = best_influences(models, X)
            for each in influences:
                check_finite(self.pool, X, each, start)
            return influences

        return self._best(tracks, score, title)

    def by_lower_bound(
        self, tracks: Sequence[Track], scorers: Sequence[ConfidentInfluence], confidence: float, title: str
    ) -> list[np.ndarray]:
        """By the highest of influence - confidence * standard error over all labels, where that is positive.

        It takes several times as long: the standard errors of all rows whose influence is high enough.
        """
        models = [(scorer.W, scorer.S) for scorer in scorers]

        def score(start: int, X: Tensor, best: list[TopRows]) -> Iterable[Tensor]:
            for scorer, bound, found in zip(scorers, best_influences(models, X), best, strict=True):
                near = torch.nonzero(bound > max(found.floor, 0))[:, 0]
                influence, error = scorer.score(X[near])
                lower = (influence - confidence * error).amax(1)
                yield torch.full_like(bound, -torch.inf).index_copy(
                    0, near, lower.where(lower > 0, -torch.inf)
                )

        return self._best(tracks, score, title)

    def _best(
        self,
        tracks: Sequence[Track],
        score: Callable[[int, Tensor, list[TopRows]], Iterable[Tensor]],
        title: str,
    ) -> list[np.ndarray]:
        if self.is_whole:
            everything = np.arange(len(self.pool))
            return [np.setdiff1d(everything, track.taken) for track in tracks]
        best = [TopRows(self.n) for _ in tracks]
        taken = [np.sort(track.taken) for track in tracks]
        for start, X in scored_blocks(self.pool, None, self.device, self.progress, title):
            for scores, found, gone in zip(score(start, X, best), best, taken, strict=True):
                inside = gone[np.searchsorted(gone, start) : np.searchsorted(gone, start + len(X))]
                scores[torch.as_tensor(inside - start)] = -torch.inf
                found.add(scores, start)
        return [np.sort(found.columns()[0].numpy(force=True)) for found in best]
