"""Files of rows and columns, read in blocks: CSV, Parquet, Feather and NPZ.

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
from salutary.tables.arrow_files import ArrowFiles
from salutary.tables.csv_file import CsvFile
from salutary.tables.npz_file import NpzFile
from salutary.tables.parquet_folder import PARQUET
from salutary.tables.reading import Reading
from salutary.tables.table_file import TableFile, check_columns

# What to do with files of other forms.
_UNPACK, _SAVE = ": unpack it", ": save its sheet as .csv"
OTHERS = {
    **dict.fromkeys((".zip", ".bz2", ".xz", ".zst"), _UNPACK),
    **dict.fromkeys((".xlsx", ".xls", ".ods"), _SAVE),
    ".npy": ": save it as .npz, by names of columns",
}

__all__ = ["TableFile", "check_columns", "open_table"]


def open_table(path: str | Path, separator: str = ",", reading: Reading | None = None) -> TableFile:
    """The table in a .csv, .tsv, .parquet, .feather or .npz file, or in a folder of .parquet files.

    ``separator``: of the values in a .csv file; ``reading``: what texts mean. A file that has nulls has no
    markers beside them. Raises SalutaryError if it is none of these, or is not there.
    """
    reading = reading or Reading()
    path = as_path(path)
    if not path.exists():
        raise SalutaryError(f"there is no {path}")
    if path.is_file() and not path.stat().st_size:
        raise SalutaryError(f"{path} is empty")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"][-1:]
    form = suffixes[0] if suffixes else ""
    if path.is_dir() or form in (*PARQUET, ".feather", ".arrow"):
        return ArrowFiles(path, reading.with_nulls)
    if form in (".csv", ".tsv", ".txt"):
        return CsvFile(path, "\t" if form == ".tsv" else separator, reading)
    if form == ".npz":
        return NpzFile(path, reading.with_nulls)
    advice = OTHERS.get(form, "")
    raise SalutaryError(
        f"{path} is none of .csv, .tsv, .parquet, .feather, .npz, nor a folder of .parquet{advice}"
    )
