"""Parquet elsewhere, read where it is: the table of the same files here."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from salutary.errors import Interruption, SalutaryError
from salutary.tables.files import open_table
from salutary.tables.parquet_elsewhere import ParquetElsewhere, sizes
from salutary.tables.places import Place, files_of

fsspec = pytest.importorskip("fsspec")
FILES = ["city=Ulm/b.parquet", "city=Bern/a.parquet", "city=Ulm/c", "_old/z.parquet", ".d.parquet"]


@pytest.fixture
def pool(tmp_path):
    """A folder here, and the same in fsspec's memory as memory://pool/."""
    system, rng = fsspec.filesystem("memory"), np.random.default_rng(0)
    for place, name in enumerate(FILES):
        path = tmp_path / "pool" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = pd.DataFrame({"a": rng.normal(size=50), "n": place, "v": [[1.0, 2.0]] * 50})
        frame.to_parquet(path, row_group_size=20)
    (tmp_path / "pool" / "_SUCCESS").touch()
    system.put(str(tmp_path / "pool"), "/pool", recursive=True)
    yield str(tmp_path / "pool"), system
    system.rm("/pool", recursive=True)


def test_the_table_is_that_of_the_files_here(pool):
    here, there = open_table(pool[0]), open_table("memory://pool/", copied=False)
    assert isinstance(there, ParquetElsewhere) and not isinstance(here, ParquetElsewhere)
    assert (
        (there.columns, there.n_rows)
        == (here.columns, here.n_rows)
        == (["a", "n", "v_0", "v_1", "city"], 150)
    )
    pd.testing.assert_frame_equal(pd.concat(there.blocks()), pd.concat(here.blocks()))
    pieces = here.pieces(30)
    assert there.pieces(30) == pieces and len(pieces) == 6
    for piece in pieces[::-2]:
        blocks = [pd.concat(table.blocks_of(piece, ["city", "a"])) for table in (there, here)]
        pd.testing.assert_frame_equal(*blocks)
    read = [Path(pool[0], name).stat().st_size for name in sorted(FILES[:3])]
    assert sizes("memory://pool/") == read
    one = open_table("memory://pool/city=Ulm/b.parquet", copied=False)
    assert one.read().equals(open_table(f"{pool[0]}/city=Ulm/b.parquet").read())


def test_only_the_groups_that_are_asked_for_are_fetched(pool, monkeypatch):
    from fsspec.implementations.memory import MemoryFile

    table, read, before = open_table("memory://pool/", copied=False), [], MemoryFile.read

    def counted(file, *size):
        read.append(len(found := before(file, *size)))
        return found

    monkeypatch.setattr(MemoryFile, "read", counted)
    [*table.blocks_of(table.pieces(1)[1], ["a"])]
    assert 20 * 8 <= sum(read) < 2 * 20 * 8 + 200  # 20 numbers, and what Parquet says of them


def test_what_is_wrong_is_one_line(pool):
    pool[1].pipe("/pool/city=Ulm/e.parquet", b"PAR1 and no more")
    with pytest.raises(
        SalutaryError, match=r"^memory://pool/city=Ulm/e\.parquet is not a whole Parquet file"
    ):
        open_table("memory://pool/", copied=False)
    with pytest.raises(SalutaryError, match=r"^there is no memory://none/$"):
        open_table("memory://none/", copied=False)
    pool[1].pipe("/pool/empty/note.txt", b"none")
    with pytest.raises(SalutaryError, match=r"^memory://pool/empty/ holds no \.parquet file$"):
        open_table("memory://pool/empty/", copied=False)


def test_a_network_that_fails_is_no_fault_of_the_file(pool, monkeypatch):
    from fsspec.implementations.memory import MemoryFile

    table = open_table("memory://pool/", copied=False)

    def fails(self, *arguments):
        raise ConnectionError("reset by peer")

    monkeypatch.setattr(MemoryFile, "read", fails)
    with pytest.raises(
        Interruption, match=r"^memory://pool/city=Bern/a\.parquet cannot be read: reset by peer"
    ):
        [*table.blocks()]


def test_a_file_here_changes_when_they_do(pool, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (noted,) = files_of("memory://pool/", copied=False)
    content, changed = noted.read_bytes(), noted.stat().st_mtime_ns
    assert files_of("memory://pool/", copied=False) == [noted] and noted.stat().st_mtime_ns == changed
    pool[1].rm("/pool/city=Ulm/c")
    assert files_of("memory://pool/", copied=False) == [noted] and noted.read_bytes() != content
    assert not [file for file in os.listdir(noted.parent) if file.endswith(".parquet")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3://bucket/pool/", True),
        ("s3://bucket/pool", True),
        ("s3://bucket/pool.parquet", True),
        ("s3://bucket/pool.csv", False),
        ("s3://bucket/pool.parquet+pool.npy", False),
        ("pool.parquet", False),
    ],
)
def test_names_say_what_is_parquet(name, expected):
    assert Place.of(name).is_parquet_elsewhere == expected
