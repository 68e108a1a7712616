"""Figure 1: are there labels that help more than the true ones?"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import leftmost, legend, panels, set_title, set_xlabel
from salutary.analysis.sections import Records, Section, markdown_table, named_where
from salutary.analysis.statistics import above
from salutary.analysis.style import GREY
from salutary.experiments.runs import read_table
from salutary.system.pictures import BLUE, VERMILLION

TITLE = "Figure 1: bins of points by salutary influence, with true and with salutary labels"
BINS = (
    *("part", "bin", "n", "influence", "influence_low", "influence_high", "label_agreement"),
    *("accuracy_true", "accuracy_salutary"),
)
HISTOGRAM = ("part", "low", "high", "count")
INTRO = """\
The labelled set and the pool in 20 bins of equal size by the influence of the salutary label. Top: each bin
of the *labelled* set gets its salutary labels, and the model is trained again. Bottom: each bin of the
*pool* is added with its true or its salutary labels. Dashed: the initial model. Lines are means, bands one
standard deviation over the seeds."""
OTHERS = "All tables by the number of the bin, influence rising to the right (added pool bins):"
TOP = "Mean accuracy minus that of the initial model, in points, for the five bins of the highest influence:"
PARTS = {
    "labeled": "labelled set, the bin relabelled",
    "pool": "labelled set and the bin",
}


def section(records: Records) -> Section:
    """Accuracy by bin, as in the paper and for all tables, and what the bins of highest influence do."""
    bins = _with_names(records, "relabelled_bins", BINS)
    histogram = _with_names(records, "influence_histogram", HISTOGRAM)
    initial = records.reference("initial").groupby("dataset")["accuracy"].mean()
    main = "diabetic" if "diabetic" in set(bins["dataset"]) else datasets_in_order(bins["dataset"])[0]
    text = [
        INTRO,
        f"![Figure 1: {paper.DATASETS.get(main, main)}, as in the paper](figure1.png)",
        OTHERS,
        "![All tables: accuracy by the added pool bin, mean and one standard deviation](figure1-tables.png)",
        TOP,
        markdown_table(top_bins(bins, initial)),
        found := verdict(bins),
    ]
    figures = {
        "figure1": draw_bins(bins, histogram, initial, main),
        "figure1-tables": draw_all(bins, initial),
    }
    return Section(TITLE, "\n\n".join(text), figures, brief=found)


def _with_names(records: Records, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    table = read_table(map(Path, records.facts.index), name, columns, text=("part",))
    return table.join(records.facts[["dataset", "seed"]], on="run")


def top_bins(bins: pd.DataFrame, initial: pd.Series, n: int = 5) -> pd.DataFrame:
    """What the bins of highest influence do, and how many of their salutary labels are true."""
    means = (
        bins[bins["bin"] >= bins["bin"].max() - n + 1].groupby(["part", "dataset"]).mean(numeric_only=True)
    )
    labeled, pool = means.loc["labeled"], means.loc["pool"]

    def gain(accuracy: pd.Series) -> pd.Series:
        return (100 * accuracy - initial).map("{:+.1f}".format)

    rows = {
        "labelled bins, salutary labels": gain(labeled["accuracy_salutary"]),
        "salutary labels that are true, labelled set": labeled["label_agreement"].map("{:.0%}".format),
        "pool bins added, true labels": gain(pool["accuracy_true"]),
        "pool bins added, salutary labels": gain(pool["accuracy_salutary"]),
        "salutary labels that are true, pool": pool["label_agreement"].map("{:.0%}".format),
    }
    return pd.DataFrame(rows).T[datasets_in_order(bins["dataset"])].rename(columns=paper.DATASETS)


def verdict(bins: pd.DataFrame) -> str:
    """On which tables the salutary labels of the pool's best bin beat its true labels."""
    best = bins[(bins["part"] == "pool") & (bins["bin"] == bins["bin"].max())]
    means = best.groupby("dataset")[["accuracy_true", "accuracy_salutary"]].mean()
    which = named_where(above(means["accuracy_salutary"], means["accuracy_true"]))
    return (
        f"Of {bins['bin'].nunique()} bins of the pool by influence, the highest makes the model more accurate"
        f" with salutary labels than with true ones on {which}."
    )


def draw_bins(bins: pd.DataFrame, histogram: pd.DataFrame, initial: pd.Series, dataset: str) -> Figure:
    """The paper's figure: accuracy against the influence of the bin, over a histogram of the influences."""
    figure, axes = panels(2, 1, 0.35)
    for axis, (part, title) in zip(axes, PARTS.items(), strict=True):
        chosen = bins[(bins["dataset"] == dataset) & (bins["part"] == part)]
        influence = 1000 * chosen.groupby("bin")["influence"].mean()
        counts = histogram[(histogram["dataset"] == dataset) & (histogram["part"] == part)]
        beyond = _histogram(axis, counts, influence)
        _lines(axis, chosen, influence, initial[dataset], part)
        set_title(axis, f"{paper.DATASETS.get(dataset, dataset)}: {title}", beyond)
        axis.set_ylabel("test accuracy, %")
    set_xlabel(
        axes[1], "influence with the salutary label: predicted fall of the validation loss, thousandths"
    )
    legend(figure, axes, _handles())
    return figure


def draw_all(bins: pd.DataFrame, initial: pd.Series) -> Figure:
    """Accuracy against the number of the added bin, a panel per table."""
    names = datasets_in_order(bins["dataset"])
    figure, axes = panels(len(names), 3)
    for axis, name in zip(axes, names, strict=True):
        chosen = bins[(bins["dataset"] == name) & (bins["part"] == "pool")]
        _lines(axis, chosen, pd.Series(sorted(chosen["bin"].unique())) + 1, initial[name], "pool")
        set_title(axis, paper.DATASETS.get(name, name))
        axis.set_xlabel("bin")
    for axis in leftmost(axes):
        axis.set_ylabel("test accuracy, %")
    legend(figure, axes, _handles()[:3])
    return figure


def _lines(axis: Axes, bins: pd.DataFrame, x: pd.Series, initial: float, part: str) -> None:
    for column, color, marker in (("accuracy_true", VERMILLION, "s"), ("accuracy_salutary", BLUE, "o")):
        if part == "labeled" and column == "accuracy_true":
            continue  # relabelling a bin with its own labels is the initial model
        each = 100 * bins.groupby("bin")[column].agg(["mean", "std"]).fillna(0)
        axis.plot(x.to_numpy(), each["mean"], color=color, marker=marker)
        low, high = each["mean"] - each["std"], each["mean"] + each["std"]
        axis.fill_between(x.to_numpy(), low, high, color=color, alpha=0.15, linewidth=0)
    axis.axhline(initial, color="black", linestyle="--")


def _histogram(axis: Axes, counts: pd.DataFrame, influence: pd.Series) -> str:
    """Counts of the first seed, on an axis of its own to the right, behind the lines. The axis ends a little
    after the last bin's mean; returned is how many points are further to the right.
    """
    counts = counts[counts["seed"] == counts["seed"].min()]
    counts = counts.assign(low=1000 * counts["low"], high=1000 * counts["high"])
    margin = 0.04 * (influence.max() - influence.min())
    axis.set_xlim(influence.min() - margin, influence.max() + margin)
    behind = axis.twinx()
    behind.bar(counts["low"], counts["count"], counts["high"] - counts["low"], align="edge", color="#dddddd")
    behind.set_ylabel("points", color=GREY)
    behind.tick_params(colors=GREY)
    behind.spines["right"].set_visible(True)
    axis.set_zorder(behind.get_zorder() + 1)
    axis.patch.set_visible(False)
    further = counts[(counts["low"] > axis.get_xlim()[1]) & (counts["count"] > 0)]
    if further.empty:
        return ""
    n, end = further["count"].sum(), further["high"].max()
    return f"{n:.0f} of {counts['count'].sum():.0f} points further right, up to {end:.4g}"


def _handles() -> list[Artist]:
    return [
        Line2D([], [], color=VERMILLION, marker="s", label="true labels"),
        Line2D([], [], color=BLUE, marker="o", label="salutary labels"),
        Line2D([], [], color="black", linestyle="--", label="initial model"),
        Patch(color="#dddddd", label="number of points (one seed)"),
    ]
