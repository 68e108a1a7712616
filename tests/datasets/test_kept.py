"""Tables that are kept between processes: the same as parsed, and never another's."""

import json
import logging

import numpy as np
import pandas as pd
import pytest
from compositions import composed
from written_tables import FORMS, mixed_rows, some_rows, written

from salutary.datasets import Table, kept
from salutary.datasets.kept import TableCache, packed, unpacked
from salutary.datasets.own_table import OwnTable
from salutary.errors import SalutaryError
from salutary.system import environment
from salutary.system.commands import build

AVAILABLE = [
    "bank",
    "celeba",
    "diabetic",
    "electrical",
    "mnist_small",
    "cifar10_small",
    "musk_v2",
    "waveform",
    "wine",
]


@pytest.fixture(autouse=True)
def every_table_is_worth_keeping(monkeypatch, no_new_modules):
    monkeypatch.setattr(kept, "WORTH_SECONDS", 0)


@pytest.fixture
def parsed(monkeypatch):
    """How often an OwnTable was read from its files."""
    calls = []
    read = OwnTable._read
    monkeypatch.setattr(OwnTable, "_read", lambda self, *a: calls.append(1) or read(self, *a))
    return calls


class Rows:
    """A data set of one file of numbers."""

    def __init__(self, path, cache_dir, scale=1):
        self.path = path
        self.cache_dir = cache_dir
        self.scale = scale
        self.n_parsed = 0

    def load(self):
        cache = TableCache(self.cache_dir)
        settings = Settings(self.path, self.scale, self.cache_dir)
        return cache.table(settings, [self.path], self.parse)

    def parse(self):
        self.n_parsed += 1
        X = np.loadtxt(self.path, ndmin=2) * self.scale
        return Table(X, np.arange(len(X)) % 2, ("a", "b"))


class Settings:
    def __init__(self, path, scale, cache_dir):
        self.path, self.scale, self.cache_dir = path, scale, cache_dir


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.txt"
    path.write_text("1 2\n3 4\n")
    return Rows(path, tmp_path / "cache")


def same(one: Table, other: Table) -> None:
    """All of two tables is the same, to the bit and to the type."""
    assert (one.class_names, one.encoder, one.sha256) == (other.class_names, other.encoder, other.sha256)
    assert one.X.dtype == other.X.dtype and one.X.tobytes() == other.X.tobytes()
    assert one.y.tobytes() == other.y.tobytes()
    assert (one.roles is None) == (other.roles is None)
    assert one.roles is None or one.roles.tolist() == other.roles.tolist()
    assert (one.columns is None) == (other.columns is None)
    if one.columns:
        assert one.columns.schema == other.columns.schema
        assert list(one.columns.schema.left_out.items()) == list(other.columns.schema.left_out.items())
        for (path, frame), (other_path, other_frame) in zip(
            one.columns.parts, other.columns.parts, strict=True
        ):
            assert path == other_path
            pd.testing.assert_frame_equal(frame, other_frame, check_exact=True)
        pd.testing.assert_frame_equal(one.columns.frame, other.columns.frame, check_exact=True)


@pytest.mark.parametrize("name", AVAILABLE)
def test_every_data_set_comes_back_as_it_was(name, data_dir, tmp_path):
    encoder = ["dataset.encoder=efficientnet_lite0"] if name.endswith("small") else []
    dataset = build(composed(f"dataset={name}", f"data_dir={data_dir}", *encoder), "dataset")
    raw = tmp_path / "raw"
    raw.touch()
    cache, table = TableCache(tmp_path), dataset.load()
    same(cache.table(dataset, [raw], lambda: table), table)
    same(cache.table(dataset, [raw], pytest.fail), table)


@pytest.mark.parametrize("form", FORMS)
def test_own_tables_come_back_as_they_were(form, tmp_path, parsed):
    frame = some_rows(60, 0).assign(kind=["yes", "no", None] * 20)
    path = str(written(frame, tmp_path / form))
    tables = [OwnTable(path, "kind", ignore=["flat"], cache_dir=tmp_path / "cache").load() for _ in range(3)]
    assert len(parsed) == 1
    same(tables[1], tables[0])
    same(tables[2], OwnTable(path, "kind", ignore=["flat"], cache_dir=tmp_path / "other").load())


def test_files_of_their_own_for_validation_and_test(tmp_path, parsed):
    paths = [str(written(mixed_rows(50, seed), tmp_path / f"{seed}.csv")) for seed in range(3)]
    one, other = (
        OwnTable(paths[0], "y", None, *paths[1:], cache_dir=tmp_path / "c").load() for _ in range(2)
    )
    assert len(parsed) == 1 and one.roles is not None
    same(other, one)
    written(mixed_rows(50, 9), tmp_path / "2.csv")
    changed = OwnTable(paths[0], "y", None, *paths[1:], cache_dir=tmp_path / "c").load()
    assert len(parsed) == 2 and changed.sha256 != one.sha256


def test_what_is_left_out_is_told_of_a_kept_table_too(tmp_path, caplog):
    path = str(written(mixed_rows(50, 0), tmp_path / "rows.csv"))
    caplog.set_level(logging.INFO, "salutary")
    for _ in range(2):
        caplog.clear()
        OwnTable(path, "y", cache_dir=tmp_path).load()
        assert f"{path}: left out day (dates: make numbers of them yourself)" in caplog.text
    assert f"the table is kept in {tmp_path}" in caplog.text


def test_other_content_settings_or_code_is_another_table(rows, monkeypatch):
    first = rows.load()
    same(rows.load(), first)
    assert rows.n_parsed == 1
    rows.path.write_text("1 2\n3 5\n")
    assert rows.load().X[1, 1] == 5 and rows.n_parsed == 2
    rows.scale = 2
    assert rows.load().X[1, 1] == 10 and rows.n_parsed == 3
    monkeypatch.setattr(kept, "code", lambda packages: "other")
    rows.load(), rows.load()
    assert rows.n_parsed == 4
    monkeypatch.setattr(kept, "code", lambda packages: None)  # it cannot be told
    rows.load(), rows.load()
    assert rows.n_parsed == 6


def test_a_file_that_changes_while_it_is_parsed_is_not_kept(rows):
    parse = rows.parse

    def changing():
        table = parse()
        rows.path.write_text("7 8\n9 9\n")
        return table

    rows.parse = changing
    rows.load()
    rows.parse = parse
    assert not list(rows.cache_dir.rglob("*.npz"))
    assert rows.load().X[0, 0] == 7


def test_damaged_and_foreign_files_are_made_again(rows):
    first = rows.load()
    (path,) = rows.cache_dir.rglob("*.npz")
    whole, n_parsed = path.read_bytes(), 1
    place = whole.index(np.float64(4).tobytes())
    about, arrays = packed(first)
    wrong = {**arrays, "X": arrays["X"] + 1}
    spoilt = {
        "empty": b"",
        "text": b"no table",
        "half": whole[: len(whole) // 2],
        "a bit": whole[:place] + b"\1" + whole[place + 1 :],
    }
    for content in spoilt.values():
        path.write_bytes(content)
        same(rows.load(), first)
        n_parsed += 1
        assert rows.n_parsed == n_parsed and path.read_bytes()[:2] == b"PK"
    with np.load(path, allow_pickle=False) as file:  # a whole file, but of other numbers than it says
        text = file["text"]
    np.savez(path, text=text, **wrong)
    same(rows.load(), first)
    np.savez(path, text=np.array([{"key": 1}], object))  # which would need pickle
    same(rows.load(), first)
    np.savez(path, text=np.frombuffer(json.dumps({"key": 1}).encode(), np.uint8))
    same(rows.load(), first)
    assert rows.n_parsed == n_parsed + 3
    same(rows.load(), first)
    assert rows.n_parsed == n_parsed + 3
    same(unpacked(about, arrays), first)


def test_a_folder_that_cannot_be_written_keeps_nothing(rows):
    rows.cache_dir.touch()  # a file where the folder should be
    rows.load(), rows.load()
    assert rows.n_parsed == 2


def test_what_is_parsed_at_once_is_not_kept(rows, monkeypatch):
    monkeypatch.setattr(kept, "WORTH_SECONDS", 60)
    rows.load()
    assert not rows.cache_dir.exists()


def test_a_missing_file_is_the_data_sets_to_tell(tmp_path):
    with pytest.raises(SalutaryError, match="there is no"):
        OwnTable(str(tmp_path / "none.csv"), "y", cache_dir=tmp_path).load()


def test_code_cannot_be_told_of_files_that_changed_since_the_start(monkeypatch):
    environment._program.cache_clear()
    assert len(environment.code()) == 64
    assert environment.code(frozenset({"salutary", "abc"})) == environment.code()
    assert environment.code(frozenset({"pytest"})) not in (None, environment.code())
    assert environment.code(frozenset({"not_loaded"})) is None
    environment._program.cache_clear()
    monkeypatch.setattr(environment, "STARTED", 0)
    assert environment.code() is None
    environment._program.cache_clear()
