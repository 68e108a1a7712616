"""The active-learning loop. No files, no configuration, no plots."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.experiments.metrics import Metrics, evaluate
from salutary.experiments.problem import Problem
from salutary.experiments.rounds import Query, Round
from salutary.experiments.soft_queries import soft_labels_of, with_distributions
from salutary.models import Model, iterations_of, penalty_of, warm_starts
from salutary.strategies import Proposal, Strategy, check_proposal
from salutary.strategies.surrogate import Guide, guide_of
from salutary.strategies.track import Rows, Track
from salutary.system.seeding import stream
from salutary.tables import UNLABELED

# Rows moved at a time when the pool is closed up.
CLOSE_UP_ROWS = 2048


@dataclass(frozen=True)
class Plan:
    """What a run is made of; the arguments of :func:`run`."""

    problem: Problem
    model: Model
    strategy: Strategy
    rounds: int
    budget: int
    seed: int

    def run(self, done: tuple[Round, ...] = ()) -> Iterator[Round]:
        """The rounds, see :func:`run`."""
        settings = (self.rounds, self.budget, self.seed)
        return run(self.problem, self.model, self.strategy, *settings, done)


def run(
    problem: Problem,
    model: Model,
    strategy: Strategy,
    rounds: int,
    budget: int,
    seed: int,
    done: tuple[Round, ...] = (),
) -> Iterator[Round]:
    """Yield round 0, then up to ``rounds`` rounds that each add ``budget`` points.

    The last round takes what is left of the pool; the run ends early when nothing is left, or when
    the strategy proposes nothing: then its last round adds no point, and says why. ``done``: the rounds of
    an interrupted run, from round 0 on; it goes on after them, and they are not yielded again.
    Raises SalutaryError if the first budget exceeds the pool or settings make no sense, both before
    round 0, if ``done`` was made from other data, or if a strategy breaks its contract.
    """
    if budget > len(problem.split.pool):
        raise SalutaryError(f"budget={budget} is larger than the pool, {len(problem.split.pool)} rows")
    strategy.check(model)
    course = _Course(problem, model, seed, done)
    if done and (done[-1].round >= rounds or _is_idle(done[-1])):
        return
    if done:
        course.refit(done)
        last = done[-1]
    else:
        last = course.measured(0, (), 0.0, course.fit())
        yield last
    for number in range(last.round + 1, rounds + 1):
        if not len(course.pool):
            return
        size = min(budget, len(course.pool))
        guide, proposal, select_seconds = course.propose(strategy, size, stream(seed, "strategy", number))
        check_proposal(proposal, len(course.pool), size, problem.n_classes)
        if not len(proposal.indices):
            yield _idle(last, number, select_seconds, proposal.stop or "the strategy proposes nothing")
            return
        labels = course.ask(proposal)
        queries = course.add(number, proposal, labels)
        fit_seconds = course.fit()
        last = course.measured(number, queries, select_seconds, fit_seconds)
        last = replace(last, stop=proposal.stop, surrogate_agreement=guide.agreement, surrogate_l2=guide.l2)
        yield last


class Oracle:
    """The human annotator: sells true labels by row and counts every one."""

    def __init__(self, y: Tensor, n_sold: int = 0):
        self._y = y
        self.n_sold = n_sold

    def label(self, rows: Tensor) -> Tensor:
        """Raises SalutaryError for a row whose label nobody knows."""
        labels = self._y[rows]
        if (labels == UNLABELED).any():
            raise SalutaryError(
                "this strategy buys true labels, but the pool has rows without one:"
                " use strategy=salutary_greedy, salutary or self_training"
            )
        self.n_sold += len(rows)
        return labels


class _Course:
    """What changes from round to round: the labelled rows, what is left of the pool, and the model.

    Starts where the rounds ``done`` end, with the model tuned to the initial set.
    """

    def __init__(self, problem: Problem, model: Model, seed: int, done: tuple[Round, ...]):
        initial = torch.as_tensor(problem.split.initial, device=problem.y.device)
        pool = torch.as_tensor(problem.split.pool, device=problem.y.device)
        # Rows are gathered once. What a strategy does to those it is given cannot change what is measured.
        self.validation, self.test = problem.rows("validation"), problem.rows("test")
        start = Rows(problem.X[initial], problem.given[initial])
        self.track = Track.start(start, problem.rows("validation"), problem.n_classes, problem.criterion)
        model.tune(start.X, start.y, stream(seed, "model"), problem.part("validation"))
        self.oracle = Oracle(problem.y, done[-1].n_human_labels if done else 0)
        rows, labels, soft = _restored(problem, pool, done)
        self.track = self.track.add(rows.numpy(force=True), problem.X[rows], labels, soft)
        pool = pool[~torch.isin(pool, rows)]
        self.pool = _Pool(problem.X[pool], pool)
        self.problem, self.model, self.fitted = problem, model, False

    def fit(self) -> float:
        """Fit the model to the labelled rows; how many seconds that took."""
        started = time.perf_counter()
        self._fit(self.track.labeled)
        return time.perf_counter() - started

    def refit(self, done: tuple[Round, ...]) -> None:
        """Fit the model as the rounds ``done`` did, one after the other: each fit started at the one before,
        to which it owes its last digits."""
        sizes = [record.n_labeled for record in done] if warm_starts(self.model) else []
        for n in sizes or [len(self.track.labeled)]:
            self._fit(self.track.labeled[:n])

    def _fit(self, rows: Rows) -> None:
        if self.fitted and warm_starts(self.model):
            self.model.update(rows.X, rows.targets)
        else:
            self.model.fit(rows.X, rows.targets, self.pool.X)
        self.fitted = True

    def propose(
        self, strategy: Strategy, size: int, rng: np.random.Generator
    ) -> tuple[Guide, Proposal, float]:
        """What the strategy proposes, what it worked with, and how many seconds that took."""
        view = replace(self.track.view(self.pool.X), rows=self._rows())
        started = time.perf_counter()
        guide = guide_of(self.model, view, strategy.needs_convex)
        proposal = strategy.propose(guide.model, guide.view, size, rng)
        return guide, proposal, time.perf_counter() - started

    def _rows(self) -> Tensor:
        """The numbers of the labelled rows, then of the pool's."""
        known = np.concatenate([self.problem.split.initial, self.track.taken])
        return torch.cat([torch.as_tensor(known, device=self.pool.rows.device), self.pool.rows])

    def ask(self, proposal: Proposal) -> Tensor:
        """The proposal's own labels (b,), or those that the oracle sells."""
        if proposal.labels is None:
            return self.oracle.label(self.pool.rows[proposal.indices.to(self.pool.rows.device)])
        return proposal.labels.to(self.pool.rows.device)

    def add(self, number: int, proposal: Proposal, labels: Tensor) -> tuple[Query, ...]:
        """Move the proposed rows from the pool to the labelled ones; what the records keep of that."""
        positions = proposal.indices.to(self.pool.rows.device)
        rows = self.pool.rows[positions]
        X = self.problem.X[rows]
        predicted = self.model.predict_proba(X).argmax(1)
        self.track = self.track.add(rows.numpy(force=True), X, labels, proposal.soft_labels)
        self.pool.remove(positions)
        name = [*self.problem.class_names, ""]  # the last one is UNLABELED's, -1
        values = [None] * len(rows) if proposal.influence is None else proposal.influence.tolist()
        true = self.problem.y[rows]
        columns = (rows.tolist(), labels.tolist(), true.tolist(), predicted.tolist(), values)
        queries = tuple(
            Query(number, rank, sample, name[a], name[t], name[p], value)
            for rank, (sample, a, t, p, value) in enumerate(zip(*columns, strict=True))
        )
        return with_distributions(queries, proposal, self.problem.class_names)

    def measured(
        self, number: int, queries: tuple[Query, ...], select_seconds: float, fit_seconds: float
    ) -> Round:
        """The round, with the metrics of the fitted model."""
        agreed = [query.assigned_label == query.true_label for query in queries if query.true_label]
        return Round(
            round=number,
            n_labeled=len(self.track.labeled),
            n_human_labels=self.oracle.n_sold,
            validation=self._metrics(self.validation, full=False),
            test=self._metrics(self.test),
            label_agreement=sum(agreed) / len(agreed) if agreed else None,
            select_seconds=select_seconds,
            fit_seconds=fit_seconds,
            queries=queries,
            l2=penalty_of(self.model),
            fit_iterations=iterations_of(self.model),
        )

    def _metrics(self, rows: Rows, full: bool = True) -> Metrics:
        return evaluate(self.model, rows.X, rows.y, rows.groups, self.problem.criterion, full)


class _Pool:
    """The rows that are left: X (u, ...) and their numbers in the table, (u,)."""

    def __init__(self, X: Tensor, rows: Tensor):
        self.X = X
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def remove(self, positions: Tensor) -> None:
        self.X, self.rows = without_rows(self.X, self.rows, positions)


def without_rows(X: Tensor, rows: Tensor, gone: Tensor) -> tuple[Tensor, Tensor]:
    """X (n, d) and its row numbers (n,) without the positions ``gone``, the others in order.

    X is closed up in its own memory, block by block: a copy of a large pool takes longer than scoring it.
    """
    kept = torch.ones(len(X), dtype=torch.bool, device=X.device)
    kept[gone] = False
    source = kept.nonzero()[:, 0]
    # Rows only move down, to where rows have already been moved from.
    for start in range(int(gone.min()), len(source), CLOSE_UP_ROWS):
        block = source[start : start + CLOSE_UP_ROWS]
        X[start : start + len(block)] = X[block]
    return X[: len(source)], rows[source]


def _restored(
    problem: Problem, pool: Tensor, done: tuple[Round, ...]
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Rows (q,), assigned labels (q,) and soft ones (q, C), if any, of all queries of an interrupted run."""
    queries = [query for record in done for query in record.queries]
    numbers = {name: number for number, name in enumerate(problem.class_names)}
    or_unknown = {**numbers, "": UNLABELED}
    rows = torch.tensor([query.sample_id for query in queries], dtype=torch.int64, device=pool.device)
    match = all(query.assigned_label in numbers and query.true_label in or_unknown for query in queries)
    if match and bool(torch.isin(rows, pool).all()):
        true = [or_unknown[query.true_label] for query in queries]
        if problem.y[rows].tolist() == true:
            assigned = [numbers[query.assigned_label] for query in queries]
            y = torch.tensor(assigned, dtype=torch.int64, device=pool.device)
            return rows, y, soft_labels_of(queries, problem.class_names, pool.device)
    raise SalutaryError("the interrupted run had other data: force=true starts it afresh")


def _is_idle(record: Round) -> bool:
    return record.round > 0 and not record.queries


def _idle(last: Round, number: int, select_seconds: float, why: str) -> Round:
    """A round that adds nothing: the model stays as it was."""
    same = replace(last, round=number, select_seconds=select_seconds, stop=why)
    return replace(same, queries=(), label_agreement=None, fit_seconds=0.0, fit_iterations=None)
