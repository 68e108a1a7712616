"""The pool's predictions, written group by group, against those of the whole matrix."""

import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from written_tables import FORMS, written

from salutary.errors import SalutaryError
from salutary.labeling import pool as pools
from salutary.labeling import predictions
from salutary.labeling.pool import NpyPool
from salutary.labeling.predictions import write_predictions
from salutary.tables import table_file
from salutary.tables.files import open_table
from salutary.tables.labels import Classes

N = 100
TEXTS, NUMBERS = Classes(("a,b", 'say "x"', "ü")), Classes(("-1", "2", "10"))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Blocks of the matrix of 9 rows, of the table of 7, groups of 11."""
    monkeypatch.setattr(pools, "BLOCK_BYTES", 9 * 4 * 4)
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    monkeypatch.setattr(predictions, "GROUP_ROWS", 11)


@pytest.fixture
def matrix(tmp_path):
    return saved(tmp_path, np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32))


def saved(folder, X):
    np.save(folder / "pool.npy", X)
    return NpyPool(folder / "pool.npy")


def predict_proba(X):
    assert X.dtype == np.float32 and type(X) is np.ndarray
    return softmax(X[:, :3].astype(float), axis=1)


def dense(matrix, classes):
    probabilities = predict_proba(matrix.take(np.arange(len(matrix))))
    named = {f"probability_{name}": probabilities[:, place] for place, name in enumerate(classes.names)}
    return pd.DataFrame({"prediction": classes.values[probabilities.argmax(1)], **named})


def read(path, **kinds):
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype=kinds, keep_default_na=False)


def check_same(found, expected):
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)


def keyed(keys):
    return pd.DataFrame({"x": np.arange(len(keys)), "key": keys})


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("classes", [TEXTS, NUMBERS], ids=["texts", "numbers"])
def test_every_row_in_order(form, suffix, classes, matrix, tmp_path):
    keys = [f"p{row},{row}" if row % 3 else f' "{row}' for row in range(N)]
    table = open_table(written(keyed(keys), tmp_path / form))
    path = tmp_path / f"new/p{suffix}"
    write_predictions(path, table, "key", matrix, predict_proba, classes, False)
    expected = dense(matrix, classes)
    expected.insert(0, "key", keys)
    check_same(read(path, key=str), expected)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("n", [1, 10, 11, 12, 22, 99])
def test_rows_without_names_are_numbered(n, suffix, tmp_path):
    matrix = saved(tmp_path, np.random.default_rng(n).normal(size=(n, 4)).astype(np.float32))
    path = tmp_path / f"p{suffix}"
    write_predictions(path, None, None, matrix, predict_proba, NUMBERS, False)
    expected = dense(matrix, NUMBERS)
    expected.insert(0, "row", range(n))
    check_same(read(path), expected)
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        assert parquet.ParquetFile(path).num_row_groups == -(-n // 11)


KEYS = {
    "whole numbers": (np.arange(N) * 2**40, np.int64),
    "small numbers": (np.arange(N, dtype=np.int16), np.int64),
    "large numbers": (np.arange(N, dtype=np.uint64) + 2**63, np.uint64),
    "real numbers": (np.arange(N) / 4, "str"),
    "categories": (pd.Categorical([f"k{row}" for row in range(N)]), "str"),
    "days": (pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N), "D"), "str"),
}


@pytest.mark.parametrize("case", KEYS)
def test_ids_keep_their_kind(case, matrix, tmp_path):
    keys, kind = KEYS[case]
    table = open_table(written(keyed(keys), tmp_path / "rows"))
    write_predictions(tmp_path / "p.parquet", table, "key", matrix, predict_proba, TEXTS, False)
    found = pd.read_parquet(tmp_path / "p.parquet")["key"]
    assert found.dtype == kind
    as_read = {"real numbers": [f"{row / 4:g}" for row in range(N)]}
    days = [str(each.date()) for each in keys] if case == "days" else None
    assert found.tolist() == as_read.get(case, days or list(keys))


def test_ids_of_two_kinds_are_one_line(matrix, tmp_path):
    (tmp_path / "rows").mkdir()
    keyed(np.arange(50)).to_parquet(tmp_path / "rows/0.parquet")
    keyed(np.arange(50) + 0.5).to_parquet(tmp_path / "rows/1.parquet")
    with pytest.raises(SalutaryError, match=r"^column key of the pool: its values are not of one kind: .*$"):
        write_predictions(
            tmp_path / "p.parquet", open_table(tmp_path / "rows"), "key", matrix, predict_proba, TEXTS, False
        )
    assert not list(tmp_path.glob("*p.parquet*"))


@pytest.mark.parametrize("n", [N - 1, N + 1, N - 11, N + 11])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_of_other_rows_is_one_line(n, suffix, matrix, tmp_path):
    table = open_table(written(keyed(range(n)), tmp_path / "rows.csv"))
    with pytest.raises(SalutaryError, match=r"rows\.csv has other rows than when it was first read$"):
        write_predictions(tmp_path / f"p{suffix}", table, "key", matrix, predict_proba, TEXTS, False)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pool.npy", "rows.csv"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_interrupted_leaves_what_was_there(suffix, error, matrix, tmp_path):
    calls = []

    def stops(X):
        calls.append(len(X))
        if len(calls) > 4:
            raise error
        return predict_proba(X)

    path = tmp_path / f"p{suffix}"
    for before in (None, b"as it was"):
        calls.clear()
        if before:
            path.write_bytes(before)
        with pytest.raises(error):
            write_predictions(path, None, None, matrix, stops, TEXTS, False)
        assert sum(calls) > 22  # two groups were written by then
        assert (path.read_bytes() if path.exists() else None) == before
        assert {each.name for each in tmp_path.iterdir()} <= {"pool.npy", path.name}


def test_parquet_without_pyarrow_is_one_line(matrix, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SalutaryError, match=r"^pyarrow is not installed: pip install 'salutary\[parquet\]'$"):
        write_predictions(tmp_path / "p.parquet", None, None, matrix, predict_proba, TEXTS, False)
    write_predictions(tmp_path / "p.csv", None, None, matrix, predict_proba, TEXTS, False)
    assert len(read(tmp_path / "p.csv")) == N


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_does_not_grow_with_the_pool(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "BLOCK_BYTES", 2**14)
    monkeypatch.setattr(predictions, "GROUP_ROWS", 1000)
    peaks = []
    for n in (2_000, 2_000, 40_000):  # the first one imports, too
        matrix = saved(tmp_path, np.ones((n, 4), np.float32))
        tracemalloc.start()
        write_predictions(tmp_path / f"p{suffix}", None, None, matrix, predict_proba, TEXTS, False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.5 * peaks[1]
