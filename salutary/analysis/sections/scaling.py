"""Time and memory of choosing, by the size of the pool."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from salutary.analysis.layout import legend, panels
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.analysis.style import in_order, label, look
from salutary.experiments.runs import read_table

TITLE = "Time and memory of choosing"
INTRO = """\
Choosing {budget} points of a pool of {datasets} rows with the initial model (device: {devices}): medians of
five repeats. Memory is the highest that the choice needs above what is there before. The paper calls its
method efficient and gives neither."""
VARIED = ("n_pool",)
COLUMNS = ("repeat", "n_pool", "budget", "seconds", "peak_mb")


def section(records: Records) -> Section:
    costs = read_table(map(Path, records.facts.index), "selection_cost", COLUMNS)
    costs = costs.join(records.facts[["strategy", "dataset", "device", "platform"]], on="run")
    medians = costs.groupby(["strategy", "n_pool"])[["seconds", "peak_mb"]].median()
    devices = ", ".join(costs["device"].unique())
    budget = ", ".join(f"{n:g}" for n in costs["budget"].unique())
    datasets = ", ".join(costs["dataset"].unique())
    text = [
        INTRO.format(budget=budget, datasets=datasets, devices=devices),
        "![Seconds and megabytes by pool size](scaling.png)",
        "Milliseconds, by rows of the pool:",
        markdown_table(_wide(1e3 * medians["seconds"], "{:.3g}")),
        "Megabytes:",
        markdown_table(_wide(medians["peak_mb"], "{:.1f}")),
    ]
    return Section(
        TITLE, "\n\n".join(text), {"scaling": draw_costs(medians)}, {"scaling": medians.reset_index()}
    )


def _wide(values: pd.Series, form: str) -> pd.DataFrame:
    wide = values.unstack("n_pool")
    wide = wide.reindex(in_order(wide.index)).map(form.format).rename(index=label)
    return wide.rename(columns="{:,.0f}".format).rename_axis(index="", columns="")


def draw_costs(medians: pd.DataFrame) -> Figure:
    """Seconds and megabytes against the size of the pool."""
    figure, axes = panels(2, 2)
    for axis, (column, title) in zip(axes, {"seconds": "seconds", "peak_mb": "MB"}.items(), strict=True):
        for name in in_order(medians.index.unique("strategy")):
            each = medians.loc[name, column].clip(lower=1e-3 if column == "peak_mb" else None)
            axis.plot(each.index, each, **look(name).line())
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel("rows of the pool")
        axis.set_ylabel(f"{title} a choice")
    axes[1].set_ylim(bottom=0.05)
    handles = [Line2D([], [], **look(name).line()) for name in in_order(medians.index.unique("strategy"))]
    legend(figure, axes, handles)
    return figure
