"""What queries find in databases: SQLite's by Python itself, DuckDB's by its package; both only read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.messages import listed, one_line
from salutary.tables.places import has_order, without_end
from salutary.tables.reading import Reading
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
# In DuckDB: no other file, no extension, and one order of the rows each time.
CLOSED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
}
# Rows that tell which columns hold bytes.
SOME_ROWS = 1000


def is_duckdb(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(12)[8:] == DUCKDB


def checked_query(file: Path, query: str | None, name: str) -> str:
    """Raises SalutaryError unless it is a query whose rows are in an order that it says."""
    with file.open("rb") as opened:
        if not opened.read(len(SQLITE)).startswith(SQLITE) and not is_duckdb(file):
            raise SalutaryError(f"{name} is no database of SQLite's or DuckDB's")
    if not query:
        tables = f"; its tables are {listed(found, 20)}" if (found := _tables(file)) else ""
        raise SalutaryError(f"{name} is a database: add a query, #SELECT ... FROM ... ORDER BY ...{tables}")
    if query.split()[0].upper() not in ("SELECT", "WITH", "FROM"):
        raise SalutaryError(f"{name}: a query begins with SELECT or WITH")
    if not has_order(query):
        raise SalutaryError(
            f"{name}: its rows are in no order: end it with ORDER BY, or set id, a column of it"
        )
    return without_end(query)


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
            if {type(value) for value in values} - {type(None)} == {bytes}:
                self.unusable[column] = "it holds bytes, not numbers or text"

    @cached_property
    def columns(self) -> list[str]:
        with self._found() as cursor:
            return [each[0] for each in cursor.description]

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        picked = [self.columns.index(column) for column in columns]
        with self._found() as cursor:
            while rows := cursor.fetchmany(table_file.BLOCK_ROWS):
                values = list(zip(*rows, strict=True))
                named = zip(columns, picked, strict=True)
                yield pd.DataFrame({name: typed(values[place]) for name, place in named})

    @contextlib.contextmanager
    def _found(self) -> Iterator[sqlite3.Cursor]:
        try:
            with contextlib.closing(_connection(self.file)) as connection:
                yield connection.execute(self._query)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise SalutaryError(f"{self.path}: {one_line(error)}") from error


def _connection(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro", uri=True)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY
    )
    return connection


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
            self.schema = connection.sql(f"SELECT * FROM ({query}) LIMIT 0").to_arrow_table().schema
            counted = connection.execute(f"SELECT count(*) FROM ({query})").fetchone()
            self.n_rows = int(counted[0]) if counted else 0

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
