"""The rows of a pool that are worth a closer look, in one pass over its blocks, for several models at once.

    best = best_points(pool, model.coef_, S, budget=100, progress=True)
    best.rows, best.labels, best.influence

with S from ``engine.Optimum.direction``. Blocks come, are scored, and go; only the best so many rows stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_labels
from salutary.engine.confidence import ConfidentInfluence
from salutary.errors import SalutaryError, require_whole
from salutary.labeling.distributed_pool import DistributedPool
from salutary.labeling.pool import Pool
from salutary.labeling.ranking import ByInfluence, ByLowerBound, Score, TopRows, best_rows, check_finite
from salutary.labeling.track import FittedTrack
from salutary.strategies.track import Track
from salutary.system.progress import counting_bar


@dataclass(frozen=True)
class BestPoints:
    """The best rows of a pool, best first: ``rows`` (b,), ``labels`` (b,), ``influence`` (b,).

    ``influence``: predicted fall of the mean validation loss with that label.
    """

    rows: Tensor
    labels: Tensor
    influence: Tensor


def best_points(
    pool: Pool,
    W: Tensor,
    S: Tensor,
    budget: int,
    dtype: torch.dtype | None = None,
    progress: bool = False,
) -> BestPoints:
    """The ``budget`` rows with the highest influence over all labels, each with its best label.

    ``W`` (K, D): the parameters; ``S`` = H^-1 g_V (K, D), from ``engine.Optimum.direction``; their
    device is where blocks are scored. ``dtype``: of the rows; by default float32 for a file of float32, else
    float64. Of equal rows the first in the file comes first, as in memory. ``progress``: show a bar.
    Raises SalutaryError for a budget larger than the pool, for features that do not fit the model and, naming
    the row, for a value that is not finite.
    """
    require_whole("budget", budget, 1)
    if budget > len(pool):
        raise SalutaryError(f"budget={budget} is larger than the pool, {len(pool)} rows")
    if S.shape != W.shape or dtype not in (None, torch.float32, torch.float64):
        shapes = f"W {tuple(W.shape)} and S {tuple(S.shape)}"
        raise SalutaryError(f"{shapes} must be alike, and dtype float32 or float64, not {dtype}")
    if W.shape[1] - pool.n_features not in (0, 1):
        raise SalutaryError(f"{pool.name} has {pool.n_features} features, the model has {W.shape[1]}")
    best = TopRows(budget)
    for start, X in scored_blocks(pool, dtype, W.device, progress):
        influence = best_influence(W, S, X)
        check_finite(pool.name, X, influence, start)
        best.add(influence, start + torch.arange(len(X), device=X.device), X)
    rows, influence, X_best = best.columns()
    return BestPoints(rows, best_labels(S, X_best), influence)


def scored_blocks(
    pool: Pool, dtype: torch.dtype | None, device: torch.device, progress: bool, what: str = "scoring"
) -> Iterator[tuple[int, Tensor]]:
    """Number of the first row, and rows (m, d), of each block of a pool."""
    start = 0
    with counting_bar(f"{what} {Path(pool.name).name}", len(pool), progress) as advance:
        for block in pool.blocks():
            yield start, _tensor(block, dtype, device)
            start += len(block)
            advance(len(block))


def _tensor(block: np.ndarray, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    single = block.dtype == np.float32 if dtype is None else dtype == torch.float32
    with np.errstate(over="ignore"):  # what is too large for float32 is reported with its row
        rows = np.array(block, np.float32 if single else np.float64, order="C")
    return torch.from_numpy(rows).to(device)


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
        self, tracks: Sequence[FittedTrack], directions: Sequence[Tensor], title: str
    ) -> list[np.ndarray]:
        """By the highest influence over all labels: ``salutary`` chooses of those what it would of all."""
        models = [(track.model.coef_, S) for track, S in zip(tracks, directions, strict=True)]
        return self._best(tracks, ByInfluence(models, self.pool.name), title)

    def by_lower_bound(
        self,
        tracks: Sequence[Track],
        scorers: Sequence[ConfidentInfluence],
        confidence: float,
        title: str,
    ) -> list[np.ndarray]:
        """By the highest of influence - confidence * standard error over all labels, where that is positive.

        It takes several times as long: the standard errors of all rows whose influence is high enough.
        """
        return self._best(tracks, ByLowerBound([*scorers], confidence, self.pool.name), title)

    def sampled(self, tracks: Sequence[Track], n: int, rng: np.random.Generator) -> list[np.ndarray]:
        """``n`` rows at random, the same for all tracks as far as they have not taken them; all of a pool
        that is no larger than the list.
        """
        if self.is_whole:
            return [np.setdiff1d(np.arange(len(self.pool)), track.taken) for track in tracks]
        order = rng.permutation(len(self.pool))
        return [np.sort(order[~np.isin(order, track.taken)][:n]) for track in tracks]

    def _best(self, tracks: Sequence[Track], score: Score, title: str) -> list[np.ndarray]:
        if self.is_whole:
            everything = np.arange(len(self.pool))
            return [np.setdiff1d(everything, track.taken) for track in tracks]
        taken = [np.sort(track.taken) for track in tracks]
        if isinstance(self.pool, DistributedPool):
            return self.pool.best_rows(score, taken, self.n, title)
        blocks = scored_blocks(self.pool, None, self.device, self.progress, title)
        best = best_rows(blocks, score, taken, self.n)
        return [np.sort(rows.columns()[0].numpy(force=True)) for rows in best]
