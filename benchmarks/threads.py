"""Threads: one, `device.threads=auto` (blocks of rows side by side) and as many in the BLAS itself.

    python benchmarks/threads.py --threads 2

Shapes of `influence.py`, and a pool of a million rows. Times are medians, one thread and auto interleaved.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from measure import interleaved, print_table, use_threads
from situations import SHAPES, Situation

from salutary import engine
from salutary.strategies.salutary import Salutary
from salutary.system.threads import set_side_by_side

MILLION = (1_000_000, 64, 5, 2_000)


def calls(s: Situation) -> dict[str, Callable[[], torch.Tensor]]:
    """What a round consists of, each to a tensor."""
    W, S = s.model.coef_, s.direction()
    return {
        "score": lambda: engine.best_influence(W, S, s.X_pool),
        "gradient": lambda: engine.gradient(s.X_validation, s.y_validation, W),
        "round": lambda: Salutary().propose(s.model, s.view, 10, np.random.default_rng(0)).influence,
    }


def row(case: str, call: Callable[[], torch.Tensor], n: int, repeats: int) -> dict:
    def with_blocks(side_by_side: int) -> Callable[[], torch.Tensor]:
        def run() -> torch.Tensor:
            set_side_by_side(side_by_side)
            return call()

        return run

    use_threads(1)
    t = interleaved({"one": with_blocks(1), "auto": with_blocks(n)}, repeats)
    same = torch.equal(with_blocks(1)(), with_blocks(n)())
    use_threads(n)
    of_blas = interleaved({"blas": with_blocks(1)}, repeats)["blas"]
    times = {"one ms": 1e3 * t["one"], "auto ms": 1e3 * t["auto"], "in the BLAS ms": 1e3 * of_blas}
    return {"case": case, **times, "auto / one": t["auto"] / t["one"], "same bytes": "yes" if same else "no"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    rows = []
    for name, shape in {**SHAPES, "million": MILLION}.items():
        use_threads(1)
        s = Situation.make(*shape, l2=50.0)
        rows += [row(f"{name}, {step}", f, options.threads, options.repeats) for step, f in calls(s).items()]
    print_table(rows)


if __name__ == "__main__":
    main()
