"""Sheets of Excel's workbooks, by openpyxl."""

from __future__ import annotations

import contextlib
import itertools
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pandas as pd

from salutary.errors import SalutaryError, needs
from salutary.tables import table_file
from salutary.tables.csv_file import named
from salutary.tables.messages import listed, one_line, quoted, where
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile
from salutary.tables.texts import as_text
from salutary.tables.typed import typed

if TYPE_CHECKING:
    from openpyxl.worksheet._read_only import ReadOnlyWorksheet

# With which files begin that are protected by a password, and those of Excel before 2007.
OLD = b"\xd0\xcf\x11\xe0"
# What openpyxl, zipfile and expat raise for a damaged file.
DAMAGED = (KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError, OSError, zlib.error,
           SyntaxError, NotImplementedError, RuntimeError, zipfile.BadZipFile)  # fmt: skip
# A formula whose value nobody has computed: of a text, the empty one is a value.
UNKNOWN = re.compile(rb'<c r="(\w+)"(?![^>]* t="str")[^>]*><f[^>]*(?:/>|>[^<]*</f>)(?:<v ?/>|<v></v>)?</c>')
MERGED = re.compile(rb'<mergeCell ref="(\w+:\w+)"')
CHUNK, OVERLAP = 2**20, 2**16
# A format that shows 501 as 00501: a code.
ZEROS = re.compile(r"0{2,}")


class Workbook(TableFile):
    """A sheet of an .xlsx or .xlsm file, the first one unless it is named; rows without a value are none.

    What cells hold counts, and not how they are shown, but for numbers shown with leading zeros, which are
    texts. Raises SalutaryError for a file that is damaged or protected, a sheet that is not there, merged
    cells, and formulas whose values are not in the file.
    """

    def __init__(
        self, path: Path, reading: Reading | None = None, name: str | None = None, sheet: str | None = None
    ):
        super().__init__(path, reading, name)
        try:
            import openpyxl  # noqa: F401
        except ImportError as error:
            raise needs("openpyxl", "excel") from error
        self._sheet = sheet
        with self._opened() as found:
            _check_cells(found._get_source(), f"{self.path}, sheet {quoted(found.title)}")

    @cached_property
    def columns(self) -> list[str]:
        header = next(self._rows(), None)
        if header is None:
            raise SalutaryError(f"{self.path} is empty")
        return named([as_text(value) for value in header])

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        rows, n = self._rows(), len(self.columns)
        next(rows)
        picked, start = [self.columns.index(column) for column in columns], 0
        while block := list(itertools.islice(rows, table_file.BLOCK_ROWS)):
            for number, row in enumerate(block):
                if len(row) > n:
                    place = where(self.path, row=start + number)
                    raise SalutaryError(f"{place}: it has {len(row)} values for {n} columns")
                row.extend([None] * (n - len(row)))
            values = list(zip(*block, strict=True))
            yield pd.DataFrame(
                {name: typed(values[place]) for name, place in zip(columns, picked, strict=True)}
            )
            start += len(block)

    def _rows(self) -> Iterator[list[Any]]:
        """The values of each row that has one, up to the last of them."""
        with self._opened() as sheet:
            for cells in sheet.rows:
                row = [_value(cell) for cell in cells]
                while row and row[-1] is None:
                    row.pop()
                if row:
                    yield row

    @contextlib.contextmanager
    def _opened(self) -> Iterator[ReadOnlyWorksheet]:
        import openpyxl

        with self._whole(), self.file.open("rb") as file, warnings.catch_warnings():
            if file.read(len(OLD)) == OLD:
                advice = "save it as .xlsx, and without one"
                raise SalutaryError(
                    f"{self.path} has a password, or is an .xls file by another name: {advice}"
                )
            file.seek(0)
            warnings.simplefilter("ignore")  # of what it does not read, such as pictures
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            try:
                sheet = self._found(book.worksheets)
                sheet.reset_dimensions()  # which some programs write wrong
                yield sheet
            finally:
                book.close()

    def _found(self, sheets: list[ReadOnlyWorksheet]) -> ReadOnlyWorksheet:
        for sheet in sheets:
            if self._sheet in (None, sheet.title):
                return sheet
        titles = listed([sheet.title for sheet in sheets], 20)
        raise SalutaryError(f"{self.path} has no sheet {quoted(self._sheet)}; its sheets are {titles}")

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except SalutaryError:
            raise
        except DAMAGED as error:
            raise SalutaryError(f"{self.path} is not a whole .xlsx file: {one_line(error)}") from error


def _value(cell: Any) -> Any:
    """What a cell holds, None for nothing."""
    value = cell.value
    if value == "":
        return None
    if type(value) is int and cell.number_format != "General" and ZEROS.fullmatch(cell.number_format):
        return str(value).zfill(len(cell.number_format))
    return value


def _check_cells(source: IO[bytes], place: str) -> None:
    """Raises SalutaryError for merged cells, or a formula without a value."""
    with source:
        before = b""
        while chunk := source.read(CHUNK):
            text = before + chunk
            if match := MERGED.search(text):
                raise SalutaryError(
                    f"{place}: cells {match[1].decode()} are merged: each row needs its own value"
                )
            if match := UNKNOWN.search(text):
                advice = "open it in a spreadsheet program and save it there"
                raise SalutaryError(f"{place}: the formula in {match[1].decode()} has no value: {advice}")
            before = text[-OVERLAP:]
