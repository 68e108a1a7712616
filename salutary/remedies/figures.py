"""What people report of an objective, with its standard error: a gap between groups, a least accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.remedies import Part
from salutary.system.seeding import stream

# Draws of rows that a standard error is taken over.
DRAWS = 200


@dataclass(frozen=True)
class Figure:
    """``value`` of the figure, NaN where the rows do not determine it, and its standard ``error``."""

    value: float
    error: float


def figure_of(P: np.ndarray, rows: Part, criterion: Criterion, seed: int) -> Figure:
    """The figure of the decisions by probabilities P (n, C), its error bootstrapped over the rows (n).

    Efron, "Bootstrap methods: another look at the jackknife", 1979. Draws in which a group or class is
    missing do not count; the rows are drawn alike for all models.
    """
    rng, values = stream(seed, "figures"), []
    groups = np.full(len(rows), -1) if rows.groups is None else rows.groups
    for _ in range(DRAWS):
        drawn = rng.integers(len(rows), size=len(rows))
        values.append(criterion.figure(P[drawn], rows.y[drawn], groups[drawn]))
    error = np.nanstd(values, ddof=1) if np.isfinite(values).sum() > 1 else np.nan
    return Figure(criterion.figure(P, rows.y, rows.groups), float(error))


def figures_of(
    predicted: Mapping[str, np.ndarray], rows: Part, criterion: Criterion | None, seed: int
) -> dict[str, Figure]:
    """:func:`figure_of` each model by name; none of the mean loss."""
    if criterion is None:
        return {}
    return {name: figure_of(P, rows, criterion, seed) for name, P in predicted.items()}
