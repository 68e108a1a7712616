"""What texts mean, what the user calls missing, and the settings that are proposed."""

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.tables.findings import class_findings, column_findings
from salutary.tables.numbers import to_numbers
from salutary.tables.proposals import reads, settings_that_read
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema


def proposed(*texts, **settings):
    return settings_that_read(pd.Series(texts, dtype=object), Reading(**settings))[0]


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "Float32", "float[pyarrow]", object])
def test_a_number_is_missing_in_every_type(kind):
    values = pd.Series([1.5, -99.9, 2.5]).astype("float32" if kind != "float64" else kind).astype(kind)
    for written in ("-99.9", "-99.90"):
        reading = Reading((written,))
        if kind == "float16":  # which has no -99.9 but -99.875
            reading = Reading(("-99.875",))
        assert to_numbers(values, "x", reading).isna().tolist() == [False, True, False]
        assert Schema.of(pd.DataFrame({"x": values}), "x", reading=reading).numeric == ("x",)


@pytest.mark.parametrize(
    "settings, written, texts",
    [
        ({"decimal": ","}, "-99,90", ["1,5", "-99,90", "2,5"]),
        ({"decimal": ","}, "-99.9", ["1,5", "-99,90", "2,5"]),  # as YAML has the number
        ({"thousands": ","}, "9,999,999", ["1,500", "9,999,999", "2,500"]),
        ({"units": ("%",)}, "999%", ["1.5%", "999%", "2.5%"]),
        ({}, "1e5", ["1", "1e5", "100000.0"]),
    ],
)
def test_what_is_missing_may_be_written_as_the_file_writes_it(settings, written, texts):
    reading = Reading((written,), **settings)
    values = pd.Series(texts, dtype=object, name="x")
    expected = [text != texts[0] for text in texts] if written == "1e5" else [False, True, False]
    assert to_numbers(values, "x", reading).isna().tolist() == expected
    frame = pd.DataFrame({"x": [*texts, *texts[:1]] * 5})
    assert Schema.of(frame, "x", reading=reading).numeric == ("x",) or written == "1e5"


def test_a_minus_sign_of_print_is_one():
    assert to_numbers(pd.Series(["\u22120.7", "\u20125", "2"][::2]), "x").tolist() == [-0.7, 2]


def test_groups_of_digits_begin_with_no_zero():
    reading = Reading(decimal=",", thousands=".")
    assert to_numbers(pd.Series(["1.871,0"]), "x", reading).tolist() == [1871]
    with pytest.raises(SalutaryError, match=r"'0\.871' is not a number"):
        to_numbers(pd.Series(["0.871"], name="c"), "x", reading)


def test_truth_values_in_columns_of_numbers_are_numbers():
    values = pd.Series(["TRUE", "0", "false", "1", True, None], dtype=object)
    np.testing.assert_array_equal(to_numbers(values, "x"), [1, 0, 0, 1, 1, np.nan])


def test_proposals_are_safe():
    assert proposed("\u22120.7", "0.5", "1.5") == []
    assert proposed("(0.7)", "(0.5)", "(1.5)") == []
    assert proposed("<0.9", "<0.8") == []
    assert proposed("0.9 DR", "0.8 DR", "0.7 CR") == ["units=[DR]", "'missing=[\"0.7 CR\"]'"]
    assert proposed("5 kg", "6 kg") == ["units=[kg]"] and proposed("5%", "6 %") == ["units=[%]"]
    assert proposed("V45", "E87", "45A") == []
    assert proposed("0.5", "1.5", decimal=",", thousands=".") == ['decimal="."', "thousands=null"]
    assert proposed("1,234", "871") == ['thousands=","'] and proposed("0,5", "871") == ['decimal=","']


def test_the_settings_are_named_as_they_are_typed():
    reading = Reading(prefix="dataset.")
    assert settings_that_read(pd.Series(["0,5"]), reading)[0] == ['dataset.decimal=","']
    assert reads("5%", reading) == "; dataset.units=[%] reads it" and reads("five", reading) == ""
    values = pd.Series([*map(str, range(1, 40, 2)), "1,001"], name="n")
    with pytest.raises(SalutaryError, match=r"'1,001' is not a number; mend it, or set dataset\.thousands="):
        Schema.of(pd.DataFrame({"n": values}), "x", reading=reading)


def test_two_spellings_of_one_class_are_told():
    labels = pd.Series(["1.1", "1.10", "other"] * 4, name="y")
    lines = class_findings(labels, "x.csv", Reading())
    assert lines == ["x.csv, column y: '1.1' and '1.10' are one class, 1.1"]


def test_codes_are_told_by_one_that_is_none():
    frame = pd.DataFrame({"zip": ["8", "12", "007", "15"] * 5, "x": np.arange(20) * 0.5})
    schema = Schema.of(frame, "x.csv")
    assert column_findings(frame, schema, "x.csv", Reading()) == [
        "x.csv, column zip, row 3: it is taken for categories for values such as '007', but 20 of 20 are"
        " numbers with numeric=[zip]"
    ]
