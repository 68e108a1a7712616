"""Features of numbers, to the last bit those of scikit-learn's pipeline."""

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.tables import standardised
from salutary.tables.features import Features
from salutary.tables.numbers import plain_numbers, to_numbers
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema


def table(n, d, seed):
    """Numbers of all sizes; gaps in every third column, one of which is empty in half of the rows."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-8, 9, d)
    X[:, ::3][rng.random((n, len(range(0, d, 3)))) < 0.1] = np.nan
    X[: n // 2, 0] = np.nan
    return pd.DataFrame(X, columns=[f"x{i}" for i in range(d)])


@pytest.mark.parametrize("d", [1, 5, 40])
@pytest.mark.parametrize("tile", [1, 100, 2**16])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_they_are_scikit_learns(d, tile, dtype, monkeypatch):
    monkeypatch.setattr(standardised, "TILE", tile)
    frame, other = table(60, d, 0), table(150, d, 1)
    found = Features.fit(Schema(tuple(frame), (), {}), frame)
    expected = found.transformer.transform(other).astype(dtype)
    other_order = pd.DataFrame(np.ascontiguousarray(other), columns=list(other))
    for rows in (other, other_order):
        seen = found.fresh()
        np.testing.assert_array_equal(seen.transform(rows, "x", dtype), expected)
        assert seen.values == rows.notna().sum().to_dict() and seen.n_rows == len(rows)
    assert found.transform(other[:0], "x").shape == (0, expected.shape[1])


def test_the_first_row_that_is_too_large_is_named(monkeypatch):
    monkeypatch.setattr(standardised, "TILE", 20)
    frame, other = table(60, 4, 0) * 1e-9, table(90, 4, 1) * 1e-9
    other.loc[77, "x1"], other.loc[[44, 70], "x2"] = 3e38, -3e38
    with pytest.raises(SalutaryError, match=r"^x, column x2, row 45: the value is too large$"):
        Features.fit(Schema(tuple(frame), (), {}), frame).transform(other, "x")


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.int8, np.int64, np.uint64])
def test_numbers_taken_at_once_are_those_taken_one_by_one(kind):
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(50, 3)) * 100).astype(np.int64).astype(kind)
    if kind == np.uint64:
        values[3, 1] = 2**64 - 1
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    if kind(0.5):
        frame.loc[[2, 5], "b"] = np.nan
    quick = plain_numbers(frame, ["c", "b"], Reading())
    for name in ("c", "b"):
        pd.testing.assert_series_equal(quick[name], to_numbers(frame[name], "x"), check_exact=True)


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39, -1e39])
@pytest.mark.parametrize("gap", [True, False])
def test_what_is_no_number_is_left_to_a_closer_look(value, gap):
    frame = pd.DataFrame({"a": [1.0, 2.0, np.nan if gap else 3.0], "b": [1.0, value, 0.0]})
    assert not len(plain_numbers(frame, ["a", "b"], Reading()).columns)
    assert not len(plain_numbers(frame[["a"]], ["a"], Reading(missing=("2",))).columns)
    with pytest.raises(SalutaryError, match=r"^x, column b, row 2"):
        Schema(("a", "b"), (), {}).convert(frame, "x")
