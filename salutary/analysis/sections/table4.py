"""Tables 1 and 4, figure 2: every strategy after ten rounds of ten."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.comparison import cells, compare, means
from salutary.analysis.curves import DEVIATION, datasets_in_order, draw_curves
from salutary.analysis.sections import Records, Section, how_many, markdown_table, named_where
from salutary.analysis.statistics import (
    above,
    against_others,
    area_under_curve,
    critical_difference_diagram,
    ranks,
    warning_of_few,
)
from salutary.analysis.style import REFERENCES, in_order, label

TITLE = "Tables 1 and 4, figure 2: ten rounds of ten"
OURS = ("salutary", "salutary_greedy")
PLAIN = "labeled_and_validation"
INTRO = """\
Test accuracy after ten rounds of ten, per cent, over the seeds: ours (mean ± standard deviation) / the
paper's / the difference. A star: further apart than two pooled standard deviations. 95% intervals are in
table4.csv."""
LABELS = """\
How many of the labels given differ from the truth, of how many added (ours / the paper's of 100, table 1,
last row). The paper says that salutary labels differ from the truth *in only a limited number of samples*:"""
WRONG = "How many of the labels given differ from the truth, of how many added:"
BY_HEART = """\
How accuracy changed from the initial model to the last round, in points, on the *validation* / on the test
part. Where the first rises and the second falls, the labels fit the validation set by heart:"""
LINES = "Reference lines of the same runs. *Trained on L + V*: the validation labels used as training data."
AREA = "Area under the accuracy-budget curve: mean accuracy over the rounds, from the initial model on."
DUEL = """\
**{ours}** against each other strategy: wins over tables and seeds, mean difference in points, Wilcoxon's
signed-rank test on the means of the tables."""
RANKS = """\
Ranks by final accuracy, means of the tables: Friedman's test says {said}. In the diagram, a bar joins
strategies that Nemenyi's test cannot tell apart at 5%."""


def section(records: Records) -> Section:
    """Accuracies beside the paper's, what holds of its claims, labels that are wrong, curves, statistics."""
    final, lines = records.final(), reference_rows(records)
    comparison, tables = accuracies(records, paper.table4())
    parts = [
        INTRO,
        *tables,
        what_holds(comparison, lines),
        LABELS,
        markdown_table(label_differences(records.rounds)),
        f"![Figure 2: test accuracy by round; {DEVIATION}](figure2.png)",
        *statistics(final, records.rounds),
    ]
    figures = {"figure2": draw_curves(records.rounds, records.lines())}
    if test := ranks(final):
        parts += [RANKS.format(said=test.said), "![Mean ranks over the tables](ranks.png)"]
        figures["ranks"] = critical_difference_diagram(test)
    text = "\n\n".join(filter(None, parts))
    return Section(TITLE, text, figures, {"table4": comparison}, brief=brief(comparison, lines))


class Standing(NamedTuple):
    """Salutary labelling by mean accuracies: flags of the tables that have both sides."""

    best: pd.Series  # strictly higher than every other strategy of the paper's
    plain_is_above: pd.Series  # training on L + V is higher
    majority_is_best: pd.Series  # the majority class is higher than every strategy


def standing(comparison: pd.DataFrame, references: pd.DataFrame) -> Standing | None:
    """None without runs of salutary labelling."""
    means = comparison.pivot(index="dataset", columns="strategy", values="mean").drop(
        columns="initial", errors="ignore"
    )
    if "salutary" not in means:
        return None
    lines = references.pivot_table("accuracy", "dataset", "strategy")
    ours, none = means["salutary"].dropna(), pd.Series(dtype=float)
    return Standing(
        above(ours, means.drop(columns=[*OURS], errors="ignore").max(axis=1)),
        above(lines.get(PLAIN, none), ours),
        above(lines.get("majority", none), means.max(axis=1)),
    )


def brief(comparison: pd.DataFrame, references: pd.DataFrame) -> str:
    """Salutary labelling beside the other strategies, and beside what needs no label either."""
    found = standing(comparison, references)
    if not found or found.best.empty:
        return ""
    parts = [
        "salutary labelling, without a human label, has the highest mean accuracy of the paper's strategies"
        f" on {how_many(found.best)}"
    ]
    if len(found.plain_is_above):
        parts.append(
            "training on labelled and validation rows (L + V), which needs no more labels, is above it on"
            f" {found.plain_is_above.sum()}"
        )
    if len(found.majority_is_best):
        parts.append(
            f"always answering the majority class is above every strategy on {found.majority_is_best.sum()}"
        )
    return f"{'; '.join(parts)}."


def accuracies(records: Records, printed: pd.DataFrame | None = None) -> tuple[pd.DataFrame, list[str]]:
    """Every strategy's final accuracy, beside the ``printed`` one if the paper has one of the same thing:
    a table, and its text with the reference lines.
    """
    final = pd.concat([records.final(), records.reference("initial")])
    comparison = means(final) if printed is None else compare(final, printed)
    lines = markdown_table(cells(means(reference_rows(records))))
    return comparison, [markdown_table(cells(comparison)), LINES, lines]


def printed_cells(datasets: Collection[str]) -> pd.DataFrame:
    """The paper's accuracies on some data sets, as texts."""
    table = paper.table4()
    table = table[table["dataset"].isin(datasets)]
    ours = {"mean": table["paper_mean"], "std": table["paper_std"], "paper_mean": float("nan")}
    return cells(table.assign(**ours, differs=False))


def reference_rows(records: Records) -> pd.DataFrame:
    """The reference lines in the form of final accuracies; the initial model is compared elsewhere."""
    lines = [name for name in REFERENCES if name != "initial"]
    return pd.concat([records.reference(line) for line in lines])


def label_differences(rounds: pd.DataFrame) -> pd.DataFrame:
    """Table 1, row "Diff. GT vs. SL": how many of the labels given differ from the truth, and of how many:
    means over the seeds. The paper's are of 100.
    """
    added = rounds.sort_values("round").groupby("run")["n_labeled"].diff()
    given = rounds.assign(wrong=(1 - rounds["label_agreement"]) * added, added=added)
    given = given[given["strategy"].isin(OURS)]
    if not given["added"].any():
        return pd.DataFrame()
    per_run = given.groupby(["strategy", "dataset", "run"])[["wrong", "added"]].sum()
    means = per_run.groupby(level=[0, 1]).mean()
    texts = means.apply(lambda row: f"{row['wrong']:.0f} of {row['added']:.0f}", axis=1)
    wide = texts.unstack("dataset").reindex(columns=datasets_in_order(rounds["dataset"]))
    for name, printed in paper.label_differences().items():
        if name in wide and pd.notna(wide[name].get("salutary")):
            wide.loc["salutary", name] += f" / {printed:.0f}"
    wide = wide.rename(index=lambda name: f"wrong labels, {label(name).lower()}")
    return wide.rename(columns=paper.DATASETS).rename_axis(index="", columns="")


def on_validation(rounds: pd.DataFrame) -> pd.DataFrame:
    """Change from the initial model to the last round, points, of validation / test accuracy: strategies that
    choose by the validation set may learn it by heart.
    """
    ends = rounds.sort_values("round").groupby(["strategy", "dataset", "run"])
    columns = ["val_accuracy", "test_accuracy"]
    gain = 100 * (ends[columns].last() - ends[columns].first())
    gain = gain.groupby(level=["strategy", "dataset"]).mean()
    texts = gain.apply(lambda row: f"{row['val_accuracy']:+.1f} / {row['test_accuracy']:+.1f}", axis=1)
    wide = texts.unstack("dataset")
    wide = wide.reindex(index=in_order(wide.index), columns=datasets_in_order(rounds["dataset"]))
    return wide.rename(index=label, columns=paper.DATASETS).rename_axis(index="", columns="")


def what_holds(comparison: pd.DataFrame, references: pd.DataFrame) -> str:
    """What can be said of the paper's claims, counted from the table."""
    ours = comparison[comparison["strategy"] == "salutary"].set_index("dataset")
    printed = ours.dropna(subset=["paper_mean", "std"])
    found = standing(comparison, references)
    if printed.empty or not found:
        return ""
    texts = {
        "- Salutary labelling is within two pooled deviations of the paper's figure on {}.": ~printed[
            "differs"
        ],
        "- It has the highest mean of the paper's strategies on {}.": found.best,
        "- **Training on the initial and the validation set together beats it on {}.**": found.plain_is_above,
        "- **Always answering the majority class beats every strategy on {}.**": found.majority_is_best,
    }
    return "\n".join(text.format(named_where(flags)) for text, flags in texts.items() if len(flags))


def statistics(final: pd.DataFrame, rounds: pd.DataFrame) -> list[str]:
    """Areas under the curves, then ours against each other strategy."""
    area = area_under_curve(rounds).assign(area=lambda table: 100 * table["area"])
    parts = [AREA, markdown_table(cells(means(area, "area")))]
    for name in OURS:
        if name in set(final["strategy"]) and final["strategy"].nunique() > 1:
            parts += [*duels(final, name)]
    return parts


def duels(final: pd.DataFrame, ours: str) -> list[str]:
    """One strategy against each other: a table, and a warning if it cannot prove anything."""
    compared = against_others(final, ours)
    if not compared:
        return []
    rows = pd.DataFrame(
        {
            "wins / ties / losses": [f"{c.win} / {c.tie} / {c.loss}" for c in compared],
            "mean difference": [f"{c.mean_difference:+.2f}" for c in compared],
            "p (Wilcoxon)": [f"{c.p:.3f}" for c in compared],
            "p (Holm)": [f"{c.p_holm:.3f}" for c in compared],
        },
        index=pd.Index([label(c.against) for c in compared], name=f"{label(ours)} against"),
    )
    warning = warning_of_few(max(each.n_tables for each in compared), len(compared))
    return [DUEL.format(ours=label(ours)), markdown_table(rows), f"*{warning}*" if warning else ""]
