"""Whether labels that nobody gave help, on validation rows that did not choose them."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold
from torch import Tensor

from salutary.engine.objectives import Criterion
from salutary.engine.paired import Difference
from salutary.errors import SalutaryError
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import HeldOut, predictions, row_values
from salutary.experiments.rounds import Round
from salutary.experiments.terminal import Told, steps
from salutary.models import is_network
from salutary.strategies.track import Rows
from salutary.system.seeding import stream
from salutary.tables.groups import strata

log = logging.getLogger(__name__)

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
    courses, lefts = [], []
    description = "comparing on held-out validation rows, rounds"
    with steps(description, "held-out round", n * plan.rounds, told) as one_more:
        for choosing, left in parts_of(plan, n):
            try:
                courses.append(repeated(plan, choosing, left, one_more))
            except SalutaryError as error:
                if plan.problem.criterion is None:
                    raise
                log.warning("not compared on held-out validation rows: %s", error)
                return None
            lefts.append(left)
    return Repeated.joined(courses, np.argsort(np.concatenate(lefts))).held_out(n)


@dataclass(frozen=True)
class Repeated:
    """A labelling that some validation rows chose, measured on other ``rows`` (n): what the model predicts of
    them ``before`` and ``after`` it, by each of its last states (n, C), and its ``rounds``.

    ``noise``: the variance of the objective on them from one training of a network to another, 0 for a model
    that has an optimum. ``criterion``: the objective, None for the mean loss.
    """

    rows: Rows
    before: list[Tensor]
    after: list[Tensor]
    noise: float
    rounds: list[Round]
    criterion: Criterion | None = None

    @classmethod
    def joined(cls, parts: Sequence[Repeated], order: np.ndarray) -> Repeated:
        """Those of several folds as one, their rows in this order, with the mean noise."""
        rows = [part.rows for part in parts]
        groups = [each.groups for each in rows if each.groups is not None]
        X, y = torch.cat([each.X for each in rows]), torch.cat([each.y for each in rows])
        together = Rows(X, y, torch.cat(groups) if groups else None)[order]
        before, after = (
            [torch.cat(states)[order] for states in zip(*each, strict=True)]
            for each in ([part.before for part in parts], [part.after for part in parts])
        )
        noise = float(np.mean([part.noise for part in parts]))
        return cls(together, before, after, noise, [], parts[0].criterion)

    def held_out(self, folds: int = 0) -> HeldOut:
        """The objectives, and how sure their difference is: of other rows, and by other trainings."""
        values = [
            row_values(each, self.rows.y, self.rows.groups, self.criterion)
            for each in (self.before, self.after)
        ]
        gap = Difference.of(values[1], values[0])
        before, after = (float(each.mean()) for each in values)
        error = (gap.error**2 + self.noise * (1 + 1 / max(folds, 1))) ** 0.5
        what = f"objective ({self.criterion.name})" if self.criterion else "loss"
        return HeldOut(len(self.rows), folds, before, after, gap.mean, error, what)


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
    rows, records, predicted = problem.rows("validation")[left], [], []
    for record in replace(plan, problem=part, model=model, strategy=strategy).run():
        records.append(record)
        if record.round == 0 or record.queries:
            predicted.append(predictions(model, rows.X))
        if record.queries:
            one_more()
    noise = 0.0
    if is_network(model):
        each = [row_values(P, rows.y, rows.groups, problem.criterion).mean() for P in predicted]
        noise = training_noise(each)
    return Repeated(rows, predicted[0], predicted[-1], noise, records, problem.criterion)


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
    shares of the classes, and of groups within them for an objective, as these allow."""
    rows = plan.problem.rows("validation")
    y = rows.y.numpy(force=True)
    if plan.problem.criterion and rows.groups is not None:
        y = strata(y, rows.groups.numpy(force=True))
    state = int(stream(plan.seed, "validation", folds).integers(2**31))
    rarest = np.unique(y, return_counts=True)[1].min()
    kind = StratifiedKFold if rarest >= folds else KFold  # the first warns of classes with fewer rows
    return list(kind(folds, shuffle=True, random_state=state).split(y, y))
