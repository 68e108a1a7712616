"""Objectives of groups: accuracy and the figure on test rows, of salutary labelling and the field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from salutary.analysis.curves import panels
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.experiments.runs import read_table
from salutary.system.pictures import BLACK, BLUE, GREY, VERMILLION

TITLE = "Objectives of groups: accuracy beside the gap"
INTRO = """\
Some hundred labelled rows, validation rows V, a pool; models made of them, on test rows: the figure of the
objective (a gap between groups: lower is better; the accuracy of the worst group: higher is) and accuracy,
with standard errors over seeds. `group in`: whose group has to be known. A model whose decisions are drawn at
random is measured at its exact expectation. `salutary`: labelling by V's objective."""
VARIED = ("objective._target_", "study.n_validation")
COLUMNS = (
    *("objective", "n_validation", "n_test", "model", "group_in", "test_objective", "test_figure"),
    *("test_accuracy", "weight", "held_out_objective", "held_out_figure", "held_out_accuracy"),
)
CELL = ["dataset", "objective", "n_validation"]
COLORS = {"salutary": VERMILLION, "labeled": BLACK, "validation": BLACK, "weighted": BLACK}


def section(records: Records) -> Section:
    """A table for each dataset, objective and number of validation rows, and a figure of all."""
    rows = measured(records)
    text = [INTRO, "![Accuracy and figure of each model](objectives.png)"]
    for (dataset, objective, n), cell in rows.groupby(CELL, sort=True):
        seeds = cell["seed"].nunique()
        text += [f"**{dataset}, {objective}, {n:g} validation rows** ({seeds} seeds):", _table(cell)]
    return Section(TITLE, "\n\n".join(text), {"objectives": draw(rows)}, {"objectives": rows})


def measured(records: Records) -> pd.DataFrame:
    """The study's rows, with the dataset and seed of their runs."""
    paths = map(Path, records.facts.index)
    rows = read_table(paths, "objectives", COLUMNS, ("objective", "model", "group_in"))
    return rows.join(records.facts[["dataset", "seed"]], on="run")


def _table(cell: pd.DataFrame) -> str:
    models = cell.groupby("model", sort=False)
    texts = {"group in": models["group_in"].first()}
    for name in ("test_figure", "test_accuracy", "test_objective"):
        mean, error = models[name].mean(), models[name].sem()
        texts[name.removeprefix("test_")] = [
            f"{m:.3f}" if np.isnan(e) else f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)
        ]
    return markdown_table(pd.DataFrame(texts).rename_axis(index="", columns=""))


def draw(rows: pd.DataFrame) -> Figure:
    """A panel for each cell, a mark for each model: salutary labelling, plain training, and others."""
    cells = [*rows.groupby(CELL, sort=True)]
    figure, axes = panels(len(cells), 3, 3.4, 2.9)
    for axis, ((dataset, objective, n), cell) in zip(axes, cells, strict=False):
        means = cell.groupby("model")[["test_figure", "test_accuracy"]].mean()
        for name, (gap, accuracy) in means.iterrows():
            color = COLORS.get(str(name).split("_")[0], BLUE)
            axis.plot(gap, accuracy, "o", color=color, markersize=4)
            axis.annotate(str(name), (gap, accuracy), fontsize=4, color=GREY)
        axis.set_title(f"{dataset}, {objective}, n_V = {n:g}", fontsize=7)
        axis.set_xlabel("figure", fontsize=7)
        axis.set_ylabel("accuracy", fontsize=7)
        axis.tick_params(labelsize=6)
    return figure
