"""Workbooks, JSON, embeddings and databases that are wrong, and the one line that each gets: as bad_files.py."""

import contextlib
import json
import sqlite3

import numpy as np
from spoilt_tables import N, both, nothing, part, raw, truncated

ROWS = part(0).to_dict("records")


def workbook(name, change=lambda sheet: None, title="2024"):
    def spoil(folder):
        import openpyxl

        book = openpyxl.Workbook()
        sheet = book.active
        sheet.title = title
        sheet.append(list(ROWS[0]))
        for row in ROWS:
            sheet.append(list(row.values()))
        change(sheet)
        book.create_sheet("notes")
        book.save(folder / name)

    return spoil


def cell(place, value):
    return lambda sheet: sheet.__setitem__(place, value)


def lines(name, change=lambda rows: rows, end="\n"):
    """``change`` gets a list of dictionaries, and may leave texts in it, which are lines as they are."""

    def spoil(folder):
        rows = change([dict(row) for row in ROWS])
        texts = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        (folder / name).write_text("\n".join(texts) + end)

    return spoil


def with_row(number, **values):
    return lambda rows: [*rows[: number - 1], rows[number - 1] | values, *rows[number:]]


def matrix(name, array):
    def spoil(folder):
        np.save(folder / name, array, allow_pickle=array.dtype == object)

    return spoil


def database(name):
    def spoil(folder):
        with contextlib.closing(sqlite3.connect(folder / name)) as connection, connection:
            connection.execute("CREATE TABLE people (key, age, wage, city, outcome)")
            connection.executemany(
                "INSERT INTO people VALUES (?, ?, ?, ?, ?)", [tuple(row.values()) for row in ROWS]
            )

    return spoil


def numbers(rows, columns=3, **values):
    found = np.random.default_rng(0).normal(size=(rows, columns))
    for name, value in values.items():
        found[int(name[1:])] = value
    return found


RAGGED = np.empty(2, object)
RAGGED[:] = [[1.0], [1.0, 2.0]]
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)

EXCEL = {
    "text called .xlsx": (
        raw("a.xlsx", "x"),
        {"labeled": "a.xlsx"},
        "a.xlsx is not a whole .xlsx file: ...",
    ),
    "an .xlsx cut off": (
        truncated(workbook("a.xlsx"), "a.xlsx"),
        {"labeled": "a.xlsx"},
        "a.xlsx is not a whole .xlsx file: ...",
    ),
    "an .xlsx with a password": (
        raw("a.xlsx", OLE),
        {"labeled": "a.xlsx"},
        "a.xlsx has a password, or is an .xls file by another name: save it as .xlsx, and without one",
    ),
    "an .xls of Excel 2003": (
        raw("a.xls", OLE),
        {"pool": "a.xls"},
        "a.xls is none of .csv, .tsv, .xlsx, .jsonl, .parquet, .feather, .npz, nor a folder of .parquet: save it as .xlsx, or its sheet as .csv",
    ),
    "a sheet that is not there": (
        workbook("a.xlsx"),
        {"labeled": "a.xlsx", "sheet": "2025"},
        "a.xlsx#2025 has no sheet '2025'; its sheets are 2024, notes",
    ),
    "a sheet without a cell": (
        workbook("a.xlsx"),
        {"labeled": "a.xlsx#notes"},
        "a.xlsx#notes is empty",
    ),
    "merged cells": (
        workbook("a.xlsx", lambda sheet: sheet.merge_cells("D3:D5")),
        {"labeled": "a.xlsx"},
        "a.xlsx, sheet '2024': cells D3:D5 are merged: each row needs its own value",
    ),
    "a formula that no program has computed": (
        workbook("a.xlsx", cell("B4", "=B3+1")),
        {"labeled": "a.xlsx"},
        "a.xlsx, sheet '2024': the formula in B4 has no value: open it in a spreadsheet program and save it there",
    ),
    "a cell beyond the last column": (
        workbook("a.xlsx", cell("G4", 1)),
        {"labeled": "a.xlsx"},
        "a.xlsx, row 3: it has 7 values for 5 columns",
    ),
    "a text in a cell among numbers": (
        workbook("a.xlsx", cell("B4", "about 40")),
        {"labeled": "a.xlsx"},
        "a.xlsx, column age, row 3: 'about 40' is not a number; mend it, or set 'missing=[\"about 40\"]' or categorical=[age] (1 of 24 values are none)",
    ),
}
JSON = {
    "a JSON array": (
        raw("a.json", "[]"),
        {"pool": "a.json"},
        "a.json is none of .csv, .tsv, .xlsx, .jsonl, .parquet, .feather, .npz, nor a folder of .parquet: write an object a line, as .jsonl",
    ),
    "a JSON array called .jsonl": (
        raw("a.jsonl", json.dumps(ROWS)),
        {"labeled": "a.jsonl"},
        "a.jsonl, line 1: it is no JSON object, or a file that is one JSON array: write an object a line",
    ),
    "a .jsonl cut off": (
        truncated(lines("a.jsonl"), "a.jsonl", 0.12),
        {"labeled": "a.jsonl"},
        "a.jsonl, line 3: it is no whole JSON object: ...",
    ),
    "a line that is no object": (
        lines("a.jsonl", lambda rows: [*rows, "7"]),
        {"labeled": "a.jsonl"},
        "a.jsonl, line 25: it is no JSON object",
    ),
    "a key twice": (
        lines("a.jsonl", lambda rows: [*rows, '{"age": 1, "age": 2}']),
        {"labeled": "a.jsonl"},
        "a.jsonl, line 25: the key 'age' is there twice",
    ),
    "JSON: half a surrogate pair": (
        lines("a.jsonl", lambda rows: [*rows, '{"city": "\\ud800"}']),
        {"labeled": "a.jsonl"},
        "a.jsonl, line 25: it holds a text that is no Unicode",
    ),
    "an object in a column that is asked for": (
        lines("a.jsonl", with_row(4, city={"name": "Ulm"})),
        {"labeled": "a.jsonl", "categorical": "[city]"},
        "a.jsonl, column city: line 4 holds an object, not a number or text",
    ),
    "vectors of two lengths": (
        lines("a.jsonl", lambda rows: [row | {"v": [0.5] * (2 + (n == 5))} for n, row in enumerate(rows)]),
        {"labeled": "a.jsonl", "numeric": "[v]"},
        "a.jsonl, column v: line 6 holds a list of 3 numbers, others have 2",
    ),
    "a vector that is not there": (
        lines(
            "a.jsonl", lambda rows: [row | ({"v": [0.5, n]} if n != 5 else {}) for n, row in enumerate(rows)]
        ),
        {"labeled": "a.jsonl"},
        "a.jsonl, column v, row 6: number 1 of the vector is missing",
    ),
    "JSON: a text among numbers": (
        lines("a.jsonl", with_row(7, age="old")),
        {"labeled": "a.jsonl"},
        "a.jsonl, column age, row 7: 'old' is not a number; mend it, or set missing=[old] or categorical=[age] (1 of 24 values are none)",
    ),
}
EMBEDDINGS = {
    "no such .npy": (nothing, {"labeled": "train.csv+gone.npy"}, "there is no gone.npy"),
    "text called .npy": (
        raw("a.npy", "x"),
        {"labeled": "a.npy"},
        "a.npy is not a whole .npy file of plain numbers: it holds objects, which are not read",
    ),
    "an .npy of lists of several lengths": (
        matrix("a.npy", RAGGED),
        {"labeled": "train.csv+a.npy"},
        "a.npy is not a whole .npy file of plain numbers: it holds objects, which are not read",
    ),
    "an .npy cut off": (
        truncated(matrix("a.npy", numbers(N)), "a.npy"),
        {"labeled": "train.csv+a.npy"},
        "a.npy is not a whole .npy file of plain numbers: ...",
    ),
    "an .npy of one dimension": (
        matrix("a.npy", np.arange(N)),
        {"labeled": "train.csv+a.npy"},
        "a.npy holds int64, 24, and not a matrix of real numbers",
    ),
    "embeddings of fewer rows": (
        matrix("a.npy", numbers(N - 1)),
        {"labeled": "train.csv+a.npy"},
        "train.csv has 24 rows, but a.npy 23",
    ),
    "embeddings of more rows": (
        matrix("a.npy", numbers(N + 1)),
        {"labeled": "train.csv+a.npy"},
        "train.csv has 24 rows, but a.npy 25",
    ),
    "a NaN in an embedding": (
        matrix("a.npy", numbers(N, _6=np.nan)),
        {"labeled": "train.csv+a.npy"},
        "a.npy, row 7: number 1 of the vector is missing",
    ),
    "an infinite number in an embedding": (
        matrix("a.npy", numbers(N, _6=np.inf)),
        {"labeled": "train.csv+a.npy"},
        "train.csv+a.npy, column embedding_0, row 7: inf is not finite",
    ),
    "embeddings of the labelled rows only": (
        matrix("a.npy", numbers(N)),
        {"labeled": "train.csv+a.npy"},
        "val.csv has no column 'embedding_0'; its columns are key, age, wage, city, outcome",
    ),
    "nothing but embeddings, where there should be labels": (
        matrix("a.npy", numbers(N)),
        {"labeled": "a.npy"},
        "a.npy has no column 'outcome'; its columns are embedding_0, embedding_1, embedding_2",
    ),
}
PEOPLE = "SELECT * FROM people"
SQL = {
    "text called .db": (
        raw("a.db", "x" * 2000),
        {"pool": "a.db#SELECT 1 ORDER BY 1"},
        "a.db#SELECT 1 ORDER BY 1 is no database of SQLite's or DuckDB's",
    ),
    "a database without a query": (
        database("a.db"),
        {"pool": "a.db"},
        "a.db is a database: add a query, #SELECT ... FROM ... ORDER BY ...; its tables are people",
    ),
    "rows in no order": (
        database("a.db"),
        {"pool": f"a.db#{PEOPLE}"},
        f"a.db#{PEOPLE}: its rows are in no order: end it with ORDER BY, or set id, a column of it",
    ),
    "an order within the query alone": (
        database("a.db"),
        {"pool": "a.db#SELECT * FROM (SELECT * FROM people ORDER BY key)"},
        "a.db#SELECT * FROM (SELECT * FROM people ORDER BY key): its rows are in no order: end it with ORDER BY, or set id, a column of it",
    ),
    "a table that is not there": (
        database("a.db"),
        {"pool": "a.db#SELECT * FROM persons ORDER BY key"},
        "a.db#SELECT * FROM persons ORDER BY key: no such table: persons",
    ),
    "a query that deletes": (
        database("a.db"),
        {"pool": "a.db#DELETE FROM people"},
        "a.db#DELETE FROM people: a query begins with SELECT or WITH",
    ),
    "a query that deletes by and by": (
        database("a.db"),
        {"pool": "a.db#WITH x AS (SELECT 1) DELETE FROM people ORDER BY key"},
        "a.db#WITH x AS (SELECT 1) DELETE FROM people ORDER BY key: ...",
    ),
    "two queries": (
        database("a.db"),
        {"pool": "a.db#SELECT * FROM people; DROP TABLE people -- ORDER BY key"},
        "a.db#SELECT * FROM people; DROP TABLE people -- ORDER BY key: its rows are in no order: end it with ORDER BY, or set id, a column of it",
    ),
    "a query of two lines": (
        both(database("a.db")),
        {"pool": "a.db#SELECT *\nFROM people ORDER BY key"},
        "a.db#'SELECT *\\nFROM people ORDER BY key': write it on one line",
    ),
}
