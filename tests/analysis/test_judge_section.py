"""What the section on networks that label by themselves says of its runs."""

import pandas as pd
import pytest
from scipy import stats

from salutary.analysis.sections.judge import compared, penalties, texts, way


def run(seed, name, start, end, l2=None, n_added=100, true=90.0, fall=0.1):
    return {
        **{"dataset": "mnist_small", "seed": seed, "way": name, "start": start, "end": end, "l2": l2},
        **{"n_added": n_added, "true": true, "fall": fall, "gain": end - start},
    }


RUNS = pd.DataFrame(
    [run(seed, "random, true labels", 80.0, end) for seed, end in enumerate((85.0, 86.0, 84.5))]
    + [run(seed, "judge", 80.0, end, 100.0) for seed, end in enumerate((86.0, 86.5))]
    + [run(2, "judge", 80.0, 78.0, n_added=0)]
)


def test_ways_are_compared_seed_by_seed():
    table = compared(RUNS).loc["mnist_small"]
    beyond, gain = [1.0, 0.5, -6.5], [6.0, 6.5, -2.0]
    judge = table.loc["judge"]
    assert judge["beyond random"] == pytest.approx(sum(beyond) / 3)
    assert judge["beyond random p"] == pytest.approx(stats.ttest_1samp(beyond, 0).pvalue)
    assert judge["gain se"] == pytest.approx(stats.sem(gain))
    # Of 1,000 rows an accuracy of 80% has a standard error of 1.26 points.
    assert (judge["worse"], judge["surely worse"]) == (1, 1)
    assert table.loc["random, true labels", "worse"] == 0
    shown = texts(table)
    assert shown.loc["judge", "worse (surely)"] == "1 (1)" and shown.loc["judge", "gain, points"].startswith(
        "+3.5 ±"
    )
    assert shown.loc["random, true labels", "beyond random"] == ""


def test_one_seed_and_no_labels_leave_no_gaps_in_the_text():
    none = run(0, "judge", 80.0, 80.0, n_added=0, true=float("nan"))
    shown = texts(
        compared(pd.DataFrame([run(0, "random, true labels", 80.0, 85.0), none])).loc["mnist_small"]
    )
    assert shown.loc["judge", "gain, points"] == "+0.0" and shown.loc["judge", "true labels, %"] == ""
    assert not shown.map(lambda cell: "nan" in cell).any(axis=None)


def test_ways_stand_in_their_order_whatever_that_of_the_runs():
    names = ["random, true labels", "l2 = auto", "l2 = 50", "l2 = 100", "l2 = 100, second_order", "judge"]
    for shuffled in (names, names[::-1], sorted(names)):
        table = compared(pd.DataFrame([run(0, name, 80.0, 85.0) for name in shuffled]))
        assert table.loc["mnist_small"].index.tolist() == names


def test_penalties_are_counted():
    assert penalties(RUNS).loc["mnist_small"].to_dict() == {"100": "2", "none": "1"}


def test_ways_have_names():
    own = {"judge": None, "estimate": "gradient"}
    assert way({"strategy": {}, "model": {}}) == "random, true labels"
    assert way({"strategy": own, "model": {"surrogate_l2": "auto"}}) == "l2 = auto"
    assert way({"strategy": own, "model": {"surrogate_l2": 50}}) == "l2 = 50"
    second = {**own, "estimate": "second_order"}
    assert way({"strategy": second, "model": {"surrogate_l2": 100}}) == "l2 = 100, second_order"
    assert way({"strategy": {**own, "judge": "retrained"}, "model": {"surrogate_l2": 50}}) == "judge"
