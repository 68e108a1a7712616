"""One table in files of every form, in any types that hold the same values; and what is the same of them."""

import contextlib
import csv
import gzip
import itertools
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import feather, parquet

MARKERS = ["NA", "None", "null", "-", "nan", "?"]
CITIES = ["Ulm", "Köln", "数据", "a b", "x,y; z", 'say "so"', "two\nlines", "1.50", "TRUE", "true", *MARKERS]
START = datetime(2024, 1, 31, 10, 30)


@dataclass(frozen=True)
class Kind:
    """``draw``: n values of a generator; ``texts``: ways to write one in a CSV file; ``arrow``: families of
    types that hold the values; ``numpy``: types of an archive's arrays. ``text`` stands for ``texts[0]``.
    ``gaps``: whether there may be some; ``json``: whether JSON has such values.
    """

    draw: Callable[[np.random.Generator, int], list]
    texts: tuple[Callable[[object], str], ...]
    arrow: tuple[tuple[object, ...], ...] = ((),)
    numpy: tuple[str, ...] = ()
    gaps: bool = True
    is_number: bool = False

    @property
    def json(self):
        return self.is_number or "?" in self.numpy


def some(values, least=()):
    """Of these values, at least a third of which are ``least``."""

    def draw(rng, n):
        found = [values[each] for each in rng.integers(len(values), size=n)]
        for row in range(0, n, 3) if len(least) else ():
            found[row] = least[rng.integers(len(least))]
        return found

    return draw


def reals(rng, n):
    drawn = rng.normal(0, 10.0 ** rng.integers(-3, 6), n).round(4) + 0.0  # -0.0 is another text than 0.0
    return [float(each) for each in drawn]


def singles(rng, n):
    return [np.float32(each) for each in rng.normal(0, 10, n).round(2) + 0.0]


def moneys(rng, n):
    return [Decimal(int(each)).scaleb(-2) for each in rng.integers(-(10**6), 10**6, n)]


def wholes(rng, n):
    return [int(each) for each in rng.integers(0, 100, n)]


def large(rng, n):
    return [2**53 + 2 * int(each) + 1 for each in rng.integers(0, 6, n)]


def numbers(rng, n):
    return list(range(7, 7 + n))


def keys(rng, n):
    return [1000 + int(each) for each in rng.permutation(n)]


def names(rng, n):
    return [f"k-{each}" for each in rng.permutation(n)]


def days(rng, n):
    return [date(2024, 1, 31) + timedelta(int(each)) for each in rng.integers(0, 40, n)]


def moments(rng, n):
    return [START + timedelta(seconds=int(each)) for each in rng.integers(0, 10**5, n)]


def zoned(rng, n):
    return [each.replace(tzinfo=UTC) for each in moments(rng, n)]


def decimals(value):
    return f"{value:.2f}"


def short(value):
    return repr(float(value))


REAL = (pa.float64(), pa.dictionary(pa.int32(), pa.float64()))
TEXT = ("text", pa.large_string(), pa.string_view(), pa.dictionary(pa.int16(), pa.string()))
WHOLE = (pa.int8(), pa.uint8(), pa.int16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64(), pa.float32(),
         pa.float64(), pa.decimal128(9, 0), pa.dictionary(pa.int8(), pa.int64()))  # fmt: skip
LARGE = (pa.int64(), pa.uint64(), pa.decimal128(25, 0), pa.decimal128(38, 2))
MONEY = (pa.float64(), pa.decimal128(9, 2), pa.decimal128(30, 4), pa.decimal256(50, 2))
TIMES = tuple(pa.timestamp(unit) for unit in ("s", "ms", "us", "ns"))
DAYS = (pa.date32(), pa.date64(), *TIMES)
UTC_TIMES = tuple(pa.timestamp(unit, "UTC") for unit in ("s", "us", "ns"))
TRUTH = tuple(lambda value, pair=pair: pair[value] for pair in (("False", "True"), ("FALSE", "TRUE"),
                                                                ("false", "true")))  # fmt: skip
KINDS = {
    "real": Kind(reals, (repr, "{:.4f}".format), (REAL, TEXT), ("f8", "U"), is_number=True),
    "single": Kind(singles, (str,), ((pa.float32(), pa.float64()), TEXT), ("f4", "f8", "U"), is_number=True),
    "money": Kind(moneys, (decimals, short), (MONEY, TEXT), ("f8", "U"), is_number=True),
    "whole": Kind(wholes, (str, "{}.0".format), (WHOLE, TEXT), ("i8", "u1", "f4", "f8", "U"), is_number=True),
    "large": Kind(large, (str,), (LARGE, TEXT), ("i8", "u8", "U"), is_number=True),
    "truth": Kind(some([True, False]), TRUTH, ((pa.bool_(),), TEXT), ("?", "U")),
    "code": Kind(some(["00501", "007", "10115"], ["00501", "007"]), (str,), (TEXT,), ("U",)),
    "city": Kind(some(CITIES, CITIES[:3]), (str,), (TEXT,), ("U",)),
    "day": Kind(days, (str, "{}T00:00:00".format), (DAYS, TEXT), ("M8[D]", "U")),
    "moment": Kind(moments, (str, datetime.isoformat), (TIMES, TEXT), ("M8[s]", "M8[ns]", "U")),
    "zoned": Kind(zoned, (str, datetime.isoformat), (UTC_TIMES, TEXT), ("U",)),
    "key": Kind(names, (str,), (TEXT,), ("U",), gaps=False),
    "user_id": Kind(keys, (str,), (WHOLE[3:], TEXT), ("i8", "f8", "U"), gaps=False),
    "line": Kind(numbers, (str,), (WHOLE[2:7], TEXT), ("i4", "f8", "U"), gaps=False),
    "same": Kind(some(["one"]), (str,), (TEXT,), ("U",), gaps=False),
    "same number": Kind(some([3]), (str, "{}.0".format), (WHOLE, TEXT), ("i8", "U"), False, True),
}  # fmt: skip
TARGETS = {
    "texts": Kind(some(["None", "Mild", "Severe"]), (str,), (TEXT,), ("U",)),
    "wholes": Kind(some([0, 1, 10]), (str, "{}.0".format), (WHOLE, TEXT), ("i8", "f8", "U"), is_number=True),
    "truth": Kind(some([True, False]), TRUTH, ((pa.bool_(),), TEXT), ("?", "U")),
}
NUMBERS = ("real", "single", "money", "whole", "large")


@dataclass
class Column:
    """``decimal``: how texts write its values, if those are numbers; ``gap``: none, in a CSV file."""

    name: str
    kind: Kind = field(repr=False)
    values: list = field(repr=False)
    decimal: str = "."
    gap: str = ""

    def rows(self, rows):
        return replace(self, values=self.values[rows])

    @property
    def has_gaps(self):
        return None in self.values

    def texts(self, way=0, gap=""):
        return [gap if value is None else self.text(value, way) for value in self.values]

    def text(self, value, way):
        text = self.kind.texts[way % len(self.kind.texts)](value)
        return text.replace(".", self.decimal) if self.kind.is_number else text


# Files --------------------------------------------------------------------------------------------
# A form writes columns to a path without a suffix, with choices of a generator, and returns the path.


def delimited(suffix):
    def write(columns, path, rng):
        path = path.with_suffix(suffix)
        texts = [column.texts(rng.integers(2), column.gap) for column in columns]
        opened = gzip.open if suffix.endswith(".gz") else open
        separator = "\t" if suffix == ".tsv" else separator_of(columns)
        with opened(path, "wt", newline="", encoding=rng.choice(["utf-8", "utf-8-sig"])) as file:
            writer = csv.writer(file, delimiter=separator, lineterminator=rng.choice(["\n", "\r\n"]))
            writer.writerow([column.name for column in columns])
            writer.writerows(zip(*texts, strict=True))
        return path

    return write


def separator_of(columns):
    return "," if columns[0].decimal == "." else ";"


def arrow_array(column, kind, way=0):
    """The column as an array of this type."""
    if not any(value is not None for value in column.values) and way:
        return pa.nulls(len(column.values))  # as pandas writes it
    if kind in TEXT or (pa.types.is_dictionary(kind) and kind.value_type == pa.string()):
        texts = pa.array([text or None for text in column.texts(way)], pa.string())
        return texts if kind == "text" else texts.cast(kind)
    values = [None if value is None else as_type(value, kind) for value in column.values]
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def as_type(value, kind):
    """What PyArrow makes this type of: of the digits of a number, not of more of a single one's."""
    if kind in TIMES and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if pa.types.is_decimal(kind):
        return Decimal(value)
    return float(str(value)) if kind in (*REAL, pa.float32()) else value


def arrow_table(columns, rng, ways=None):
    """A table of types drawn; in all parts of a file, of one family of them, and texts are written alike."""
    arrays = {}
    for column, (family, way) in zip(columns, ways or ways_of(columns, rng), strict=True):
        types = column.kind.arrow[family % len(column.kind.arrow)]
        arrays[column.name] = arrow_array(column, types[rng.integers(len(types))], way)
    return pa.table(arrays)


def ways_of(columns, rng):
    return [tuple(rng.integers(2, size=2)) for _ in columns]


def by_pyarrow(columns, path, rng):
    path = path.with_suffix(".parquet")
    parquet.write_table(arrow_table(columns, rng), path, row_group_size=int(rng.integers(1, 30)))
    return path


def plainly(columns, path, rng=None):
    """As Parquet, in the first type of each column: what the other files are compared with."""
    path = path.with_suffix(".parquet")
    parquet.write_table(pa.table({c.name: arrow_array(c, c.kind.arrow[0][0]) for c in columns}), path)
    return path


def by_pandas(columns, path, rng):
    path = path.with_suffix(rng.choice([".parquet", ".pq"]))
    pandas_frame(columns, rng).to_parquet(path, index=False)
    return path


def pandas_frame(columns, rng):
    table = arrow_table(columns, rng)
    values = {}
    for column in columns:
        array = table[column.name].combine_chunks()
        way = rng.choice(["arrow", "nullable", "category", "plain"])
        if pa.types.is_dictionary(array.type) or array.type == pa.string_view():
            way = "arrow"  # pandas converts neither, nor decimal numbers and dates
        if pa.types.is_decimal(array.type) or pa.types.is_temporal(array.type):
            way = "plain"
        series = pd.Series(pd.arrays.ArrowExtensionArray(array))
        if way == "nullable":
            series = series.convert_dtypes(dtype_backend="numpy_nullable")
        elif way == "category":
            series = series.convert_dtypes(dtype_backend="numpy_nullable").astype("category")
        elif way == "plain" and not (column.has_gaps and pa.types.is_integer(array.type)):
            series = array.to_pandas()
        values[column.name] = series
    return pd.DataFrame(values)


def as_feather(columns, path, rng):
    path = path.with_suffix(".feather")
    feather.write_feather(arrow_table(columns, rng), path, chunksize=int(rng.integers(1, 30)))
    return path


def as_npz(columns, path, rng):
    path = path.with_suffix(".npz")
    arrays = {}
    for column in columns:
        kinds = [kind for kind in column.kind.numpy if not (column.has_gaps and kind[0] in "iu?")]
        arrays[column.name] = numpy_array(column, kinds[rng.integers(len(kinds))], rng.integers(2))
    np.savez(path, **arrays)
    return path


def numpy_array(column, kind, way):
    if kind == "U":
        return np.array(column.texts(way), str)
    if kind[0] == "M":
        return np.array(["NaT" if value is None else value for value in column.values], kind)
    values = [np.nan if value is None else value for value in column.values]
    return np.array([float(str(value)) for value in values] if kind == "f8" else values, kind)


def as_spark_would(columns, path, rng):
    """A folder of parts, some below others: what is below city=Ulm has that value in its column city."""
    path.mkdir()
    *rest, by = columns
    ways = ways_of(rest, rng)
    start, folder = 0, 0
    for value, group in itertools.groupby(by.values):
        n = len(list(group))
        below = path / f"{quote(by.name)}={quote(str(value), safe=' ')}" / rng.choice(["", "deeper"])
        below.mkdir(parents=True)
        cut = start + int(rng.integers(n + 1))
        for number, rows in enumerate((slice(start, cut), slice(cut, cut), slice(cut, start + n))):
            part = [column.rows(rows) for column in rest]
            order = rng.permutation(len(part)) if start or number else range(len(part))
            table = arrow_table([part[each] for each in order], rng, [ways[each] for each in order])
            parquet.write_table(table, below / f"part-{folder:05}-{number}.snappy.parquet")
        (below / f"._part-{folder:05}").write_bytes(b"\0\5\26\7")
        (below / f".part-{folder:05}-0.snappy.parquet.crc").write_bytes(b"crc")
        start, folder = start + n, folder + 1
    (path / "_SUCCESS").touch()
    (path / "_temporary").mkdir()
    (path / "_temporary" / "x.parquet").write_bytes(b"half")
    return path


def as_stream(columns, path, rng):
    path, table = path.with_suffix(rng.choice([".arrow", ".arrows"])), arrow_table(columns, rng)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table, max_chunksize=int(rng.integers(1, 30)))
    return path


def python_values(column, as_values, way, gap=None):
    """Numbers, truth values and times of Python, or texts."""
    if not as_values:
        return [text or None for text in column.texts(way, gap or "")]
    return [gap if value is None else python_value(value) for value in column.values]


def python_value(value):
    return float(str(value)) if isinstance(value, (np.float32, Decimal)) else value


def as_workbook(columns, path, rng):
    """In the first of two sheets, or the second; with empty rows, and empty cells behind the last column.

    Excel has no time zones, and numbers of 15 digits.
    """
    import openpyxl

    path, book = path.with_suffix(".xlsx"), openpyxl.Workbook()
    sheet, other = book.active, book.create_sheet("another one")
    values = [
        python_values(
            column,
            column.kind not in (KINDS["zoned"], KINDS["large"]) and rng.random() < 0.5,
            rng.integers(2),
            column.gap,
        )
        for column in columns
    ]
    rows = [[column.name for column in columns], *zip(*values, strict=True)]
    at = rng.choice(["first", "second"])
    for number, row in enumerate(rows):
        (sheet if at == "first" else other).append([*row, *([""] if number % 5 else [])])
        if number == 2:
            (sheet if at == "first" else other).append([])
    book.save(path)
    return path if at == "first" else f"{path}#another one"


def as_json_lines(columns, path, rng):
    """Gaps are null, or are not there; text in the escapes of ASCII, or as it is."""
    path = path.with_suffix(rng.choice([".jsonl", ".ndjson", ".jsonl.gz"]))
    opened = gzip.open if path.suffix == ".gz" else open
    values = [
        python_values(column, column.kind.json and rng.random() < 0.5, rng.integers(2)) for column in columns
    ]
    names, is_ascii = [column.name for column in columns], bool(rng.integers(2))
    with opened(path, "wt", encoding="utf-8") as file:
        for number, row in enumerate(zip(*values, strict=True)):
            found = dict(zip(names, row, strict=True))
            if number and rng.random() < 0.5:  # the first line names the columns, in their order
                found = {name: value for name, value in found.items() if value is not None}
            file.write(json.dumps(found, ensure_ascii=is_ascii) + rng.choice(["\n", "\r\n", "\n\n"]))
    return path


IN_ORDER = "#SELECT * FROM rows ORDER BY rowid"


def as_sqlite(columns, path, rng):
    path = path.with_suffix(rng.choice([".db", ".sqlite"]))
    names = ", ".join('"' + column.name.replace('"', '""') + '"' for column in columns)
    values = [
        python_values(column, column.kind.is_number and rng.random() < 0.5, rng.integers(2))
        for column in columns
    ]
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE rows ({names})")
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO rows VALUES ({marks})", zip(*values, strict=True))
    return f"{path}{IN_ORDER}"


def as_duckdb(columns, path, rng):
    import duckdb

    path = path.with_suffix(rng.choice([".db", ".duckdb"]))
    arrays = {}
    for column, (family, way) in zip(columns, ways_of(columns, rng), strict=True):
        kind = column.kind.arrow[family % len(column.kind.arrow)][0]
        arrays[column.name] = arrow_array(column, kind, way)
    with duckdb.connect(str(path)) as connection:
        connection.register("found", pa.table(arrays))
        connection.execute("CREATE TABLE rows AS SELECT * FROM found")
    return f"{path}{IN_ORDER}"


FORMS = {
    "csv": delimited(".csv"),
    "csv.gz": delimited(".csv.gz"),
    "tsv": delimited(".tsv"),
    "pandas": by_pandas,
    "pyarrow": by_pyarrow,
    "spark": as_spark_would,
    "feather": as_feather,
    "npz": as_npz,
    "stream": as_stream,
    "json lines": as_json_lines,
    "sqlite": as_sqlite,
}
if find_spec("openpyxl"):
    FORMS["workbook"] = as_workbook
if find_spec("duckdb"):
    FORMS["duckdb"] = as_duckdb
TEXT_FORMS = ("csv", "csv.gz", "tsv", "workbook")
