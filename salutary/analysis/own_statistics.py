"""Strategies of one's own sweep compared with a baseline: paired by table and seed, tested over tables.

Seeds of one table are no sample of tables, and where they share a test part not even independent: five of
them give p >= .06 by Wilcoxon's test. So the tests are over tables (Demsar, *Statistical comparisons of
classifiers over multiple data sets*, JMLR 7, 2006), and of a table there are the paired differences, their
interval, and wins. No file is read or written here.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from salutary.analysis.metrics import METRICS, Metric
from salutary.analysis.statistics import (
    Ranks,
    holm,
    paired_wilcoxon,
    ranks,
    summarise,
    tolerance,
    with_ties,
)
from salutary.analysis.style import base_name, in_order
from salutary.errors import SalutaryError

ALPHA, POWER = 0.05, 0.8
# An effect beyond takes three seeds by the test's power as well, whose formula fails far out.
LARGEST_EFFECT = 5.0


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` finds; differences are strategy minus baseline, in the metric's units, and wins
    count what is better, whichever direction that is.

    ``against``: the baseline of each strategy. ``cells``: strategy, dataset, mean, std, n, low, high (95%,
    Student's t). ``paired``: strategy, baseline, dataset, n seeds that both have, ``unpaired`` seeds that
    only one has, mean difference with its std and its 95% interval low, high, win, tie, loss,
    ``seeds_needed``. ``over_tables``: strategy, baseline, n_tables, win, tie, loss over tables and seeds,
    mean difference of the tables, Wilcoxon's p on their means, p_holm, both empty where the test could not
    reach 5%, and p_better, p_worse of the Bayesian signed-rank test where baycomp is installed. ``wins``:
    how often the row is better than the column, over tables and seeds, and ``ties``. ``ranks``: of the
    strategies that all tables have, None where there is no use in them.
    """

    metric: Metric
    against: dict[str, str]
    cells: pd.DataFrame
    paired: pd.DataFrame
    over_tables: pd.DataFrame
    wins: pd.DataFrame
    ties: pd.DataFrame
    ranks: Ranks | None

    @property
    def baselines(self) -> list[str]:
        return list(dict.fromkeys(self.against.values()))

    @property
    def n_tables(self) -> int:
        """The most tables on which a strategy met the baseline."""
        return int(self.over_tables["n_tables"].max()) if len(self.over_tables) else 0

    @property
    def has_tests(self) -> bool:
        return smallest_p(self.n_tables) < ALPHA


def compare(
    final: pd.DataFrame, baseline: str | None = None, metric: Metric | str = "accuracy"
) -> Comparison:
    """Every strategy of ``final`` against ``baseline``, by default random, as :func:`baselines` says.

    ``final``: dataset, strategy, seed, ``value``; a row per run, values in the metric's units; rows without
    a value are left out. ``metric`` says which direction is better. A pair is a table and a seed that both
    strategies have. Raises SalutaryError for a baseline that is not there, for no value at all, and for two
    rows of one table, strategy and seed.
    """
    metric = METRICS[metric] if isinstance(metric, str) else metric
    final = final.dropna(subset=["value"])
    if final.empty:
        raise SalutaryError(f"no run has a value of {metric.label}")
    doubles = final[final.duplicated(["dataset", "strategy", "seed"])]
    if len(doubles):
        row = doubles.iloc[0]
        raise SalutaryError(f"two runs of {row['strategy']} on {row['dataset']} with seed {row['seed']}")
    against = baselines(final["strategy"], baseline)
    wide = final.pivot(index=["dataset", "seed"], columns="strategy", values="value")
    wide = wide[in_order(wide.columns)]
    pairs = [Pair(name, against[name], wide[name], wide[against[name]]) for name in wide if name in against]
    gains = metric.gain(wide)
    wins, ties = _counts(gains)
    return Comparison(
        metric=metric,
        against=against,
        cells=summarise(final, ["strategy", "dataset"], "value"),
        paired=_paired(pairs, metric),
        over_tables=_over_tables(pairs, metric),
        wins=wins,
        ties=ties,
        ranks=ranks(final.assign(value=metric.gain(final["value"])), "value"),
    )


def baselines(strategies: Iterable[str], baseline: str | None = None) -> dict[str, str]:
    """What each of the strategies is compared with; the baselines themselves are not.

    ``baseline`` None: ``random`` if it is there, else the first by name. Where several of its name differ in
    settings, ``random (l2=1)`` and ``random (l2=2)``, ``salutary (l2=2)`` is compared with that of the same
    settings, and with the first where there is none.

    Raises SalutaryError if no strategy has this name.
    """
    names = sorted({*strategies})
    bases = [base_name(name) for name in names]
    wanted = baseline or ("random" if "random" in bases else bases[0])
    same = [name for name in names if name == wanted] or [
        name for name, base in zip(names, bases, strict=True) if base == wanted
    ]
    if not same:
        raise SalutaryError(f"baseline={baseline}: there are {', '.join(names)}")
    same = same if len(same) < len(names) else same[:1]
    alike = {name: wanted + name.removeprefix(base_name(name)) for name in names}
    return {name: alike[name] if alike[name] in same else same[0] for name in names if name not in same}


@dataclass(frozen=True)
class Pair:
    """A strategy and its baseline; values by table and seed."""

    strategy: str
    baseline: str
    values: pd.Series
    others: pd.Series

    @property
    def gap(self) -> pd.Series:
        """Differences, where both have a value."""
        return with_ties((self.values - self.others).dropna())

    @property
    def unpaired(self) -> pd.Series:
        """How many seeds of each table only one of both has."""
        return (self.values.notna() ^ self.others.notna()).groupby(level="dataset").sum()

    @property
    def names(self) -> dict[str, str]:
        return {"strategy": self.strategy, "baseline": self.baseline}


def _paired(pairs: list[Pair], metric: Metric) -> pd.DataFrame:
    rows = []
    for pair in pairs:
        gap = pair.gap
        for dataset, unpaired in pair.unpaired.items():
            of_table = gap[gap.index.get_level_values("dataset") == dataset]
            if unpaired or len(of_table):
                row = {**pair.names, "dataset": dataset, "unpaired": int(unpaired)}
                rows.append(row | _of_seeds(of_table, metric))
    columns = ["strategy", "baseline", "dataset", "n", "unpaired", "mean", "std", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "win", "tie", "loss", "seeds_needed"])


def _of_seeds(gap: pd.Series, metric: Metric) -> dict[str, float]:
    """Of one table's differences; NaN of what is none."""
    mean, std, n = gap.mean(), gap.std(), len(gap)
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * std / math.sqrt(n) if n > 1 else math.nan
    numbers = {"n": n, "mean": mean, "std": std, "low": mean - half, "high": mean + half}
    return numbers | _won(gap, metric) | {"seeds_needed": seeds_needed(gap)}


def _won(gap: pd.Series, metric: Metric) -> dict[str, int]:
    gain = metric.gain(gap)
    return {"win": int((gain > 0).sum()), "tie": int((gain == 0).sum()), "loss": int((gain < 0).sum())}


def seeds_needed(differences: pd.Series) -> float:
    """How many seeds the paired t-test (two-sided, 5%) would need to see such a difference with 80%
    probability, were it the true one: at least 3; infinite for none at all, NaN of a single seed.

    A rough guide: the difference is itself an estimate, and seeds that share a test part are less than they
    seem.
    """
    if len(differences) < 2:
        return math.nan
    mean, std = abs(differences.mean()), differences.std()
    if mean <= tolerance(differences.to_numpy()):
        return math.inf
    effect = min(mean / std, LARGEST_EFFECT) if std > 0 else LARGEST_EFFECT
    n = TTestPower().solve_power(effect_size=effect, nobs=None, alpha=ALPHA, power=POWER)
    return float(math.ceil(float(n)))


def smallest_p(n_tables: int) -> float:
    """The smallest two-sided p-value that Wilcoxon's signed-rank test can reach with so many pairs."""
    return min(1.0, 2 * 0.5**n_tables)


def _over_tables(pairs: list[Pair], metric: Metric) -> pd.DataFrame:
    rows = [{**pair.names, **_of_tables(pair.gap, metric)} for pair in pairs if len(pair.gap)]
    columns = ["strategy", "baseline", "n_tables", "win", "tie", "loss", "mean"]
    table = pd.DataFrame(rows, columns=[*columns, "p", "p_holm", "p_better", "p_worse"])
    tested = table["p"].dropna()
    return table.assign(p_holm=holm(tested).reindex(table.index) if len(tested) else math.nan)


def _of_tables(gap: pd.Series, metric: Metric) -> dict[str, float]:
    """Tests only where they could reach 5%."""
    means = gap.groupby(level="dataset").mean()
    row = {"n_tables": len(means), **_won(gap, metric), "mean": means.mean()}
    if smallest_p(len(means)) >= ALPHA:
        return row
    better, worse = bayesian_signed_rank(metric.gain(means))
    return row | {"p": paired_wilcoxon(means), "p_better": better, "p_worse": worse}


def bayesian_signed_rank(gains: pd.Series) -> tuple[float, float]:
    """Probabilities that a further table's gain is rather above than below 0, and the reverse, by baycomp's
    Bayesian signed-rank test (Benavoli et al., ICML 2014; its default prior, no region of equivalence), of
    50,000 draws by one seed. NaN without baycomp, and where there is no difference at all, of which its
    answer is a matter of rounding.
    """
    if importlib.util.find_spec("baycomp") is None or not with_ties(gains).any():
        return math.nan, math.nan
    test = importlib.import_module("baycomp").SignedRankTest
    gains = gains.to_numpy(dtype=float)
    worse, better = test.probs(np.zeros(len(gains)), gains, random_state=0)
    return float(better), float(worse)


def _counts(gains: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How often the row is above the column, and level with it, over the tables and seeds that both have."""
    wins, ties = (pd.DataFrame(0, gains.columns, gains.columns) for _ in range(2))
    for row in gains:
        for column in gains:
            gap = with_ties((gains[row] - gains[column]).dropna())
            wins.loc[row, column], ties.loc[row, column] = (gap > 0).sum(), (gap == 0).sum()
    return wins, ties
