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
    """Medians of seconds and megabytes of each strategy, by the size of the pool."""
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
    figures, tables = {"scaling": draw_costs(medians)}, {"scaling": medians.reset_index()}
    return Section(TITLE, "\n\n".join(text), figures, tables, brief=brief(medians["seconds"], budget))


def brief(seconds: pd.Series, budget: str) -> str:
    """Milliseconds of ours and of the others in the largest pool, and how those of ours grow with it.
    ``seconds``: by strategy and n_pool.
    """
    wide = 1e3 * seconds.unstack("strategy")
    if "salutary" not in wide:
        return ""
    ours = wide["salutary"].dropna()
    smallest, largest = ours.index.min(), ours.index.max()
    here = wide.loc[largest].dropna().drop("salutary")
    text = f"choosing {budget} of {largest:,.0f} rows takes salutary labelling {ours[largest]:.3g} ms"
    if largest > smallest:
        text += f" ({ours[largest] / ours[smallest]:.3g} times what {smallest:,.0f} rows take)"
    if "salutary_greedy" in here:
        text += f", one point after the other (greedy) {here['salutary_greedy']:.3g} ms"
    others = here.drop("salutary_greedy", errors="ignore").sort_values()
    if len(others):
        texts = [f"{value:.3g} ms ({label(name)})" for name, value in others.iloc[[0, -1]].items()]
        faster = (others < ours[largest]).sum()
        text += f"; others take {' to '.join(dict.fromkeys(texts))}, {faster} of {len(others)} less than it"
    return f"{text}."


def _wide(values: pd.Series, form: str) -> pd.DataFrame:
    wide = values.unstack("n_pool")
    wide = wide.reindex(in_order(wide.index)).map(form.format, na_action="ignore").rename(index=label)
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
