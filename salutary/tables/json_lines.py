"""One JSON object a line, as .jsonl and .ndjson files have them."""

from __future__ import annotations

import gzip
import itertools
import json
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.tables import table_file
from salutary.tables.messages import one_line, quoted, where
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile
from salutary.tables.typed import typed
from salutary.tables.vectors import Vectors, checked, rows_of_block


@dataclass
class _Column:
    """What was met in a column: ``why`` it is unusable, if it is; ``width``: of vectors, 0 for none."""

    name: str
    why: str = ""
    width: int = 0
    is_real: bool = False
    others: bool = field(default=False)

    def add(self, value: object, line: int) -> None:
        if isinstance(value, dict):
            self.why = self.why or f"line {line} holds an object, not a number or text"
        elif isinstance(value, list):
            self._add_list(value, line)
        elif value is not None:
            self.others = True

    def _add_list(self, value: list, line: int) -> None:
        kinds = {type(each) for each in value}
        if not kinds <= {int, float, type(None)} or not value:
            self.why = self.why or f"line {line} holds a list, not numbers or text"
        elif self.width not in (0, len(value)):
            numbers = f"line {line} holds a list of {len(value)} numbers, others have {self.width}"
            self.why = self.why or numbers
        self.width = self.width or len(value)
        self.is_real = self.is_real or float in kinds

    def unusable(self) -> str:
        if self.width and not self.why and (self.others or not self.is_real):
            return (
                "it holds lists of whole numbers" if not self.others else "only some of its lines are lists"
            )
        return self.why


class JsonLines(TableFile):
    """Rows in JSON, a line each; .gz is unpacked. A key that a line lacks, null and NaN are no value.

    Lists of real numbers, all of one length, are vectors (:mod:`salutary.tables.vectors`); other lists, and
    objects, are unusable. It is read once to begin with, since a key may come late. Raises SalutaryError,
    naming the line, for what is no object, names a key twice or ends half-way.
    """

    n_rows: int

    def __init__(self, path: Path, reading: Reading | None = None, name: str | None = None):
        super().__init__(path, reading, name)
        met: dict[str, _Column] = {}
        self.n_rows = 0
        for line, row in self._rows():
            self.n_rows += 1
            for key, value in row.items():
                column = met.get(key) or met.setdefault(key, _Column(key))
                if value.__class__ not in (str, float, int, bool) or column.width:
                    column.add(value, line)
                else:
                    column.others = True
        if self.n_rows and not met:
            raise SalutaryError(f"{self.path} has no columns: its objects are empty")
        self.unusable = {key: why for key, column in met.items() if (why := column.unusable())}
        self.vectors = Vectors(
            {key: each.width for key, each in met.items() if each.width and key not in self.unusable}
        )
        self._columns = self.vectors.expanded(met)

    @property
    def columns(self) -> list[str]:
        return self._columns

    def frames(self, columns: list[str]) -> Iterator[pd.DataFrame]:
        needed, rows, start = self.vectors.needed(columns), self._rows(), 0
        size = rows_of_block(len(columns) if self.vectors else 1, table_file.BLOCK_ROWS)
        while block := [row for _, row in itertools.islice(rows, size)]:
            found = {key: self._values(key, [row.get(key) for row in block], start) for key in needed}
            yield self.vectors.frame(columns, found)
            start += len(block)

    def _values(self, key: str, values: list, start: int) -> pd.Series | np.ndarray:
        if key not in self.vectors.columns:
            return typed(values)
        nothing = [None] * len(self.vectors.columns[key])
        lists = [nothing if value is None else value for value in values]
        try:
            matrix = np.array(lists, np.float64)
        except OverflowError:
            row = next(row for row, each in enumerate(lists) if any(map(_is_beyond, each)))
            problem = "a number of the vector is larger than 1e308"
            raise SalutaryError(f"{where(self.path, key, start + row)}: {problem}") from None
        return checked(matrix, self.path, key, start)

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The number of each line that is not empty, from 1, and its object."""
        try:
            opened = gzip.open if self.file.suffix.lower() == ".gz" else open
            with opened(self.file, "rt", encoding="utf-8-sig", newline="\n") as file:
                for number, line in enumerate(file, start=1):
                    if line.strip():
                        yield number, self._object(line, number)
        except UnicodeDecodeError:
            raise SalutaryError(f"{self.path} is not UTF-8") from None
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SalutaryError(f"{self.path} is truncated or corrupt: {error}") from error
        except OSError as error:
            raise SalutaryError(f"{self.path} cannot be read: {error.strerror}") from error

    def _object(self, line: str, number: int) -> dict[str, Any]:
        try:
            found = _DECODER.decode(line)
            if "\\u" in line:
                json.dumps(found, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise SalutaryError(f"{self.path}, line {number}: it holds a text that is no Unicode") from None
        except (ValueError, RecursionError) as error:
            raise SalutaryError(f"{self.path}, line {number}: {_said(error, line)}") from None
        if not isinstance(found, dict):
            whole = ", or a file that is one JSON array: write an object a line" if number == 1 else ""
            raise SalutaryError(f"{self.path}, line {number}: it is no JSON object{whole}")
        return found


def _is_beyond(number: int | float | None) -> bool:
    return isinstance(number, int) and abs(number) > sys.float_info.max


def _said(error: Exception, line: str) -> str:
    if isinstance(error, json.JSONDecodeError):
        cut = not line.endswith("\n") and error.pos >= len(line.rstrip()) - 1
        return f"it is no whole JSON object: {error.msg}{', it ends there' if cut else ''}"
    return one_line(error)


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {quoted(next(key for key in keys if keys.count(key) > 1))} is there twice")
    return found


def _constant(name: str) -> float | None:
    return None if name == "NaN" else float(name)


_DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant)
