"""Parquet at s3:// and the like, read where it is: of each file its end, and the groups that are asked for.

No copy is kept. It is for processes that each read a part; who reads all, and more than once, has a copy
(:mod:`salutary.system.remote`).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from salutary.errors import SalutaryError
from salutary.system.remote import listed, one_line_of
from salutary.tables.arrow_files import ArrowFiles
from salutary.tables.arrow_forms import ArrowFile, Parquet
from salutary.tables.parquet_folder import MAGIC, PARQUET, partition
from salutary.tables.reading import Reading

if TYPE_CHECKING:
    import pyarrow


class ParquetElsewhere(ArrowFiles):
    """A Parquet file, or a folder of them, at a ``url``; ``name``: what messages call it.

    The same files in the same order as of a folder here. Raises SalutaryError as that does, and for what is
    not there or cannot be read.
    """

    def __init__(self, url: str, reading: Reading | None, name: str):
        self.url = url
        super().__init__(Path(PurePosixPath(url).name), reading, name)

    def _opened(self, query: str | None) -> list[ArrowFile]:
        system, root, found = _tables(self.url)
        shown = str(self.path)
        if not found:
            raise SalutaryError(f"{shown} holds no .parquet file")
        return [
            _File(system, file, about, shown if below is None else f"{shown.rstrip('/')}/{below}", root)
            for file, (below, about) in found.items()
        ]


def sizes(url: str) -> list[int]:
    """Bytes of each of its files; 0 where that is not told. Raises SalutaryError for what cannot be read."""
    return [about.get("size") or 0 for _, about in _tables(url)[2].values()]


Found = dict[str, tuple[PurePosixPath | None, dict]]


def _tables(url: str) -> tuple[Any, PurePosixPath, Found]:
    """The file system, the folder that files are below, and, in order, of each file its path below it (None
    where the URL is of one file) and what is told of it.
    """
    system, path, found = listed(url)
    root = PurePosixPath(system._strip_protocol(path).rstrip("/") or "/")
    if [*found] == [path]:
        return system, root.parent, {path: (None, found[path])}
    below = {file: PurePosixPath(file).relative_to(root) for file in found}
    files = sorted(
        filter(lambda file: _is_visible(below[file]), found), key=lambda file: below[file].as_posix()
    )
    with one_line_of(url):
        return system, root, {file: (below[file], found[file]) for file in files if _is_parquet(system, file)}


class _File(Parquet):
    """``about``: what its file system tells of it."""

    def __init__(self, system: Any, path: str, about: dict, name: str, root: PurePosixPath):
        self._system, self._about, place = system, about, PurePosixPath(path)
        super().__init__(Path(path), name, partition(place, root))

    def _size(self) -> int:
        size = self._about.get("size")
        return 1 if size is None else int(size)  # else it comes to light as it is opened

    def _open(self) -> tuple[pyarrow.Schema, int]:
        from pyarrow.parquet import ParquetFile

        # Arrow asks for the columns of a group at once, in few pieces: nothing more is to be read ahead.
        with one_line_of(self.name):
            file = self._system.open(self.path.as_posix(), "rb", cache_type="none")
        self._file = ParquetFile(file, pre_buffer=True)
        return self._file.schema_arrow, self._file.metadata.num_rows

    def _read(self, n: int, columns: list[str] | None) -> Iterator[pyarrow.RecordBatch]:
        return self._read_groups(n, columns, range(self._file.num_row_groups))

    def _read_groups(self, n: int, columns: list[str] | None, groups: range) -> Iterator[pyarrow.RecordBatch]:
        for group in groups:  # one by one, since all that is asked for at once is in memory at once
            with one_line_of(self.name):
                yield from super()._read_groups(n, columns, range(group, group + 1))


def _is_visible(below: PurePosixPath) -> bool:
    """See :func:`salutary.tables.parquet_folder.parquet_files`."""
    return not any(part.startswith((".", "_")) and "=" not in part for part in below.parts)


def _is_parquet(system: Any, file: str) -> bool:
    """By its suffix, or of one without, as Hive's are, by how it begins."""
    suffix = PurePosixPath(file).suffix.lower()
    return suffix in PARQUET or (not suffix and system.cat_file(file, start=0, end=len(MAGIC)) == MAGIC)
