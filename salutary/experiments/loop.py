"""The active-learning loop. No files, no configuration, no plots."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor

from salutary.errors import SalutaryError
from salutary.experiments.metrics import evaluate
from salutary.experiments.problem import Problem
from salutary.experiments.rounds import Query, Round
from salutary.strategies import PoolView, Proposal, Strategy, check_proposal
from salutary.strategies.guide import guide_of
from salutary.system.seeding import stream
from salutary.tables import UNLABELED

# Rows moved at a time when the pool is closed up.
CLOSE_UP_ROWS = 2048


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


def run(
    problem: Problem,
    model,
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
    pool = torch.as_tensor(problem.split.pool, device=problem.y.device)
    labeled = torch.as_tensor(problem.split.initial, device=problem.y.device)
    labels = problem.given[labeled]
    if budget > len(pool):
        raise SalutaryError(f"budget={budget} is larger than the pool, {len(pool)} rows")
    strategy.check(model)
    oracle = Oracle(problem.y, done[-1].n_human_labels if done else 0)
    # Rows are gathered once. What a strategy does to those it is given cannot change what is measured.
    seen, measured = problem.part("validation"), (problem.part("validation"), problem.part("test"))
    model.tune(problem.X[labeled], labels, stream(seed, "model"), seen)
    rows, assigned = _restored(problem, pool, done)
    labeled, labels = torch.cat([labeled, rows]), torch.cat([labels, assigned])
    pool = pool[~torch.isin(pool, rows)]
    if done and (done[-1].round >= rounds or _is_idle(done[-1])):
        return
    X_pool = problem.X[pool]
    fit_seconds = _timed_fit(model, problem.X[labeled], labels, X_pool)
    if done:
        last = done[-1]
    else:
        last = _round(model, measured, 0, len(labeled), oracle, (), 0.0, fit_seconds)
        yield last

    for number in range(last.round + 1, rounds + 1):
        if not len(pool):
            return
        view = view_of(problem, X_pool, labeled, labels, seen)
        size = min(budget, len(pool))
        started = time.perf_counter()
        guide = guide_of(model, view, strategy.needs_convex)
        proposal = strategy.propose(guide.model, guide.view, size, stream(seed, "strategy", number))
        select_seconds = time.perf_counter() - started
        check_proposal(proposal, len(pool), size, problem.n_classes)
        if not len(proposal.indices):
            yield _idle(last, number, select_seconds, proposal.stop or "the strategy proposes nothing")
            return

        rows = pool[proposal.indices.to(pool.device)]
        assigned = _assigned(proposal, rows, oracle)
        predicted = model.predict_proba(problem.X[rows]).argmax(1)
        queries = _queries(problem, number, rows, assigned, predicted, proposal.influence)
        labeled, labels = torch.cat([labeled, rows]), torch.cat([labels, assigned])
        X_pool, pool = without_rows(X_pool, pool, proposal.indices.to(pool.device))
        fit_seconds = _timed_fit(model, problem.X[labeled], labels, X_pool)
        last = _round(model, measured, number, len(labeled), oracle, queries, select_seconds, fit_seconds)
        surrogate = {"surrogate_agreement": guide.agreement, "surrogate_l2": guide.l2}
        last = replace(last, stop=proposal.stop, **surrogate)
        yield last


def _restored(problem: Problem, pool: Tensor, done: tuple[Round, ...]) -> tuple[Tensor, Tensor]:
    """Rows (q,) and assigned labels (q,) of all queries of an interrupted run, or none."""
    queries = [query for record in done for query in record.queries]
    numbers = {name: number for number, name in enumerate(problem.class_names)}
    or_unknown = {**numbers, "": UNLABELED}
    rows = torch.tensor([query.sample_id for query in queries], dtype=torch.int64, device=pool.device)
    known = all(query.assigned_label in numbers and query.true_label in or_unknown for query in queries)
    if known and bool(torch.isin(rows, pool).all()):
        true = [or_unknown[query.true_label] for query in queries]
        if problem.y[rows].tolist() == true:
            assigned = [numbers[query.assigned_label] for query in queries]
            return rows, torch.tensor(assigned, dtype=torch.int64, device=pool.device)
    raise SalutaryError("the interrupted run had other data: force=true starts it afresh")


def _is_idle(record: Round) -> bool:
    return record.round > 0 and not record.queries


def _idle(last: Round, number: int, select_seconds: float, why: str) -> Round:
    """A round that adds nothing: the model stays as it was."""
    nothing = {"queries": (), "label_agreement": None, "fit_seconds": 0.0}
    return replace(last, round=number, select_seconds=select_seconds, stop=why, **nothing)


def _assigned(proposal: Proposal, rows: Tensor, oracle: Oracle) -> Tensor:
    """The proposal's own labels, or those that the oracle sells."""
    return oracle.label(rows) if proposal.labels is None else proposal.labels.to(rows.device)


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


def view_of(
    problem: Problem, X_pool: Tensor, labeled: Tensor, labels: Tensor, validation: tuple[Tensor, Tensor]
) -> PoolView:
    """What a strategy may see, for the rows ``labeled`` (l,) with the labels they were given."""
    X_validation, y_validation = validation
    return PoolView(
        pool=X_pool,
        labeled=problem.X[labeled],
        labels=labels.clone(),  # a strategy cannot change what the model trains on
        validation=X_validation,
        validation_labels=y_validation,
        n_initial=len(problem.split.initial),
        n_classes=problem.n_classes,
    )


def _timed_fit(model, X: Tensor, y: Tensor, unlabeled: Tensor) -> float:
    started = time.perf_counter()
    model.fit(X, y, unlabeled)
    return time.perf_counter() - started


def _queries(
    problem: Problem,
    number: int,
    rows: Tensor,
    assigned: Tensor,
    predicted: Tensor,
    influence: Tensor | None,
) -> tuple[Query, ...]:
    name = [*problem.class_names, ""]  # the last one is UNLABELED's, -1
    values = [None] * len(rows) if influence is None else influence.tolist()
    columns = (rows.tolist(), assigned.tolist(), problem.y[rows].tolist(), predicted.tolist(), values)
    return tuple(
        Query(number, rank, sample, name[a], name[t], name[p], value)
        for rank, (sample, a, t, p, value) in enumerate(zip(*columns, strict=True))
    )


def _round(
    model,
    measured: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]],
    number: int,
    n_labeled: int,
    oracle: Oracle,
    queries: tuple[Query, ...],
    select_seconds: float,
    fit_seconds: float,
) -> Round:
    validation, test = measured
    agreed = [query.assigned_label == query.true_label for query in queries if query.true_label]
    return Round(
        round=number,
        n_labeled=n_labeled,
        n_human_labels=oracle.n_sold,
        validation=evaluate(model, *validation),
        test=evaluate(model, *test),
        label_agreement=sum(agreed) / len(agreed) if agreed else None,
        select_seconds=select_seconds,
        fit_seconds=fit_seconds,
        queries=queries,
    )
