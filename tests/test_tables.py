"""What columns hold, the features made of them against a plain computation, and every form of file; random
tables, of which nothing but one line may come if they are wrong.
"""

import csv
import gzip
import tempfile
from collections import Counter
from datetime import date, datetime, time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from salutary.datasets.own_table import OwnTable
from salutary.errors import SalutaryError
from salutary.labeling import cli
from salutary.labeling import page as label_page
from salutary.labeling.inputs import read_inputs
from salutary.labeling.pool import encode_pool, rows_of
from salutary.labeling.settings import LabelSettings
from salutary.system.device import Device
from salutary.tables import UNLABELED, csv_file, table_file
from salutary.tables.columns import Columns
from salutary.tables.features import MAX_CATEGORIES, Features
from salutary.tables.files import open_table
from salutary.tables.labels import Classes
from salutary.tables.messages import listed, quoted, shown, where
from salutary.tables.schema import Schema, is_missing, to_numbers, to_texts

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
    "missing in many ways": ["1", "NA", "null", "2", "None", " nan "],
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
    "half past": ["10:30 or so", "12:15 or so", "10:30 or so", "x"],
}
LEFT_OUT = {
    "row numbers": (range(7, 12), "row numbers"),
    "row numbers as text": (["1", "2", "3", "4"], "row numbers"),
    "nothing": (["", None, "NA", " "], "no values"),
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


def test_values_as_numbers():
    texts = pd.Series([" 1", "2.50", "", None, "NA", "-1e3", "\xa07\xa0", True])
    expected = [1, 2.5, np.nan, np.nan, np.nan, -1000, 7, 1]
    np.testing.assert_array_equal(to_numbers(texts, "x"), expected)
    np.testing.assert_array_equal(to_numbers(pd.Series([True, False]), "x"), [1, 0])
    for wrong in ("1,5", "1_000", "0x1F", "٣", "--1", "1 2", date(2024, 1, 1)):
        values = pd.Series([3, wrong], name="c", dtype=object)
        with pytest.raises(SalutaryError, match=r"x, column c, row 2: .* is not a number"):
            to_numbers(values, "x")
    for wrong in (np.inf, "-inf", "1e999"):
        with pytest.raises(SalutaryError, match=r"x, column c, row 2: .* is not finite"):
            to_numbers(pd.Series([3, wrong], name="c"), "x")
    with pytest.raises(SalutaryError, match=r"x, column c, row 2: -1e\+39 is too large"):
        to_numbers(pd.Series([3, -1e39], name="c"), "x")


def test_values_as_texts():
    values = [" a ", "", None, "NA", "4.0", "4.00", "-7.0", "4.10", "007.0", "1e0", ".0", "100", "v4.0"]
    expected = ["a", None, None, None, "4", "4", "-7", "4.10", "007.0", "1e0", ".0", "100", "v4.0"]
    assert to_texts(pd.Series(values)).replace(np.nan, None).tolist() == expected
    assert to_texts(pd.Series([4.0, np.nan, 0.5, -0.0, 1e20])).replace(np.nan, None).tolist() == [
        "4", None, "0.5", "0", "100000000000000000000",
    ]  # fmt: skip
    assert to_texts(pd.Series([2**62 + 1, 3])).tolist() == [str(2**62 + 1), "3"]
    assert to_texts(pd.Series([True, False])).tolist() == ["True", "False"]
    assert to_texts(pd.Series([1, True, 1.0, "1", 0, False])).tolist() == [
        "1",
        "True",
        "1",
        "1",
        "0",
        "False",
    ]
    assert to_texts(pd.Series(["a", None], dtype="category")).replace(np.nan, None).tolist() == ["a", None]
    assert is_missing(pd.Series(["null", "Null", "0", "-nan"])).tolist() == [True, False, False, True]


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


# Features -----------------------------------------------------------------------------------------


def some_rows(n, seed, n_cities=4):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 9, n).round(1),
            "wage": rng.lognormal(0, 2, n),
            "flat": 3.0,
            "city": rng.choice([f"c{number:02}" for number in range(n_cities)], n).astype(object),
            "zip": rng.choice(["00501", "10115"], n).astype(object),
        }
    )
    frame.loc[rng.random(n) < 0.2, ["age", "zip"]] = None
    return frame


def test_features_are_what_they_say():
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame, other = some_rows(60, 0), some_rows(30, 1)
    other.loc[[2, 5], "city"] = "new"
    other.loc[3, "wage"] = None
    training = np.arange(0, 60, 2)
    found = Features.fit(schema, schema.convert(frame.iloc[training], "x"))
    for rows in (frame, other):
        expected = []
        filled = {name: rows[name].fillna(frame[name].iloc[training].median()) for name in schema.numeric}
        indicators = {"age": rows["age"].isna()}  # no other is missing in the training rows
        for source, columns in (("values", filled), ("indicators", indicators)):
            for name, values in columns.items():
                fitted = frame[name].iloc[training]
                fitted = fitted.isna() if source == "indicators" else fitted.fillna(fitted.median())
                deviation = np.std(fitted.to_numpy(float))
                expected.append((values - np.mean(fitted)) / (deviation or 1))
        for name in schema.categorical:
            texts, known = rows[name].fillna("(missing)"), frame[name].iloc[training].fillna("(missing)")
            expected += [texts == each for each in sorted(known.unique())]
        X = found.transform(schema.convert(rows, "x"), "x")
        np.testing.assert_allclose(X, np.array(expected, float).T, atol=1e-12)
    assert found.unseen == {"city": 2}
    assert found.names[:5] == ["age", "wage", "flat", "missingindicator_age", "city_c00"]


def test_rare_categories_share_a_feature():
    n = MAX_CATEGORIES + 20
    texts = [f"c{number:03}" for number in range(n) for _ in range(1 + number)]  # the first are the rarest
    frame = pd.DataFrame({"city": texts})
    schema = Schema((), ("city",), {})
    found = Features.fit(schema, frame)
    X = found.transform(pd.DataFrame({"city": ["c000", "c020", "c021", f"c{n - 1:03}", "new", None]}), "x")
    kept = MAX_CATEGORIES - 1
    assert X.shape[1] == MAX_CATEGORIES and (X.sum(1) == 1).all()
    assert X.argmax(1).tolist() == [kept, kept, 0, kept - 1, kept, kept]
    assert found.unseen == {"city": 2}


def test_unseen_categories_are_none_where_there_are_no_rare_ones():
    schema = Schema((), ("city",), {})
    found = Features.fit(schema, pd.DataFrame({"city": ["a", "b", "a"]}))
    X = found.transform(pd.DataFrame({"city": ["c", "b", np.nan]}, dtype=object), "x")
    assert X.tolist() == [[0, 0], [0, 1], [0, 0]]
    assert found.unseen == {"city": 2}


def test_only_the_training_rows_count():
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame = some_rows(60, 0)
    changed = frame.copy()
    changed.loc[30:, "wage"] *= 1e6
    changed.loc[30:, "city"] = "elsewhere"
    parts = [Columns(schema, [(Path("x"), schema.convert(each, "x"))]) for each in (frame, changed)]
    (X, _), (X_changed, features) = (each.features(np.arange(30)) for each in parts)
    np.testing.assert_array_equal(X[:30], X_changed[:30])
    assert features.unseen["city"] == 30


def test_constants_are_not_scaled_up_by_rounding():
    schema = Schema(("time", "gone"), (), {})
    frame = pd.DataFrame({"time": [1.7e18, np.nan, 1.7e18] * 7, "gone": np.nan})
    X = Features.fit(schema, frame).transform(frame, "x")
    assert np.abs(X[:, :2]).max() < 1e-5 and X[:, 2].std() == pytest.approx(1)


def test_values_too_large_to_standardise_are_named():
    schema = Schema(("a", "b"), (), {})
    found = Features.fit(schema, pd.DataFrame({"a": [0, 1e-9], "b": [0.0, 1.0]}))
    frame = pd.DataFrame({"a": [0.0, 1e30], "b": [0.0, 1.0]}, index=[7, 8])
    with pytest.raises(SalutaryError, match=r"x, column a, row 9: the value is too large"):
        found.transform(frame, "x")


def test_columns_of_several_files(tmp_path):
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame = some_rows(60, 0)
    converted = schema.convert(frame, "x")
    whole = Columns(schema, [(Path("x"), converted)])
    apart = Columns(schema, [(Path("a"), converted[:40]), (Path("b"), converted[40:].reset_index(drop=True))])
    training = np.arange(5, 50)
    np.testing.assert_array_equal(whole.features(training)[0], apart.features(training)[0])
    np.testing.assert_array_equal(whole.codes(), apart.codes())
    codes = whole.codes()
    np.testing.assert_array_equal(codes[:, 0], frame["age"])
    assert codes[:, 3].tolist() == frame["city"].str[1:].astype(float).tolist()
    assert np.isnan(codes[:, 4]).tolist() == frame["zip"].isna().tolist()
    apart.parts[1][1].loc[3, "wage"] = 1e38
    apart.parts[0][1].loc[:, "wage"] = np.arange(40) % 2 * 1e-9
    fresh = Columns(schema, apart.parts)
    with pytest.raises(SalutaryError, match=r"b, column wage, row 4: the value is too large"):
        fresh.features(np.arange(40))


# Files --------------------------------------------------------------------------------------------


def written(frame, path):
    """The frame as a file; the form is the suffix's. A folder gets three files, one of them empty."""
    if path.suffix == ".npz":
        arrays = {name: frame[name].to_numpy() for name in frame}
        np.savez(path, **{name: as_array(values) for name, values in arrays.items()})
    elif path.suffix == ".feather":
        frame.to_feather(path)
    elif path.suffix == ".parquet":
        frame.to_parquet(path, index=False, row_group_size=7)
    elif path.suffix:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    else:
        path.mkdir()
        for number, rows in enumerate((slice(0, 5), slice(5, 5), slice(5, None))):
            written(frame[rows], path / f"{number}.parquet")
    return path


def as_array(values):
    if values.dtype != object:
        return values
    return np.array(["" if value is None or value != value else str(value) for value in values])


FORMS = ["rows.csv", "rows.tsv", "rows.csv.gz", "rows.parquet", "rows.feather", "rows.npz", "rows"]


def mixed_rows(n, seed):
    frame = some_rows(n, seed)
    rng = np.random.default_rng(seed)
    frame["flag"] = rng.random(n) < 0.5
    frame["count"] = rng.integers(0, 5, n)
    frame["day"] = pd.Timestamp("2024-01-31") + pd.to_timedelta(rng.integers(0, 9, n), "D")
    frame["key"] = [f"k{seed}-{row}" for row in range(n)]
    frame["y"] = np.where(frame["wage"] + rng.random(n) > 1, 1.0, 0.0)
    return frame.drop(columns="flat")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_features(form, tmp_path):
    frame = mixed_rows(40, 0)
    table = open_table(written(frame, tmp_path / form))
    assert table.columns == list(frame)
    read = table.read()
    assert list(read) == list(frame) and read.index.tolist() == list(range(40))
    schema = Schema.of(read.drop(columns="y"), "x", categorical=["count"])
    assert schema.numeric == ("age", "wage")
    assert schema.categorical == ("count", "city", "zip", "flag")
    assert set(schema.left_out) == {"day", "key"}
    features = Features.fit(schema, schema.convert(read, "x"))
    expected = Features.fit(schema, schema.convert(frame, "x"))
    assert features.names == expected.names
    converted = schema.convert(read, "x")
    np.testing.assert_allclose(
        features.transform(converted, "x"),
        expected.transform(schema.convert(frame, "x"), "x"),
        rtol=1e-12,
        atol=1e-14,
    )
    classes = Classes.of(read["y"], "x")
    assert classes.names == ("0", "1")
    assert classes.encode(read["y"], "x").tolist() == frame["y"].tolist()


@pytest.mark.parametrize("rows", [1, 3, 7, 39, 40, 41])
@pytest.mark.parametrize("form", FORMS)
def test_blocks_together_are_the_whole(form, rows, tmp_path, monkeypatch):
    table = open_table(written(mixed_rows(40, 0), tmp_path / form))
    whole = table.read()
    monkeypatch.setattr(table_file, "BLOCK_ROWS", rows)
    blocks = list(open_table(tmp_path / form).blocks(["zip", "age", "count"]))
    assert max(map(len, blocks)) <= rows and min(map(len, blocks)) > 0
    assert all(list(block) == ["zip", "age", "count"] for block in blocks)
    together = pd.concat(blocks)
    assert together.index.tolist() == list(range(40))
    for name in ("age", "count"):
        assert to_numbers(together[name], "x").equals(to_numbers(whole[name], "x"))
    assert to_texts(together["zip"]).equals(to_texts(whole["zip"]))
    wanted = np.array([39, 0, 17, 5])
    some = rows_of(table, ["zip", "key"], wanted)
    assert some.index.tolist() == wanted.tolist()
    assert some["key"].tolist() == [f"k0-{row}" for row in wanted]


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_counted_through_all_blocks(form, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    monkeypatch.setattr(csv_file, "PIECE_ROWS", 3)
    frame = mixed_rows(40, 0)
    frame.loc[32, "wage"] = np.inf
    table = open_table(written(frame, tmp_path / form))
    with pytest.raises(SalutaryError, match=r"x, column wage, row 33: inf is not finite"):
        for block in table.blocks():
            to_numbers(block["wage"], "x")


@pytest.mark.parametrize("row", [1, 3, 4, 7, 8, 23, 40])
def test_rows_of_another_length_are_named(row, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    monkeypatch.setattr(csv_file, "PIECE_ROWS", 3)
    lines = written(mixed_rows(40, 0), tmp_path / "rows.csv").read_text().splitlines()
    lines[row] += ",1"
    (tmp_path / "rows.csv").write_text("\n\n".join(lines))  # empty lines are no rows
    with pytest.raises(SalutaryError, match=rf"rows\.csv, row {row}: it has 10 values for 9 columns"):
        list(open_table(tmp_path / "rows.csv").blocks(["age"]))


@pytest.mark.parametrize("form", FORMS[:-1])
def test_damaged_files_are_refused_in_one_line_or_read(form, tmp_path):
    path = written(mixed_rows(40, 0), tmp_path / form)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    for _ in range(100):
        content = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(len(content), size=rng.choice([1, 2, 9]))
        content[places] = rng.choice([0, 255, *rng.integers(256, size=3)], len(places))
        path.write_bytes(content[: rng.choice([len(content), rng.integers(len(content))])].tobytes())
        refused += one_line(open_and_read, path) is None
    assert refused > 20


def open_and_read(path):
    return len(open_table(path).read())


def label_settings(folder, **changes):
    values = {
        "labeled": str(folder / "train.csv"), "validation": str(folder / "val.csv"), "pool": "pool",
        "target": "y", "id": "key",
        "numeric": [], "categorical": ["count"], "ignore": [], "separator": ",", "audit": False, "budget": 1,
        "rounds": 1, "patience": 1, "min_influence": 0, "folds": 0, "shortlist": 1, "seed": 0, "force": False,
    }  # fmt: skip
    return LabelSettings.of(values | changes)


@pytest.fixture
def inputs(tmp_path):
    for seed, name in enumerate(("train.csv", "val.csv")):
        written(mixed_rows(40, seed), tmp_path / name)
    return read_inputs(label_settings(tmp_path), Device("cpu"))


@pytest.mark.parametrize("form", FORMS)
def test_an_encoded_pool_is_its_features(form, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    frame = mixed_rows(40, 2)
    frame.loc[3, "city"] = "new"
    path = written(frame, tmp_path / form)
    pool = encode_pool(open_table(path), inputs, "key", tmp_path, progress=False)
    schema = inputs.features.schema
    features = Features(schema, inputs.features.transformer, Counter())
    expected = features.transform(schema.convert(frame, "x"), "x").astype(np.float32)
    assert len(pool.matrix) == 40 and pool.matrix.n_features == expected.shape[1]
    np.testing.assert_array_equal(pool.matrix.take(np.arange(40)), expected)
    np.testing.assert_array_equal(np.concatenate(list(pool.matrix.blocks())), expected)
    assert pool.unseen == dict(features.unseen) and pool.unseen["city"] == 1
    open_again = encode_pool(open_table(path), inputs, "key", tmp_path, progress=False)
    assert open_again.unseen == pool.unseen


def test_labelled_and_validation_rows_are_read_in_one_way(inputs):
    schema = inputs.features.schema
    for part, seed in ((inputs.labeled, 0), (inputs.validation, 1)):
        frame = mixed_rows(40, seed)
        expected = inputs.features.transformer.transform(schema.convert(frame, "x"))
        np.testing.assert_allclose(part.rows.X.numpy(), expected, rtol=1e-12, atol=1e-14)
        assert part.rows.y.tolist() == frame["y"].tolist()
        assert part.ids.tolist() == frame["key"].tolist()


def test_two_dimensions_are_columns(tmp_path):
    X = np.arange(12.0).reshape(4, 3)
    np.savez(tmp_path / "a.npz", X=X, y=np.array(["a", "b"] * 2), big=np.arange(4, dtype=">i8"))
    table = open_table(tmp_path / "a.npz")
    assert table.columns == ["X0", "X1", "X2", "y", "big"] and table.n_rows == 4
    np.testing.assert_array_equal(table.read()[["X0", "X1", "X2"]], X)
    assert table.read()["big"].nunique() == 4


def test_ids_of_many_digits_stay_what_they_are(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    ids = [10**19 + 1, 10**19 + 2, 10**19 + 3]
    table = pa.table({"key": pa.array(ids, pa.decimal128(38, 0)), "n": pa.array(ids, pa.uint64())})
    parquet.write_table(table, tmp_path / "a.parquet")
    read = open_table(tmp_path / "a.parquet").read()
    assert to_texts(read["key"]).tolist() == to_texts(read["n"]).tolist() == list(map(str, ids))


def test_messages():
    assert where("a.csv", "age", 2) == "a.csv, column age, row 3"
    assert where("a.csv", row=0) == "a.csv, row 1" and where("a.csv") == "a.csv"
    assert where("a.csv", "a\nb") == "a.csv, column 'a\\nb'"
    assert shown("größe 1") == "größe 1" and shown("\x1b[31m") == "'\\x1b[31m'"
    assert len(shown("x" * 1000)) == 63 and quoted(4.5) == "'4.5'"
    assert listed(["a", "b\t", "c"], 2) == "a, 'b\\t', ..."


# Random tables ------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
ODD_TEXTS = st.sampled_from(
    ["", " ", "NA", "nan", "None", "inf", "-inf", "1e999", "1e300", "1e38", "0", "-0.0", "007", "1.0", "True",
     "2024-01-01", "1/2/3", "99:99", "10:30 CET", "\ufeff", "\u2028", "a\r\nb", '"', "'", "=1+1", "é",
     "e\u0301", "\x00", "<script>", "{{x}}", "9" * 400, "(missing)", "\U0001f600", "٣"]
)  # fmt: skip
FLOATS = st.one_of(
    st.floats(-100, 100), st.floats(), st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e38, -3e38, 1e308, 5e-324])
)
KINDS = {
    "floats": FLOATS,
    "tame": st.floats(-9, 9).map(lambda x: round(x, 2)),
    "gaps": st.one_of(st.none(), st.floats(-9, 9)),
    "integers": st.integers(-(2**63), 2**63 - 1),
    "digits": st.integers(0, 3),
    "flags": st.booleans(),
    "texts": TEXTS,
    "odd": ODD_TEXTS,
    "few": st.sampled_from(["a", "b", "c ", None]),
    "dates": st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)),
}
TARGETS = st.one_of(
    st.sampled_from([["yes", "no"], [0, 1, 2], ["1.0", "0.0"], [True, False], ["a\nb", "c"]]),
    *(st.lists(KINDS[kind], min_size=1, max_size=5) for kind in ("tame", "texts", "odd", "few")),
)
WRITERS = [".csv", ".tsv", ".csv.gz", ".parquet", ".feather", ".npz"]


@st.composite
def tables(draw):
    """Columns of labelled, validation and pool rows, alike more often than not, and settings."""
    names = st.one_of(TEXTS.filter(lambda name: name not in ("", "target")), st.sampled_from(["id", "a b"]))
    names = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    kinds = {name: draw(st.sampled_from(sorted(KINDS))) for name in names}
    classes = draw(TARGETS)
    once = st.sampled_from([True] + [False] * 30)
    parts = {}
    for part in ("labeled", "validation", "pool"):
        n = draw(st.sampled_from([4, 5, 6, 9, 14, 60] if not draw(once) else [0, 1]))
        columns = {}
        for name in names:
            kind = draw(st.sampled_from(sorted(KINDS))) if draw(once) else kinds[name]
            columns[name] = draw(st.lists(KINDS[kind], min_size=n, max_size=n))
        columns["target"] = [classes[row % len(classes)] for row in range(n)]
        if draw(once):
            columns["target"] = draw(st.lists(st.sampled_from([*classes, None]), min_size=n, max_size=n))
        parts[part] = columns, draw(st.sampled_from(WRITERS))
    arguments = {
        "rounds": "1", "budget": "2", "folds": draw(st.sampled_from(["0", "2"])),
        "model.l2": draw(st.sampled_from(["1", "0.01", "validation", "cv"])),
        "strategy": draw(st.sampled_from(["salutary", "salutary_greedy"])),
        "strategy.confidence": draw(st.sampled_from(["0", "1"])),
        "strategy.rerank": draw(st.sampled_from(["0", "3"])),
        "audit": draw(st.sampled_from(["false", "false", "true"])),
    }  # fmt: skip
    return parts, arguments


def write_random(path, columns):
    if path.suffix == ".npz":
        np.savez(
            path, **{name.replace("/", "|") or "_": random_array(each) for name, each in columns.items()}
        )
    elif path.suffix in (".parquet", ".feather"):
        pyarrow = pytest.importorskip("pyarrow")
        from pyarrow import feather, parquet

        write = parquet.write_table if path.suffix == ".parquet" else feather.write_feather
        write(pyarrow.table(columns), path)
    else:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "wt", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))


def random_array(values):
    array = np.array(values)
    return as_array(array) if array.dtype == object else array


def one_line(function, *arguments):
    """What comes, or None where it is refused with one line; anything else escapes."""
    try:
        return function(*arguments) or True
    except SalutaryError as error:
        assert len(str(error).splitlines()) == 1, str(error)
        return None


def check(parts, arguments):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {}
        for part, (columns, suffix) in parts.items():
            paths[part] = folder / f"{part}{suffix}"
            write_random(paths[part], columns)
        before = set(folder.rglob("*"))
        settings = {"target": "target", "output": folder / "out.csv"} | paths | arguments
        if one_line(cli.run, [f"{name}={value}" for name, value in settings.items()]):
            found = pd.read_csv(folder / "out.csv")
            measures = [each for each in ("influence", "harm", "gain", "standard_error") if each in found]
            assert measures and np.isfinite(found[measures].to_numpy(float)).all()
            assert (folder / "out" / "facts.json").exists()
        else:
            assert set(folder.rglob("*")) == before
        for part in ("labeled", "validation"):
            files = {"validation": str(paths["validation"]), "test": str(paths["validation"])}
            table = OwnTable(str(paths[part]), "target", **(files if part == "labeled" else {}))
            if loaded := one_line(table.load):
                known = np.flatnonzero(loaded.y != UNLABELED)
                if X := one_line(loaded.columns.features, known):
                    assert np.isfinite(X[0]).all() and len(X[0]) == len(loaded.y)


SHARED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),  # add Phase.shrink to look into what is found, for minutes
}


@settings(max_examples=60, **SHARED)
@given(tables())
def test_random_tables(fast_pages, drawn):
    check(*drawn)


@pytest.mark.slow
@settings(max_examples=600, **SHARED)
@given(tables())
def test_more_random_tables(fast_pages, drawn):
    check(*drawn)


@pytest.fixture(scope="module")
def fast_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_page, "small_png", lambda figure: b"")  # drawing takes longest
        yield
