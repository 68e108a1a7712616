"""Data sets in memory."""

import numpy as np
import pandas as pd
import pytest
import scipy

from salutary.datasets.arrays import Arrays, roles_of
from salutary.errors import SalutaryError
from salutary.tables import UNLABELED

X = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    ("y", "names", "numbers"),
    [
        (["b", "a", None, "a", "b", "b"], ("a", "b"), [1, 0, UNLABELED, 0, 1, 1]),
        ([10, 2, 2, np.nan, 10, 2], ("2", "10"), [1, 0, 0, UNLABELED, 1, 0]),
        ([-1, 1, 1, -1, 1, 1], ("-1", "1"), [0, 1, 1, 0, 1, 1]),
        (pd.Series([True, False, pd.NA, True, True, False]), ("False", "True"), [1, 0, -1, 1, 1, 0]),
        (pd.Categorical(["u", "v", "u", "u", "v", "v"]), ("u", "v"), [0, 1, 0, 0, 1, 1]),
    ],
)
def test_classes_are_in_order_and_gaps_are_the_pool(y, names, numbers):
    table = Arrays(X, y).load()
    assert table.class_names == names
    assert table.y.tolist() == numbers
    assert np.array_equal(table.X, X)


def test_class_numbers_may_have_names():
    table = Arrays(X, [0, 2, 1, 0, None, 2], class_names=["low", "middle", "high"]).load()
    assert table.class_names == ("low", "middle", "high")
    assert table.y.tolist() == [0, 2, 1, 0, UNLABELED, 2]


def test_columns_of_a_frame_are_read_as_those_of_a_file():
    frame = pd.DataFrame({"n": [1.0, np.nan, 3, 4, 5, 6], "c": list("aabbab")}, index=[*"uvwxyz"])
    frame["zip"] = pd.Categorical([1, 2, 1, 2, 1, 2])
    table = Arrays(frame, list("uvuvuv")).load()
    features, fitted = table.columns.features(np.arange(6))
    assert table.columns.schema.numeric == ("n",)
    assert table.columns.schema.categorical == ("zip", "c")
    assert features.shape == (6, len(fitted.names))
    assert np.isfinite(features).all()


def test_parts_by_row_number_mask_or_name():
    numbers = {"train": [0, 1], "pool": np.array([2, 3]), "validation": [4], "test": np.arange(6) == 5}
    wanted = ["train", "train", "pool", "pool", "validation", "test"]
    assert roles_of(numbers, 6).tolist() == wanted
    assert roles_of(wanted, 6).tolist() == wanted
    assert Arrays(X, list("ababab"), numbers).load().roles.tolist() == wanted


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"y": list("ab")}, "X has 6 rows, y has 2"),
        ({"y": ["a", 1, "a", 1, "a", 1]}, "y mixes classes of different types"),
        ({"y": [0, 1.5, 0, 1, 0, 1], "class_names": ["a", "b"]}, "y must hold class numbers"),
        ({"y": [0, 2, 0, 1, 0, 1], "class_names": ["a", "b"]}, "row 1 has class number 2"),
        ({"parts": ["train"] * 5}, r"parts must be of 6 rows, not of shape \(5,\)"),
        ({"parts": ["train"] * 5 + ["dev"]}, "parts, row 5: 'dev' is none of train, pool, validation, test"),
        ({"parts": {"dev": [0]}}, "parts has dev; there are train"),
        ({"parts": {"train": [0, 1], "test": [1]}}, "parts: row 1 is in more than one of them"),
        ({"parts": {"train": [0, 1]}}, "parts: row 2 is in none of them"),
        ({"parts": {"train": [0, 6]}}, r"parts\['train'\] has row 6, but there are 6 rows"),
        ({"parts": {"train": [0.5]}}, r"parts\['train'\] must be row numbers, or a mask of 6 rows"),
        ({"X": X.astype(str)}, "features must be real numbers"),
        ({"X": scipy.sparse.csr_array(X)}, "X is sparse"),
        ({"y": np.eye(6, 2)}, r"y must be a label for each row, not of shape \(6, 2\)"),
    ],
)
def test_what_does_not_fit_is_one_line(arguments, line):
    with pytest.raises(SalutaryError, match=line):
        Arrays(**{"X": X, "y": list("ababab"), **arguments}).load()
