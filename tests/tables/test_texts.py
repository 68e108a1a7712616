"""The one text of a value, and its number, however it is held or written."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.tables.numbers import to_numbers
from salutary.tables.reading import MISSING, Reading
from salutary.tables.texts import as_objects, canonical, each_to_text, is_missing, plain, to_texts

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


def texts_of(values, **settings):
    series = values if isinstance(values, pd.Series) else pd.Series(values, **settings)
    return to_texts(series).replace(np.nan, None).tolist()


# Numbers ------------------------------------------------------------------------------------------


def test_values_as_numbers():
    texts = pd.Series(
        [" 1", "2.50", "", None, "NA", "-1e3", "\xa07\xa0", True, Decimal("1.5"), np.float32(2.5)]
    )
    expected = [1, 2.5, np.nan, np.nan, np.nan, -1000, 7, 1, 1.5, 2.5]
    np.testing.assert_array_equal(to_numbers(texts, "x"), expected)
    np.testing.assert_array_equal(to_numbers(pd.Series([True, False]), "x"), [1, 0])
    for wrong in ("1,5", "1_000", "0x1F", "٣", "--1", "1 2", "1.5.2", "e5", ".", datetime.date(2024, 1, 1)):
        values = pd.Series([3, wrong], name="c", dtype=object)
        with pytest.raises(SalutaryError, match=r"x, column c, row 2: .* is not a number"):
            to_numbers(values, "x", Reading().with_nulls)
    for wrong in (np.inf, "-inf", "1e999", "Infinity"):
        with pytest.raises(SalutaryError, match=r"x, column c, row 2: .* is not finite"):
            to_numbers(pd.Series([3, wrong], name="c"), "x")
    with pytest.raises(SalutaryError, match=r"x, column c, row 2: -1e\+39 is too large"):
        to_numbers(pd.Series([3, -1e39], name="c"), "x")


def test_numbers_are_exactly_those_that_are_written():
    values = np.random.default_rng(0).normal(0, 1, 2000) * 10.0 ** np.arange(-20, 20).repeat(50)
    texts = pd.Series(list(map(repr, values.tolist())), dtype=object)
    np.testing.assert_array_equal(to_numbers(texts, "x"), values)
    texts[::7] = "?"  # the other way, value by value
    np.testing.assert_array_equal(to_numbers(texts, "x")[1:7], values[1:7])


def test_every_marker_of_pandas_is_one():
    from pandas._libs.parsers import STR_NA_VALUES

    assert set(STR_NA_VALUES) <= MISSING
    for marker in MISSING | {"Nan", "none", "NULL", "n/A"}:
        values = pd.Series(["1", marker], name="c", dtype=object)
        assert to_numbers(values, "x").isna().tolist() == [False, True], marker
        if marker and not marker.casefold().endswith("nan"):
            with pytest.raises(SalutaryError, match="is not a number"):
                to_numbers(values, "x", Reading().with_nulls)


@pytest.mark.parametrize(
    "settings, text, number",
    [
        ({"decimal": ","}, "0,5", 0.5),
        ({"decimal": ","}, "-,5", -0.5),
        ({"decimal": ","}, "1,5e3", 1500),
        ({"decimal": ",", "thousands": "."}, "1.234.567,5", 1234567.5),
        ({"thousands": ","}, "1,234", 1234),
        ({"thousands": ","}, "12,345,678.25", 12345678.25),
        ({"thousands": " "}, "1 234", 1234),
        ({"thousands": " "}, "1\u202f234", 1234),
        ({"thousands": "'"}, "1\u2019234.5", 1234.5),
        ({"units": ("%",)}, "5 %", 5),
        ({"units": ("€", "EUR")}, "-€5.50", -5.5),
        ({"units": ("€", "EUR")}, "EUR 7", 7),
        ({"units": ("kg",)}, "7kg", 7),
        ({}, "+4.", 4),
    ],
)
def test_numbers_written_otherwise(settings, text, number):
    assert to_numbers(pd.Series([text]), "x", Reading(**settings)).tolist() == [number]


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"decimal": ","}, "0.5"),
        ({"thousands": ","}, "1,23"),
        ({"thousands": ","}, "1234,567"),
        ({"thousands": ".", "decimal": ","}, "1.23"),
        ({"units": ("%",)}, "5%%"),
        ({}, "5%"),
    ],
)
def test_what_is_no_number_by_these_settings(settings, text):
    with pytest.raises(SalutaryError, match="is not a number"):
        to_numbers(pd.Series([text], name="c"), "x", Reading(**settings))


@pytest.mark.parametrize("marks", [{"decimal": ",", "thousands": ","}, {"decimal": "1"}, {"thousands": "0"}])
def test_marks_that_make_no_sense(marks):
    with pytest.raises(SalutaryError, match="must differ, and be no digits"):
        Reading(**marks)


def test_what_the_user_calls_missing_is():
    reading = Reading(("-999", "x", "1.50"))
    for values in (["1", "-999.0", "x", "2"], [1, -999.0, 1.5, 2], [1, -999, "x", Decimal("2")]):
        numbers = to_numbers(pd.Series(values), "x", reading)
        assert numbers.isna().tolist() == [False, True, True, False]
    assert reading.is_missing(pd.Series(["a", "x", "-999", "1.5"])).tolist() == [False, True, True, True]


# Texts --------------------------------------------------------------------------------------------


def test_values_as_texts():
    values = [" a ", "", None, "NA", "4.0", "4.00", "-7.0", "4.10", "007.0", "1e0", ".0", "100", "v4.0"]
    assert texts_of(values) == [
        *("a", None, None, "NA", "4", "4", "-7", "4.1", "007.0", "1e0", "0", "100", "v4.0"),
    ]  # fmt: skip
    assert texts_of([4.0, np.nan, 0.5, -0.0, 1e20]) == ["4", None, "0.5", "0", "1" + 20 * "0"]
    assert texts_of([2**62 + 1, 3]) == [str(2**62 + 1), "3"]
    assert texts_of([1, True, 1.0, "1", 0, False]) == ["1", "True", "1", "1", "0", "False"]
    assert is_missing(pd.Series(["null", "", " ", "0", None, np.nan])).tolist() == [
        *(False, True, True, False, True, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value, text",
    [
        ("TRUE", "True"), ("true", "True"), (True, "True"), (np.bool_(False), "False"), ("fAlse", "False"),
        ("1.50", "1.5"), (Decimal("1.50"), "1.5"), (1.5, "1.5"), (np.float32(1.5), "1.5"),
        ("0.1", "0.1"), (0.1, "0.1"), (np.float32(0.1), "0.1"), (np.float16(0.1), "0.1"),
        (float(np.float32(0.1)), "0.1"), ("0.10000000149011612", "0.1"), ("0.10000000149", "0.10000000149"),
        (0.1 + 0.2, "0.30000000000000004"), (float(np.float32(0.7)), "0.7"), ("1.1234567891", "1.1234567891"),
        (".5", "0.5"), ("-.5", "-0.5"), ("5.", "5"), ("-0.0", "0"), (-0.0, "0"),
        (1e-5, "0.00001"), ("1e-05", "0.00001"), ("1.0E-5", "0.00001"), (np.float32(1e-5), "0.00001"),
        (1e20, "1" + 20 * "0"), ("1e+20", "1" + 20 * "0"), ("1.0E20", "1" + 20 * "0"),
        (1e300, "1e+300"), ("1.0E300", "1e+300"), (2.5e-300, "2.5e-300"), ("9" * 40, "9" * 40),
        ("1E5", "1E5"), ("2e5", "2e5"), ("007", "007"), ("+4", "+4"), ("1.2.3", "1.2.3"), ("1_0", "1_0"),
        ("-", "-"), (".", "."), ("nan", "nan"), ("None", "None"), (b"caf\xc3\xa9", "café"),
        (datetime.date(2024, 1, 31), "2024-01-31"), ("2024-01-31T00:00:00", "2024-01-31"),
        (pd.Timestamp("2024-01-31"), "2024-01-31"), (np.datetime64("2024-01-31"), "2024-01-31"),
        (pd.Timestamp("2024-01-31 10:30"), "2024-01-31 10:30:00"), 
        ("2024-01-31T10:30", "2024-01-31 10:30:00"), (np.str_("a"), "a"), (10**20, "1" + 20 * "0"),
        (pd.Timestamp("2024-01-31 10:30", tz="UTC"), "2024-01-31 10:30:00+00:00"),
        ("2024-01-31T10:30:00.500Z", "2024-01-31 10:30:00.5+00:00"),
    ],
)  # fmt: skip
def test_one_text_of_a_value(value, text):
    assert texts_of([value, "other"], dtype=object)[0] == text
    assert canonical(text) == text  # of what is canonical, too


SAME = {
    "truth values": (["True", "False", None], ["bool", "boolean", "bool[pyarrow]", object, "category"]),
    "whole numbers": (["7", "9007199254740993", None], ["Int64", "int64[pyarrow]", "UInt64", "category"]),
    "real numbers": (["0.1", "2.5", None], ["float64", "Float64", "float32", "Float32", "double[pyarrow]",
                                            "float[pyarrow]", object, "category", "Sparse[float64]"]),
    "texts": (["a", "7", None], ["string", "str", "string[pyarrow]", object, "category"]),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_every_type_of_pandas_has_the_same_texts(case):
    texts, types = SAME[case]
    convert = {
        "truth values": lambda t: t == "True",
        "whole numbers": int,
        "real numbers": float,
        "texts": str,
    }[case]
    values = [None if text is None else convert(text) for text in texts]
    for kind in types:
        present = values[:2] if kind == "bool" else values
        assert texts_of(pd.Series(present, dtype=object).astype(kind)) == texts[: len(present)], kind


def test_a_value_does_not_depend_on_its_neighbours():
    large = 9007199254740993
    for values in ([large, None], [large, "a"], [large, 1.5], [large, True], [large]):
        assert texts_of(pd.Series(values, dtype=object))[0] == str(large)
        assert each_to_text(pd.Series(values, dtype=object))[0] == str(large)
    assert [type(value) for value in as_objects(pd.Series([0.1], dtype="float32"))] == [np.float32]
    assert plain(pd.Series([1, None], dtype="int64[pyarrow]")).dtype == "Int64"


def test_ids_keep_their_text():
    ids = [" 007 ", "TRUE", "1.50", "4.0", "1e-05", "2024-01-31T00:00:00", "", None, "NA"]
    expected = ["007", "TRUE", "1.50", "4", "1e-05", "2024-01-31T00:00:00", None, None, "NA"]
    assert each_to_text(pd.Series(ids)).replace(np.nan, None).tolist() == expected
    assert each_to_text(pd.Series([4.0, 5.5])).tolist() == ["4", "5.5"]


def test_arrow_types_that_pandas_has_none_for():
    import pyarrow as pa

    day, price = datetime.date(2024, 1, 31), Decimal("1.50")
    for value, kind, text in (
        (price, pa.decimal128(30, 2), "1.5"),
        (day, pa.date32(), "2024-01-31"),
        (datetime.datetime(2024, 1, 31), pa.timestamp("us"), "2024-01-31"),
    ):
        assert texts_of([value, None], dtype=pd.ArrowDtype(kind)) == [text, None]


def test_a_category_with_a_decimal_comma():
    texts = to_texts(pd.Series(["1,50", "1,0", "1.50", "1,2,3", "007", ",5"]), decimal=",")
    assert texts.tolist() == ["1.5", "1", "1.5", "1,2,3", "007", "0.5"]
