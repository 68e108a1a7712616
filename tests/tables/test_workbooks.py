"""What cells of Excel, lines of JSON and rows of databases hold is what the same text would be in CSV."""

import contextlib
import datetime as dt
import json
import sqlite3
import zipfile

import numpy as np
import pytest

from salutary.errors import SalutaryError
from salutary.tables import table_file
from salutary.tables.files import open_table
from salutary.tables.schema import Schema
from salutary.tables.texts import to_texts


def sheet_of(path, rows, change=lambda sheet: None):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book.active)
    book.save(path)
    return path


def lines_of(path, lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return open_table(path)


def texts(table, column):
    return to_texts(table.read()[column]).fillna("").tolist()


def test_cells(tmp_path):
    rows = [
        ["zip", "share", "when", "clock", "flag", "error", 2024, None, "mixed"],
        [501, 0.25, dt.datetime(2024, 1, 31), dt.time(10, 30), True, "#N/A", 1.0, "x", 1],
        [10115, 0.5, dt.datetime(2024, 2, 1, 10, 30), dt.time(0, 0, 1), False, "#DIV/0!", 2.5, "y", "12"],
        [None, None, None, None, None, 3, None, None, "a"],
    ]

    def formats(sheet):
        for row in (2, 3):
            sheet.cell(row, 1).number_format = "00000"
            sheet.cell(row, 2).number_format = "0%"

    table = open_table(sheet_of(tmp_path / "a.xlsx", rows, formats))
    assert table.columns == ["zip", "share", "when", "clock", "flag", "error", "2024", "(unnamed)", "mixed"]
    assert texts(table, "zip") == ["00501", "10115", ""]
    assert texts(table, "share") == ["0.25", "0.5", ""] and texts(table, "2024") == ["1", "2.5", ""]
    assert texts(table, "when") == ["2024-01-31", "2024-02-01 10:30:00", ""]
    assert texts(table, "clock") == ["10:30:00", "00:00:01", ""] and texts(table, "flag") == [
        "True",
        "False",
        "",
    ]
    assert texts(table, "mixed") == ["1", "12", "a"]
    frame = table.read(["error", "share"])
    schema = Schema.of(frame, "x", reading=table.reading)
    assert schema.numeric == ("error", "share")
    found = schema.convert(frame, "x", table.reading)
    np.testing.assert_array_equal(found["error"], [np.nan, np.nan, 3])


def test_formulas_have_the_values_that_are_in_the_file(tmp_path):
    sheet_of(tmp_path / "a.xlsx", [["a", "b"], [1, "=A2+1"], [2, "=A3&A9"]])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as before, zipfile.ZipFile(tmp_path / "b.xlsx", "w") as after:
        for name in before.namelist():
            content = before.read(name)
            for empty in (b"<v />", b"<v/>", b"<v></v>"):
                content = content.replace(b"<f>A2+1</f>" + empty, b"<f>A2+1</f><v>2</v>")
                content = content.replace(
                    b'<c r="B3"><f>A3&amp;A9</f>' + empty, b'<c r="B3" t="str"><f>A3</f><v></v>'
                )
            after.writestr(name, content)
    assert texts(open_table(tmp_path / "b.xlsx"), "b") == ["2", ""]


@pytest.mark.parametrize("rows", [3, 7, 100])
def test_blocks(rows, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", rows)
    table = open_table(sheet_of(tmp_path / "a.xlsx", [["a", "b"], *([n, f"t{n}"] for n in range(20))]))
    other = lines_of(tmp_path / "a.jsonl", [json.dumps({"a": n, "b": f"t{n}"}) for n in range(20)])
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"t{n}") for n in range(20)])
    query = open_table(f"{tmp_path}/a.db#WITH x AS (SELECT * FROM t) SELECT b, a FROM x ORDER BY a")
    for each in (table, other, query):
        blocks = list(each.blocks(["b", "a"]))
        assert max(map(len, blocks)) <= rows and [row for block in blocks for row in block["a"]] == [
            *range(20)
        ]
        assert blocks[-1].index[-1] == 19 and list(blocks[0]) == ["b", "a"]


def test_values_of_json(tmp_path):
    lines = [
        '{"n": 1, "big": 9007199254740993, "huge": 18446744073709551617, "mixed": 1, "t": "é\\u00e9"}',
        "",
        '{"late": true, "n": 2.0, "big": 1, "huge": 7, "mixed": "007", "t": null}',
        '{"n": NaN, "big": null, "mixed": 1.50, "t": " "}',
    ]
    table = lines_of(tmp_path / "a.jsonl", lines)
    assert table.n_rows == 3 and table.columns == ["n", "big", "huge", "mixed", "t", "late"]
    assert texts(table, "n") == ["1", "2", ""] and texts(table, "big") == ["9007199254740993", "1", ""]
    assert texts(table, "huge") == ["18446744073709551617", "7", ""]
    assert texts(table, "mixed") == ["1", "007", "1.5"] and texts(table, "late") == ["", "True", ""]
    assert texts(table, "t") == ["éé", "", ""]


def test_what_nobody_uses_is_left_out(tmp_path):
    lines = [
        '{"x": 1, "o": {"a": 1}, "tags": ["a"], "n": [1, 2], "some": [0.5], "v": [0.5, 1]}',
        '{"x": 2, "o": null, "tags": [], "n": [3, 4], "some": 1, "v": [1, 0]}',
    ]
    table = lines_of(tmp_path / "a.jsonl", lines)
    assert list(table.read_all_but([])) == ["x", "v_0", "v_1"]
    assert table.unusable == {
        "o": "line 1 holds an object, not a number or text",
        "tags": "line 1 holds a list, not numbers or text",
        "n": "it holds lists of whole numbers",
        "some": "only some of its lines are lists",
    }


def test_queries_only_read(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.execute("INSERT INTO t VALUES (1, x'00ff')")
    before = (tmp_path / "a.db").read_bytes()
    assert open_table(f"{tmp_path}/a.db#SELECT * FROM t ORDER BY a").unusable == {
        "b": "it holds bytes, not numbers or text"
    }
    for query in (
        "WITH x AS (SELECT 1) INSERT INTO t SELECT 2, 3 ORDER BY 1",
        "SELECT load_extension('x') ORDER BY 1",
        "SELECT 1; DELETE FROM t ORDER BY 1",
        "SELECT * FROM pragma_database_list ORDER BY 1",
    ):
        with pytest.raises(SalutaryError, match=r"a\.db#.*: "):
            open_table(f"{tmp_path}/a.db#{query}").read()
    assert (tmp_path / "a.db").read_bytes() == before


def test_duckdb_only_reads_its_file(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    (tmp_path / "a.csv").write_text("a\n1\n")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT range AS a, [0.5, range]::FLOAT[2] AS v FROM range(9)")
    found = open_table(f"{tmp_path}/a.duckdb#SELECT a, v FROM t WHERE a > 3 ORDER BY a").read()
    assert found["a"].tolist() == [4, 5, 6, 7, 8] and found["v_1"].tolist() == [4, 5, 6, 7, 8]
    before = (tmp_path / "a.duckdb").read_bytes()
    for query in (
        f"SELECT * FROM '{tmp_path}/a.csv' ORDER BY 1",
        f"SELECT * FROM read_text('{tmp_path}/a.csv') ORDER BY 1",
        "SELECT 1 ORDER BY 1; DROP TABLE t",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT 1, NULL ORDER BY 1",
        "SELECT nothing FROM t ORDER BY 1",
    ):
        with pytest.raises(SalutaryError, match=r"a\.duckdb#.*: "):
            open_table(f"{tmp_path}/a.duckdb#{query}").read()
    assert (tmp_path / "a.duckdb").read_bytes() == before
