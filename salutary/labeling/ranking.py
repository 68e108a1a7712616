"""Which rows of a pool rank highest, decided such that neither blocks nor machines matter.

A row's score is computed in float64 and rounded to float32; of equal scores the first row of the file ranks
first. What a block costs is the rough scores of its rows in its own precision: with a bound of their error
they tell which rows may be among the highest, and only those are scored again. So a pool that is read in
other blocks, in another order or by many processes has the same highest rows. (The last digits of float64 do
depend on the block; they count where two rows' scores round to neighbouring float32, one in ten million.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine import best_influence, best_influences
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.selection import top
from salutary.errors import SalutaryError

Model = tuple[Tensor, Tensor]
Scored = list[tuple[Tensor, Tensor]]


class TopRows:
    """The ``n`` rows of the highest scores so far; of equal ones those that came first.

    ``floor``: what a score has to exceed.
    """

    def __init__(self, n: int, floor: float = -torch.inf):
        self.n = n
        self.floor = floor
        self._found: list[tuple[Tensor, ...]] = []
        self._n_found = 0

    def add(self, scores: Tensor, rows: Tensor, *columns: Tensor) -> None:
        """Scores (m,) of ``rows``, ascending numbers, and what else is to be kept of them, each (m, ...)."""
        near = torch.nonzero(scores > self.floor)[:, 0]
        near = near[top(scores[near], min(self.n, len(near)))] if len(near) else near
        self._found.append((rows[near], scores[near], *(column[near] for column in columns)))
        self._n_found += len(near)
        if self._n_found > 2 * self.n or (self._n_found >= self.n and self.floor == -torch.inf):
            self._merge()

    def columns(self) -> tuple[Tensor, ...]:
        """Row numbers, scores and the rest, best first."""
        self._merge()
        return self._found[0]

    def _merge(self) -> None:
        """They come in order, so a stable sort keeps ties right."""
        columns = [torch.cat(each) for each in zip(*self._found, strict=True)]
        kept = torch.argsort(columns[1], descending=True, stable=True)[: self.n]
        self._found, self._n_found = [tuple(column[kept] for column in columns)], len(kept)
        if len(kept) == self.n:
            self.floor = max(self.floor, float(columns[1][kept[-1]]))


class Score(Protocol):
    """What ranks rows, by one score for each of several models; processes send it to each other."""

    def __call__(self, start: int, X: Tensor, gone: Sequence[Tensor], best: Sequence[TopRows]) -> Scored:
        """By each model the places (k,) of rows of X (m, d), from number ``start`` on, that may be among the
        ``best``, ascending, and their scores (k,), float32 numbers.

        ``gone``: by model, places of rows that are not to be chosen. Raises SalutaryError, naming the row,
        for a value that is not finite.
        """

    def to(self, device: torch.device) -> Self: ...


@dataclass(frozen=True)
class ByInfluence:
    """The highest influence over all labels, by the models (W, S). ``name``: of the pool."""

    models: list[Model]
    name: str

    def __call__(self, start: int, X: Tensor, gone: Sequence[Tensor], best: Sequence[TopRows]) -> Scored:
        found, roughly = [], _roughly(self.models, X, self.name, start)
        for model, rough, left_out, rows in zip(self.models, roughly, gone, best, strict=True):
            rough.scores[left_out] = -torch.inf
            near = rough.among_best(rows)
            found.append((near, best_influence(*model, X[near].double()).float()))
        return found

    def to(self, device: torch.device) -> Self:
        """On another device."""
        return replace(self, models=[(W.to(device), S.to(device)) for W, S in self.models])


@dataclass(frozen=True)
class ByLowerBound:
    """The highest of influence - ``confidence`` * standard error over all labels, where that is positive."""

    scorers: list[ConfidentInfluence]
    confidence: float
    name: str

    def __call__(self, start: int, X: Tensor, gone: Sequence[Tensor], best: Sequence[TopRows]) -> Scored:
        models = [(scorer.W, scorer.S) for scorer in self.scorers]
        found, roughly = [], _roughly(models, X, self.name, start)
        for scorer, rough, left_out, rows in zip(self.scorers, roughly, gone, best, strict=True):
            rough.scores[left_out] = -torch.inf
            near = rough.reaching(max(rows.floor, 0.0))  # no lower bound is above the influence
            influence, standard_error = scorer.score(X[near].double())
            lower = (influence - self.confidence * standard_error).amax(1)
            found.append((near[lower > 0], lower[lower > 0].float()))
        return found

    def to(self, device: torch.device) -> Self:
        """On another device."""
        return replace(self, scorers=[_moved(each, device) for each in self.scorers])


def best_rows(
    blocks: Iterable[tuple[int, Tensor]],
    score: Score,
    taken: Sequence[np.ndarray],
    n: int,
    floors: Sequence[float] | None = None,
) -> list[TopRows]:
    """The ``n`` best rows by each model, of blocks in ascending order: number of the first row, and rows.

    ``taken``: by model, the numbers of rows that are not to be chosen, ascending. ``floors``: what scores
    have to exceed from the start.
    """
    best = [TopRows(n, floor) for floor in floors or [-torch.inf] * len(taken)]
    for start, X in blocks:
        gone = [_inside(each, start, len(X), X.device) for each in taken]
        for (near, scores), rows in zip(score(start, X, gone, best), best, strict=True):
            rows.add(scores, start + near)
    return best


def check_finite(name: str, X: Tensor, influence: Tensor, start: int) -> None:
    """Raises SalutaryError, naming the row, if influences of the block X, from row ``start`` of the pool
    ``name`` on, are not finite.
    """
    wrong = ~torch.isfinite(influence)
    if not wrong.any():
        return
    bad = torch.nonzero(~torch.isfinite(X))
    if not len(bad):
        row = start + int(torch.nonzero(wrong)[0])
        raise SalutaryError(f"{name}: the values of row {row} are too large (counted from 0)")
    row, column = bad[0].tolist()
    value = X[row, column]
    raise SalutaryError(f"{name}: feature {column} of row {start + row} is {value} (counted from 0)")


@dataclass(frozen=True)
class _Rough:
    """Influences ``scores`` (m,) that are off by at most ``per_size`` * size + ``per_score`` * score."""

    scores: Tensor
    size: Tensor
    largest: float
    per_size: float
    per_score: float

    def among_best(self, rows: TopRows) -> Tensor:
        """Places of what may be among the best: reaches their floor, and what ``n`` rows surely reach."""
        near = self.reaching(rows.floor)
        if len(near) <= 2 * rows.n:  # a search costs more than it saves
            return near
        scores, error = self.scores[near], self._error(near)
        return near[scores + error >= torch.topk(scores - error, rows.n).values[-1]]

    def reaching(self, floor: float) -> Tensor:
        """Places of what may be at least ``floor``; what is -inf is not."""
        least = torch.finfo(self.scores.dtype).min
        if floor > -torch.inf and np.isfinite(self.per_score):
            least = max(least, (floor - self.per_size * self.largest) / (1 + self.per_score))
        near = torch.nonzero(self.scores >= least)[:, 0]
        return near[self.scores[near] + self._error(near) >= floor]

    def _error(self, places: Tensor) -> Tensor:
        return self.per_size * self.size[places] + self.per_score * self.scores[places]


def _roughly(models: Sequence[Model], X: Tensor, name: str, start: int) -> Iterator[_Rough]:
    """By each model the highest influence of the rows X in their own precision, and how far it may be off.

    A sum of d products is off by at most d + 1 roundings of |x| |w|. Of p.u - min u the u count twice; the
    probabilities change by a factor of at most exp(2 dz), for logits z that are off by dz.
    """
    size, unit = torch.linalg.vector_norm(X, dim=1) + 1, torch.finfo(X.dtype).eps
    largest, roundings = float(size.max()), (X.shape[1] + 4) * unit
    for (W, S), scores in zip(models, best_influences(models, X), strict=True):
        check_finite(name, X, scores, start)
        dz, du = (roundings * float(torch.linalg.vector_norm(each, dim=1).max()) for each in (W, S))
        with np.errstate(over="ignore"):
            per_score = float(np.expm1(2 * dz * largest)) + (len(W) + 16) * unit
        yield _Rough(scores, size, largest, 2 * du, per_score)


def _inside(taken: np.ndarray, start: int, n: int, device: torch.device) -> Tensor:
    inside = taken[np.searchsorted(taken, start) : np.searchsorted(taken, start + n)]
    return torch.as_tensor(inside - start, device=device)


def _moved(scorer: ConfidentInfluence, device: torch.device) -> ConfidentInfluence:
    tensors: dict[str, Any] = {
        name: value.to(device) for name, value in vars(scorer).items() if isinstance(value, Tensor)
    }
    return replace(scorer, **tensors)
