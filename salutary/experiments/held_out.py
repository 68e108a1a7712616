"""Whether labels that nobody gave help, on validation rows that did not choose them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from salutary.engine.paired import Difference
from salutary.experiments import loop
from salutary.experiments.judge import Judge
from salutary.experiments.metrics import HeldOut, row_losses
from salutary.experiments.problem import Problem
from salutary.models import Model, is_network
from salutary.strategies import Strategy
from salutary.strategies.track import Rows
from salutary.system.progress import counting_bar
from salutary.system.seeding import stream

# Folds for a network if nothing is said: each of them is a whole run more.
FOLDS = 2


def compared(
    problem: Problem, model: Model, strategy: Strategy, rounds: int, budget: int, seed: int, folds: int | str
) -> HeldOut | None:
    """The labels of a run compared with none, None for true labels and where nobody asks.

    ``model``: as the run left it. ``folds``: of the validation rows, or ``auto``, which is ``FOLDS`` for a
    network and 0 for other models; where batches were judged, the judging rows do instead. Raises what a run
    raises.
    """
    if not strategy.labels_alone or not rounds:
        return None
    if strategy.judge:
        return _on_judging_rows(problem, model, strategy, seed)
    n_validation = len(problem.split.validation)
    n = (FOLDS if is_network(model) else 0) if folds == "auto" else int(folds)
    n = min(n, n_validation // 2)
    return _cross_fitted(problem, copy.copy(model), strategy, rounds, budget, seed, n) if n > 1 else None


def _on_judging_rows(problem: Problem, model: Model, strategy: Strategy, seed: int) -> HeldOut:
    judge = Judge(strategy, Rows(*problem.part("validation")), 1, seed)
    initial, split = copy.copy(model), problem.split
    initial.fit(problem.X[split.initial], problem.given[split.initial], problem.X[split.pool])
    return _measured(judge.losses(initial), judge.losses(model), 0)


def _cross_fitted(
    problem: Problem, model: Model, strategy: Strategy, rounds: int, budget: int, seed: int, folds: int
) -> HeldOut:
    """The labelling repeated for each fold of the validation rows, chosen by the others."""
    X, y = problem.part("validation")
    before, after = np.empty(len(y)), np.empty(len(y))
    strategy = strategy.for_validation(len(y))
    with counting_bar("comparing on held-out validation rows, folds", folds) as advance:
        for chosen, left in _folds(y.numpy(force=True), folds, seed):
            split = replace(problem.split, validation=problem.split.validation[chosen])
            for record in loop.run(replace(problem, split=split), model, strategy, rounds, budget, seed):
                if record.round == 0:
                    before[left] = row_losses(model, X[left], y[left])
            after[left] = row_losses(model, X[left], y[left])
            advance(1)
    return _measured(before, after, folds)


def _measured(before: np.ndarray, after: np.ndarray, folds: int) -> HeldOut:
    """From the losses (n,) of the same rows."""
    gap = Difference.of(after, before)
    return HeldOut(len(before), folds, float(before.mean()), float(after.mean()), gap.mean, gap.error)


def _folds(y: np.ndarray, folds: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Rows that choose and rows that are held out, as near to the shares of the classes as these allow."""
    state = int(stream(seed, "validation", folds).integers(2**31))
    rarest = np.unique(y, return_counts=True)[1].min()
    kind = StratifiedKFold if rarest >= folds else KFold  # the first warns of classes with fewer rows
    return kind(folds, shuffle=True, random_state=state).split(y, y)
