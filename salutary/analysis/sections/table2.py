"""Table 2: salutary labels for half of the pool, beside semi-supervised learning."""

from __future__ import annotations

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.comparison import cells, compare, with_deviation
from salutary.analysis.curves import datasets_in_order, draw_curves
from salutary.analysis.sections import Records, Section, markdown_table, named_where
from salutary.analysis.statistics import above, summarise
from salutary.analysis.style import label

INTRO = """\
Ten points a round until half of the pool has its label; the round of the best validation accuracy is the
final model. Ours / the paper's / the difference, starred beyond two standard deviations (the paper says of
its own that all are below 0.3). FixMatch and self-training learn by the pool without the validation set;
*trained on L + V* does not need the pool."""
WHEN = """\
When the best round was, as a share of the queried half, how many of the labels given up to there were true,
and the accuracy of the last round instead:"""
TITLE = "Table 2: up to half of the pool, beside semi-supervised learning"


def section(records: Records) -> Section:
    """Accuracies beside the paper's, where the validation labels do better, and when the best round was."""
    logistic = records.rounds[records.rounds["model"] == "logistic"]
    if logistic.empty:
        return Section(TITLE, "There are runs of FixMatch only.")
    chosen = best_on_validation(logistic)
    last = records.final().query("model == 'logistic'")
    fixmatch = records.final().query("model == 'fixmatch'").assign(strategy="fixmatch")
    lines = [
        records.reference(name)
        for name in ("initial", "fully_supervised", "labeled_and_validation", "majority")
    ]
    columns = ["dataset", "strategy", "accuracy"]
    rows = pd.concat([each[columns] for each in (chosen, fixmatch, *lines)])
    printed = paper.table2().rename_axis(index="strategy", columns="dataset").stack().rename("paper_mean")
    comparison = compare(rows, printed.reset_index().assign(paper_std=float("nan")))
    text = [
        INTRO,
        markdown_table(cells(comparison)),
        found := verdict(rows),
        WHEN,
        markdown_table(when(chosen, last)),
        "![Accuracy up to half of the pool](table2.png)",
    ]
    # The lines are those of the logistic runs; FixMatch trains its own by SGD.
    figures = {"table2": draw_curves(logistic, records.lines())}
    text = "\n\n".join(filter(None, text))
    return Section(TITLE, text, figures, {"table2": comparison}, brief=found)


def verdict(rows: pd.DataFrame) -> str:
    """Where salutary labels for the pool beat true labels for it, and the validation labels themselves."""
    table = rows.pivot_table("accuracy", "dataset", "strategy")
    if not {"salutary", "fully_supervised", "labeled_and_validation"} <= set(table):
        return ""
    supervised, both = (
        named_where(above(table["salutary"], table[line]))
        for line in ("fully_supervised", "labeled_and_validation")
    )
    text = (
        "Salutary labels for up to half of the pool, none of a human, are more accurate than true labels for"
        f" all of it (fully supervised) on {supervised}, and than training on labelled and validation rows"
        f" (L + V) on {both}"
    )
    if "majority" in table and len(better := above(table["majority"], table["salutary"])):
        text += f"; always answering the majority class is more accurate on {named_where(better)}"
    return f"{text}."


def best_on_validation(rounds: pd.DataFrame) -> pd.DataFrame:
    """The round of each run with the highest validation accuracy (the earliest of equals), with its
    ``accuracy`` (per cent) and ``share`` of the run's rounds.
    """
    rounds = rounds.sort_values("round")
    best = rounds.loc[rounds.groupby("run")["val_accuracy"].idxmax()]
    share = best["round"] / best["run"].map(rounds.groupby("run")["round"].max())
    true = rounds.groupby("run")["label_agreement"].expanding().mean().droplevel(0)
    return best.assign(accuracy=100 * best["test_accuracy"], share=share, true=true.loc[best.index])


def when(chosen: pd.DataFrame, last: pd.DataFrame) -> pd.DataFrame:
    """When the chosen rounds were, the share of true labels up to there, and the last rounds' accuracies."""
    by = ["strategy", "dataset"]
    means = chosen.groupby(by)[["share", "true"]].mean()
    rows = {}
    for strategy in means.index.unique("strategy"):
        rows[f"{label(strategy)}: best round"] = _shares(means.loc[strategy, "share"])
        rows[f"{label(strategy)}: true labels"] = _shares(means.loc[strategy, "true"])
    ends = summarise(last, by, "accuracy")
    for strategy, each in ends.groupby("strategy"):
        texts = [with_deviation(row.mean, row.std) for row in each.itertuples()]
        rows[f"{label(strategy)}: last round"] = pd.Series(texts, each["dataset"])
    wide = pd.DataFrame(rows).T
    return wide[datasets_in_order(wide)].rename(columns=paper.DATASETS)


def _shares(values: pd.Series) -> pd.Series:
    """Per cent; nothing where no label was given."""
    return values.map("{:.0%}".format).where(values.notna(), "-")
