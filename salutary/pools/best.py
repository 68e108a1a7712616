"""The best rows of a pool, in one pass over its blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_labels
from salutary.errors import SalutaryError, require_whole
from salutary.pools.matrices import Pool
from salutary.strategies import top
from salutary.terminal import counting_bar

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

    ``W`` (K, D): the parameters; ``S`` = H^-1 g_V (K, D), from ``engine.validation_direction``; their
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
