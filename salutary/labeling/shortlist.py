"""The rows of a pool that are worth a closer look, in one pass over its blocks, for several models at once.

    best = best_points(pool, model.coef_, S, budget=100, progress=True)
    best.rows, best.labels, best.influence

with S from ``engine.Optimum.direction``. Blocks come, are scored, and go; only the best so many rows stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_influences, best_labels
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.selection import top
from salutary.errors import SalutaryError, require_whole
from salutary.labeling.pool import Pool
from salutary.labeling.track import FittedTrack
from salutary.strategies.track import Track
from salutary.system.progress import counting_bar

# Blocks whose best rows are kept before they are compared.
MERGE_EVERY = 16


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
        check_finite(pool, X, influence, start)
        best.add(influence, start, X)
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


class TopRows:
    """The ``n`` rows of the highest scores so far; of equal ones those that came first."""

    def __init__(self, n: int):
        self.n = n
        self._found: list[tuple[Tensor, ...]] = []
        self.floor = -torch.inf  # what a score has to exceed

    def add(self, scores: Tensor, start: int, *columns: Tensor) -> None:
        """Scores (m,) of the rows from number ``start`` on, and what else is to be kept of them, each (m,
        ...).
        """
        near = torch.nonzero(scores > self.floor)[:, 0]
        near = near[top(scores[near], min(self.n, len(near)))] if len(near) else near
        self._found.append((start + near, scores[near], *(column[near] for column in columns)))
        if len(self._found) > MERGE_EVERY:
            self._merge()

    def columns(self) -> tuple[Tensor, ...]:
        """Row numbers, scores and the rest, best first."""
        self._merge()
        return self._found[0]

    def _merge(self) -> None:
        """They come in order, so a stable sort keeps ties right."""
        columns = [torch.cat(each) for each in zip(*self._found, strict=True)]
        kept = torch.argsort(columns[1], descending=True, stable=True)[: self.n]
        self._found = [tuple(column[kept] for column in columns)]
        if len(kept) == self.n:
            self.floor = float(columns[1][kept[-1]])


def _tensor(block: np.ndarray, dtype: torch.dtype | None, device: torch.device) -> Tensor:
    single = block.dtype == np.float32 if dtype is None else dtype == torch.float32
    with np.errstate(over="ignore"):  # what is too large for float32 is reported with its row
        rows = np.array(block, np.float32 if single else np.float64, order="C")
    return torch.from_numpy(rows).to(device)


def check_finite(pool: Pool, X: Tensor, influence: Tensor, start: int) -> None:
    """Raises SalutaryError, naming the row, if influences of the block X, from row ``start`` on, are not
    finite.
    """
    wrong = ~torch.isfinite(influence)
    if not wrong.any():
        return
    bad = torch.nonzero(~torch.isfinite(X))
    if not len(bad):
        row = start + int(torch.nonzero(wrong)[0])
        raise SalutaryError(f"{pool.name}: the values of row {row} are too large (counted from 0)")
    row, column = bad[0].tolist()
    value = X[row, column]
    raise SalutaryError(f"{pool.name}: feature {column} of row {start + row} is {value} (counted from 0)")


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
        self, tracks: Sequence[FittedTrack], directions: Sequence[Tensor], title: str
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
        self,
        tracks: Sequence[Track],
        scorers: Sequence[ConfidentInfluence],
        confidence: float,
        title: str,
    ) -> list[np.ndarray]:
        """By the highest of influence - confidence * standard error over all labels, where that is positive.

        It takes several times as long: the standard errors of all rows whose influence is high enough.
        """
        models = [(scorer.W, scorer.S) for scorer in scorers]

        def score(start: int, X: Tensor, best: list[TopRows]) -> Iterable[Tensor]:
            for scorer, bound, top_rows in zip(scorers, best_influences(models, X), best, strict=True):
                near = torch.nonzero(bound > max(top_rows.floor, 0))[:, 0]
                influence, error = scorer.score(X[near])
                lower = (influence - confidence * error).amax(1)
                yield torch.full_like(bound, -torch.inf).index_copy(
                    0, near, lower.where(lower > 0, -torch.inf)
                )

        return self._best(tracks, score, title)

    def sampled(self, tracks: Sequence[Track], n: int, rng: np.random.Generator) -> list[np.ndarray]:
        """``n`` rows at random, the same for all tracks as far as they have not taken them; all of a pool
        that is no larger than the list.
        """
        if self.is_whole:
            return [np.setdiff1d(np.arange(len(self.pool)), track.taken) for track in tracks]
        order = rng.permutation(len(self.pool))
        return [np.sort(order[~np.isin(order, track.taken)][:n]) for track in tracks]

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
            for scores, top_rows, gone in zip(score(start, X, best), best, taken, strict=True):
                inside = gone[np.searchsorted(gone, start) : np.searchsorted(gone, start + len(X))]
                scores[torch.as_tensor(inside - start)] = -torch.inf
                top_rows.add(scores, start)
        return [np.sort(top_rows.columns()[0].numpy(force=True)) for top_rows in best]
