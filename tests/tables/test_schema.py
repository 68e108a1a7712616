"""What columns hold, and which labels are classes."""

from datetime import date, time

import numpy as np
import pandas as pd
import pytest

from salutary.errors import SalutaryError
from salutary.tables import UNLABELED
from salutary.tables.labels import Classes
from salutary.tables.reading import Reading
from salutary.tables.schema import Schema

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


def schema_of(values, name="column", **named):
    frame = pd.DataFrame({name: values, "other": [float(row % 2) for row in range(len(values))]})
    return Schema.of(frame, "rows.csv", **named)


# What a column holds ------------------------------------------------------------------------------

NUMBERS = {
    "texts": ["1.5", " 2", "-3e2", "+4", ""],
    "floats": [1.5, None, 2.0, 2.0],
    "integers": [3, 1, 2, 2],
    "repeated row numbers": [0, 1, 2, 2],
    "all different": [5, 9, 1, 4],
    "years": ["2001", "2004", "2001", "1999"],
    "missing in many ways": ["1", "NA", "null", "2", "None", " nan ", "?", "#N/A", "-", "n/a", "\\N"],
    "large": ["123456789012345678901234567890", "1", "2", "3"],
}
CATEGORIES = {
    "texts": ["a", "b", "a", ""],
    "codes with zeros": ["00501", "10115", "00501", "20095"],
    "truth values": [True, False, True, True],
    "truth values with gaps": [True, None, False, True],
    "truth values as text": ["true", "false", "true", "true"],
    "one text and gaps": ["yes", None, "yes", None],
    "numbers and texts": ["1", "2", "many", "few"],
    "a marker among categories": ["DE", "NA", "FR", "NA"],
    "half past": ["10:30 or so", "12:15 or so", "10:30 or so", "x"],
}
LEFT_OUT = {
    "row numbers": (range(7, 12), "row numbers"),
    "row numbers as text": (["1", "2", "3", "4"], "row numbers"),
    "nothing": (["", None, "", " "], "no values"),
    "nothing but markers": (["", "None", "NA", "NA"], "no values but 'None', 'NA'"),
    "constant": (["x"] * 4, "constant"),
    "constant number": ([4.0] * 4, "constant"),
    "constant number in many spellings": (["4", "4.0", "4.00", "+4"], "constant"),
    "ISO dates": (["2024-01-31", "2023-12-01"] * 3, "dates"),
    "German dates": (["31.1.2024", "1.12.2023"] * 3, "dates"),
    "English dates": (["1/31/2024", "12/1/2023"] * 3, "dates"),
    "times": (["2024-01-31T10:30:00+02:00", "2024-01-31 10:30"] * 3, "dates"),
    "times of day": (["10:30", "23:59", "00:00"], "dates"),
    "timestamps": (pd.to_datetime(["2024-01-31", None, "2024-02-01"]), "dates"),
    "spans": (pd.to_timedelta([1, 2, 4], "s"), "dates"),
    "date objects": ([date(2024, 1, 31), date(2024, 2, 1)] * 2, "dates"),
    "time objects": ([time(10, 30), time(9, 15)] * 2, "dates"),
    "free text": ([f"text {row}" for row in range(30)], r"ids or free text \(30 different values"),
}  # fmt: skip


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers(case):
    assert schema_of(NUMBERS[case]).numeric == ("column", "other")


def test_a_file_with_nulls_has_no_markers():
    nulls = Reading().with_nulls
    assert schema_of(["1", "2", "NA", "2"], reading=nulls).categorical == ("column",)
    with pytest.raises(SalutaryError, match=r"column column, row 10: 'NA' is not a number"):
        schema_of([*map(str, [3, 1, 4, 1, 5, 9, 2, 6, 5]), "NA"], reading=nulls)
    missing = Reading(("NA", "-999")).with_nulls
    found = schema_of([*map(str, [3, 1, 4, 1, 5, 9, 2, 6, 5]), "NA"], reading=missing)
    assert found.numeric == ("column", "other")
    assert schema_of(["a", "NA", "NA", "a"], reading=missing).categorical == ("column",)
    assert schema_of([-999.0, -999, -999], reading=missing).left_out == {"column": "no values"}


def test_columns_that_cannot_be_used():
    found = schema_of(["a", "b"], unusable={"tags": "it holds list<string>, not numbers or text"})
    assert found.left_out == {"tags": "it holds list<string>, not numbers or text"}
    assert schema_of(["a", "b"], unusable={"tags": "..."}, ignore=["tags"]).left_out == {"tags": "as asked"}
    with pytest.raises(SalutaryError, match=r"rows\.csv, column tags: it holds list"):
        schema_of(["a", "b"], unusable={"tags": "it holds list<string>"}, categorical=["tags"])


@pytest.mark.parametrize("case", CATEGORIES)
def test_categories(case):
    found = schema_of(CATEGORIES[case])
    assert (found.numeric, found.categorical) == (("other",), ("column",))


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_is_left_out(case):
    values, why = LEFT_OUT[case]
    found = schema_of(values)
    assert found.used == ["other"]
    assert pd.Series(found.left_out["column"]).str.match(why).all(), found.left_out


@pytest.mark.parametrize(
    "name",
    ["id", "ID", "customer_id", "customerId", "PassengerId", "(unnamed)", "Unnamed: 0", "index", "uuid"],
)
def test_ids(name):
    assert schema_of([7, 3, 9, 4], name).left_out == {name: "ids"}
    assert schema_of(["7", "3", "9", "4"], name).left_out == {name: "ids"}
    assert name in schema_of([7, 3, 9, 9], name).numeric  # not different
    assert name in schema_of([7.5, 3, 9, 4], name).numeric  # no whole numbers


@pytest.mark.parametrize("name", ["paid", "humidity", "valid", "liquid", "index_of_prices"])
def test_names_that_only_end_like_ids(name):
    assert name in schema_of([7, 3, 9, 4], name).numeric


def test_many_different_texts_are_ids_and_fewer_are_categories():
    texts = [f"t{row}" for row in range(21)]
    assert "column" in schema_of(texts).left_out
    assert "column" in schema_of(texts[:20]).categorical
    assert "column" in schema_of(texts * 2).categorical


def test_what_is_named_is_what_it_is_said_to_be():
    found = schema_of(["1", "2", "3", "4"], numeric=["column"])
    assert found.numeric == ("column", "other")
    found = schema_of(["7", "7", "7", "7"], categorical=["column"], ignore=["not there"])
    assert found.categorical == ("column",) and found.left_out == {"not there": "as asked"}
    assert schema_of(["?", "1", "2", "3"] * 9, ignore=["column"]).used == ["other"]


def test_numbers_with_a_mistake_are_refused():
    values = pd.Series([*map(str, range(1, 20, 2)), "l2"] + ["7"] * 9, name="column")
    with pytest.raises(SalutaryError, match=r"rows\.csv, column column, row 11: 'l2' is not a number; mend"):
        schema_of(values)
    assert "column" in schema_of(values, categorical=["column"]).categorical


# Classes ------------------------------------------------------------------------------------------


def classes_of(values):
    return Classes.of(pd.Series(values, name="y"), "rows.csv")


def test_classes_are_in_order():
    assert classes_of(["10", "9", "-1", "9"]).names == ("-1", "9", "10")
    assert classes_of(["10", "9", "b", "a"]).names == ("10", "9", "a", "b")
    assert classes_of([10.0, 9.0, None]).names == ("9", "10")
    assert classes_of(["1.0", "0.0"]).names == ("0", "1")
    assert classes_of([True, False]).names == ("False", "True")
    assert classes_of(["01", "1"]).names == ("01", "1")
    assert classes_of(["10", "9"]).values.tolist() == [9, 10]
    assert classes_of(["b", "a"]).values.tolist() == ["a", "b"]
    huge = [str(10**18), str(10**30), "1" * 5000]
    assert set(classes_of(huge).values.tolist()) == set(huge)


def test_labels_become_numbers():
    classes = classes_of(["10", "9"])
    labels = pd.Series([9.0, np.nan, 10.0], name="y")
    assert classes.encode(labels, "x", required=False).tolist() == [0, UNLABELED, 1]
    with pytest.raises(SalutaryError, match=r"x, column y, row 2: there is no label"):
        classes.encode(labels, "x")
    with pytest.raises(SalutaryError, match=r"x, column y, row 1: '8' is none of the known classes, 9, 10"):
        classes.encode(pd.Series([8, 9], name="y"), "x")


@pytest.mark.parametrize(
    "values, message",
    [
        ([1, 2, 2.5], r"rows\.csv, column y, row 3: '2\.5' is no class"),
        (["1", "0.25", "inf"], r"rows\.csv, column y, row 2: '0\.25' is no class"),
        (["a", "a"], r"rows\.csv, column y: the single class a, but at least two"),
        ([None, ""], r"rows\.csv, column y: no labels, but at least two classes"),
        ([], r"rows\.csv, column y: no labels"),
        (range(21), r"rows\.csv, column y: 21 different labels in 21 rows are no classes"),
        (["a\nb"] * 2, r"rows\.csv, column y: the single class 'a\\nb'"),
    ],
)
def test_labels_that_are_no_classes(values, message):
    with pytest.raises(SalutaryError, match=message):
        classes_of(list(values))


def test_a_column_cannot_have_the_name_of_a_pair():
    frame = pd.DataFrame({"a": ["x y", "z"], "b": ["u", "v w"], "a + b": ["p q", "r"]})
    with pytest.raises(SalutaryError, match="has the name of what pair="):
        Schema.of(frame, "f.csv", text=["a + b"], pair=["a", "b"])


def test_typed_numbers_at_once_are_judged_as_one_by_one(monkeypatch):
    """Embeddings beside ids, row numbers, constants, gaps and what is not finite."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(50, 30)), columns=[f"e{i}" for i in range(30)])
    frame["steps"], frame["halves"] = np.arange(50.0), np.arange(50.0) + 0.5
    frame["user_id"], frame["same"] = rng.permutation(50).astype(float), 0.5
    frame["gaps"], frame["none"] = frame["e0"].where(frame.index % 7 > 0), np.nan
    frame["late"] = np.where(frame.index < 40, 0.25, frame["e1"])
    frame["single"] = frame["e2"].astype(np.float32)
    found = Schema.of(frame, "a.csv")
    monkeypatch.setattr("salutary.tables.numbers.MANY", 10**6)
    slow = Schema.of(frame, "a.csv")
    assert (found.numeric, found.left_out) == (slow.numeric, slow.left_out)
    assert {"steps", "halves", "user_id", "same", "none"} == {*found.left_out}
