"""What is equal up to rounding ties, in every test; against exact fractions, and SciPy on whole numbers."""

import os
import subprocess
import sys
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from salutary.analysis import own_text
from salutary.analysis.own_statistics import compare
from salutary.analysis.statistics import (
    Ranks,
    against_others,
    critical_difference_diagram,
    levelled,
    over_seeds,
    paired_wilcoxon,
    ranks,
    tolerance,
    with_ties,
)

# Ninths, of three seeds a table. Means of the first two are the same, of the third it is so but for the sign.
GAPS = [(0, 9, 6), (3, 3, 9), (-1, -7, -7), (1, 1, 2), (5, 8, 7), (-2, -2, -2), (12, 0, 1)]
MEANS = [sum(gaps) for gaps in GAPS]  # in 27ths
ORACLE = stats.wilcoxon(MEANS).pvalue


def of_gaps(scale, start):
    """Two strategies that differ by these."""
    rows = []
    for (t, gaps), seed in product(enumerate(GAPS), range(3)):
        value = start + 0.1 * t + 0.01 * seed
        row = {"dataset": f"t{t}", "seed": seed}
        rows.append({**row, "strategy": "random", "value": value})
        rows.append({**row, "strategy": "mine", "value": value + scale * float(Fraction(gaps[seed], 9))})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("scale", "start"), [(1, 50), (100, 0), (1e-2, 0.5), (1e-3, 0.5)])
def test_equal_means_of_tables_tie(scale, start):
    rows = of_gaps(scale, start)
    assert compare(rows).over_tables["p"].item() == pytest.approx(ORACLE)
    (found,) = against_others(rows, "mine", "value")
    assert found.p == pytest.approx(ORACLE)
    assert found.mean_difference == pytest.approx(scale * np.mean(MEANS) / 27)
    wide = rows.pivot_table("value", "dataset", "strategy")
    seeds = over_seeds(wide, "random")["mine"]
    assert seeds.p == pytest.approx(ORACLE) and (seeds.win, seeds.loss) == (5, 2)


def test_one_order_of_ties_less_would_be_another_p():
    parted = np.array(MEANS, float)
    parted[1] -= 1e-3
    assert stats.wilcoxon(parted).pvalue != pytest.approx(ORACLE)


def test_means_are_those_of_raw_differences():
    rows = of_gaps(1, 0)
    found = compare(rows).paired
    assert list(found["mean"]) == pytest.approx([mean / 27 for mean in MEANS], rel=1e-14)


def test_ties_at_a_boundary_of_rounding():
    """2 / 2048 of 100 has a 5 in its eighth place: noise sets it on either side."""
    value = 100 * 2 / 2048
    found = levelled(np.array([value + 1e-15, 55.0, value - 1e-15, -value]))
    assert found[0] == found[2] and len({*found}) == 3
    assert levelled(np.array([])).size == 0


def test_what_is_a_tie():
    assert tolerance(np.array([1e-3, -200.0])) == pytest.approx(2e-7)
    assert tolerance(np.zeros(2)) == tolerance(np.array([])) == 1e-11
    assert with_ties(pd.Series([1e-8, 1e-6, -200.0, -1e-8])).tolist() == [0, 1e-6, -200, 0]
    assert with_ties(pd.Series([1e-8, -1e-9, 1e-12])).tolist() == [1e-8, -1e-9, 0]
    assert paired_wilcoxon(pd.Series([1e-12, -1e-13, 0.0])) == 1


def in_other_orders(fourth):
    """Means of ten tables: three strategies with the same seeds' values in other orders, up to the
    last digit, and a fourth.
    """
    values = np.random.default_rng(0).uniform(40, 90, (10, 3))
    towards = {"a": -np.inf, "b": np.inf, "c": 0}
    orders = {"a": [0, 1, 2], "b": [2, 0, 1], "c": [1, 2, 0]}
    rows = [
        {
            "dataset": f"t{t}",
            "seed": seed,
            "strategy": name,
            "value": np.nextafter(values[t, order[seed]], (-1) ** t * towards[name]),
        }
        for name, order in orders.items()
        for t, seed in product(range(10), range(3))
    ]
    last = [
        {"dataset": f"t{t}", "seed": seed, "strategy": "d", "value": values[t, 2 - seed] + fourth(t)}
        for t, seed in product(range(10), range(3))
    ]
    return pd.DataFrame(rows + last)


@pytest.mark.parametrize(
    "fourth", [lambda t: 1, lambda t: (-1) ** t, lambda t: t % 3 - 1], ids=["better", "now and then", "mixed"]
)
def test_ranks_and_both_tests_are_of_the_same_means(fourth):
    found = ranks(in_other_orders(fourth), "value")
    whole = np.array([[0, 0, 0, fourth(t)] for t in range(10)])
    assert found.p == pytest.approx(stats.friedmanchisquare(*whole.T).pvalue, nan_ok=True)
    expected = stats.rankdata(-whole, axis=1).mean(axis=0)
    assert found.mean[[*"abcd"]].tolist() == pytest.approx(expected.tolist())
    level = found.pairs.loc[[*"abc"], [*"abc"]].to_numpy()
    assert level == pytest.approx(np.ones((3, 3)))
    q = abs(expected[0] - expected[3]) / np.sqrt(4 * 5 / (6 * 10))
    by_hand = stats.studentized_range.sf(q * 2**0.5, 4, np.inf)
    assert found.pairs.loc["a", "d"] == pytest.approx(by_hand)


def test_where_all_tie_friedmans_test_says_nothing():
    rows = in_other_orders(lambda t: 0)
    found = ranks(rows, "value")
    assert np.isnan(found.p) and found.said == "nothing, since all tie in every table"
    assert found.mean.tolist() == [2.5] * 4 and (found.pairs.to_numpy() == 1).all()
    assert critical_difference_diagram(found).axes
    text = own_text.about_ranks(compare(rows, "a"), 10)
    assert "says\nnothing, since all tie" in text and "nan" not in text
    assert "p = 1" in found._replace(p=1.0).said


def diagram_of_bars_in_order():
    """Where bars of a diagram of ten strategies lie, level by level; several of them begin at one rank."""
    names = [f"strategy {i}" for i in range(10)]
    mean = pd.Series([1.0, 2, 2, 2, 3, 4, 4, 4, 5, 6], names)
    apart = np.abs(np.subtract.outer(np.arange(10), np.arange(10)))
    pairs = pd.DataFrame(np.where((apart % 3 == 2) | (apart > 4), 0.01, 0.5), names, names)
    axes = critical_difference_diagram(Ranks(mean, 0.001, pairs)).axes[0]
    written = [text.get_text() for text in axes.texts]
    return repr([written, [line.get_xydata().tolist() for line in axes.lines]])


def test_same_ranks_give_the_same_diagram_in_every_process():
    assert "strategy 0 (1)" in diagram_of_bars_in_order() and "(6) strategy 9" in diagram_of_bars_in_order()
    code = "import test_ties; print(test_ties.diagram_of_bars_in_order())"
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), *sys.path])
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": paths}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == diagram_of_bars_in_order()
