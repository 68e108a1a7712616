"""What queries find in databases: SQLite's by Python itself, DuckDB's by its package; both only read."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.messages import listed, one_line, where
from salutary.tables.reading import Reading
from salutary.tables.sql_text import (
    asks_for_time,
    has_nested_comment,
    has_order,
    new_each_time,
    with_definitions,
    without_end,
)
from salutary.tables.table_file import TableFile
from salutary.tables.typed import typed

if TYPE_CHECKING:
    import duckdb
    import pyarrow

SQLITE, DUCKDB = b"SQLite format 3\0", b"DUCK"
# All that a query may do in SQLite.
ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    33,  # SQLITE_RECURSIVE, which Python has no name of
}
# Functions of SQLite that say something else each time, and those that may take the time from the clock.
VOLATILE = {"random", "randomblob", "changes", "total_changes", "last_insert_rowid"}
CLOCK = {"current_date", "current_time", "current_timestamp"}
TIMES = {"date", "time", "datetime", "julianday", "strftime", "timediff", "unixepoch"}
# In DuckDB: no other file, no extension, and one order of the rows each time.
CLOSED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
}
# What is named and defined in DuckDB: views and macros.
DEFINITIONS = """
    SELECT view_name, sql FROM duckdb_views() WHERE NOT internal
    UNION ALL SELECT function_name, macro_definition FROM duckdb_functions()
    WHERE NOT internal AND macro_definition IS NOT NULL
"""
# Rows that tell which columns hold bytes.
SOME_ROWS = 1000
BYTES = "it holds bytes, not numbers or text"


def is_duckdb(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(12)[8:] == DUCKDB


def checked_query(file: Path, query: str | None, name: str) -> str:
    """Raises SalutaryError unless it is a query whose rows are in an order that it says."""
    with file.open("rb") as opened:
        if not opened.read(len(SQLITE)).startswith(SQLITE) and not is_duckdb(file):
            raise SalutaryError(f"{name} is no database of SQLite's or DuckDB's")
    query = without_end(query or "")
    if not query:
        tables = f"; its tables are {listed(found, 20)}" if (found := _tables(file)) else ""
        raise SalutaryError(f"{name} is a database: add a query, #SELECT ... FROM ... ORDER BY ...{tables}")
    if not re.match(r"(select|with|from)\b", query, re.IGNORECASE):
        raise SalutaryError(f"{name}: a query begins with SELECT or WITH")
    if has_nested_comment(query):
        raise SalutaryError(f"{name}: a comment is within a comment")
    if not has_order(query):
        raise SalutaryError(
            f"{name}: its rows are in no order: end it with ORDER BY, or set id, a column of it"
        )
    return query


def _twice(word: str) -> str:
    """Of a query that would find other rows each time."""
    return f"{word.lower()} gives something else each time, and a query is run more than once"


class SqliteQuery(TableFile):
    """What a query finds in an SQLite file, which is opened for reading alone.

    SQLite has neither truth values nor times: 1 is a number, and 2024-01-31 a text. Columns of bytes are
    unusable. Raises SalutaryError for a file that is damaged, and for a query that is wrong or does more
    than read.
    """

    def __init__(self, path: Path, query: str, reading: Reading | None = None, name: str | None = None):
        super().__init__(path, reading, name)
        self._query = query
        with self._found() as cursor:
            rows = cursor.fetchmany(SOME_ROWS)
        for column, values in zip(self.columns, zip(*rows, strict=True), strict=False):
            if any(isinstance(value, bytes) for value in values):
                self.unusable[column] = BYTES

    @cached_property
    def columns(self) -> list[str]:
        with self._found() as cursor:
            return [each[0] for each in cursor.description]

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        picked, start = {column: self.columns.index(column) for column in columns}, 0
        with self._found() as cursor:
            while rows := cursor.fetchmany(table_file.BLOCK_ROWS):
                values = list(zip(*rows, strict=True))
                found = {column: values[place] for column, place in picked.items()}
                self._check_bytes(found, start)
                yield pd.DataFrame({column: typed(each) for column, each in found.items()})
                start += len(rows)

    def _check_bytes(self, found: dict[str, tuple], start: int) -> None:
        """In the rows beyond those that told what is unusable."""
        for column, values in found.items():
            for row, value in enumerate(values, start):
                if isinstance(value, bytes):
                    raise SalutaryError(f"{where(self.path, column, row)}: {BYTES}")

    @contextlib.contextmanager
    def _found(self) -> Iterator[sqlite3.Cursor]:
        guard = _Guard()
        try:
            with contextlib.closing(_connection(self.file)) as connection:
                guard.watch(connection, self._query)
                yield connection.execute(self._query)
        except (sqlite3.Error, sqlite3.Warning) as error:
            if guard.refused:
                raise SalutaryError(f"{self.path}: {_twice(guard.refused)}") from None
            raise SalutaryError(f"{self.path}: {one_line(error)}") from error


class _Guard:
    """Lets a query of SQLite read, and call functions that say the same each time; ``refused``: another."""

    def __init__(self) -> None:
        self.refused = ""
        self._denied = VOLATILE | CLOCK

    def watch(self, connection: sqlite3.Connection, query: str) -> None:
        views = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'").fetchall()
        if asks_for_time(with_definitions(query, views)):
            self._denied = self._denied | TIMES
        connection.set_authorizer(self._answer)

    def _answer(self, action: int, _: str | None, function: str | None, *__: str | None) -> int:
        if action == sqlite3.SQLITE_FUNCTION and (function or "").lower() in self._denied:
            self.refused = function or ""
            return sqlite3.SQLITE_DENY
        return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY


def _connection(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)


def _tables(file: Path) -> list[str]:
    if is_duckdb(file):
        return []
    try:
        with contextlib.closing(_connection(file)) as connection:
            found = connection.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
            return sorted(name for (name,) in found)
    except sqlite3.Error:
        return []


class DuckQuery:
    """What a query finds in a DuckDB file: ``schema``, ``n_rows``, and batches of Arrow.

    Raises SalutaryError for a query that does more than read.
    """

    def __init__(self, file: Path, query: str, name: str):
        try:
            import duckdb
        except ImportError as error:
            raise needs("duckdb", "sql") from error
        self._file, self._query, self._name = file, query, name
        with self._connected() as connection:
            statements = connection.extract_statements(query)
            if [each.type for each in statements] != [duckdb.StatementType.SELECT]:
                raise SalutaryError(f"{name}: a query has to be a single one that only reads")
            self._check_same_each_time(connection)
            self.schema = self._schema(connection)
            counted = connection.execute(f"SELECT count(*) FROM (\n{query}\n)").fetchone()
            self.n_rows = int(counted[0]) if counted else 0

    def _check_same_each_time(self, connection: duckdb.DuckDBPyConnection) -> None:
        named = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
        ).fetchall()
        text = with_definitions(self._query, connection.execute(DEFINITIONS).fetchall())
        if word := new_each_time(text, {name for (name,) in named}):
            raise SalutaryError(f"{self._name}: {_twice(word)}")

    def _schema(self, connection: duckdb.DuckDBPyConnection) -> pyarrow.Schema:
        """Names as they are found, two of which may be the same: a query within another has them differ."""
        import pyarrow

        found = connection.sql(f"SELECT * FROM (\n{self._query}\n) LIMIT 0").to_arrow_table().schema
        names = connection.sql(self._query).columns
        return pyarrow.schema([each.with_name(name) for each, name in zip(found, names, strict=True)])

    def batches(self, n: int) -> Iterator[pyarrow.RecordBatch]:
        with self._connected() as connection:
            for batch in connection.sql(self._query).to_arrow_reader(n):
                for start in range(0, batch.num_rows, n):
                    yield batch.slice(start, n)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        try:
            with duckdb.connect(str(self._file), read_only=True, config=CLOSED) as connection:
                with contextlib.suppress(duckdb.Error):  # of one without time zones
                    connection.execute("SET TimeZone = 'UTC'")
                yield connection
        except duckdb.Error as error:
            raise SalutaryError(f"{self._name}: {one_line(error)}") from error
