"""Files of rows and columns, read in blocks: CSV, Excel, JSON, Parquet, Arrow, NPZ, databases, embeddings.

    table = open_table("rows.parquet")
    table.columns, table.n_rows
    for block in table.blocks(["age", "city"]):     # pandas DataFrames, indexed by row number from 0
        ...

A CSV file's values come as the text that is there; what they mean is :mod:`salutary.tables.schema`'s.
Messages count rows from 1, without a header.
"""

from __future__ import annotations

from pathlib import Path

from salutary.errors import SalutaryError
from salutary.system.files import as_path
from salutary.system.urls import public
from salutary.tables.arrow_files import ArrowFiles
from salutary.tables.arrow_forms import ARROW
from salutary.tables.csv_file import CsvFile
from salutary.tables.json_lines import JsonLines
from salutary.tables.matrices import WithMatrices, open_matrix
from salutary.tables.npz_file import NpzFile
from salutary.tables.parquet_elsewhere import ParquetElsewhere
from salutary.tables.parquet_folder import PARQUET, holds_parquet
from salutary.tables.pictures import PictureFolder, holds_pictures
from salutary.tables.places import DATABASES, MATRICES, WORKBOOKS, Place
from salutary.tables.reading import Reading
from salutary.tables.sql import SqliteQuery, checked_query, is_duckdb
from salutary.tables.table_file import TableFile, check_columns
from salutary.tables.workbook import Workbook

TEXTS = (".csv", ".tsv", ".txt")
LINES = (".jsonl", ".ndjson")
# What to do with files of other forms.
_UNPACK, _SAVE = ": unpack it", ": save it as .xlsx, or its sheet as .csv"
OTHERS = {
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst"), _UNPACK),
    **dict.fromkeys((".xls", ".xlsb", ".ods"), _SAVE),
    ".json": ": write an object a line, as .jsonl",
}

__all__ = ["TableFile", "check_columns", "is_picture_folder", "open_table"]


def open_table(
    path: str | Path, separator: str = ",", reading: Reading | None = None, copied: bool = True
) -> TableFile:
    """The table in a file of any form, in a folder of .parquet files or of pictures, or in another place
    (:class:`salutary.tables.places.Place`).

    ``separator``: of the values in a .csv file; ``reading``: what texts mean. A file that has nulls has no
    markers beside them; those of a workbook's sheet count all the same, since people type them there.
    ``copied``: what is elsewhere is copied here; else Parquet is read where it is. Raises SalutaryError if it
    is none of these, or is not there.
    """
    reading, place = reading or Reading(), Place.of(path)
    if not copied and place.is_parquet_elsewhere:
        return ParquetElsewhere(place.file, reading.with_nulls, place.shown)
    matrices = [each for each in place.all if each.form in MATRICES]
    if not matrices:
        return _open(place, separator, reading)
    table = None if place.form in MATRICES else _open(place, separator, reading)
    read = [open_matrix(each.path, each.form, each.part, each.shown) for each in matrices]
    return WithMatrices(place.path, table, read, place.public, reading.with_nulls)


def _open(place: Place, separator: str, reading: Reading) -> TableFile:
    path, name, form = place.path, place.shown, place.form
    if not path.exists():
        raise SalutaryError(f"there is no {public(place.file)}")
    if path.is_file() and not path.stat().st_size:
        raise SalutaryError(f"{public(place.file)} is empty")
    if is_picture_folder(path):
        return PictureFolder(path, reading.with_nulls, name)
    if path.is_dir() or form in (*PARQUET, *ARROW):
        return ArrowFiles(path, reading.with_nulls, name)
    if form in TEXTS:
        return CsvFile(path, "\t" if form == ".tsv" else separator, reading, name)
    if form in WORKBOOKS:
        return Workbook(path, reading, name, place.part)
    if form in LINES:
        return JsonLines(path, reading.with_nulls, name)
    if form == ".npz":
        return NpzFile(path, reading.with_nulls, name)
    if form in DATABASES:
        return _query(place, reading.with_nulls)
    forms = "nor a folder of .parquet"
    raise SalutaryError(
        f"{public(place.file)} is none of .csv, .tsv, .xlsx, .jsonl, .parquet, .feather, .npz, {forms}"
        f"{OTHERS.get(form, '')}"
    )


def is_picture_folder(path: str | Path) -> bool:
    """Whether it is a folder of pictures, and not of Parquet."""
    folder = as_path(path)
    return folder.is_dir() and holds_pictures(folder) and not holds_parquet(folder)


def _query(place: Place, reading: Reading) -> TableFile:
    path, name = place.path, place.shown
    query = checked_query(path, place.part, name)
    if is_duckdb(path):
        return ArrowFiles(path, reading, name, query)
    return SqliteQuery(path, query, reading, name)
