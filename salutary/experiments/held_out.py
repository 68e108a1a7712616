"""Whether labels that nobody gave help, on validation rows that did not choose them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold

from salutary.engine.paired import Difference
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import HeldOut, row_losses
from salutary.experiments.rounds import Round
from salutary.experiments.terminal import Told, steps
from salutary.models import is_network
from salutary.system.seeding import stream

# Folds for a network if nothing is said: each of them is a whole run more.
FOLDS = 2


def compared(plan: Plan, folds: int | str, told: Told | None = None) -> HeldOut | None:
    """The labels of a run compared with none, None for true labels, where nobody asks, and where validation
    rows are training data.

    The labelling is repeated for each of so many ``folds`` of the validation rows, chosen by the other folds;
    ``auto`` are FOLDS for a network, and 0 for other models. Raises what a run raises.
    """
    split = plan.problem.split
    n = (FOLDS if is_network(plan.model) else 0) if folds == "auto" else int(folds)
    n = min(n, len(split.validation) // 2)
    labels_alone = getattr(plan.strategy, "labels_alone", False)
    if not labels_alone or not plan.rounds or n < 2 or split.validation_is_labeled:
        return None
    before, after, noise = np.empty(len(split.validation)), np.empty(len(split.validation)), []
    description = "comparing on held-out validation rows, rounds"
    with steps(description, "held-out round", n * plan.rounds, told) as one_more:
        for choosing, left in parts_of(plan, n):
            course = repeated(plan, choosing, left, one_more)
            before[left], after[left] = course.before, course.after
            noise.append(course.noise)
    return Repeated(before, after, float(np.mean(noise)), []).held_out(n)


@dataclass(frozen=True)
class Repeated:
    """A labelling that some validation rows chose, measured on others: their losses (n,) ``before`` and
    ``after`` it, and its ``rounds``.

    ``noise``: the variance of a mean of those losses from one training of a network to another, 0 for a model
    that has an optimum.
    """

    before: np.ndarray
    after: np.ndarray
    noise: float
    rounds: list[Round]

    def held_out(self, folds: int = 0) -> HeldOut:
        """The means, and how sure their difference is: of other rows, and by other trainings."""
        gap = Difference.of(self.after, self.before)
        before, after = float(self.before.mean()), float(self.after.mean())
        error = (gap.error**2 + self.noise * (1 + 1 / max(folds, 1))) ** 0.5
        return HeldOut(len(self.before), folds, before, after, gap.mean, error)


def repeated(
    plan: Plan, choosing: np.ndarray, left: np.ndarray, one_more: Callable[[], object] = lambda: None
) -> Repeated:
    """A run with the validation rows ``choosing`` only, measured on those ``left``; the model of the
    plan stays as it is.

    Both are positions in the validation part. Points are picked as surely as by all of the validation rows.
    ``one_more``: called after each round that adds points.
    """
    problem, model = plan.problem, copy.copy(plan.model)
    validation = problem.split.validation
    strategy = plan.strategy.for_validation(len(validation))
    part = replace(problem, split=replace(problem.split, validation=validation[choosing]))
    X, y = (each[left] for each in problem.part("validation"))
    records, losses = [], []
    for record in replace(plan, problem=part, model=model, strategy=strategy).run():
        records.append(record)
        if record.round == 0 or record.queries:
            losses.append(row_losses(model, X, y))
        if record.queries:
            one_more()
    noise = training_noise([each.mean() for each in losses]) if is_network(model) else 0.0
    return Repeated(losses[0], losses[-1], noise, records)


def training_noise(losses: Sequence[float]) -> float:
    """Variance of a network's mean loss from training to training, from those of successive rounds.

    A few points more change a network less than training it again does. So the losses l_0, l_1, ... of rounds
    scatter around a trend by the noise, and half of the variance of their steps estimates its variance (von
    Neumann, "Distribution of the ratio of the mean square successive difference to the variance", 1941). 0
    for fewer than two steps, which say nothing of it.
    """
    between = np.diff(losses)
    return float(between.var(ddof=1) / 2) if len(between) > 1 else 0.0


def parts_of(plan: Plan, folds: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions of the validation rows that choose and of those that are left, for each fold; as near to the
    shares of the classes as these allow."""
    y = plan.problem.part("validation")[1].numpy(force=True)
    state = int(stream(plan.seed, "validation", folds).integers(2**31))
    rarest = np.unique(y, return_counts=True)[1].min()
    kind = StratifiedKFold if rarest >= folds else KFold  # the first warns of classes with fewer rows
    return list(kind(folds, shuffle=True, random_state=state).split(y, y))
