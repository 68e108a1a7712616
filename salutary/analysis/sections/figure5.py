"""Figure 5: a budget of one per cent of the pool."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import DEVIATION, draw_curves
from salutary.analysis.sections import Records, Section, markdown_table, named_where, span
from salutary.analysis.sections.table4 import standing

# Tables from left to right.
ORDER = ("celeba", "waveform", "electrical")
TITLE = "Figure 5: a budget of 1% of the pool"
INTRO = """\
As figure 2 with larger batches. The paper shows this figure to say that with so many labels all strategies
reach about the same; it prints no numbers."""


def section(records: Records) -> Section:
    """Curves, and the final accuracies with the reference lines."""
    lines = [records.reference(name) for name in ("majority", "labeled_and_validation", "fully_supervised")]
    comparison = means(pd.concat([records.final(), *lines]))
    text = [
        INTRO,
        f"![Figure 5: test accuracy by round with 1% of the pool a round; {DEVIATION}](figure5.png)",
        markdown_table(cells(comparison)),
    ]
    figures = {"figure5": draw_curves(records.rounds, records.lines(), order=ORDER)}
    return Section(
        TITLE, "\n\n".join(text), figures, {"figure5": comparison}, brief=brief(comparison, pd.concat(lines))
    )


def brief(comparison: pd.DataFrame, references: pd.DataFrame) -> str:
    """On how many tables salutary labelling has the highest mean, how far all are apart, and where training
    on L + V is above it.
    """
    of_runs = comparison[~comparison["strategy"].isin(references["strategy"].unique())]
    found = standing(of_runs, references)
    if not found or found.best.empty:
        return ""
    means = of_runs.pivot(index="dataset", columns="strategy", values="mean").loc[found.best.index]
    text = (
        "with 1% of the pool labelled in each round salutary labelling has the highest mean accuracy of the"
        f" paper's strategies on {named_where(found.best)}; best and worst strategy are"
        f" {span(means.max(axis=1) - means.min(axis=1))} points apart, by table"
    )
    if len(found.plain_is_above):
        text += (
            "; training on labelled and validation rows (L + V) is above it on"
            f" {named_where(found.plain_is_above)}"
        )
    return f"{text}."
