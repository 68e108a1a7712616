"""Statistics over seeds and tables. The tests are those of SciPy, statsmodels and scikit-posthocs."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import matplotlib
import numpy as np
import pandas as pd
import scikit_posthocs
from matplotlib.figure import Figure
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests

from salutary.analysis.layout import text_size, wrapped
from salutary.analysis.style import label

# What is equal up to rounding: relative to the largest magnitude, and where all are tiny.
RELATIVE, ABSOLUTE = 1e-9, 1e-11


def tolerance(values: np.ndarray) -> float:
    """How far two of the values may be apart, or a difference from 0, and be a tie."""
    return max(RELATIVE * float(np.abs(values).max(initial=0.0)), ABSOLUTE)


def with_ties(gaps: pd.Series) -> pd.Series:
    """Differences, 0 where rounding is all there is of them; others as they are, so that means are exact."""
    return gaps.where(gaps.abs() > tolerance(gaps.to_numpy()), 0.0)


def above(ours: pd.Series, theirs: pd.Series) -> pd.Series:
    """Whether ours is higher than theirs, wherever (by index) both are known; a tie is not."""
    return with_ties((ours - theirs).dropna()) > 0


def levelled(values: np.ndarray) -> np.ndarray:
    """Values (n,), the same wherever rounding alone tells them apart. To round to a grid would not do: it
    parts those on two sides of a boundary.
    """
    order = np.argsort(values)
    ordered = values[order]
    starts = np.diff(ordered, prepend=-np.inf) > tolerance(values)
    made = np.empty_like(ordered)
    made[order] = ordered[starts][np.cumsum(starts) - 1]
    return made


def summarise(values: pd.DataFrame, by: list[str], value: str) -> pd.DataFrame:
    """mean, std (n - 1), n, and the 95% interval of the mean (Student's t): low and high; by cell."""
    table = values.groupby(by)[value].agg(mean="mean", std="std", n="count").reset_index()
    half = stats.t.ppf(0.975, table["n"] - 1) * table["std"] / np.sqrt(table["n"])
    return table.assign(low=table["mean"] - half, high=table["mean"] + half)


def area_under_curve(rounds: pd.DataFrame) -> pd.DataFrame:
    """dataset, strategy, seed, area: the mean test accuracy over the rounds (trapezoids), per run.

    A run that stopped early keeps its last accuracy up to the last round of the others.
    """
    wide = rounds.pivot_table("test_accuracy", ["dataset", "strategy", "seed"], "round").ffill(axis=1)
    n = wide.shape[1]
    area = integrate.trapezoid(wide, axis=1) / (n - 1) if n > 1 else wide.mean(axis=1)
    return pd.Series(area, wide.index, name="area").reset_index()


class RankTest(NamedTuple):
    """One strategy against another: wins, ties and losses over tables and seeds, and a test over tables."""

    against: str
    win: int
    tie: int
    loss: int
    n_tables: int
    mean_difference: float
    p: float
    p_holm: float


def against_others(final: pd.DataFrame, ours: str, value: str = "accuracy") -> list[RankTest]:
    """``ours`` against every other strategy.

    Wins are counted over (table, seed). The test is Wilcoxon's signed-rank test on the means of the tables,
    two-sided, corrected by Holm: runs of one table are not independent of each other. Each pair is compared
    where both were run; pairs that never were are left out.
    """
    each = final.pivot_table(value, ["dataset", "seed"], "strategy")
    gaps = {name: (each[ours] - each[name]).dropna() for name in each if name != ours}
    gaps = {name: with_ties(gap) for name, gap in gaps.items()}
    means = {name: gap.groupby(level="dataset").mean() for name, gap in gaps.items() if len(gap)}
    if not means:
        return []
    p = pd.Series({name: paired_wilcoxon(gap) for name, gap in means.items()})
    return [
        RankTest(
            against=name,
            win=int((gaps[name] > 0).sum()),
            tie=int((gaps[name] == 0).sum()),
            loss=int((gaps[name] < 0).sum()),
            n_tables=len(gap),
            mean_difference=float(gap.mean()),
            p=p[name],
            p_holm=p_holm,
        )
        for (name, gap), p_holm in zip(means.items(), holm(p), strict=True)
    ]


class SeedTest(NamedTuple):
    """Gains of one model over another, paired by seed: their mean, its 95% interval (Student's t), how many
    are above and below 0, Wilcoxon's p-value, and that after Holm's correction of all that were tested.
    """

    mean: float
    low: float
    high: float
    win: int
    loss: int
    p: float
    p_holm: float


def over_seeds(values: pd.DataFrame, baseline: str) -> dict[str, SeedTest]:
    """Every other model against ``baseline``: a row of ``values`` per seed, a column per model, higher is
    better. Each pair is compared in the seeds that have both; one that has none is left out.

    Seeds are draws from one table: what holds of them need not hold of another table.
    """
    gains = {name: (values[name] - values[baseline]).dropna() for name in values if name != baseline}
    gains = {name: with_ties(gain) for name, gain in gains.items() if len(gain)}
    if not gains:
        return {}
    p = pd.Series({name: paired_wilcoxon(gain) for name, gain in gains.items()})
    corrected = holm(p)
    return {name: _seed_test(gain, p[name], corrected[name]) for name, gain in gains.items()}


def _seed_test(gain: pd.Series, p: float, p_holm: float) -> SeedTest:
    mean, half = gain.mean(), stats.t.ppf(0.975, len(gain) - 1) * gain.sem()
    return SeedTest(mean, mean - half, mean + half, int((gain > 0).sum()), int((gain < 0).sum()), p, p_holm)


def paired_wilcoxon(gaps: pd.Series) -> float:
    """Two-sided p-value of Wilcoxon's signed-rank test; 1 where there is no difference at all."""
    gaps = with_ties(gaps)
    sizes = levelled(gaps.abs().to_numpy(dtype=float))  # equal ones tie, whatever their signs
    return float(stats.wilcoxon(np.sign(gaps) * sizes).pvalue) if gaps.any() else 1.0


def holm(p: pd.Series) -> pd.Series:
    """Holm's correction of a family of p-values."""
    return pd.Series(multipletests(p, method="holm")[1], index=p.index)


def warning_of_few(n: int, comparisons: int) -> str | None:
    """Why no comparison can be significant: n pairs give p >= 2 / 2^n, and Holm multiplies it."""
    smallest = 2 * 0.5**n * comparisons
    if smallest < 0.05:
        return None
    return (
        f"{n} tables are too few for a claim about one pair: the smallest p-value that Wilcoxon's test "
        "can reach, "
        f"corrected for {comparisons} comparisons, is {min(smallest, 1):.2g}."
    )


class Ranks(NamedTuple):
    """Mean ranks over tables (1 is best), Friedman's p-value, NaN where all tie in every table, and Nemenyi's
    p-values of all pairs.
    """

    mean: pd.Series
    p: float
    pairs: pd.DataFrame

    @property
    def said(self) -> str:
        """What Friedman's test says, in words."""
        return "nothing, since all tie in every table" if math.isnan(self.p) else f"p = {self.p:.2g}"


def ranks(final: pd.DataFrame, value: str = "accuracy") -> Ranks | None:
    """Friedman's test on the tables' means; None with fewer than three strategies or two tables.

    Means that rounding alone tells apart tie, for the ranks and both tests.
    """
    means = final.pivot_table(value, "dataset", "strategy").dropna(axis=1)
    if min(means.shape[0], means.shape[1] - 1) < 2:
        return None
    means = means.apply(levelled, axis=1, raw=True)
    mean = means.rank(axis=1, ascending=False).mean()
    some = bool((means.nunique(axis=1) > 1).any())  # else the test divides by 0
    p = float(stats.friedmanchisquare(*(means[name] for name in means)).pvalue) if some else math.nan
    return Ranks(mean.sort_values(), p, scikit_posthocs.posthoc_nemenyi_friedman(means))


def critical_difference_diagram(result: Ranks) -> Figure:
    """Mean ranks on a line; a bar joins strategies that Nemenyi's test cannot tell apart (5%)."""
    width, text = matplotlib.rcParams["figure.figsize"][0], matplotlib.rcParams["font.size"] / 72
    figure = Figure(figsize=(width, (3 + 1.6 * len(result.mean)) * text), layout="constrained")
    axes = figure.subplots()
    axes.spines["top"].set_visible(True)
    size = text_size("legend.fontsize")
    # Bars are stacked in the order of a set, another in each process for names, but not for numbers.
    number = {name: index for index, name in enumerate(result.mean.index)}
    pairs = result.pairs.rename(index=number, columns=number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        drawn = scikit_posthocs.critical_difference_diagram(
            result.mean.rename(number),
            pairs,
            ax=axes,
            color_palette=dict.fromkeys(pairs, "black"),
            label_fmt_left="{label} {rank:.2g}",
            label_fmt_right="{label} {rank:.2g}",
            label_props={"fontsize": size},
            crossbar_props={"linewidth": 2.5},
            elbow_props={"linewidth": 0.8},
        )
    names = list(result.mean.index)
    for written in drawn["labels"]:
        index, rank = written.get_text().split()
        name = wrapped(label(names[int(index)]), 0.35 * width, size)
        written.set_text(f"{name} ({rank})" if written.get_ha() == "right" else f"({rank}) {name}")
    return figure
