"""Figure 3: is the influence right? Estimates beside really adding the point."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import stats

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import (
    leftmost,
    legend,
    panels,
    set_title,
    set_xlabel,
    without_far_ones,
)
from salutary.analysis.sections import Records, Section, markdown_table, span
from salutary.analysis.style import GREY
from salutary.experiments.runs import read_table
from salutary.system.pictures import BLUE, VERMILLION

TITLE = "Figure 3: influence against really adding the point"
COLUMNS = ("sample_id", "true_label", "actual", "gradient", "pool_hessian", "newton", "second_order")
ESTIMATES = {
    "gradient": "the paper's influence, eq. (1)",
    "pool_hessian": "the authors' code (Hessian over the pool)",
    "newton": "Newton step (`newton`): the point changes the Hessian too",
    "second_order": "`second_order`: the validation loss bends too",
}
INTRO = """\
300 random pool points with their true labels, each added to the labelled set alone and the model refitted,
beside what was predicted. The paper reports rank correlation only; selection needs the order, but a claim
about *how much* a label helps needs the size."""
MEASURES = """\
Means over the seeds: Spearman's rank correlation; slope of the least-squares line of the real fall on the
estimate (1 is right, below 1 the estimate promises too much); mean absolute error as a share of the mean
size of the real change. On CelebA the penalty is weak (0.01): a few points of huge leverage make all of the
error."""
CAPTION = (
    "Figure 3: estimated and real fall of the validation loss, thousandths, first seed; triangles stand for "
    "points beyond the edge"
)
PAPERS = ("diabetic", "celeba", "bank")
# Of these, estimates that are drawn: label, colour and mark.
DRAWN = {"gradient": ("the paper's influence", BLUE, "o"), "newton": ("Newton step", VERMILLION, "+")}


def section(records: Records) -> Section:
    """Estimates beside real changes, drawn and measured: order, slope and error."""
    points = read_table(map(Path, records.facts.index), "added_points", COLUMNS)
    points = points.join(records.facts[["dataset", "seed"]], on="run")
    quality = measure(points)
    text = [
        INTRO,
        f"![{CAPTION}](figure3.png)",
        MEASURES,
    ]
    for name, title in {"spearman": "Spearman", "slope": "Slope", "error": "Mean absolute error"}.items():
        form = "{:.0%}" if name == "error" else "{:.2f}"
        wide = quality.pivot_table(name, "estimate", "dataset").reindex(list(ESTIMATES))
        wide = wide[datasets_in_order(points["dataset"])].map(form.format, na_action="ignore")
        wide = wide.rename(index=ESTIMATES, columns=paper.DATASETS)
        text.append(markdown_table(wide.rename_axis(index=title)))
    figures = {"figure3": draw_estimates(points)}
    return Section(TITLE, "\n\n".join(text), figures, {"figure3": quality}, brief=brief(quality))


def brief(quality: pd.DataFrame) -> str:
    """Order and size of the paper's estimate, from the worst to the best table."""
    means = quality[quality["estimate"] == "gradient"].groupby("dataset")[["spearman", "error"]].mean()
    means = means.dropna()
    if means.empty:
        return ""
    return (
        "the paper's influence orders points as really adding them does, with a rank correlation (Spearman)"
        f" of {span(means['spearman'], '{:.2f}')} by table; its size is off by"
        f" {span(means['error'], '{:.0%}')} of the real change in the mean."
    )


def measure(points: pd.DataFrame) -> pd.DataFrame:
    """dataset, seed, estimate, spearman, slope, error (share of the mean absolute real change)."""
    rows = []
    for (dataset, seed), each in points.groupby(["dataset", "seed"]):
        for name in ESTIMATES:
            actual, estimate = each["actual"], each[name]
            if estimate.isna().any():  # the model had too many parameters for this one
                continue
            rows.append(
                {
                    "dataset": dataset,
                    "seed": seed,
                    "estimate": name,
                    "spearman": stats.spearmanr(estimate, actual).statistic,
                    "slope": stats.linregress(estimate, actual).slope,
                    "error": (estimate - actual).abs().mean() / actual.abs().mean(),
                }
            )
    return pd.DataFrame(rows)


def draw_estimates(points: pd.DataFrame) -> Figure:
    """A panel per table, the paper's three first if they are there; the first seed. Estimates so far off that
    they alone would take half of the axis are marks at its edge, with the furthest named.
    """
    datasets = datasets_in_order(points["dataset"])
    names = [name for name in PAPERS if name in datasets] or datasets[:3]
    figure, axes = panels(len(names), 3, 0.95)
    for axis, name in zip(axes, names, strict=True):
        each = points[points["dataset"] == name]
        each = each[each["seed"] == each["seed"].min()]
        fall = 1000 * each[["actual", *DRAWN]]
        ends = np.array([fall["actual"].min(), fall["actual"].max()])
        axis.plot(ends, ends, color=GREY, linestyle="--")
        limits = without_far_ones(fall[[*DRAWN]].stack())
        outside = [_scatter(axis, fall[estimate], fall["actual"], limits, estimate) for estimate in DRAWN]
        rank = stats.spearmanr(each["gradient"], each["actual"]).statistic
        title = f"{paper.DATASETS.get(name, name)}, Spearman {rank:.3f}"
        set_title(axis, title, "\n".join(filter(None, outside)))
        set_xlabel(axis, "estimated fall, thousandths")
        axis.locator_params(nbins=5)
    for axis in leftmost(axes):
        axis.set_ylabel("real fall, thousandths")
    handles = [
        Line2D([], [], color=color, marker=mark, linestyle="", label=label)
        for label, color, mark in DRAWN.values()
    ]
    handles.append(Line2D([], [], color=GREY, linestyle="--", label="estimate = real"))
    legend(figure, axes, handles)
    return figure


def _scatter(
    axis: Axes, estimate: pd.Series, actual: pd.Series, limits: tuple[float, float] | None, name: str
) -> str:
    """One estimate's points; those outside the limits of the axis as hollow triangles at its edge;
    returned is how far these go.
    """
    label, color, mark = DRAWN[name]
    size = matplotlib.rcParams["lines.markersize"] ** 2
    look = {"s": size, "color": color, "linewidths": 0.7, "clip_on": False}
    if limits is None:
        axis.scatter(estimate, actual, marker=mark, alpha=0.6, **look)
        return ""
    low, high = limits
    inside = estimate.between(low, high)
    axis.scatter(estimate[inside], actual[inside], marker=mark, alpha=0.6, **look)
    for outside, edge, arrow in ((estimate < low, low, "<"), (estimate > high, high, ">")):
        axis.scatter(np.full(outside.sum(), edge), actual[outside], marker=arrow, **look, facecolors="none")
    axis.set_xlim(low, high)
    far = estimate[~inside]
    return f"{label}: {len(far)} beyond the edge, at {span(far, '{:.0f}')}" if len(far) else ""
