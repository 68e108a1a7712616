"""The labelled rows with the labels and weights that a remedy gives them."""

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.labeling.cleaned import cleaned_table
from salutary.labeling.outputs import write_table
from salutary.tables.labels import Classes

NUMBERS = Classes(("-1", "2", "10"))
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1], [0.1, 0.45, 0.45], [0.1, 0.45, 0.45], [0, 0, 1]])
WEIGHTS = np.array([1, 0, 0.25, 16, 1])


def rows(target=("-1", "10", "10", "2", "2"), **more):
    given = pd.Series([*target], dtype=object)
    return pd.DataFrame({"age": ["1.50", "", "x", "4", "5"], "y": given, **more})


def test_the_rows_and_what_they_count():
    frame = rows()
    found = cleaned_table(frame, "y", NUMBERS, WEIGHTS, PROBABILITIES)
    pd.testing.assert_frame_equal(found[["age", "y"]], frame)
    expected = {
        "salutary_label": [-1, -1, 10, 2, 10],  # of equals the one that was given
        "salutary_weight": WEIGHTS.tolist(),
        "probability_-1": PROBABILITIES[:, 0].tolist(),
        "probability_2": PROBABILITIES[:, 1].tolist(),
        "probability_10": PROBABILITIES[:, 2].tolist(),
        "changed": [False, True, False, False, True],
    }
    assert found.iloc[:, 2:].to_dict("list") == expected
    assert found["salutary_label"].dtype == np.int64 and found["changed"].dtype == bool


def test_classes_that_are_texts_as_the_file_may_write_them():
    classes = Classes(("False", "True"))
    frame = pd.DataFrame({"y": ["TRUE", "false", "True"]}, index=[4, 2, 9])
    found = cleaned_table(frame, "y", classes, np.ones(3), np.array([[0.1, 0.9], [0.2, 0.8], [1, 0]]))
    assert found["salutary_label"].tolist() == ["True", "True", "False"]
    assert found["changed"].tolist() == [False, True, True]
    assert found["y"].tolist() == ["TRUE", "false", "True"] and found.index.tolist() == [4, 2, 9]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_names_that_the_file_has_stay_its_own(suffix, tmp_path):
    taken = {"changed": 1, "probability_2": "a", "salutary_weight": 2, "salutary_weight_salutary": 3}
    frame = rows(**taken)
    found = cleaned_table(frame, "y", NUMBERS, WEIGHTS, PROBABILITIES)
    pd.testing.assert_frame_equal(found[[*frame]], frame)
    assert found.columns.tolist()[6:] == [
        "salutary_label",
        "salutary_weight_salutary_salutary",
        "probability_-1",
        "probability_2_salutary",
        "probability_10",
        "changed_salutary",
    ]
    assert found["salutary_weight_salutary_salutary"].tolist() == WEIGHTS.tolist()
    write_table(tmp_path / f"cleaned{suffix}", found)
    read = pd.read_csv if suffix == ".csv" else pd.read_parquet
    assert read(tmp_path / f"cleaned{suffix}").columns.tolist() == found.columns.tolist()


def test_no_two_of_the_names_become_one():
    classes = Classes(("a", "a_salutary"))
    frame = pd.DataFrame({"y": ["a", "a_salutary"], "probability_a": 1})
    found = cleaned_table(frame, "y", classes, np.ones(2), np.eye(2))
    assert found.columns.is_unique
    assert found["probability_a_salutary"].tolist() == [0, 1]  # of the class of that name
    assert found["probability_a_salutary_salutary"].tolist() == [1, 0]


def test_a_label_that_is_none_is_one_line():
    with pytest.raises(SalutaryError, match=r"^the labelled rows, column y, row 2: '3' is none of the known"):
        cleaned_table(rows(("2", "3", "2", "2", "2")), "y", NUMBERS, WEIGHTS, PROBABILITIES)
