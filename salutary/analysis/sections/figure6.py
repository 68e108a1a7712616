"""Figures 4 and 6: a transformer's head, fine-tuned on its frozen hidden states."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis import paper
from salutary.analysis.curves import DEVIATION, datasets_in_order, draw_curves
from salutary.analysis.layout import leftmost, panels, set_title
from salutary.analysis.sections import Records, Section, encoders, markdown_table, named
from salutary.analysis.sections.table4 import (
    WRONG,
    accuracies,
    label_differences,
    printed_cells,
    reference_rows,
)
from salutary.analysis.sections.table5 import fidelity
from salutary.analysis.style import GREY, in_order, label, look

TITLE = "Figures 4 and 6: fine-tuning a head on a frozen transformer"
TASKS = ("wnli", "mrpc", "rte")
INTRO = """\
Test accuracy on GLUE's tasks after ten rounds of ten, per cent, from 100 labels, over the seeds. The frozen
encoder is **{encoder}**; half of the official validation set validates, the other half tests (36, 204 and
139 rows: one row of WNLI is 2.8 points). WNLI is adversarial, its sentences come in pairs of opposite
labels: nothing can be claimed from it."""
PRINTED = "What the paper prints, with RoBERTa:"


def section(records: Records) -> Section:
    comparison, tables = accuracies(records)
    lines = reference_rows(records)
    found = above_majority(comparison, lines)
    text = [
        INTRO.format(encoder=encoders(records)),
        *tables,
        found,
        fidelity(records),
        PRINTED,
        markdown_table(printed_cells(TASKS)),
        WRONG,
        markdown_table(label_differences(records.rounds)),
        "![Figure 4: final accuracy, mean and one standard deviation; dotted: majority class](figure4.png)",
        f"![Figure 6: accuracy by round; {DEVIATION}](figure6.png)",
    ]
    figures = {
        "figure4": draw_final(comparison, lines),
        "figure6": draw_curves(records.rounds, records.lines()),
    }
    text = "\n\n".join(filter(None, text))
    return Section(TITLE, text, figures, {"figure6": comparison}, brief=found.partition(" The paper")[0])


def above_majority(comparison: pd.DataFrame, lines: pd.DataFrame) -> str:
    """How many strategies are above the majority class by more than their deviation, by task."""
    majority = lines.query("strategy == 'majority'").groupby("dataset")["accuracy"].mean()
    texts = []
    for name in datasets_in_order(comparison["dataset"]):
        rows = comparison.query("dataset == @name and strategy != 'initial'")
        above = (rows["mean"] - rows["std"].fillna(0) > majority[name]).sum()
        texts.append(f"{above} of {len(rows)} on {paper.DATASETS.get(name, name)}")
    printed = paper.table4().groupby("dataset")["paper_mean"].max()
    ahead = [name for name in majority.index if printed.get(name, 0) > majority[name] + 1]
    return (
        f"Strategies above the majority class by more than one deviation: {', '.join(texts)}. The paper's"
        f" best figure is more than a point above this majority class on {named(ahead, majority.index)}."
    )


def draw_final(comparison: pd.DataFrame, lines: pd.DataFrame) -> Figure:
    """A panel per task: each strategy's mean and deviation, the majority class as a line; figure 4.

    Points, not bars as in the paper: bars that do not start at zero make differences look larger.
    """
    names = datasets_in_order(comparison["dataset"])
    figure, axes = panels(len(names), len(names), 1.1)
    rows = comparison[comparison["strategy"] != "initial"].set_index("strategy")
    order = in_order(rows.index)
    for axis, name in zip(axes, names, strict=True):
        table = rows[rows["dataset"] == name].reindex(order)
        for place, (strategy, row) in enumerate(table.iterrows()):
            line = look(strategy).line() | {"linestyle": "none"}
            axis.errorbar(row["mean"], place, xerr=row["std"], capsize=2, **line)
        majority = lines.query("strategy == 'majority' and dataset == @name")["accuracy"].mean()
        axis.axvline(majority, color=GREY, linestyle=":")
        names = [*map(label, order)] if axis in leftmost(axes) else []
        axis.set_yticks(range(len(order)), names)
        axis.set_ylim(len(order) - 0.5, -0.5)
        set_title(axis, paper.DATASETS.get(name, name))
        axis.set_xlabel("test accuracy, %")
    return figure
