"""The files of a folder of Parquet, as Spark, Hive, pandas and Dask write them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePath
from urllib.parse import unquote

from salutary.errors import SalutaryError

PARQUET = (".parquet", ".parq", ".pq")
# What Hive writes in the name of a folder for a null.
NULL = "__HIVE_DEFAULT_PARTITION__"
MAGIC = b"PAR1"


def parquet_files(folder: Path) -> list[Path]:
    """The Parquet files below a folder, in the order of their paths.

    What begins with a dot or an underscore is another program's own: _SUCCESS, ._part-0.parquet, _temporary.
    Files without a suffix count if they are Parquet, as those of Hive are. Raises SalutaryError if there is
    none.
    """
    files = sorted(_visible(folder), key=lambda file: file.relative_to(folder).as_posix())
    found = [file for file in files if file.suffix.lower() in PARQUET or _is_hive(file)]
    if not found:
        raise SalutaryError(f"{folder} holds no .parquet file")
    return found


def holds_parquet(folder: Path) -> bool:
    return any(file.suffix.lower() in PARQUET or _is_hive(file) for file in _visible(folder))


def partition(file: PurePath, folder: PurePath) -> dict[str, str | None]:
    """The columns that the folders above a file stand for: {"city": "Bern"} of city=Bern/part-0.parquet."""
    values: dict[str, str | None] = {}
    for name in file.relative_to(folder).parts[:-1]:
        column, equals, value = name.partition("=")
        if equals:
            values[unquote(column)] = None if value == NULL else unquote(value)
    return values


def _visible(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """What is below a folder; links are followed, but not into a folder ``above``."""
    above |= {folder.resolve()}
    for path in folder.iterdir():
        if path.name.startswith((".", "_")) and "=" not in path.name:
            continue
        if path.is_dir() and path.resolve() not in above:
            yield from _visible(path, above)
        elif path.is_file():
            yield path


def _is_hive(file: Path) -> bool:
    if file.suffix:
        return False
    with file.open("rb") as opened:
        return opened.read(len(MAGIC)) == MAGIC
