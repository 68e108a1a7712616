"""What choosing costs: seconds and memory of a strategy's first proposal."""

from __future__ import annotations

import time

from salutary.experiments.problem import Problem
from salutary.experiments.studies import Study, initial_state
from salutary.models import Model
from salutary.strategies import Strategy
from salutary.strategies.surrogate import guide_of
from salutary.system import memory, rules
from salutary.system.rules import Whole
from salutary.system.seeding import stream


class SelectionCost(Study):
    """Wall-clock time and peak memory of ``strategy.propose`` on the initial model, ``repeats`` times.

    A first call, which is not recorded, warms up. The paper gives neither time nor memory.
    """

    RULES = {"repeats": Whole(1)}

    def __init__(self, repeats: int = 5):
        self.repeats = repeats

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:
        """Raises SalutaryError for a number of repeats that makes no sense."""
        rules.check(self, self.RULES, "study.")

    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """One table, ``selection_cost``."""
        fitted, view = initial_state(problem, model)

        def propose() -> None:
            guide = guide_of(fitted, view, strategy.needs_convex)
            proposal = strategy.propose(guide.model, guide.view, budget, stream(seed, "strategy", 1))
            proposal.indices.tolist()  # waits for the device

        propose()
        rows: list[dict[str, float | None]] = []
        for repeat in range(self.repeats):
            started = time.perf_counter()
            propose()
            seconds = time.perf_counter() - started
            rows.append({"repeat": repeat, "n_pool": len(view.pool), "budget": budget, "seconds": seconds})
        for row in rows:  # by itself: finding the peak takes time
            row["peak_mb"] = memory.peak(propose, view.pool.device)
        return {"selection_cost": rows}
