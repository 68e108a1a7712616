"""Figures 4 and 6: a transformer's head, fine-tuned on its frozen hidden states."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis import paper
from salutary.analysis.curves import DEVIATION, datasets_in_order, draw_curves
from salutary.analysis.layout import leftmost, panels, set_title
from salutary.analysis.sections import Records, Section, dataset_name, encoders, markdown_table, named_where
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
    """Accuracies beside the majority class and the paper's, surrogates, and labels that are wrong."""
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
    return Section(TITLE, text, figures, {"figure6": comparison}, brief=by_task(comparison, lines))


def above_majority(comparison: pd.DataFrame, lines: pd.DataFrame) -> str:
    """How many strategies are above the majority class by more than their deviation, by task, and whether the
    paper's best is above it.
    """
    counted = by_task(comparison, lines)
    majority = lines[lines["strategy"] == "majority"].groupby("dataset")["accuracy"].mean()
    printed = paper.table4().groupby("dataset")["paper_mean"].max()
    ahead = (printed - majority).dropna() > 1
    if ahead.empty:
        return counted
    return (
        f"{counted} The paper's best figure is more than a point above this majority class on"
        f" {named_where(ahead)}."
    )


def by_task(comparison: pd.DataFrame, lines: pd.DataFrame) -> str:
    """The first sentence of :func:`above_majority`. A single seed has no deviation to be above by."""
    majority = lines[lines["strategy"] == "majority"].groupby("dataset")["accuracy"].mean()
    rows = comparison[(comparison["strategy"] != "initial") & comparison["dataset"].isin(majority.index)]
    if rows.empty:
        return ""
    above = rows["mean"] - rows["std"].fillna(0) > rows["dataset"].map(majority)
    texts = [
        f"{flags.sum()} of {len(flags)} on {dataset_name(name)}"
        for name in datasets_in_order(rows["dataset"])
        for flags in [above[rows["dataset"] == name]]
    ]
    by = " by more than one deviation" if rows["std"].notna().all() else ""
    return (
        f"Of the strategies that fine-tune a head on a frozen transformer, {', '.join(texts)} are more"
        f" accurate than always answering the majority class{by}."
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
