"""Labels judged by what matters: the network, retrained with them (``strategy.judge=retrained``).

A convex surrogate estimates what a refit of the surrogate would gain. What the network makes of a label is
another matter: one that its own features deny is memorised, and spoils them. How much so is a question of the
surrogate's penalty, and the points of one round are too few to tell: ten more labels change a network less
than any retraining does. So before the first round there is a whole trial run for each penalty. One half of
the validation rows chooses its labels, the other judges the network that they end with.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from salutary.errors import SalutaryError
from salutary.experiments.held_out import parts_of, repeated
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import HeldOut
from salutary.experiments.problem import Problem
from salutary.models import is_network
from salutary.strategies import PoolView, Proposal, Strategy

NONE_HELPS = "no trial run made the network better on the judging validation rows by a standard error"


@dataclass(frozen=True)
class Trial:
    """A trial run with a surrogate of the penalty ``l2``: a row of trials.csv.

    ``label_agreement``: share of the ``n_points`` labels that equal the hidden truth, where that is known.
    The mean losses of the ``n`` judging rows ``before`` and ``after``, in natural logarithms; ``change``: the
    second minus the first, with its ``standard_error`` (:class:`salutary.experiments.metrics.HeldOut`).
    """

    l2: float
    n_points: int
    label_agreement: float | None
    n: int
    before: float
    after: float
    change: float
    standard_error: float

    @property
    def helps(self) -> bool:
        """By more than a standard error."""
        return self.change < -self.standard_error

    def held_out(self) -> HeldOut:
        return HeldOut(self.n, 0, self.before, self.after, self.change, self.standard_error)


def trials(
    plan: Plan, done: Iterable[Trial] = (), one_more: Callable[[], object] = lambda: None
) -> Iterator[Trial]:
    """One for each of the strategy's ``judge_penalties``, as they end; those ``done`` are not done again.

    ``one_more``: called for each of their rounds. Raises what :func:`check` and what a run raises.
    """
    check(plan.problem)
    choosing, judging = parts_of(plan, 2)[0]
    known = {trial.l2: trial for trial in done}
    for l2 in plan.strategy.judge_penalties:
        if l2 in known:
            for _ in range(plan.rounds):
                one_more()
            yield known[l2]
            continue
        run = repeated(with_penalty(plan, l2), choosing, judging, one_more)
        queries = [query for record in run.rounds for query in record.queries]
        agreed = [query.assigned_label == query.true_label for query in queries if query.true_label]
        found = run.held_out()
        yield Trial(
            l2=float(l2),
            n_points=len(queries),
            label_agreement=sum(agreed) / len(agreed) if agreed else None,
            n=found.n,
            before=found.before,
            after=found.after,
            change=found.change,
            standard_error=found.standard_error,
        )


def check(problem: Problem) -> None:
    """Raises SalutaryError for too few validation rows, and for those that are training data."""
    if problem.split.validation_is_labeled:
        raise SalutaryError(
            "strategy.judge needs validation rows to judge by: baselines_use_validation=false"
        )
    n = len(problem.split.validation)
    if n < 4:
        raise SalutaryError(f"strategy.judge needs 4 validation rows, not {n}")


def best(tried: Sequence[Trial]) -> Trial | None:
    """The trial of the lowest loss among those that help; of equals the strongest penalty. None if none
    helps.
    """
    helping = [trial for trial in tried if trial.helps]
    return min(helping, key=lambda trial: (trial.change, -trial.l2), default=None)


def with_penalty(plan: Plan, l2: float) -> Plan:
    """The plan with a network whose surrogates have this penalty."""
    model = copy.copy(plan.model)
    assert is_network(model)  # as Strategy.check asks
    model.surrogate_l2 = float(l2)
    return replace(plan, model=model)


class NoLabels(Strategy):
    """Proposes nothing, in place of a strategy that no trial run speaks for."""

    is_baseline = False

    def propose(self, model: object, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        nothing = view.labels[:0]
        return Proposal(nothing, nothing, stop=NONE_HELPS)
