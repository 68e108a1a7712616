"""Wrong labels in the initial set."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import leftmost, legend, panels, set_title
from salutary.analysis.sections import Records, Section, how_many, markdown_table
from salutary.analysis.statistics import above, summarise
from salutary.analysis.style import GREY, REFERENCES, in_order, label, look

TITLE = "Wrong labels in the initial set"
INTRO = """\
A share of the initial labels is wrong (drawn per seed, all other classes alike); validation labels are
right. Can labels chosen by the validation set repair that, without a human? Final test accuracy after ten
rounds of ten, mean and one standard deviation."""
VARIED = ("label_noise",)
BOUGHT = ("random", "margin", "salutary_gt")
OURS = ("salutary", "salutary_greedy")


def section(records: Records) -> Section:
    """Accuracy by the share of wrong labels, what they cost, and where bought labels are beaten."""
    final = records.final()
    lines = reference_by_noise(records)
    noise = sorted(final["label_noise"].unique())
    cells = summarise(pd.concat([final, lines]), ["label_noise", "strategy", "dataset"], "accuracy")
    text = [
        INTRO,
        "![Final accuracy by the share of wrong initial labels](label_noise.png)",
        f"Change of the mean accuracy, in points, from {noise[0]:.0%} to {noise[-1]:.0%} wrong labels:",
        markdown_table(change(final, lines)),
        summary(final, lines),
    ]
    figures = {"label_noise": draw_by_noise(final, lines)}
    text = "\n\n".join(filter(None, text))
    return Section(TITLE, text, figures, {"label_noise": cells}, brief=brief(final, lines))


def reference_by_noise(records: Records) -> pd.DataFrame:
    """dataset, strategy (a reference line), seed, label_noise, accuracy: each line once."""
    noise = records.facts["label_noise"]
    table = records.references.assign(label_noise=records.references["run"].map(noise))
    table = table[table["line"].isin(["initial", "labeled_and_validation"])]
    table = table.drop_duplicates(["dataset", "seed", "line", "label_noise"])
    return table.assign(strategy=table["line"], accuracy=100 * table["test_accuracy"])


def change(final: pd.DataFrame, lines: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracy with the most wrong labels less that with the fewest, as texts: below 0 they harm."""
    both = pd.concat([final, lines])
    means = both.pivot_table("accuracy", ["strategy", "dataset"], "label_noise")
    change = (means[means.columns.max()] - means[means.columns.min()]).unstack("dataset")
    change = change[datasets_in_order(final["dataset"])].map("{:+.1f}".format, na_action="ignore")
    change = change.rename(columns=paper.DATASETS)
    order = [*in_order(final["strategy"].unique()), *lines["strategy"].unique()]
    return change.reindex(order).rename(index=label).rename_axis(index="", columns="")


def won(final: pd.DataFrame, lines: pd.DataFrame, noise: float, ours: str) -> tuple[pd.Series, pd.Series]:
    """Flags of tables: whether a strategy of ours is above the best of the bought labels, and above training
    on L + V, with this share of wrong labels.
    """
    means, plain = (
        each[each["label_noise"] == noise].pivot_table("accuracy", "dataset", "strategy")
        for each in (final, lines)
    )
    none = pd.Series(dtype=float)
    bought = means[[name for name in BOUGHT if name in means]].max(axis=1)
    mine = means.get(ours, none)
    return above(mine, bought), above(mine, plain.get("labeled_and_validation", none))


def summary(final: pd.DataFrame, lines: pd.DataFrame) -> str:
    """In how many cells zero-human labels beat bought ones, by the share of wrong labels."""
    rows = []
    for noise in sorted(final["label_noise"].unique()):
        texts = []
        for name in OURS:
            bought, plain = won(final, lines, noise, name)
            said = [f"the best of the bought labels on {how_many(bought)}"] if len(bought) else []
            said += [f"training on L + V on {how_many(plain)}"] if len(plain) else []
            texts += [f"{label(name)} beats {', '.join(said)}"] if said else []
        rows += [f"- {noise:.0%} wrong: {'; '.join(texts)}."] if texts else []
    return "\n".join(rows)


def brief(final: pd.DataFrame, lines: pd.DataFrame) -> str:
    """What :func:`summary` counts of salutary labelling, with the most wrong labels and with the fewest."""
    shares = sorted(final.loc[final["strategy"] == "salutary", "label_noise"].unique(), reverse=True)
    if not shares:
        return ""
    shares = [*dict.fromkeys([shares[0], shares[-1]])]
    bought, plain = zip(*(won(final, lines, noise, "salutary") for noise in shares), strict=True)
    said = [
        f"{other} {' and '.join(counts)} of the initial labels wrong"
        for other, flags in (
            ("the best strategy that buys labels", bought),
            ("training on labelled and validation rows (L + V)", plain),
        )
        if (
            counts := [f"on {how_many(f)} with {n:.0%}" for n, f in zip(shares, flags, strict=True) if len(f)]
        )
    ]
    return f"salutary labelling, without a human label, beats {', and '.join(said)}." if said else ""


def draw_by_noise(final: pd.DataFrame, lines: pd.DataFrame) -> Figure:
    """Final accuracy against the share of wrong initial labels, a panel per table."""
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
