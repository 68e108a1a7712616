"""A :class:`~salutary.analysis.own_statistics.Comparison` as readers see it: sentences, tables of texts."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.own_statistics import ALPHA, Comparison, smallest_p
from salutary.analysis.sections import plain
from salutary.analysis.statistics import warning_of_few
from salutary.analysis.style import in_order, label

# A matrix of more strategies is a file, not a table of the page; and more seeds are not to be had.
MANY, MOST_SEEDS = 12, 1000
# More exceptions than these are counted, not listed.
MOST_LISTED = 3
DIFFERENCES = """\
**Against {baseline}**: mean difference of the {what}, paired by table and seed, with its 95% interval over
the seeds (Student's t), and wins / ties / losses. {direction}"""
TOO_FEW = """\
*Too few for a test: with {n}, Wilcoxon's signed-rank test over tables can reach no p-value below {p:.2g}.
Seeds do not make up for tables: they are draws from the same one, and not independent where they share a
test part.*"""
TESTED = """\
Over {n}: the mean of the tables' differences, and Wilcoxon's signed-rank test on them, corrected by Holm."""
AS_ABOVE = "*Over {n}: too few for a test, as above.*"
BAYES = """\
*Better*, *worse*: probabilities by the Bayesian signed-rank test that a further table's difference is
rather that than the other."""
SEEDS = """\
Seeds needed to see the difference found: for a power of 80% of the paired t-test at 5%. A rough guide: the
difference is itself an estimate, and seeds that share a test part are worth less."""
MATRIX = "Wins / ties / losses of the row against the column, over the tables and seeds that both have:"
RANKS = """\
Mean ranks of the tables' means (1 is best), of the strategies that all {n} have: Friedman's test says
{said}. In the diagram, a bar joins strategies that Nemenyi's test cannot tell apart at 5%."""


def wide(rows: pd.DataFrame, texts: list[str]) -> pd.DataFrame:
    """Texts as a table: rows strategies, columns tables, both in order and as readers know them."""
    table = rows.assign(text=texts).pivot(index="strategy", columns="dataset", values="text")
    table = table.reindex(index=in_order(table.index), columns=datasets_in_order(rows["dataset"])).fillna("")
    return table.rename(index=label, columns=paper.DATASETS).rename_axis(index="", columns="")


def named(strategies: Iterable[str]) -> str:
    """Strategies in a sentence."""
    return ", ".join(plain(label(strategy)) for strategy in strategies)


def differences(compared: Comparison) -> pd.DataFrame:
    """``+1.2 [+0.3, +2.1], 4/0/1`` by strategy and table."""
    digits = compared.metric.digits
    return wide(compared.paired, [_difference(row, digits) for row in compared.paired.itertuples()])


def _difference(row, digits: int) -> str:
    if not row.n:
        return "no seed in common"
    interval = "" if row.n < 2 else f" [{row.low:+.{digits}f}, {row.high:+.{digits}f}]"
    return f"{row.mean:+.{digits}f}{interval}, {row.win}/{row.tie}/{row.loss}"


def about_differences(compared: Comparison, what: str = "") -> str:
    """What the table of :func:`differences` holds; ``what`` is compared, by default the metric."""
    direction = "Positive" if compared.metric.higher_is_better else "Lower is better: negative"
    text = DIFFERENCES.format(
        baseline=named(compared.baselines),
        what=what or compared.metric.label,
        direction=f"{direction} is better.",
    )
    if len(compared.baselines) > 1:
        text += " Each is compared with that of its own settings, else with the first."
    lacking = compared.paired[compared.paired["unpaired"] > 0]
    if lacking.empty:
        return text
    return f"{text} Seeds that only one of both has are left out ({_unpaired(lacking)})."


def _unpaired(lacking: pd.DataFrame) -> str:
    if len(lacking) > MOST_LISTED:
        return f"{lacking['unpaired'].sum()}, in {len(lacking)} pairs of a strategy and a table"
    rows = lacking.itertuples()
    return ", ".join(f"{named([row.strategy])} on {plain(row.dataset)} {row.unpaired}" for row in rows)


def seeds(compared: Comparison) -> pd.DataFrame:
    """The seeds that a difference needs, by strategy and table."""
    return wide(compared.paired, [_needed(n) for n in compared.paired["seeds_needed"]])


def _needed(n: float) -> str:
    if math.isnan(n):
        return ""
    if math.isinf(n):
        return "no difference"
    return f"{n:.0f}" if n <= MOST_SEEDS else f"over {MOST_SEEDS:,}"


def brief(compared: Comparison) -> str:
    """The strategy with the best mean difference to the baseline, and what the test over tables says."""
    rows, metric = compared.over_tables.dropna(subset="mean"), compared.metric
    if rows.empty:
        return f"no seed in common with {named(compared.baselines)}."
    row = rows.loc[rows["mean"].idxmax() if metric.higher_is_better else rows["mean"].idxmin()]
    p = "too few tables for a test" if math.isnan(row["p_holm"]) else f"p = {row['p_holm']:.2g} after Holm"
    name, difference = named([row["strategy"]]), f"{row['mean']:+.{metric.digits}f}"
    is_better = (row["mean"] > 0) == metric.higher_is_better and difference.strip("+-0.") != ""
    found = (
        f"{name} has the best mean {metric.label}, {difference}"
        if is_better
        else f"none has a better mean {metric.label}; the nearest, {name}, differs by {difference}"
    )
    return (
        f"of {len(rows)} compared with {named(compared.baselines)}, {found}; wins / ties / losses"
        f" {row['win']} / {row['tie']} / {row['loss']}; {_tables(int(row['n_tables']))}: {p}."
    )


def over_tables(compared: Comparison) -> pd.DataFrame:
    """Wins, mean difference and, where there can be one, the tests, by strategy."""
    rows, digits = compared.over_tables, compared.metric.digits
    table = pd.DataFrame(
        {
            "tables": [str(n) for n in rows["n_tables"]],
            "wins / ties / losses": [f"{row.win} / {row.tie} / {row.loss}" for row in rows.itertuples()],
            "mean difference": [f"{mean:+.{digits}f}" for mean in rows["mean"]],
        },
        index=pd.Index([label(name) for name in rows["strategy"]], name=""),
    )
    tests = {"p": "p (Wilcoxon)", "p_holm": "p (Holm)", "p_better": "better", "p_worse": "worse"}
    for column, title in tests.items():
        if rows[column].notna().any():
            table[title] = [
                ("too few" if smallest_p(n) >= ALPHA else "") if math.isnan(p) else f"{p:.3f}"
                for n, p in zip(rows["n_tables"], rows[column], strict=True)
            ]
    return table


def about_tables(compared: Comparison, is_told: bool = False) -> str:
    """What a test over tables can say here, before its table; ``is_told``: whether the page says already why
    there may be none.
    """
    n = _tables(compared.n_tables)
    if not compared.has_tests:
        return (AS_ABOVE if is_told else TOO_FEW).format(n=n, p=smallest_p(compared.n_tables))
    parts = [TESTED.format(n=n), BAYES if compared.over_tables["p_better"].notna().any() else ""]
    warning = warning_of_few(compared.n_tables, int(compared.over_tables["p"].notna().sum()))
    return " ".join(filter(None, [*parts, f"*{warning}*" if warning else ""]))


def matrix(compared: Comparison) -> pd.DataFrame:
    """``3 / 0 / 2`` of each strategy against each."""
    wins, ties = compared.wins, compared.ties
    cells = {
        label(column): [
            ""
            if row == column
            else f"{wins.loc[row, column]} / {ties.loc[row, column]} / {wins.loc[column, row]}"
            for row in wins
        ]
        for column in wins
    }
    return pd.DataFrame(cells, index=pd.Index([label(name) for name in wins], name=""))


def about_ranks(compared: Comparison, n_tables: int) -> str:
    return RANKS.format(n=_tables(n_tables), said=compared.ranks.said)


def _tables(n: int) -> str:
    return f"{n} table{'s' * (n != 1)}"
