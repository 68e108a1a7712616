"""Figure 3: is the influence right? Estimates beside really adding the point."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order, panels
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.experiments.runs import read_table
from salutary.system.pictures import BLUE, GREY, VERMILLION

TITLE = "Figure 3: influence against really adding the point"
COLUMNS = ("sample_id", "true_label", "actual", "gradient", "pool_hessian", "newton", "second_order")
ESTIMATES = {
    "gradient": "the paper's eq. (1)",
    "pool_hessian": "the authors' code (Hessian over the pool)",
    "newton": "`newton`: the point changes the Hessian too",
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
PAPERS = ("diabetic", "celeba", "bank")


def section(records: Records) -> Section:
    points = read_table(map(Path, records.facts.index), "added_points", COLUMNS)
    points = points.join(records.facts[["dataset", "seed"]], on="run")
    quality = measure(points)
    text = [INTRO, "![Estimated and real fall of the validation loss, first seed](figure3.png)", MEASURES]
    for name, title in {"spearman": "Spearman", "slope": "Slope", "error": "Mean absolute error"}.items():
        form = "{:.0%}" if name == "error" else "{:.2f}"
        wide = quality.pivot_table(name, "estimate", "dataset").reindex(list(ESTIMATES))
        wide = wide[datasets_in_order(points["dataset"])].map(form.format, na_action="ignore")
        wide = wide.rename(index=ESTIMATES, columns=paper.DATASETS)
        text.append(markdown_table(wide.rename_axis(index=title)))
    return Section(TITLE, "\n\n".join(text), {"figure3": draw_estimates(points)}, {"figure3": quality})


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
    """A panel per table, the paper's three first if they are there; the first seed."""
    datasets = datasets_in_order(points["dataset"])
    names = [name for name in PAPERS if name in datasets] or datasets[:3]
    figure, axes = panels(len(names), 3, 3.4, 3.3)
    for axis, name in zip(axes, names, strict=False):
        each = points[points["dataset"] == name]
        each = each[each["seed"] == each["seed"].min()]
        ends = np.array([each["actual"].min(), each["actual"].max()])
        axis.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="estimate = real")
        axis.scatter(each["gradient"], each["actual"], s=12, marker="o", color=BLUE, alpha=0.6, linewidths=0)
        axis.scatter(each["newton"], each["actual"], s=14, marker="+", color=VERMILLION, linewidths=0.7)
        rank = stats.spearmanr(each["gradient"], each["actual"]).statistic
        axis.set_title(f"{paper.DATASETS.get(name, name)}, Spearman {rank:.3f}", fontsize=9)
        axis.set_xlabel("estimated fall of the validation loss", fontsize=8)
        axis.ticklabel_format(style="sci", scilimits=(-2, 2), axis="both")
    axes[0].set_ylabel("real fall after refitting", fontsize=8)
    for label, color, marker in (("influence", BLUE, "o"), ("newton", VERMILLION, "+")):
        axes[0].scatter([], [], color=color, marker=marker, s=16, label=label)
    axes[0].legend(fontsize=7, frameon=False)
    return figure
