"""CSV files, strictly: a row too short or a file that ends within quotes is an error."""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import itertools
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO

import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables import table_file
from salutary.tables.messages import quoted, where
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile

UNNAMED = "(unnamed)"
# The first line with which a file tells Excel its separator.
SEPARATOR = re.compile(r'"?sep=(.)"?[\r\n]*')
# What Python says of quotes, in our words.
QUOTES = {
    "unexpected end of data": "a quote is opened that is never closed",
    "expected after": "text follows a closing quote, and a quote within quotes is written twice",
}
# Rows that are turned into columns at a time: few enough to be in the cache still.
PIECE_ROWS = 1024
# Of a field, in characters: Python's own limit, 131,072, is below what notes or pictures in text take up.
csv.field_size_limit(2**31 - 1)


class CsvFile(TableFile):
    """Comma-separated UTF-8 text with a header, or another ``separator``, or the one that the first line
    names, as in ``sep=;``; .gz is unpacked.

    Raises SalutaryError for a separator that cannot be one.
    """

    def __init__(
        self, path: Path, separator: str = ",", reading: Reading | None = None, name: str | None = None
    ):
        super().__init__(path, reading, name)
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n\0':
            raise SalutaryError(f"separator must be one character, such as ; and no quote, not {separator!r}")
        self.separator = separator

    @cached_property
    def _named_separator(self) -> str | None:
        """The one in a first line that is no row."""
        with self._opened("rt", encoding="utf-8-sig", errors="replace", newline="") as file:
            match = SEPARATOR.fullmatch(file.readline(len('"sep=;"\r\n')))
        return match[1] if match else None

    @cached_property
    def columns(self) -> list[str]:
        header = next(self._lines(), [])
        if not header:
            raise SalutaryError(f"{self.path} is empty")
        if len(header) == 1 and (marks := [mark for mark in (";", "\t", "|") if mark in header[0]]):
            mark = marks[0]
            advice = (
                "tabs? Name it .tsv"
                if mark == "\t"
                else f'{mark!r}? Set {self.reading.prefix}separator="{mark}"'
            )
            raise SalutaryError(
                f"{self.path} has the single column {quoted(header[0])}: is it separated by {advice}"
            )
        return named(header)

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        lines = self._lines()
        next(lines)
        picked = [self.columns.index(column) for column in columns]
        start = 0
        while values := self._block(lines, picked, start):
            yield pd.DataFrame(dict(zip(columns, values, strict=True)), dtype=object)
            start += len(values[0])

    def _block(self, lines: Iterator[list[str]], picked: list[int], start: int) -> list[list[str]]:
        """The picked columns of the next rows, the first of which is number ``start``; [] at the end."""
        block: list[list[str]] = [[] for _ in picked]
        end = start + table_file.BLOCK_ROWS
        while rows := list(itertools.islice(lines, min(PIECE_ROWS, end - start))):
            if set(map(len, rows)) != {len(self.columns)}:
                rows = [self._fitting(row, start + number) for number, row in enumerate(rows)]
            start += len(rows)
            by_column = list(zip(*rows, strict=True))
            for values, place in zip(block, picked, strict=True):
                values.extend(by_column[place])
        return block if block[0] else []

    def _fitting(self, row: list[str], number: int) -> list[str]:
        """The row without empty values beyond the last column, as spreadsheets write them.

        Raises SalutaryError, naming the row, if it has too few values or too many.
        """
        n = len(self.columns)
        if len(row) < n or any(row[n:]):
            raise SalutaryError(f"{where(self.path, row=number)}: it has {len(row)} values for {n} columns")
        return row[:n]

    def _lines(self) -> Iterator[list[str]]:
        """Lines that are not empty. Raises SalutaryError, naming the row, for what is no whole CSV file."""
        row = -1  # of the line that is being read: the header
        try:
            with self._opened("rt", encoding="utf-8-sig", newline="") as file:
                if self._named_separator:
                    next(file)
                separator = self._named_separator or self.separator
                # Strict, so that a file that ends inside quotes is an error.
                for values in csv.reader(_text(file), delimiter=separator, strict=True):
                    if values:
                        yield values
                        row += 1
        except csv.Error as error:
            place = where(self.path, row=row) if row >= 0 else f"{self.path}, header"
            said = next((text for key, text in QUOTES.items() if key in str(error)), error)
            raise SalutaryError(f"{place}: {said}") from None
        except UnicodeDecodeError:
            raise SalutaryError(f"{self.path} is {self._encoding()}") from None

    def _encoding(self) -> str:
        """What a file is that is not UTF-8, and its first line that is not."""
        with self._opened("rb") as file:
            first = file.readline()
            if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                return "UTF-16: save it as UTF-8"
            lines = enumerate(itertools.chain([first], file), start=1)
            return f"not UTF-8: see line {next(n for n, line in lines if not _is_utf8(line))}"

    @contextlib.contextmanager
    def _opened(self, *arguments: str, **settings: str) -> Iterator[IO]:
        opened: Callable[..., IO] = gzip.open if self.file.suffix.lower() == ".gz" else open
        try:
            with opened(self.file, *arguments, **settings) as file:
                yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SalutaryError(f"{self.path} is truncated or corrupt: {error}") from error
        except OSError as error:
            raise SalutaryError(f"{self.path} cannot be read: {error.strerror}") from error


def named(header: list[str]) -> list[str]:
    """The names of columns; those without one are told apart."""
    names = [name.strip() for name in header]
    numbers = itertools.count(2)
    first = names.index("") if "" in names else None
    return [
        name or (UNNAMED if place == first else f"{UNNAMED[:-1]} {next(numbers)})")
        for place, name in enumerate(names)
    ]


def _text(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        if "\0" in line:
            raise csv.Error("it holds a NUL, as UTF-16 and binary files do")
        yield line


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
