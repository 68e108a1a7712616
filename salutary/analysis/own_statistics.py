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
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.power import TTestPower

from salutary.analysis.metrics import METRICS, Metric
from salutary.analysis.statistics import Ranks, holm, paired_wilcoxon, ranks, summarise
from salutary.analysis.style import in_order
from salutary.errors import SalutaryError

ALPHA, POWER = 0.05, 0.8
# Differences below are a tie: what rounding leaves of two equal numbers.
DIGITS = 9
# An effect beyond takes three seeds by the test's power as well, whose formula fails far out.
LARGEST_EFFECT = 5.0


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` finds; differences are strategy minus baseline, in the metric's units, and wins
    count what is better, whichever direction that is.

    ``cells``: strategy, dataset, mean, std, n, low, high (95%, Student's t). ``paired``: strategy, dataset,
    n seeds that both have, ``unpaired`` seeds that only one has, mean difference with its std and its 95%
    interval low, high, win, tie, loss, ``seeds_needed``. ``over_tables``: strategy, n_tables, win, tie, loss
    over tables and seeds, mean difference of the tables, Wilcoxon's p on their means, p_holm, both empty
    where the test could not reach 5%, and p_better, p_worse of the Bayesian signed-rank test where baycomp
    is installed. ``wins``: how often the row is better than the column, over tables and seeds, and ``ties``.
    ``ranks``: of the strategies that all tables have, None where there is no use in them.
    """

    metric: Metric
    baseline: str
    cells: pd.DataFrame
    paired: pd.DataFrame
    over_tables: pd.DataFrame
    wins: pd.DataFrame
    ties: pd.DataFrame
    ranks: Ranks | None

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
    """Every strategy of ``final`` against ``baseline``, by default :func:`default_baseline`.

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
    baseline = chosen_baseline(final["strategy"], baseline)
    wide = final.pivot(index=["dataset", "seed"], columns="strategy", values="value")
    wide = wide[in_order(wide.columns)]
    gaps = {name: (wide[name] - wide[baseline]).round(DIGITS) for name in wide if name != baseline}
    gains = metric.gain(wide)
    wins, ties = _counts(gains)
    return Comparison(
        metric=metric,
        baseline=baseline,
        cells=summarise(final, ["strategy", "dataset"], "value"),
        paired=_paired(gaps, wide, baseline, metric),
        over_tables=_over_tables(gaps, metric),
        wins=wins,
        ties=ties,
        ranks=ranks(final.assign(value=metric.gain(final["value"])), "value"),
    )


def default_baseline(strategies) -> str:
    """``random`` if it is there, under whichever settings, else the first by name."""
    names = sorted({*strategies})
    return next((each for each in names if each.partition(" (")[0] == "random"), names[0])


def chosen_baseline(strategies, baseline: str | None) -> str:
    """The strategy of that name; of several that differ in settings, the first.

    Raises SalutaryError if there is none.
    """
    if baseline is None:
        return default_baseline(strategies)
    names = sorted({*strategies})
    same = [name for name in names if baseline in (name, name.partition(" (")[0])]
    if not same:
        raise SalutaryError(f"baseline={baseline}: there are {', '.join(names)}")
    return baseline if baseline in same else same[0]


def _paired(gaps: dict[str, pd.Series], wide: pd.DataFrame, baseline: str, metric: Metric) -> pd.DataFrame:
    rows = []
    for name, gap in gaps.items():
        lonely = wide[name].notna() ^ wide[baseline].notna()
        for dataset, of_table in gap.groupby(level="dataset"):
            unpaired = int(lonely[of_table.index].sum())
            if unpaired or of_table.notna().any():
                row = {"strategy": name, "dataset": dataset, "unpaired": unpaired}
                rows.append(row | _of_seeds(of_table.dropna(), metric))
    columns = ["strategy", "dataset", "n", "unpaired", "mean", "std", "low", "high"]
    return pd.DataFrame(rows, columns=[*columns, "win", "tie", "loss", "seeds_needed"])


def _of_seeds(gap: pd.Series, metric: Metric) -> dict[str, float]:
    """Of one table's differences; NaN of what is none."""
    mean, std, n = gap.mean(), gap.std(), len(gap)
    half = stats.t.ppf(1 - ALPHA / 2, n - 1) * std / math.sqrt(n) if n > 1 else math.nan
    numbers = {"n": n, "mean": mean, "std": std, "low": mean - half, "high": mean + half}
    return numbers | _won(gap, metric) | {"seeds_needed": seeds_needed(gap)}


def _won(gap: pd.Series, metric: Metric) -> dict[str, int]:
    gain = metric.gain(gap.dropna())
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
    if round(mean, DIGITS) == 0:
        return math.inf
    effect = min(mean / std, LARGEST_EFFECT) if std > 0 else LARGEST_EFFECT
    n = TTestPower().solve_power(effect_size=effect, nobs=None, alpha=ALPHA, power=POWER)
    return float(math.ceil(float(n)))


def smallest_p(n_tables: int) -> float:
    """The smallest two-sided p-value that Wilcoxon's signed-rank test can reach with so many pairs."""
    return min(1.0, 2 * 0.5**n_tables)


def _over_tables(gaps: dict[str, pd.Series], metric: Metric) -> pd.DataFrame:
    rows = []
    for name, gap in gaps.items():
        means = gap.dropna().groupby(level="dataset").mean()
        if len(means):
            tested = smallest_p(len(means)) < ALPHA
            row = {"strategy": name, "n_tables": len(means), **_won(gap, metric), "mean": means.mean()}
            p = paired_wilcoxon(means) if tested else math.nan
            better, worse = bayesian_signed_rank(metric.gain(means)) if tested else (math.nan, math.nan)
            rows.append({**row, "p": p, "p_better": better, "p_worse": worse})
    columns = ["strategy", "n_tables", "win", "tie", "loss", "mean", "p", "p_holm", "p_better", "p_worse"]
    table = pd.DataFrame(rows, columns=columns)
    tested = table["p"].dropna()
    return table.assign(p_holm=holm(tested).reindex(table.index) if len(tested) else math.nan)


def bayesian_signed_rank(gains: pd.Series) -> tuple[float, float]:
    """Probabilities that a further table's gain is rather above than below 0, and the reverse, by baycomp's
    Bayesian signed-rank test (Benavoli et al., ICML 2014; its default prior, no region of equivalence), of
    50,000 draws by one seed. NaN without baycomp, and where there is no difference at all, of which its
    answer is a matter of rounding.
    """
    if importlib.util.find_spec("baycomp") is None or not gains.round(DIGITS).any():
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
            gap = (gains[row] - gains[column]).round(DIGITS)
            wins.loc[row, column], ties.loc[row, column] = (gap > 0).sum(), (gap == 0).sum()
    return wins, ties
