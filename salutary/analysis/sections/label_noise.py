"""Wrong labels in the initial set."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import leftmost, legend, panels, set_title
from salutary.analysis.sections import Records, Section, markdown_table
from salutary.analysis.statistics import summarise
from salutary.analysis.style import GREY, REFERENCES, in_order, label, look

TITLE = "Wrong labels in the initial set"
INTRO = """\
A share of the initial labels is wrong (drawn per seed, all other classes alike); validation labels are
right. Can labels chosen by the validation set repair that, without a human? Final test accuracy after ten
rounds of ten, mean and one standard deviation."""
VARIED = ("label_noise",)


def section(records: Records) -> Section:
    final = records.final()
    lines = reference_by_noise(records)
    noise = sorted(final["label_noise"].unique())
    cells = summarise(pd.concat([final, lines]), ["label_noise", "strategy", "dataset"], "accuracy")
    text = [
        INTRO,
        "![Final accuracy by the share of wrong initial labels](label_noise.png)",
        f"Mean loss of accuracy in points, from {noise[0]:.0%} to {noise[-1]:.0%} wrong labels:",
        markdown_table(loss(final, lines)),
        summary(final, lines),
    ]
    return Section(
        TITLE, "\n\n".join(text), {"label_noise": draw_by_noise(final, lines)}, {"label_noise": cells}
    )


def reference_by_noise(records: Records) -> pd.DataFrame:
    """dataset, strategy (a reference line), seed, label_noise, accuracy: each line once."""
    noise = records.facts["label_noise"]
    table = records.references.assign(label_noise=records.references["run"].map(noise))
    table = table[table["line"].isin(["initial", "labeled_and_validation"])]
    table = table.drop_duplicates(["dataset", "seed", "line", "label_noise"])
    return table.assign(strategy=table["line"], accuracy=100 * table["test_accuracy"])


def loss(final: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    both = pd.concat([final, lines])
    means = both.pivot_table("accuracy", ["strategy", "dataset"], "label_noise")
    change = (means[means.columns.max()] - means[means.columns.min()]).unstack("dataset")
    change = change[datasets_in_order(final["dataset"])].map("{:+.1f}".format).rename(columns=paper.DATASETS)
    order = [*in_order(final["strategy"].unique()), *lines["strategy"].unique()]
    return change.reindex(order).rename(index=label).rename_axis(index="", columns="")


def summary(final: pd.DataFrame, lines: pd.DataFrame) -> str:
    """In how many cells zero-human labels beat bought ones, by the share of wrong labels."""
    means = final.pivot_table("accuracy", ["label_noise", "dataset"], "strategy")
    both = lines[lines["strategy"] == "labeled_and_validation"]
    both = both.groupby(["label_noise", "dataset"])["accuracy"].mean()
    rows = []
    for noise, each in means.groupby(level="label_noise"):
        bought = each[[name for name in ("random", "margin", "salutary_gt") if name in each]].max(axis=1)
        texts = [f"{noise:.0%} wrong:"]
        for name in ("salutary", "salutary_greedy"):
            if name in each:
                won = f"{(each[name] > bought).sum()} of {len(each)}"
                learnt = f"{(each[name] > both.loc[each.index]).sum()}"
                compared = f"the best of the bought labels on {won} tables, training on L + V on {learnt};"
                texts.append(f"{label(name)} beats {compared}")
        rows.append("- " + " ".join(texts).rstrip(";") + ".")
    return "\n".join(rows)


def draw_by_noise(final: pd.DataFrame, lines: pd.DataFrame) -> Figure:
    names = datasets_in_order(final["dataset"])
    figure, axes = panels(len(names), 3)
    strategies = in_order(final["strategy"])
    for axis, name in zip(axes, names, strict=True):
        for strategy in strategies:
            each = final[(final["dataset"] == name) & (final["strategy"] == strategy)]
            stats = each.groupby("label_noise")["accuracy"].agg(["mean", "std"])
            x, low, high = 100 * stats.index, stats["mean"] - stats["std"], stats["mean"] + stats["std"]
            line = look(strategy).line()
            axis.plot(x, stats["mean"], **line)
            axis.fill_between(x, low, high, color=line["color"], alpha=0.1, linewidth=0)
        for line, style in {"initial": "--", "labeled_and_validation": "-."}.items():
            each = lines[(lines["dataset"] == name) & (lines["strategy"] == line)]
            means = each.groupby("label_noise")["accuracy"].mean()
            axis.plot(100 * means.index, means, color=GREY, linestyle=style)
        set_title(axis, paper.DATASETS.get(name, name))
        axis.set_xlabel("wrong initial labels, %")
    for axis in leftmost(axes):
        axis.set_ylabel("test accuracy, %")
    handles = [Line2D([], [], **look(name).line()) for name in strategies]
    for line, style in {"initial": "--", "labeled_and_validation": "-."}.items():
        handles.append(Line2D([], [], color=GREY, linestyle=style, label=REFERENCES[line]))
    legend(figure, axes, handles)
    return figure
