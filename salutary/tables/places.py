"""What a setting names: a file here or elsewhere, a part of it, and matrices that stand beside its rows.

    people.csv                                        a file, or a folder of Parquet files
    people.xlsx#May                                   a sheet of a workbook; without one, the first
    people.db#SELECT age, city FROM people ORDER BY id    what a query finds in a database
    people.csv+people.npy                             embeddings of the rows of people.csv, in its order
    people.csv+people.safetensors#text                a tensor of several
    s3://bucket/people.parquet                        a file elsewhere (:mod:`salutary.system.remote`)

A file whose name is the whole text is that file. In a URL a ``+`` before a matrix's name is written %2B where
it is none of these.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from salutary.errors import SalutaryError
from salutary.system.files import as_path, files_in
from salutary.system.remote import fetched, noted
from salutary.system.urls import is_remote, public, without_protocol
from salutary.tables.parquet_folder import PARQUET
from salutary.tables.sql_text import has_order, without_end

WORKBOOKS = (".xlsx", ".xlsm")
DATABASES = (".db", ".sqlite", ".sqlite3", ".duckdb")
MATRICES = (".npy", ".safetensors")
HAVE_PARTS = (*WORKBOOKS, *DATABASES, ".safetensors")
_ENDINGS = "|".join(re.escape(each[1:]) for each in HAVE_PARTS)
_PART = re.compile(rf"(?P<file>.*?\.(?:{_ENDINGS}))#(?P<part>.*)", re.IGNORECASE | re.DOTALL)
_BESIDE = re.compile(
    r"(?P<rest>.+)\+(?P<last>[^+]+?\.(?:npy|safetensors(?:#[^+]*)?))", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True)
class Place:
    """``text``: as messages name it; ``file``: its path or URL; ``part``: of it; ``beside``: matrices."""

    text: str
    file: str
    part: str | None = None
    beside: tuple[Place, ...] = ()

    @classmethod
    def of(cls, name: str | Path) -> Place:
        """Raises SalutaryError for a query that is longer than a line."""
        text = str(name) if is_remote(str(name)) else os.path.expanduser(without_protocol(str(name)))
        if os.path.lexists(text):
            return cls(text, text)
        if match := _BESIDE.fullmatch(text):
            rest, last = cls.of(match["rest"]), cls.of(match["last"])
            return cls(text, rest.file, rest.part, (*rest.beside, last))
        if match := _PART.fullmatch(text):
            if not match["part"].isprintable():
                raise SalutaryError(f"{public(match['file'])}#{match['part']!r}: write it on one line")
            return cls(text, match["file"], match["part"])
        return cls(text, text)

    @property
    def is_remote(self) -> bool:
        return is_remote(self.file)

    @property
    def form(self) -> str:
        """The suffix that says what the file is, of .csv.gz the first: ``.csv``."""
        name = self.file.partition("?")[0] if self.is_remote else self.file
        suffixes = [suffix.lower() for suffix in Path(name).suffixes if suffix.lower() != ".gz"]
        return suffixes[-1] if suffixes else ""

    @property
    def path(self) -> Path:
        """Of the file here; what is elsewhere is copied. Raises SalutaryError for what cannot be."""
        return fetched(self.file) if self.is_remote else as_path(self.file)

    @property
    def is_parquet_elsewhere(self) -> bool:
        """Whether it is a Parquet file or folder elsewhere, by its name, with nothing beside its rows."""
        is_folder = self.file.endswith("/") or not self.form
        return (
            self.is_remote and not self.beside and self.part is None and (is_folder or self.form in PARQUET)
        )

    @property
    def all(self) -> tuple[Place, ...]:
        """The place itself, and those beside it."""
        return (self, *self.beside)

    @property
    def shown(self) -> str:
        """What messages call the table, without what is beside it, and without what is secret in a URL."""
        return public(self.file) if self.part is None else f"{public(self.file)}#{self.part}"

    @property
    def public(self) -> str:
        """The whole text without what is secret in its URLs."""
        return "+".join(each.shown for each in self.all)


def files_of(name: str | Path, copied: bool = True) -> list[Path]:
    """All files that are read, those of a folder one by one, and what a database has yet to take in.

    ``copied``: see :func:`salutary.tables.files.open_table`; of Parquet elsewhere a file here that changes
    when that does.
    """
    if not copied and Place.of(name).is_parquet_elsewhere:
        return [noted(Place.of(name).file)]
    return [file for each in Place.of(name).all for file in (*files_in(each.path), *_logs(each))]


def _logs(place: Place) -> list[Path]:
    """What was written to a database of SQLite or DuckDB, and is not in its file yet."""
    if place.form not in DATABASES:
        return []
    path, real = place.path, place.path.resolve()
    logs = (real.with_name(f"{real.name}-wal"), path.with_name(f"{path.name}.wal"))
    return [log for log in logs if log.is_file() and log.stat().st_size]


def local_paths(name: str | Path) -> list[Path]:
    """The files and folders here that are named."""
    return [each.path.resolve() for each in Place.of(name).all if not each.is_remote]


def identity(name: str | Path) -> str:
    """The same for two names of the same rows."""
    place = Place.of(name)
    file = place.file if place.is_remote else str(place.path.resolve())
    return file if place.part is None else f"{file}#{place.part}"


def with_sheet(name: str, sheet: str | None) -> str:
    """The name, with a sheet to read of a workbook unless it says one."""
    place = Place.of(name)
    if sheet is None or place.part is not None or place.form not in WORKBOOKS:
        return name
    return "+".join([f"{place.file}#{sheet}", *(each.text for each in place.beside)])


def ordered_by(name: str, column: str | None) -> str:
    """The name, with what a query finds in the order of a column unless it says one."""
    place = Place.of(name)
    if column is None or place.part is None or place.form not in DATABASES or has_order(place.part):
        return name
    query, quoted = without_end(place.part), column.replace('"', '""')
    if not query:
        return name
    query = f'{place.file}#SELECT * FROM ({query}) ORDER BY "{quoted}"'
    return "+".join([query, *(each.text for each in place.beside)])
