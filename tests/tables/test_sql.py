"""Queries: what orders them, what ends them, and what is refused because it would differ the next time."""

import contextlib
import re
import sqlite3

import pytest

from salutary.errors import SalutaryError
from salutary.system.files import checksum
from salutary.tables import sql
from salutary.tables.files import open_table
from salutary.tables.places import files_of, ordered_by
from salutary.tables.sql_text import has_order, without_end

ROWS = [(3, "c"), (1, "a"), (2, "b")]
FORMS = ["sqlite", "duckdb"]
TWICE = "gives something else each time, and a query is run more than once"


def database(folder, form, *statements, rows=ROWS):
    """A file with the table people, of a key and a name."""
    path = folder / f"a.{form}"
    if form == "duckdb":
        connection = pytest.importorskip("duckdb").connect(str(path))
    else:
        connection = sqlite3.connect(path)
    with contextlib.closing(connection):
        connection.execute("CREATE TABLE people (key INTEGER, name TEXT)")
        connection.executemany("INSERT INTO people VALUES (?, ?)", rows)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return path


def found(path, query, column=None):
    return open_table(ordered_by(f"{path}#{query}", column)).read().to_numpy().tolist()


def refused(path, query, column=None):
    name = ordered_by(f"{path}#{query}", column)
    with pytest.raises(SalutaryError) as caught:
        open_table(name).read()
    return str(caught.value).removeprefix(f"{name}: ").removeprefix(f"{name} ")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT * FROM t ORDER BY a", True),
        ("select * from t order   by a limit 3", True),
        ("SELECT * FROM (SELECT * FROM t ORDER BY a)", False),
        ("SELECT row_number() OVER (ORDER BY (a)) FROM t", False),
        ("SELECT ' ORDER BY ' FROM t", False),
        ('SELECT "order by" FROM t -- ORDER BY a', False),
        ("SELECT recorder, bye FROM t", False),
        ("SELECT $$ order by $$ FROM t", False),
        ("SELECT $a$ $$ order by $b$ $a$ FROM t", False),
        ("SELECT $a$ ' $a$ FROM t ORDER BY a", True),
        (r"SELECT e'\' order by ' FROM t", False),
        ("SELECT [order by] FROM t", False),
        ("SELECT ['[', '''', ']'] FROM t ORDER BY a", True),
        ("SELECT 1 /* ORDER BY a", False),
    ],
)
def test_orders_of_queries(query, expected):
    assert has_order(query) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", "SELECT 1"),
        (" SELECT 1 ; -- all of them", "SELECT 1"),
        ("/* a */ -- b\nSELECT 1 /* c */; /* d", "SELECT 1"),
        ("SELECT '-- a;' -- b", "SELECT '-- a;'"),
        ("SELECT 1 -- a\n, 2", "SELECT 1 -- a\n, 2"),
        (" ; -- nothing", ""),
    ],
)
def test_ends_of_queries(query, expected):
    assert without_end(query) == expected


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("query", "column"),
    [
        ("SELECT * FROM people ORDER BY key -- hi", None),
        ("SELECT * FROM people ORDER BY key; -- hi", None),
        ("/* c */ SELECT * FROM people ORDER BY key /* d */", None),
        ("SELECT * FROM people -- all of them", "key"),
        ("/* c */ SELECT * /* d */ FROM people; -- all; of them", "key"),
    ],
)
def test_comments(query, column, form, tmp_path):
    assert found(database(tmp_path, form), query, column) == sorted(map(list, ROWS))


@pytest.mark.parametrize("form", FORMS)
def test_comments_of_several_lines(form, tmp_path):
    path = database(tmp_path, form)
    query = "-- c\nSELECT * FROM people -- d\nORDER BY key -- e"
    assert sql.checked_query(path, query, "a") == "SELECT * FROM people -- d\nORDER BY key"
    with pytest.raises(SalutaryError, match=r"^a: a comment is within a comment$"):
        sql.checked_query(path, "SELECT 1 /* /* */ ORDER BY 1 */", "a")


@pytest.mark.parametrize("query", [" ", ";", "-- all"])
@pytest.mark.parametrize("column", [None, "key"])
@pytest.mark.parametrize("form", FORMS)
def test_no_query(query, column, form, tmp_path):
    tables = "" if form == "duckdb" else "; its tables are people"
    line = f"is a database: add a query, #SELECT ... FROM ... ORDER BY ...{tables}"
    assert refused(database(tmp_path, form), query, column) == line


VIEW = "CREATE VIEW mixed AS SELECT *, random() AS r FROM people"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT * FROM people ORDER BY random()", "random"),
        ('SELECT * FROM people ORDER BY "RANDOM" /* x */ ()', "random"),
        ("SELECT key, current_timestamp FROM people ORDER BY key", "current_timestamp"),
        ("SELECT name, CURRENT_DATE AS d FROM people ORDER BY key", "current_date"),
        ("SELECT key FROM mixed ORDER BY r", "random"),
        ("WITH a AS (SELECT key, random() AS r FROM people) SELECT key FROM a ORDER BY r", "random"),
    ],
)
def test_what_is_new_each_time(query, word, form, tmp_path):
    assert refused(database(tmp_path, form, VIEW), query) == f"{word} {TWICE}"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT randomblob(4) AS r FROM people ORDER BY key", "randomblob"),
        ("SELECT total_changes() AS r FROM people ORDER BY key", "total_changes"),
        ("SELECT julianday('NOW') - key AS r FROM people ORDER BY key", "julianday"),
        ("SELECT datetime( /* x */ ) AS r FROM people ORDER BY key", "datetime"),
        ("SELECT strftime('%s, (%Y)' ) AS r FROM people ORDER BY key", "strftime"),
        ("SELECT unixepoch('subsec') AS r FROM people ORDER BY key", "unixepoch"),
        ("SELECT d FROM dated ORDER BY key", "date"),
    ],
)
def test_what_is_new_each_time_in_sqlite(query, word, tmp_path):
    path = database(tmp_path, "sqlite", "CREATE VIEW dated AS SELECT key, date('now') AS d FROM people")
    assert refused(path, query) == f"{word} {TWICE}"


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("SELECT uuid() AS r FROM people ORDER BY key", "uuid"),
        ("SELECT now() AS r FROM people ORDER BY key", "now"),
        ("SELECT [random()] AS r FROM people ORDER BY key", "random"),
        ("SELECT nextval('s') AS r FROM people ORDER BY key", "nextval"),
        ("SELECT * FROM people TABLESAMPLE 2 ROWS ORDER BY key", "tablesample"),
        ("SELECT * FROM (FROM people USING  SAMPLE 2) ORDER BY key", "using sample"),
        ("SELECT outer_one(key) AS r FROM people ORDER BY r", "random"),
    ],
)
def test_what_is_new_each_time_in_duckdb(query, word, tmp_path):
    macros = ("CREATE MACRO inner_one(a) AS a + random()", "CREATE MACRO outer_one(a) AS inner_one(a)")
    path = database(tmp_path, "duckdb", "CREATE SEQUENCE s", *macros)
    assert re.sub(" +", " ", refused(path, query)) == f"{word} {TWICE}"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "query",
    [
        "SELECT key AS random, 'random()' AS \"now()\" FROM people ORDER BY random -- uuid()",
        "SELECT strftime({time}) AS y, 'x' AS current_date_ FROM people ORDER BY key",
    ],
)
def test_what_is_the_same_each_time(query, form, tmp_path):
    time = "DATE '2024-01-31', '%Y'" if form == "duckdb" else "'%Y', '2024-01-31'"
    assert len(found(database(tmp_path, form, VIEW), query.format(time=time))) == 3


@pytest.mark.parametrize("form", FORMS)
def test_two_columns_of_one_name(form, tmp_path):
    path = database(tmp_path, form)
    query = "SELECT a.key AS id, * FROM people a JOIN people b ON a.key = b.key ORDER BY a.key"
    table = open_table(f"{path}#{query}")
    assert table.columns == ["id", "key", "name", "key", "name"]
    assert table.read(["id"])["id"].tolist() == [1, 2, 3]
    columns = "id, key, name, key, name"
    assert refused(path, query) == f"has more than one column 'key'; its columns are {columns}"


def test_what_is_in_the_log_of_sqlite_is_read_and_counts(tmp_path):
    path = database(tmp_path, "sqlite")
    name = f"{path}#SELECT * FROM people ORDER BY key"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        assert files_of(name) == [path]
        states = []
        for key in (4, 5):
            connection.execute("INSERT INTO people VALUES (?, 'd')", (key,))
            connection.commit()
            states.append([checksum(each) for each in files_of(name)])
            assert open_table(name).read()["key"].tolist()[-1] == key
            assert [checksum(each) for each in files_of(name)] == states[-1]
    (main, first), (same, second) = states
    assert main == same and first != second
    assert files_of(name) == [path]


def test_what_is_in_the_log_of_duckdb_counts(tmp_path):
    path = tmp_path / "a.duckdb"
    path.write_bytes(b"x")
    log = tmp_path / "a.duckdb.wal"
    log.write_bytes(b"y")
    assert files_of(f"{path}#SELECT 1 ORDER BY 1") == [path, log]
    assert files_of(tmp_path / "a.csv") == [tmp_path / "a.csv"]


def test_bytes_among_texts(tmp_path, monkeypatch):
    monkeypatch.setattr(sql, "SOME_ROWS", 3)
    monkeypatch.setattr("salutary.tables.table_file.BLOCK_ROWS", 2)
    early = database(tmp_path, "sqlite", rows=[(1, "abc"), (2, b"\1\2"), (3, "d"), (4, "e")])
    query = "SELECT * FROM people ORDER BY key"
    assert refused(early, query).endswith(", column name: it holds bytes, not numbers or text")
    assert open_table(f"{early}#{query}").read(["key"])["key"].tolist() == [1, 2, 3, 4]
    late = database(tmp_path, "db", rows=[(1, "abc"), (2, "d"), (3, "e"), (4, b"\1\2")])
    assert refused(late, query).endswith(", column name, row 4: it holds bytes, not numbers or text")
    assert open_table(f"{late}#{query}").read(["key"])["key"].tolist() == [1, 2, 3, 4]
