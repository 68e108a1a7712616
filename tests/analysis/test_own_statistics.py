"""Comparisons of one's own sweeps, each number against SciPy, statsmodels or plain loops."""

import importlib.util
import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from salutary.analysis import own_text
from salutary.analysis.learning_curves import areas, over_seeds, points
from salutary.analysis.metrics import ACCURACY, METRICS
from salutary.analysis.own_statistics import (
    baselines,
    bayesian_signed_rank,
    compare,
    seeds_needed,
    smallest_p,
)
from salutary.analysis.statistics import area_under_curve
from salutary.errors import SalutaryError

BETTER = {"random": 0.0, "good": 1.0, "bad": -2.0}


def final(n_tables=7, n_seeds=5, better=BETTER, sign=1):
    """A row per table, seed and strategy; ``sign`` -1 for a metric of which less is better."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "dataset": f"t{t}",
            "strategy": name,
            "seed": seed,
            "value": 50 + 5 * t + sign * (gain + rng.normal()),
        }
        for t, seed in itertools.product(range(n_tables), range(n_seeds))
        for name, gain in better.items()
    ]
    return pd.DataFrame(rows)


def values(rows, dataset, strategy):
    """By seed."""
    of = rows[(rows["dataset"] == dataset) & (rows["strategy"] == strategy)]
    return of.set_index("seed")["value"].sort_index()


def row(table, **names):
    for name, value in names.items():
        table = table[table[name] == value]
    (only,) = table.to_dict("records")
    return only


# -- of a table --------------------------------------------------------------------------------------


def test_cells_are_means_and_deviations():
    rows = final(2)
    found = compare(rows).cells
    for dataset, strategy in itertools.product(("t0", "t1"), BETTER):
        of = values(rows, dataset, strategy)
        cell = row(found, dataset=dataset, strategy=strategy)
        assert (cell["mean"], cell["std"], cell["n"]) == pytest.approx((np.mean(of), np.std(of, ddof=1), 5))


def test_paired_differences_are_those_of_scipy():
    rows = final(2)
    found = compare(rows, "random").paired
    assert set(found["strategy"]) == {"good", "bad"} and set(found["baseline"]) == {"random"}
    for dataset, strategy in itertools.product(("t0", "t1"), ("good", "bad")):
        ours, theirs = values(rows, dataset, strategy), values(rows, dataset, "random")
        interval = stats.ttest_rel(ours, theirs).confidence_interval()
        cell = row(found, dataset=dataset, strategy=strategy)
        assert (cell["low"], cell["high"]) == pytest.approx((interval.low, interval.high))
        assert cell["mean"] == pytest.approx(sum(ours - theirs) / 5)
        assert (cell["win"], cell["loss"]) == (sum(ours > theirs), sum(ours < theirs))
        assert (cell["n"], cell["unpaired"]) == (5, 0)


def test_of_losses_less_is_a_win():
    higher, lower = compare(final()), compare(final(sign=-1), metric="loss")
    assert list(lower.paired["mean"]) == pytest.approx(list(-higher.paired["mean"]))
    for table in ("paired", "over_tables"):
        counts = ["win", "tie", "loss"]
        pd.testing.assert_frame_equal(getattr(lower, table)[counts], getattr(higher, table)[counts])
    assert lower.wins.equals(higher.wins) and lower.wins.loc["good", "bad"] > 30
    assert list(lower.ranks.mean.index) == list(higher.ranks.mean.index) == ["good", "random", "bad"]
    assert "Lower is better: negative" in own_text.about_differences(lower)
    assert {name for name, each in METRICS.items() if not each.higher_is_better} == {
        *("loss", "brier", "ece", "objective")
    }


def test_ties_are_neither_won_nor_lost():
    rows = final(1, better={"random": 0.0, "twin": 0.0})
    rows.loc[rows["strategy"] == "twin", "value"] = values(rows, "t0", "random").to_numpy() + 1e-12
    found = compare(rows)
    cell = row(found.paired, strategy="twin")
    assert (cell["win"], cell["tie"], cell["loss"], cell["seeds_needed"]) == (0, 5, 0, math.inf)
    assert found.ties.loc["twin", "random"] == 5 and found.wins.to_numpy().sum() == 0
    assert own_text.seeds(found).iloc[0, 0] == "no difference"
    assert own_text.matrix(found).loc["twin", "Random"] == "0 / 5 / 0"
    assert "none has a better mean accuracy; the nearest, twin, differs by +0.0;" in own_text.brief(found)


@pytest.mark.parametrize(("metric", "sign"), [("accuracy", 1), ("loss", -1)])
def test_ten_seconds_praise_only_what_is_better(metric, sign):
    found = compare(final(sign=sign), metric=metric)
    assert f"good has the best mean {found.metric.label}, {'+' if sign > 0 else '-'}" in own_text.brief(found)
    worse = compare(final(sign=sign, better={"random": 0.0, "bad": -2.0}), metric=metric)
    gap = f"{worse.over_tables['mean'].item():+.{worse.metric.digits}f}"
    said = f"none has a better mean {worse.metric.label}; the nearest, bad, differs by {gap};"
    assert said in own_text.brief(worse) and gap.startswith("-" if sign > 0 else "+")


def test_seeds_that_one_of_both_lacks_are_no_pairs_and_told():
    rows = final(2)
    lacking = rows[~((rows["strategy"] == "good") & (rows["dataset"] == "t0") & (rows["seed"] < 2))]
    lacking = lacking[~((lacking["strategy"] == "random") & (lacking["seed"] == 4))]
    lacking = lacking[~((lacking["strategy"] == "bad") & (lacking["dataset"] == "t1"))]
    found = compare(lacking)
    cell = row(found.paired, strategy="good", dataset="t0")
    gap = (values(rows, "t0", "good") - values(rows, "t0", "random")).loc[[2, 3]]
    assert (cell["n"], cell["unpaired"], cell["mean"]) == (2, 3, pytest.approx(gap.mean()))
    never = row(found.paired, strategy="bad", dataset="t1")
    assert (never["n"], never["unpaired"]) == (0, 4) and math.isnan(never["mean"])
    assert row(found.over_tables, strategy="bad")["n_tables"] == 1
    assert "are left out (9, in 4 pairs of a strategy and a table)." in own_text.about_differences(found)
    fewer = own_text.about_differences(compare(lacking[lacking["strategy"] != "good"]))
    assert "are left out (bad on t0 1, bad on t1 4)." in fewer
    assert own_text.differences(found).loc["bad", "t1"] == "no seed in common"


def test_one_seed_has_no_interval():
    found = compare(final(1, n_seeds=1))
    assert found.paired[["std", "low", "high", "seeds_needed"]].isna().all(axis=None)
    assert own_text.differences(found).loc["good", "t0"].endswith((", 1/0/0", ", 0/0/1"))


def test_two_runs_of_one_seed_are_refused():
    rows = pd.concat([final(1), final(1).iloc[[0]]])
    with pytest.raises(SalutaryError, match="two runs of random on t0 with seed 0"):
        compare(rows)
    with pytest.raises(SalutaryError, match="no run has a value of accuracy"):
        compare(final(1).assign(value=np.nan))


# -- over tables -------------------------------------------------------------------------------------


def test_the_test_over_tables_is_wilcoxons_with_holms_correction():
    rows = final()
    found = compare(rows).over_tables
    p = {}
    for strategy in ("good", "bad"):
        gaps = [(values(rows, f"t{t}", strategy) - values(rows, f"t{t}", "random")).mean() for t in range(7)]
        p[strategy] = stats.wilcoxon(gaps).pvalue
        cell = row(found, strategy=strategy)
        assert (cell["p"], cell["mean"]) == pytest.approx((p[strategy], np.mean(gaps)))
        assert (cell["n_tables"], cell["win"] + cell["tie"] + cell["loss"]) == (7, 35)
    first, second = sorted(p, key=p.get)
    holm = {first: min(1, 2 * p[first]), second: max(min(1, 2 * p[first]), p[second])}
    assert found.set_index("strategy")["p_holm"].to_dict() == pytest.approx(holm)


@pytest.mark.parametrize("n", range(1, 9))
def test_the_smallest_p_is_that_of_differences_of_one_sign(n):
    assert smallest_p(n) == pytest.approx(stats.wilcoxon(np.arange(1, n + 1)).pvalue)


@pytest.mark.parametrize("n_tables", [1, 5])
def test_few_tables_are_too_few_for_a_test(n_tables):
    found = compare(final(n_tables))
    assert not found.has_tests
    assert found.over_tables[["p", "p_holm", "p_better", "p_worse"]].isna().all(axis=None)
    text = own_text.about_tables(found)
    assert text.startswith("*Too few for a test: with ") and {1: "1 table,", 5: "5 tables,"}[n_tables] in text
    assert {1: " below 1.\n", 5: " below 0.062.\n"}[n_tables] in text
    assert list(own_text.over_tables(found)) == ["tables", "wins / ties / losses", "mean difference"]
    assert compare(final(6)).has_tests


def test_what_holm_makes_impossible_is_told():
    several = {"random": 0.0} | {f"s{i}": i / 3 for i in range(9)}
    assert "6 tables are too few" in own_text.about_tables(compare(final(6, 2, several)))
    assert "too few" not in own_text.about_tables(compare(final(7)))


def test_a_strategy_that_few_tables_have_is_not_tested():
    rows = final()
    found = compare(rows[(rows["strategy"] != "bad") | (rows["dataset"] < "t3")]).over_tables
    assert math.isnan(row(found, strategy="bad")["p"])
    good = row(found, strategy="good")
    assert good["p_holm"] == good["p"] < 0.05
    texts = own_text.over_tables(compare(rows[(rows["strategy"] != "bad") | (rows["dataset"] < "t3")]))
    assert set(texts.loc["bad"].filter(like="p (")) == {"too few"}
    assert not texts.loc["good"].str.contains("too few").any()


@pytest.mark.skipif(not importlib.util.find_spec("baycomp"), reason="pip install 'salutary[bayes]'")
def test_bayesian_signed_rank_is_that_of_its_definition():
    """Benavoli et al. (2014): weights of a Dirichlet with a prior observation at 0 of strength 1/2; the
    share of draws in which the weighted sums of pairs lie rather above 0 than below.
    """
    gains = np.array([1.0, 2.0, -0.5, 0.7, 0.3, -0.2, 0.9])
    z = np.append(0.0, gains)
    draws = np.random.default_rng(1).dirichlet([0.5, *np.ones(len(gains))], 20_000)
    above = (z[:, None] + z > 0) + 0.5 * (z[:, None] + z == 0)
    share = np.einsum("ni,nj,ij->n", draws, draws, above)
    better, worse = bayesian_signed_rank(pd.Series(gains))
    assert better == pytest.approx((share > 0.5).mean(), abs=0.01) and better + worse == pytest.approx(1)
    assert bayesian_signed_rank(pd.Series(-gains))[0] == pytest.approx(worse, abs=0.01)
    assert "Bayesian" in own_text.about_tables(compare(final()))


def test_no_probability_without_a_difference_or_the_library(monkeypatch):
    assert np.isnan(bayesian_signed_rank(pd.Series(np.zeros(7)))).all()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = compare(final())
    assert found.over_tables["p_better"].isna().all() and "Bayesian" not in own_text.about_tables(found)
    assert "better" not in own_text.over_tables(found)


def test_wins_of_all_against_all_are_counted():
    rows = final(3)
    found = compare(rows)
    for ours, theirs in itertools.product(BETTER, BETTER):
        pairs = [
            (values(rows, f"t{t}", ours)[seed], values(rows, f"t{t}", theirs)[seed])
            for t, seed in itertools.product(range(3), range(5))
        ]
        assert found.wins.loc[ours, theirs] == sum(a > b for a, b in pairs)
    cell = own_text.matrix(found).loc["good", "bad"]
    assert cell == f"{found.wins.loc['good', 'bad']} / 0 / {found.wins.loc['bad', 'good']}"


# -- baselines ---------------------------------------------------------------------------------------


def test_the_baseline_is_random_or_the_first_by_name():
    assert baselines(["b", "random", "a"]) == {"a": "random", "b": "random"}
    assert baselines(["b", "c", "a"]) == {"b": "a", "c": "a"}
    assert baselines(["b", "random", "a"], "b") == {"a": "b", "random": "b"}
    with pytest.raises(SalutaryError, match="baseline=x: there are a, b"):
        baselines(["b", "a"], "x")


def test_baselines_have_the_settings_of_what_they_are_compared_with():
    names = ["random (l2=1)", "random (l2=2)", "mine (l2=1)", "mine (l2=2)", "mine (l2=3)", "other"]
    assert baselines(names) == {
        **{"mine (l2=1)": "random (l2=1)", "mine (l2=2)": "random (l2=2)"},
        **{"mine (l2=3)": "random (l2=1)", "other": "random (l2=1)"},
    }
    assert set(baselines(names, "random (l2=2)").values()) == {"random (l2=2)"}
    only = ["mine (l2=1)", "mine (l2=2)"]
    assert baselines(only) == baselines(only, "mine") == {"mine (l2=2)": "mine (l2=1)"}


# -- seeds needed ------------------------------------------------------------------------------------


def power(effect, n):
    """Of the two-sided paired t-test at 5%, by the non-central t distribution."""
    critical = stats.t.ppf(0.975, n - 1)
    return stats.nct.sf(critical, n - 1, effect * n**0.5) + stats.nct.cdf(-critical, n - 1, effect * n**0.5)


@pytest.mark.parametrize("effect", [0.2, 0.5, 1.0, 2.0, 3.5])
def test_seeds_needed_are_the_fewest_of_that_power(effect):
    gap = np.array([-1.0, 0.0, 1.0])
    gap = pd.Series(gap + effect * np.std(gap, ddof=1))
    fewest = next(n for n in range(2, 1000) if power(effect, n) >= 0.8)
    assert seeds_needed(gap) == seeds_needed(-gap) == fewest


def test_seeds_needed_at_the_ends():
    assert seeds_needed(pd.Series([1.0, 1.0])) == 3  # no spread at all
    assert seeds_needed(pd.Series([1.0, 1.001])) == 3
    assert seeds_needed(pd.Series([1.0, -1.0])) == math.inf
    assert math.isnan(seeds_needed(pd.Series([1.0])))


# -- curves ------------------------------------------------------------------------------------------


def rounds(*runs):
    """Of each run: strategy, seed, accuracies, and by round how many points were labelled by humans."""
    rows = [
        {
            **{"run": f"r{i}", "dataset": "d", "strategy": name, "seed": seed, "round": r},
            **{"test_accuracy": accuracy, "n_labeled": 40 + 10 * r, "n_human_labels": human * r},
            **{"select_seconds": 1.0 + seed, "fit_seconds": 0.5},
        }
        for i, (name, seed, accuracies, human) in enumerate(runs)
        for r, accuracy in enumerate(accuracies)
    ]
    return pd.DataFrame(rows)


def test_areas_along_rounds_are_those_of_before():
    table = rounds(("a", 0, [0.5, 0.6, 0.8], 10), ("a", 1, [0.5, 0.7], 10), ("b", 0, [0.4, 0.4, 0.5], 0))
    found = areas(points(table, ACCURACY)).sort_values(["strategy", "seed"])
    before = area_under_curve(table).sort_values(["strategy", "seed"])
    assert list(found["value"]) == pytest.approx(list(100 * before["area"]))


def test_areas_along_labels_and_seconds_by_hand():
    table = rounds(("a", 0, [0.5, 0.6, 0.8], 10), ("a", 1, [0.5, 0.7], 10))
    by_labels = areas(points(table, ACCURACY, "labels")).set_index("seed")["value"]
    assert by_labels.to_dict() == pytest.approx({0: (55 + 70) / 2, 1: (60 + 70) / 2})
    by_seconds = areas(points(table, ACCURACY, "seconds")).set_index("seed")["value"]
    # three seconds in all: of seed 0 two rounds of 1.5, of seed 1 one of 2.5, then 0.5 at its end
    assert by_seconds.to_dict() == pytest.approx({0: (1.5 * 55 + 1.5 * 70) / 3, 1: (2.5 * 60 + 0.5 * 70) / 3})


def test_who_buys_no_label_is_one_point_along_them():
    table = rounds(("a", 0, [0.5, 0.6, 0.8], 10), ("free", 0, [0.5, 0.9, 0.7], 0))
    found = points(table, ACCURACY, "human_labels")
    assert found.loc[found["strategy"] == "free", ["x", "value"]].to_numpy().tolist() == [[0, 70]]
    assert areas(found).set_index("strategy")["value"].to_dict() == pytest.approx({"a": 62.5, "free": 70})
    assert areas(found[found["strategy"] == "free"])["value"].tolist() == [70]


def test_runs_with_other_seconds_are_joined_by_lines():
    found = over_seeds(points(rounds(("a", 0, [0.5, 0.6], 1), ("a", 1, [0.5, 0.7], 1)), ACCURACY, "seconds"))
    assert list(found.index) == [0, 1.5, 2.5]
    assert found[0].tolist() == pytest.approx([50, 60, 60])
    assert found[1].tolist() == pytest.approx([50, 50 + 20 * 1.5 / 2.5, 70])


def test_who_never_meets_the_baseline_is_said_so():
    rows = final(2)
    apart = rows[(rows["strategy"] == "random") == (rows["dataset"] == "t0")]
    found = compare(apart)
    assert found.over_tables.empty and found.n_tables == 0 and not found.has_tests
    assert set(own_text.differences(found).to_numpy().ravel()) == {"no seed in common"}
    assert own_text.over_tables(found).empty and "with 0 tables" in own_text.about_tables(found)
    assert found.wins.loc["good", "bad"] + found.wins.loc["bad", "good"] == 5
