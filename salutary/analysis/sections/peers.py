"""Strategies of other libraries in the same runs: scikit-activeml's and modAL's beside ours."""

from __future__ import annotations

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.comparison import cells, means
from salutary.analysis.curves import DEVIATION, datasets_in_order, draw_curves
from salutary.analysis.sections import Records, Section, how_many, markdown_table
from salutary.analysis.sections.table4 import OURS, PLAIN, RANKS, duels
from salutary.analysis.statistics import Ranks, above, critical_difference_diagram, ranks
from salutary.analysis.style import in_order, label

TITLE = "Strategies of other libraries"
VARIED = ("strategy.query",)
INTRO = """\
Strategies of scikit-activeml and modAL with the model of the run, same splits and seeds, ten rounds of
ten. They buy the true label of every point, the salutary ones none. Final test accuracy, per cent, mean ±
deviation over the seeds; the mean rank is that over the tables, of the strategies that ran on all."""
COST = "Seconds that the choice of ten points takes, mean over the rounds:"


def section(records: Records) -> Section:
    """Accuracies and mean ranks, seconds, ours against each other strategy, curves and ranks."""
    final, rounds = named(records.final(), records.facts), named(records.rounds, records.facts)
    table = means(pd.concat([final, records.reference("initial")]))
    test = ranks(final)
    parts = [INTRO, markdown_table(with_ranks(cells(table), test)), COST, markdown_table(seconds(rounds))]
    figures = {"peers": draw_curves(rounds, records.lines())}
    for ours in OURS:
        if ours in {*final["strategy"]} and final["strategy"].nunique() > 1:
            parts += duels(final, ours)
    parts.append(f"![Accuracy by round; {DEVIATION}](peers.png)")
    if test:
        parts += [RANKS.format(said=test.said), "![Mean ranks over the tables](peers-ranks.png)"]
        figures["peers-ranks"] = critical_difference_diagram(test)
    said = brief(final, records.reference(PLAIN, OURS), test)
    return Section(TITLE, "\n\n".join(filter(None, parts)), figures, {"peers": table}, brief=said)


def brief(final: pd.DataFrame, plain: pd.DataFrame, test: Ranks | None) -> str:
    """For each of ours on how many tables it is above the best strategy that buys labels, and below training
    on L + V; and who has the best mean rank.
    """
    means = final.pivot_table("accuracy", "dataset", "strategy")
    bought = means.drop(columns=[*OURS], errors="ignore").max(axis=1)
    line = plain.groupby("dataset")["accuracy"].mean()
    texts = []
    for name in OURS:
        if name in means and len(flags := above(means[name], bought)):
            text = f"{label(name)} is above the best strategy that buys labels on {how_many(flags)}"
            below = above(line, means[name].dropna())
            text += f", and below training on labelled and validation rows (L + V) on {below.sum()}"
            texts.append(text if len(below) else text.partition(", and below")[0])
    if texts and test:
        best = [label(name) for name in test.mean.index[test.mean == test.mean.min()]]
        texts.append(
            f"the best mean rank of {len(test.mean)}, {test.mean.min():.1f}, has {' and '.join(best)}"
        )
    return f"{'; '.join(texts)}." if texts else ""


def named(rows: pd.DataFrame, facts: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``strategy`` such as ``skactiveml TypiClust``, by their column ``run``."""
    query = rows["run"].map(facts["strategy.query"])
    return rows.assign(
        strategy=rows["strategy"].where(query.isna(), rows["strategy"] + " " + query.astype(str))
    )


def with_ranks(table: pd.DataFrame, test: Ranks | None) -> pd.DataFrame:
    """The table of texts with each strategy's mean rank in its last column, where it has one."""
    if test is None:
        return table
    mean = test.mean.rename(index=label)
    return table.assign(**{"mean rank": mean.reindex(table.index).map("{:.1f}".format, na_action="ignore")})


def seconds(rounds: pd.DataFrame) -> pd.DataFrame:
    """Mean time to choose, as texts, rows strategies and columns tables."""
    asked = rounds[rounds["round"] > 0]
    wide = asked.groupby(["strategy", "dataset"])["select_seconds"].mean().map("{:.2f}".format).unstack()
    wide = wide.reindex(index=in_order(wide.index), columns=datasets_in_order(rounds["dataset"]))
    return wide.rename(index=label, columns=paper.DATASETS).rename_axis(index="", columns="")
