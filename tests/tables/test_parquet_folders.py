"""Folders of Parquet files as Spark, Hive, pandas and Dask write them."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import dataset, parquet

from salutary.errors import SalutaryError
from salutary.labeling.pool import open_pool
from salutary.tables.files import open_table
from salutary.tables.schema import Schema
from salutary.tables.texts import to_texts


def rows(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "n": np.arange(n) * 3 + 5,
            "x": rng.normal(0, 1, n).round(3),
            "city": rng.choice(["Bern", "Graz", "a/b=c d", "NA"], n).astype(object),
            "code": rng.choice(["007", "010"], n).astype(object),
        }
    )


def read(folder):
    return open_table(folder).read().sort_values("n", ignore_index=True)


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name in expected:
        assert to_texts(found[name]).tolist() == to_texts(expected[name]).tolist(), name


def test_nested_folders(tmp_path):
    whole, folder = rows(), tmp_path / "pool"
    for number, place in enumerate(("part-0", "b/part-1", "b/c/part-2.snappy", "a/part-3")):
        path = folder / f"{place}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole[15 * number : 15 * number + 15].to_parquet(path)
    assert open_table(folder).n_rows == 60 == dataset.dataset(str(folder)).count_rows()
    assert_same(read(folder), whole)
    first = next(iter(open_table(folder).blocks()))
    assert first["n"].tolist() == whole["n"][45:].tolist()  # in the order of their paths


def test_what_other_programs_leave_beside(tmp_path):
    whole = rows()
    whole[:30].to_parquet(tmp_path / "part-0.snappy.parquet")
    whole[30:].to_parquet(tmp_path / "part-1.PARQUET")
    (tmp_path / "_SUCCESS").write_bytes(b"")
    (tmp_path / "_metadata").write_bytes(b"PAR1")
    (tmp_path / "._part-0.snappy.parquet").write_bytes(b"\0\5\26\7" * 10)
    (tmp_path / ".part-0.snappy.parquet.crc").write_bytes(b"crc")
    (tmp_path / "README.txt").write_text("what this is")
    for name in ("_temporary", ".hidden", "_delta_log"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "part-9.parquet").write_bytes(b"half a file")
    assert_same(read(tmp_path), whole)
    (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
    assert_same(read(tmp_path), whole)


@pytest.mark.parametrize("by", [["city"], ["city", "code"], ["code"]])
def test_columns_that_are_folders(by, tmp_path):
    whole = rows()
    whole.loc[4, "city"] = None
    table = pa.Table.from_pandas(whole, preserve_index=False)
    parquet.write_to_dataset(table, tmp_path / "arrow", partition_cols=by)
    whole.to_parquet(tmp_path / "pandas", partition_cols=by)
    for name in ("arrow", "pandas"):
        found = read(tmp_path / name)
        assert_same(found, whole)  # codes with their zeros, names with a slash, and NA, which is no null
        assert found["city"].isna().sum() == 1
        schema = Schema.of(found, name, reading=open_table(tmp_path / name).reading)
        assert schema.categorical and set(schema.categorical) == {"city", "code"}
    blocks = open_table(tmp_path / "arrow").blocks(by)  # nothing that is within the files
    assert sum(map(len, blocks)) == 60


def test_numbers_that_are_folders(tmp_path):
    whole = rows().assign(year=lambda frame: 2020 + frame["n"] % 5)
    whole.to_parquet(tmp_path / "years", partition_cols=["year"])
    found = read(tmp_path / "years")
    schema = Schema.of(found, "x")
    assert "year" in schema.numeric
    assert schema.convert(found, "x")["year"].tolist() == whole["year"].tolist()


def test_a_column_in_the_file_and_the_folder_is_the_files(tmp_path):
    (tmp_path / "city=Bern").mkdir()
    rows().assign(city="Bern").to_parquet(tmp_path / "city=Bern" / "0.parquet")
    table = open_table(tmp_path)
    assert table.columns == ["n", "x", "city", "code"] and set(table.read()["city"]) == {"Bern"}


def test_files_of_hive_have_no_suffix(tmp_path):
    whole = rows()
    for number, name in enumerate(("000000_0", "000001_0")):
        whole[30 * number : 30 * number + 30].to_parquet(tmp_path / name)
    (tmp_path / "notes").write_text("no table")
    assert_same(read(tmp_path), whole)


def test_parts_of_another_order_type_and_size(tmp_path):
    whole = rows().assign(
        big=lambda frame: 9007199254740993 + frame["n"], flag=lambda frame: frame["n"] % 2 == 0
    )
    types = [
        {"n": "int32", "big": "int64", "x": "float32"},
        {"n": "float64", "big": "Int64", "x": "float64"},
        {"n": "Int64", "big": pd.ArrowDtype(pa.decimal128(38, 0)), "flag": "boolean"},
        {"n": "uint16", "big": "uint64", "city": "category"},
    ]
    for number, kinds in enumerate(types):
        part = whole[15 * number : 15 * number + 15].astype(kinds)
        part[part.columns[::-1] if number % 2 else part.columns].to_parquet(tmp_path / f"{number}.parquet")
    whole[:0].to_parquet(tmp_path / "4.parquet")
    empty = pa.table({name: pa.nulls(0) for name in whole})
    parquet.write_table(empty, tmp_path / "5.parquet")
    found = read(tmp_path)
    assert_same(found, whole)
    schema = Schema.of(found, "x")
    np.testing.assert_allclose(schema.convert(found, "x")["x"], whole["x"], rtol=1e-7)


def test_parts_without_a_value_have_any_type(tmp_path):
    whole = rows()
    whole.loc[:29, "city"] = None
    whole[:30].astype({"city": float}).to_parquet(tmp_path / "a.parquet")  # as pandas has nothing but gaps
    whole[30:].to_parquet(tmp_path / "b.parquet")
    pd.DataFrame().to_parquet(tmp_path / "c.parquet")
    whole[:0].astype({"x": str}).to_parquet(tmp_path / "d.parquet")
    assert not open_table(tmp_path).unusable
    assert_same(read(tmp_path), whole)


def test_columns_that_only_some_parts_have_are_in_nobodys_way(tmp_path):
    whole = rows()
    whole[:30].to_parquet(tmp_path / "a.parquet")
    whole[30:].assign(x="text", more=1).drop(columns="code").to_parquet(tmp_path / "b.parquet")
    table = open_table(tmp_path)
    assert table.columns == ["n", "x", "city", "code", "more"]
    assert {name: why.replace(str(tmp_path), "") for name, why in table.unusable.items()} == {
        "x": "it holds large_string in /b.parquet, but double in /a.parquet",
        "code": "/b.parquet has none",
        "more": "/a.parquet has none",
    }
    frame = table.read_all_but([])
    assert list(frame) == ["n", "city"] and len(frame) == 60
    with pytest.raises(SalutaryError, match=r"column code: .*b\.parquet has none"):
        table.read(["code"])


def test_what_nobody_uses_blocks_nothing(tmp_path):
    n = 40
    columns = {
        "x": pa.array(np.arange(n) * 0.5),
        "tags": pa.array([["a"]] * n),
        "point": pa.array([{"lon": 1.0}] * n),
        "map": pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int64())),
        "picture": pa.array([b"\x89PNG"] * n),
        "fixed": pa.array([b"abcd"] * n, pa.binary(4)),
        "when": pa.array([0] * n, pa.timestamp("us", "Mars/Phobos")),
        "span": pa.array([(1, 2, 3)] * n, pa.month_day_nano_interval()),
    }
    parquet_columns = {name: values for name, values in columns.items() if name != "span"}
    parquet.write_table(pa.table(parquet_columns), tmp_path / "a.parquet")
    with pa.OSFile(str(tmp_path / "a.feather"), "wb") as file:
        table = pa.table(columns)
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    for name in ("a.parquet", "a.feather"):
        table = open_table(tmp_path / name)
        assert list(table.read_all_but([])) == ["x"]
        assert set(table.unusable) == set(table.columns) - {"x"}
        assert table.unusable["when"] == "it holds timestamp[us, tz=Mars/Phobos], not numbers or text"
        with pytest.raises(SalutaryError, match="column tags: it holds list"):
            table.read(["tags"])


def test_a_pool_of_features_in_a_folder(tmp_path):
    whole = rows()[["n", "x"]]
    (tmp_path / "b").mkdir()
    whole[:20].to_parquet(tmp_path / "a.parquet")
    whole[20:][["x", "n"]].to_parquet(tmp_path / "b" / "c.parquet")
    pool = open_pool(tmp_path)
    np.testing.assert_array_equal(np.concatenate(list(pool.blocks())), whole.to_numpy())
    (tmp_path / "k=1").mkdir()
    whole.to_parquet(tmp_path / "k=1" / "d.parquet")
    with pytest.raises(SalutaryError, match=r"k=1/d\.parquet has other columns than"):
        open_pool(tmp_path)
    for name in ("a.parquet", "b/c.parquet"):
        (tmp_path / name).unlink()
    with pytest.raises(SalutaryError, match="column k: it is a folder's name, which is no number"):
        open_pool(tmp_path)
