"""Figure 5: a budget of one per cent of the pool."""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import draw_curves
from salutary.analysis.sections import Records, Section, markdown_table

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
        "![Accuracy by round with 1% of the pool a round](figure5.png)",
        markdown_table(cells(comparison)),
    ]
    figures = {"figure5": draw_curves(records.rounds, records.lines(), order=ORDER)}
    return Section(TITLE, "\n\n".join(text), figures, {"figure5": comparison})
