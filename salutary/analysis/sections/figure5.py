"""Figure 5: a budget of one per cent of the pool."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import DEVIATION, draw_curves
from salutary.analysis.sections import Records, Section, markdown_table, named

# Tables from left to right.
ORDER = ("celeba", "waveform", "electrical")
TITLE = "Figure 5: a budget of 1% of the pool"
INTRO = """\
As figure 2 with larger batches. The paper shows this figure to say that with so many labels all strategies
reach about the same; it prints no numbers."""


def section(records: Records) -> Section:
    lines = [records.reference(name) for name in ("majority", "labeled_and_validation", "fully_supervised")]
    comparison = means(pd.concat([records.final(), *lines]))
    text = [
        INTRO,
        f"![Figure 5: test accuracy by round with 1% of the pool a round; {DEVIATION}](figure5.png)",
        markdown_table(cells(comparison)),
    ]
    figures = {"figure5": draw_curves(records.rounds, records.lines(), order=ORDER)}
    return Section(TITLE, "\n\n".join(text), figures, {"figure5": comparison}, brief=brief(records))


def brief(records: Records) -> str:
    """On how many tables salutary labelling has the highest mean, and how far all are apart."""
    table = records.final().pivot_table("accuracy", "dataset", "strategy")
    if "salutary" not in table or len(table.columns) < 2:
        return ""
    best = table["salutary"] >= table.max(axis=1)
    spread = table.max(axis=1) - table.min(axis=1)
    return (
        f"with so many labels salutary labelling has the highest mean on {named(table.index[best], best)};"
        f" best and worst strategy are {spread.min():.1f} to {spread.max():.1f} points apart, by table."
    )
