"""What people report of an objective, with its standard error: a gap between groups, a least accuracy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.remedies import Part
from salutary.remedies.decisions import Told
from salutary.system.seeding import stream

# Draws of rows that a standard error is taken over.
DRAWS = 200


@dataclass(frozen=True)
class Figure:
    """``value`` of the figure, NaN where the rows do not determine it, and its standard ``error``."""

    value: float
    error: float


def figure_of(told: Told, rows: Part, criterion: Criterion, seed: int) -> Figure:
    """The figure of what a model says of ``rows`` (n), its error bootstrapped over them.

    Efron, "Bootstrap methods: another look at the jackknife", 1979. Draws in which a group or class is
    missing do not count; the rows are drawn alike for all models.
    """
    rng, values, n = stream(seed, "figures"), [], len(rows)
    bare = Part(np.empty((n, 0)), rows.y, groups=rows.groups)
    for _ in range(DRAWS):
        drawn = rng.integers(n, size=n)
        values.append(told[drawn].figure(bare[drawn], criterion))
    error = np.nanstd(values, ddof=1) if np.isfinite(values).sum() > 1 else np.nan
    return Figure(told.figure(rows, criterion), float(error))


def figures_of(
    told: Mapping[str, Told], rows: Part, criterion: Criterion | None, seed: int
) -> dict[str, Figure]:
    """:func:`figure_of` each model by name; none of the mean loss."""
    if criterion is None:
        return {}
    return {name: figure_of(each, rows, criterion, seed) for name, each in told.items()}
