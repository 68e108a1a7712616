"""What a pick of salutary_greedy costs, beside a plain round of salutary labelling."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
from measure import interleaved
from situations import SHAPES, Situation, bank

from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy

PICKS = 10


def picks(repeats: int, device: str) -> list[dict]:
    """Time of a pick over that of one plain round (gradient, solve, scores, the ten best)."""
    rows = []
    for l2 in (50.0, 1.0):
        cases = {"bank" if os.environ.get("SALUTARY_DATA_DIR") else "B": None, "W": "W", "M": "M"}
        for name, shape in cases.items():
            s = bank(l2, device) if name == "bank" else Situation.make(*SHAPES[shape or "B"], l2=l2)
            calls = {"plain": _proposal(Salutary(), s)}
            calls |= {k: _proposal(SalutaryGreedy(k), s) for k in (0.0, 1.0)}
            t = interleaved(calls, repeats if name != "M" else 3, device)
            row = {"case": name, "l2": l2, "plain round ms": 1e3 * t["plain"]}
            for k in (0.0, 1.0):
                row[f"pick, confidence {k:g}, ms"] = 1e3 * t[k] / PICKS
                row[f"/ plain ({k:g})"] = t[k] / PICKS / t["plain"]
            rows.append(row)
    return rows


def _proposal(strategy, s: Situation) -> Callable[[], object]:
    return lambda: strategy.propose(s.model, s.view, PICKS, np.random.default_rng(0))
