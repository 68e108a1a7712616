"""Is choosing by the validation set better than learning from it?"""

from __future__ import annotations

import pandas as pd

from salutary.analysis.comparison import cells, means
from salutary.analysis.sections import Records, Section, how_many, markdown_table
from salutary.analysis.statistics import above, critical_difference_diagram, ranks
from salutary.analysis.style import label

TITLE = "Every baseline trained on the validation set too"
INTRO = """\
Salutary labelling uses the validation labels to choose; the baselines do not. Here every baseline trains on
the validation set as well (L + V, then 100 bought labels), so that all have used the same labels. *Trained
on L + V* buys nothing at all. *Salutary, true labels* chooses by the validation set and does not train on
it."""
OURS = ("salutary", "salutary_greedy")


def section(records: Records) -> Section:
    """Accuracies, on how many tables ours are above the others, and mean ranks."""
    final = records.final()
    # The salutary strategies do not train on the validation set: their line is that of L and V.
    line = records.reference("labeled_and_validation", OURS)
    rows = pd.concat([final, line])
    comparison = means(rows)
    text = [
        INTRO,
        markdown_table(cells(comparison)),
        found := verdict(rows),
    ]
    figures = {}
    if test := ranks(rows):
        text += [
            f"Mean ranks over the tables (Friedman's test says {test.said}; bars: not told apart by "
            "Nemenyi's test, 5%):",
            "![Mean ranks with every baseline trained on L + V](fair-ranks.png)",
        ]
        figures["fair-ranks"] = critical_difference_diagram(test)
    brief = " ".join(line.removeprefix("- ") for line in found.splitlines())
    return Section(TITLE, "\n\n".join(text), figures, {"fair": comparison}, brief=brief)


def verdict(rows: pd.DataFrame) -> str:
    """For each of ours, how many tables it beats L + V and the best baseline on."""
    table = rows.pivot_table("accuracy", "dataset", "strategy")
    baselines = table.drop(columns=[*OURS, "salutary_gt", "labeled_and_validation"], errors="ignore")
    sentences = []
    for name in OURS:
        if name not in table or "labeled_and_validation" not in table:
            continue
        text = (
            f"- {label(name)}, without a human label, is above training on labelled and validation rows"
            f" (L + V) on {how_many(above(table[name], table['labeled_and_validation']))}"
        )
        if len(beats := above(table[name], baselines.max(axis=1))):
            text += f", and above the best baseline, which has L + V and buys labels, on {how_many(beats)}"
        sentences.append(f"{text}.")
    return "\n".join(sentences)
