"""The best model that needs no new label: what is handed over, beside what a user would otherwise take."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.layout import leftmost, legend, panels, set_title
from salutary.analysis.sections import Records, Section, markdown_table, surely
from salutary.analysis.statistics import critical_difference_diagram, ranks, with_ties
from salutary.analysis.style import GREY
from salutary.experiments.runs import read_table
from salutary.system.pictures import BLACK, BLUE, VERMILLION

TITLE = "Remedies: the best model that needs no new label"
INTRO = """\
400 labelled rows (600 from ten sources), 100 or 300 validation rows; five situations of the labelled rows
(`clean`; `shift`: of the other half of the table; `symmetric` and `class_dependent`: wrong labels;
`sources`). `average` is what `salutary-label` hands over. Beside it training on labelled and validation
rows, with each base model and with a soft vote of them, trees tuned by scikit-learn's grid search, and
cleanlab's CleanLearning. Test log-loss; lower is better."""
VARIED = ("study.situation", "study.n_validation")
COLUMNS = (
    *("situation", "n_validation", "n_test", "model", "test_loss", "test_accuracy"),
    *("held_out_loss", "weight", "seconds"),
)
RIGHT = {
    "right_salutary": "salutary labels",
    "right_labeled": "as L's model says",
    "right_labeled_and_validation": "as that of L + V says",
}
LABELS = ("situation", "n_validation", "n_given", *RIGHT)
AVERAGE, PLAIN = "average", "labeled_and_validation"
BASES = ("hist_gradient_boosting", "random_forest")
# Training on L + V: the base models as they come, and what else a user would take.
PLAINS = (PLAIN, *(f"{base}-{PLAIN}" for base in BASES))
RIVALS = (*(f"{base}, tuned" for base in BASES), "CleanLearning")
NAMES = {
    AVERAGE: "average (handed over)",
    "best": "the best by V",
    PLAIN: "L + V, linear",
    f"{BASES[0]}-{PLAIN}": "L + V, boosting",
    f"{BASES[1]}-{PLAIN}": "L + V, forest",
    "plain_vote": "L + V, vote of the three",
    f"{BASES[0]}, tuned": "L + V, boosting tuned",
    f"{BASES[1]}, tuned": "L + V, forest tuned",
    "CleanLearning": "L + V, CleanLearning",
}
HINDSIGHT = "best of the three in hindsight"
SITUATIONS = ("clean", "shift", "symmetric", "class_dependent", "sources")
# What the average may lose on clean rows against the plain model that hindsight would choose, of its loss.
ALLOWED = 0.01
LOOKS = dict(zip(PLAINS, ((BLACK, "o"), (BLUE, "s"), (VERMILLION, "^")), strict=True))
CELL = ["situation", "dataset", "n_validation"]


def section(records: Records) -> Section:
    """Losses by situation, cells won and lost, what clean rows pay, ranks, and labels that are right."""
    return described(records, TITLE, INTRO, "remedies")


def described(records: Records, title: str, intro: str, name: str) -> Section:
    """The section of this study's records, with figures called after ``name``."""
    losses, held_out = measured(records), measured(records, "held_out_loss")
    shown = [each for each in NAMES if each in losses]
    text = [intro, _size(losses), _by_situation(losses[shown])]
    text += [f"![Loss of what is handed over, less that of plain training, by table]({name}.png)"]
    text += ["Cells (situation, table, number of validation rows):", markdown_table(verdicts(losses))]
    text += [clean(losses), "Mean test log-loss of every remedy, and that in the folds of V:"]
    text += [every(losses, held_out)]
    figures, tables = {name: draw_gains(losses)}, {name: losses.reset_index()}
    labels = pool_labels(records)
    if len(labels):
        text += ["Pool rows that salutary labelling labelled, and how many of the labels are right:"]
        text += [markdown_table(quality(labels))]
        tables[f"{name}-labels"] = labels.drop(columns="run")
    test = ranks(_ranked(losses[shown]), "value")
    if test:
        text += [
            "Mean ranks over situations, tables and numbers of validation rows (Nemenyi's test; cells of one"
            " table are not independent, so it is surer than it should be):",
            f"![Mean ranks, and which models cannot be told apart]({name}-ranks.png)",
        ]
        figures[f"{name}-ranks"] = critical_difference_diagram(test)
    return Section(title, "\n\n".join(filter(None, text)), figures, tables, brief=brief(losses))


def measured(records: Records, figure: str = "test_loss") -> pd.DataFrame:
    """Losses: a row for each situation, dataset, n_validation and seed, a column for each model."""
    rows = read_table(map(Path, records.facts.index), "remedies", COLUMNS, ("situation", "model"))
    rows = rows.join(records.facts[["dataset", "seed"]], on="run")
    return rows.pivot_table(figure, [*CELL, "seed"], "model")


def pool_labels(records: Records) -> pd.DataFrame:
    """A row a run: ``n_given`` pool rows, and shares of right labels; records of before have none."""
    paths = [Path(each) for each in records.facts.index if (Path(each) / "pool_labels.csv").exists()]
    rows = read_table(paths, "pool_labels", LABELS, ("situation",))
    return rows.join(records.facts[["dataset", "seed"]], on="run")


def quality(labels: pd.DataFrame) -> pd.DataFrame:
    """Per table and situation: labels given in a run, and the share of them all that are right, in per cent,
    beside the shares of right labels that models say of the same rows.
    """
    rows = {}
    for dataset, situation in itertools.product(datasets_in_order(labels["dataset"]), SITUATIONS):
        here = labels[(labels["dataset"] == dataset) & (labels["situation"] == situation)]
        if here["n_given"].sum():
            n = here["n_given"]
            shares = {
                title: f"{100 * (here[name] * n).sum() / n.sum():.0f}%" for name, title in RIGHT.items()
            }
            table = paper.DATASETS.get(dataset, dataset)
            rows[f"{table}, {situation.replace('_', '-')}"] = {"given": f"{n.mean():.0f}"} | shares
    return pd.DataFrame(rows).T.rename_axis(index="", columns="")


def _size(losses: pd.DataFrame) -> str:
    seeds = losses.groupby(level=CELL).size()
    if seeds.max() == 1:
        return f"{len(seeds)} cells, of one seed each: nothing is surely better or worse."
    n = f"{seeds.min()} to {seeds.max()}" if seeds.min() < seeds.max() else seeds.max()
    return f"{len(seeds)} cells, {n} seeds each."


def _in_order(table: pd.DataFrame) -> pd.DataFrame:
    return table.reindex([name for name in SITUATIONS if name in table.index])


def _means(losses: pd.DataFrame) -> pd.DataFrame:
    """By situation, each cell counting alike, however many seeds it has."""
    return _in_order(losses.groupby(level=CELL).mean().groupby(level="situation").mean())


def _by_situation(losses: pd.DataFrame) -> str:
    """The lowest of each situation is bold."""
    table = _means(losses).T.rename(index=NAMES).rename_axis(index="", columns="")
    texts = table.map("{:.3f}".format, na_action="ignore")
    return markdown_table(texts, bold=table.eq(table.min()))


def every(losses: pd.DataFrame, held_out: pd.DataFrame) -> str:
    """Mean test loss / held-out loss of all remedies by situation, the lowest of the former first."""
    remedies = [name for name in losses if name not in (*RIVALS, "best")]
    test, folds = _means(losses[remedies]).T, _means(held_out[remedies]).T
    both = test.map("{:.3f}".format) + " / " + folds.map("{:.3f}".format)
    table = both[test.notna()].reindex(test.index[test.mean(axis=1).argsort()])
    return markdown_table(table.rename_axis(index="test / held out", columns=""))


def won(losses: pd.DataFrame) -> pd.DataFrame:
    """A row for each situation and model that the average is compared with, :data:`HINDSIGHT` among them: in
    how many ``cells`` both are, in how many the average is ``better`` or ``worse``, and ``surely`` so (2
    paired standard errors over seeds).
    """
    against = {name: losses[name] for name in (*PLAINS, "plain_vote", *RIVALS) if name in losses}
    against[HINDSIGHT] = in_hindsight(losses)
    rows = {}
    for name, other in against.items():
        gaps = (losses[AVERAGE] - other).dropna().groupby(level=CELL)
        cells = pd.DataFrame({"mean": gaps.mean(), "sure": 2 * gaps.sem()})
        for situation, each in cells.groupby(level="situation"):
            mean, sure = with_ties(each["mean"]), each["sure"]
            rows[name, situation] = {
                **{"cells": len(each), "better": (mean < 0).sum(), "surely better": (mean < -sure).sum()},
                **{"worse": (mean > 0).sum(), "surely worse": (mean > sure).sum()},
            }
    return pd.DataFrame.from_dict(rows, "index").rename_axis(["model", "situation"])


def in_hindsight(losses: pd.DataFrame) -> pd.Series:
    """Of each seed the least test loss of the plain models."""
    return losses[[name for name in PLAINS if name in losses]].min(axis=1)


def verdicts(losses: pd.DataFrame) -> pd.DataFrame:
    """:func:`won` as texts, a row for each model and a column for each situation."""
    rows: dict[str, dict[str, str]] = {}
    for (name, situation), row in won(losses).iterrows():
        text = f"{row['better']} ({row['surely better']}) : {row['worse']} ({row['surely worse']})"
        rows.setdefault(NAMES.get(name, name), {})[situation] = text
    table = pd.DataFrame(rows)
    table = _in_order(table).T
    return table.rename_axis(index="better (surely) : worse (surely) than", columns="")


def brief(losses: pd.DataFrame) -> str:
    """Over all situations what :func:`won` counts against training on L + V and the best of the plain models
    in hindsight, and the latter of clean rows, where there is nothing to mend.
    """
    found = won(losses)
    if PLAIN not in losses or PLAIN not in found.index:
        return ""
    n_seeds = int(losses.groupby(level=CELL).size().max())
    plain, hindsight = found.loc[PLAIN].sum(), found.loc[HINDSIGHT]
    both = hindsight.sum()
    text = (
        "the average of remedies that is handed over has a lower test loss than a linear model of labelled"
        f" and validation rows (L + V) in {plain['better']} of {plain['cells']} cells"
        f"{surely(plain['surely better'], n_seeds)}, than the best of the plain models of L + V in hindsight"
        f" in {both['better']}{surely(both['surely better'], n_seeds)}"
    )
    if "clean" in hindsight.index:
        row = hindsight.loc["clean"]
        text += (
            f"; where nothing is wrong with the rows, that is in {row['better']} of {row['cells']}, and a"
            f" higher one in {row['worse']}{surely(row['surely worse'], n_seeds)}"
        )
    return f"{text}."


def clean(losses: pd.DataFrame) -> str:
    """Whether a clean L pays for being judged: cells where the average loses more than ``ALLOWED``."""
    if "clean" not in losses.index.get_level_values("situation"):
        return ""
    here = losses.xs("clean")
    excess = (here[AVERAGE] / in_hindsight(here) - 1).groupby(level=["dataset", "n_validation"]).mean()
    over = excess[excess > ALLOWED]
    text = "On clean rows, against the best of the three in hindsight: "
    text += f"{excess.mean():+.1%} of its loss in the mean, {excess.max():+.1%} at worst."
    if len(over):
        named = {name: paper.DATASETS.get(name, name) for name, _ in over.index}
        cells = [f"{named[name]}, {n:g} rows: {each:+.1%}" for (name, n), each in over.items()]
        return f"{text} Above the {ALLOWED:.0%} that are allowed: {'; '.join(cells)}."
    return f"{text} No cell is above the {ALLOWED:.0%} that are allowed."


def _ranked(losses: pd.DataFrame) -> pd.DataFrame:
    """Cells as :func:`ranks` takes tables: higher is better."""
    means = -losses.groupby(level=CELL).mean().dropna(axis=1)
    cells = means.reset_index(drop=True).rename_axis(index="dataset").rename(columns=NAMES)
    return cells.reset_index().melt("dataset", var_name="strategy", value_name="value")


def draw_gains(losses: pd.DataFrame) -> Figure:
    """Relative change of the loss by the average, against the plain models, a panel for each situation."""
    names = [name for name in SITUATIONS if name in losses.index.get_level_values("situation")]
    figure, axes = panels(len(names), 3)
    for axis, situation in zip(axes, names, strict=True):
        here = losses.xs(situation).groupby(level=["dataset", "n_validation"]).mean()
        _draw(axis, here)
        set_title(axis, situation.replace("_", "-"))
    for axis in leftmost(axes):
        axis.set_ylabel("change of the loss, %")
    legend(figure, axes, axes[0].get_legend_handles_labels()[0])
    return figure


def _draw(axis: Axes, means: pd.DataFrame) -> None:
    """One situation: hollow marks for the fewest validation rows."""
    datasets = datasets_in_order(means.index.get_level_values("dataset"))
    for (name, (color, marker)), n in itertools.product(LOOKS.items(), (100, 300)):
        if name not in means or n not in means.index.get_level_values("n_validation"):
            continue
        each = means.xs(n, level="n_validation").reindex(datasets)
        change = 100 * (each[AVERAGE] / each[name] - 1)
        places = np.arange(len(datasets)) + (0.15 if n == 300 else -0.15)
        style = {"color": color, "marker": marker, "linestyle": ""}
        filled = color if n == 300 else "none"
        axis.plot(places, change, label=f"{NAMES[name]}, n_V = {n}", markerfacecolor=filled, **style)
    axis.axhline(0, color=GREY, linewidth=0.8)
    axis.set_xticks(range(len(datasets)), [paper.DATASETS.get(name, name) for name in datasets], rotation=35)
