"""Strategies of other libraries in the report: their names, ranks and times, by hand."""

import numpy as np
import pandas as pd
import pytest

from salutary.analysis.sections import peers
from salutary.analysis.statistics import ranks

ACCURACIES = {  # by table: of three strategies, the mean over two seeds
    "bank": {"random": 70.0, "skactiveml Falcun": 72.0, "modal margin_sampling": 71.0},
    "wine": {"random": 45.0, "skactiveml Falcun": 46.0, "modal margin_sampling": 47.0},
}


def facts():
    queries = {"a": None, "b": "Falcun", "c": "margin_sampling", "d": "TypiClust"}
    return pd.DataFrame({"strategy.query": queries})


def test_a_query_is_part_of_the_name():
    rows = pd.DataFrame({"run": [*"abcd"], "strategy": ["random", "skactiveml", "modal", "skactiveml"]})
    names = peers.named(rows, facts())["strategy"].tolist()
    assert names == ["random", "skactiveml Falcun", "modal margin_sampling", "skactiveml TypiClust"]


def test_mean_ranks_stand_beside_the_accuracies():
    final = pd.DataFrame(
        [
            {"dataset": dataset, "strategy": name, "seed": seed, "accuracy": mean + shift}
            for dataset, each in ACCURACIES.items()
            for name, mean in each.items()
            for seed, shift in ((0, -1), (1, 1))
        ]
    )
    test = ranks(final)
    index = pd.Index(["Random", "skactiveml Falcun", "modal margin_sampling", "Initial model"])
    table = peers.with_ranks(pd.DataFrame({"Bank": "x"}, index=index), test)
    assert table["mean rank"].tolist()[:3] == ["3.0", "1.5", "1.5"]
    assert pd.isna(table["mean rank"]["Initial model"])
    assert peers.with_ranks(table, None) is table


def test_seconds_are_those_of_the_choices_alone():
    rounds = pd.DataFrame(
        {
            "dataset": "bank",
            "strategy": "random",
            "round": [0, 1, 2],
            "select_seconds": [np.nan, 1.0, 2.0],
        }
    )
    assert peers.seconds(rounds).loc["Random"].item() == "1.50"


@pytest.mark.parametrize("name", peers.VARIED)
def test_runs_may_differ_in_the_query(name):
    from salutary.analysis.sections import VARIED_IN_GROUPS

    assert name in VARIED_IN_GROUPS
