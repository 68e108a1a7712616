"""Every form of file gives the same table, whole and in blocks."""

import numpy as np
import pandas as pd
import pytest
from written_tables import FORMS, mixed_rows, one_line, written

from salutary.errors import SalutaryError
from salutary.tables import csv_file, table_file
from salutary.tables.features import Features
from salutary.tables.files import open_table
from salutary.tables.labels import Classes
from salutary.tables.messages import listed, quoted, shown, where
from salutary.tables.numbers import to_numbers
from salutary.tables.picked_rows import rows_of
from salutary.tables.schema import Schema
from salutary.tables.texts import to_texts

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


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
