"""Groups of a column: values, ranges, no value."""

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.tables.groups import NO_GROUP, Groups
from salutary.tables.reading import Reading


def column(*values):
    return pd.Series([*values], name="who")


def test_values_are_groups_in_the_order_of_names_and_of_whole_numbers():
    found = Groups.of(column("m", "f", None, "m"), "group")
    assert found.names == ("f", "m") and found.numbers.tolist() == [1, 0, NO_GROUP, 1]
    found = Groups.of(column(10, 9, 10, 2), "group")
    assert found.names == ("2", "9", "10") and found.numbers.tolist() == [2, 1, 2, 0]


def test_edges_cut_numbers_and_belong_to_the_range_above():
    found = Groups.of(column(29.9, 30, 54, 55, np.nan, -3), "group", [30, 55])
    assert found.names == ("below 30", "30 to 55", "55 and above")
    assert found.numbers.tolist() == [0, 1, 1, 2, NO_GROUP, 0]


def test_texts_mean_what_the_reading_says():
    reading = Reading(missing=("?",), decimal=",")
    found = Groups.of(column("1,5", "?", "20,0"), "group", [2], reading)
    assert found.numbers.tolist() == [0, NO_GROUP, 1]


def test_counts_of_groups_and_classes():
    found = Groups.of(column("m", "f", None, "m", "f"), "group")
    assert found.counts(np.array([0, 1, 1, 0, -1]), 2).tolist() == [[0, 1], [2, 0]]


MISTAKES = {
    "one group": ((column("m", "m", None), "group"), "group=who makes a single group"),
    "one range": ((column(1, 2, 3), "group", [10]), "group=who makes a single group"),
    "many": ((column(*range(21)), "group"), "group=who has 21 values"),
    "no number": ((column("1", "x"), "dataset.group", [0]), "dataset.group=who: 'x' is no number"),
    "falling": ((column(1, 2), "group", [5, 3]), "group_edges must rise"),
    "twice": ((column(1, 2), "group", [3, 3]), "group_edges must rise"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake):
    arguments, message = MISTAKES[mistake]
    with pytest.raises(SalutaryError, match=message):
        Groups.of(*arguments)
