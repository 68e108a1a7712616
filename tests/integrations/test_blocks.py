"""Pools in blocks: the model and labels of the same rows in memory, wherever the blocks are cut."""

import itertools
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_score

from salutary import SalutaryClassifier, Uncut
from salutary.errors import SalutaryError
from salutary.integrations import blocks as sources
from salutary.integrations import spooled
from salutary.integrations.spooled import opened_pool

NAMES = ["age", "dose", "grade"]
SETTINGS = {"random_state": 0, "rounds": 2, "budget": 2, "rerank": 2, "confidence": 0, "folds": 2}


def rows(n, seed):
    """Numbers, and a grade that is a category of pandas."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    frame = pd.DataFrame(rng.normal(0, 1, (n, 2)) + y[:, None] * [1, 0.3], columns=NAMES[:2])
    return frame.assign(grade=rng.integers(0, 4, n)), y


X, Y = rows(50, 0)
X_VAL, Y_VAL = rows(60, 1)
POOL = rows(300, 2)[0]
BATCHES = pa.Table.from_pandas(POOL, preserve_index=False).to_batches(70)


def fit(pool, named=True, id_pool=None, **changed):
    model = SalutaryClassifier(**SETTINGS | changed)
    labeled, validation = (X, X_VAL) if named else (X.to_numpy(), X_VAL.to_numpy())
    return model.fit(labeled, Y, X_pool=pool, X_val=validation, y_val=Y_VAL, id_pool=id_pool)


def same(model, expected):
    """To the last bit."""
    for name in ("indices_", "labels_", "influence_", "rounds_", "coef_", "intercept_", "held_out_loss_"):
        np.testing.assert_array_equal(getattr(model, name), getattr(expected, name), err_msg=name)
    assert len(model.indices_)


EXPECTED = fit(POOL)


@st.composite
def cut(draw):
    """The pool in blocks of several kinds, some of them empty, each with columns in an order of its own."""
    places = sorted(draw(st.lists(st.integers(0, len(POOL)), max_size=7)))
    found = []
    for first, last in zip([0, *places], [*places, len(POOL)], strict=True):
        block = POOL.iloc[first:last].assign(who=[f"p{i}" for i in range(first, last)])
        block = block[draw(st.permutations([*block.columns]))]
        kind = draw(st.sampled_from(["frame", "category", "arrow", "table", "columns"]))
        if kind == "category":  # of the values that are in this block
            block = block.assign(grade=block["grade"].astype("category"))
        elif kind == "arrow":
            table = pa.Table.from_pandas(
                block.assign(grade=block["grade"].astype("category")), preserve_index=False
            )
            block = table.to_batches()[0] if len(block) else table
        elif kind == "table":
            block = pa.Table.from_pandas(block, preserve_index=False)
        elif kind == "columns":
            block = {name: values.to_numpy() for name, values in block.items()}
        found.append(block)
    return found + [pd.DataFrame()] * draw(st.integers(0, 1))


@settings(max_examples=30, deadline=None)
@given(cut(), st.data())
def test_blocks_are_cut_anywhere(blocks, data):
    """The matrix that the rounds read, by block and by row, is that of the rows in memory."""
    with opened_pool(EXPECTED, iter(blocks), "who", None) as (pool, ids):
        np.testing.assert_array_equal(np.concatenate([*pool.blocks()]), POOL.to_numpy())
        rows = np.array(data.draw(st.lists(st.integers(0, len(POOL) - 1), max_size=5)), np.int64)
        np.testing.assert_array_equal(pool.take(rows), POOL.to_numpy()[rows])
        assert ids.of(rows).tolist() == [f"p{i}" for i in rows]


@pytest.mark.parametrize("sizes", [[300], [1, 0, 99, 200]])
def test_model_and_labels_are_those_of_rows_in_memory(sizes):
    starts = np.cumsum([0, *sizes])
    named = POOL.assign(who=[f"p{i}" for i in range(300)], note="no feature")
    model = fit((named[i:j] for i, j in itertools.pairwise(starts)), id_pool="who")
    same(model, EXPECTED)
    assert model.ids_.tolist() == [f"p{i}" for i in EXPECTED.indices_]
    assert not hasattr(model.fit(X, Y), "ids_")


@pytest.mark.parametrize(
    "changed",
    [
        {"features": "nystroem"},
        {"strategy": "salutary_soft", "rounds": 1, "folds": 0},
        {"remedies": ["salutary"], "candidates": ["logistic"], "rounds": 1, "folds": 0},
    ],
)
def test_maps_soft_labels_and_remedies(changed):
    same(fit([POOL[:130], POOL[130:]], **changed), fit(POOL, **changed))


def parquet(folder):
    for place in range(12):
        part = pa.Table.from_pandas(POOL[25 * place : 25 * (place + 1)], preserve_index=False)
        pa.parquet.write_table(part.append_column("id", [range(len(part))]), f"{folder}/{place:02}.parquet")
    return pa.dataset.dataset(folder)


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: pa.Table.from_batches(BATCHES),
        lambda folder: BATCHES[0],
        lambda folder: pa.RecordBatchReader.from_batches(BATCHES[0].schema, BATCHES),
        lambda folder: pa.dataset.dataset(pa.Table.from_batches(BATCHES)),
        parquet,
        lambda folder: parquet(folder).scanner(batch_size=40),
        lambda folder: lambda: parquet(folder),
        lambda folder: lambda: (POOL[i : i + 100] for i in range(0, 300, 100)),
        lambda folder: [POOL],
        lambda folder: map(pd.DataFrame, np.split(POOL.to_numpy(), 3)),
    ],
)
def test_sources(source, tmp_path):
    with opened_pool(EXPECTED, source(str(tmp_path)), None, None) as (pool, _):
        np.testing.assert_array_equal(np.concatenate([*pool.blocks()]), POOL.to_numpy()[: len(pool)])
        assert len(pool) in (300, 70)


@pytest.mark.parametrize("form", ["arrays", "frames", "vectors", "lists", "columns"])
def test_without_names_columns_are_those_of_the_first_block(form):
    M = POOL.to_numpy()
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(M.ravel()), 3)
    blocks = {
        "arrays": [M[:9], M[9:10], M[:0], M[10:]],
        "frames": [POOL[:100], POOL[100:][NAMES[::-1]]],
        "vectors": pa.table({"vector": vectors}),
        "lists": pa.table({"vector": vectors.cast(pa.list_(pa.float64()))}),
        "columns": [{"vector": M[:50]}, {"vector": M[50:]}],
    }[form]
    model = SalutaryClassifier().fit(X.to_numpy(), Y)
    with opened_pool(model, blocks, None, None) as (pool, _):
        np.testing.assert_array_equal(np.concatenate([*pool.blocks()]), M)


def test_without_names_no_block_has_a_column_more():
    with pytest.raises(SalutaryError, match=r"X_pool, block 1 .*: has a column 'more', which those before"):
        fit([POOL[:100], POOL[100:].assign(more=1)], named=False)


def test_what_is_wrong_in_a_block_is_one_line():
    def broken(change, n=3):
        return [change(POOL[i : i + 60]) if i == 60 * n else POOL[i : i + 60] for i in range(0, 300, 60)]

    def gap(frame):
        return frame.assign(dose=frame["dose"].mask(frame.index == 200))

    wrong = {
        "block 3 (counted from 0): has no column 'dose'": lambda frame: frame.rename(columns={"dose": "dos"}),
        "block 3 (counted from 0): has 2 features, X has 3": lambda frame: frame.to_numpy()[:, :2],
        "block 3 (counted from 0): dose of row 200 is nan": gap,
        "block 3 (counted from 0): dose of row 200 is nan ": lambda frame: pa.Table.from_pandas(gap(frame)),
        "block 3 (counted from 0): column 'dose': could not convert": lambda frame: frame.assign(dose="much"),
        "block 3 (counted from 0): Expected 2D array": lambda frame: frame.to_numpy()[0],
    }
    for message, change in wrong.items():
        with pytest.raises(SalutaryError, match=re.escape(message.strip())) as error:
            fit(broken(change))
        assert len(str(error.value).splitlines()) == 1 and str(error.value).startswith("X_pool, ")
    with pytest.raises(SalutaryError, match=r"block 0 .*has no column 'who', which id_pool names"):
        fit([POOL], id_pool="who")
    with pytest.raises(SalutaryError, match="has no names of columns, and id_pool=who"):
        fit([POOL.to_numpy()], id_pool="who")
    with pytest.raises(SalutaryError, match="id_pool names a column of blocks"):
        fit(POOL, id_pool="who")


def test_an_iterator_is_read_once():
    blocks = iter([POOL])
    fit(blocks)
    with pytest.raises(SalutaryError, match="X_pool holds no row; an iterator gives its blocks only once"):
        fit(blocks)


def test_errors_of_the_source_are_its_own_and_nothing_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def failing():
        yield POOL
        raise FileNotFoundError("gone")

    with pytest.raises(FileNotFoundError, match=r"^gone$"):
        fit(failing())
    fit([POOL])
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_one_line(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spooled, "write_header", full)
    with pytest.raises(SalutaryError, match=r"X_pool does not fit into .*No space left.*set TMPDIR"):
        fit([POOL])


def test_no_more_than_a_block_is_in_memory(monkeypatch):
    """Of 40 blocks one after another, each is gone before the next is asked for but one."""
    import weakref

    alive = []

    def blocks():
        for seed in range(40):
            block = rows(200, seed)[0].to_numpy()
            alive.append(weakref.ref(block))
            yield block
            del block
            assert sum(each() is not None for each in alive) <= 2

    model = fit(blocks(), named=False)
    assert len(model.indices_) and len(alive) == 40


def test_predictions_come_by_block():
    for name in ("predict", "predict_proba", "decision_function"):
        of = getattr(EXPECTED, name)
        np.testing.assert_array_equal(of(pa.Table.from_batches(BATCHES)), of(POOL))
    with pytest.raises(SalutaryError, match=r"X, block 1 .*: has no column 'age'"):
        EXPECTED.predict([POOL, POOL[["dose", "grade"]]])


def test_rows_in_memory_are_no_blocks():
    for each in (None, X, X.to_numpy(), [[1, 2], [3, 4]], [np.ones(2), np.ones(2)], "pool.parquet", [], {}):
        assert not sources.is_blocks(each)


def test_searches_hand_blocks_on():
    params = {"X_pool": Uncut([POOL]), "X_val": Uncut(X_VAL), "y_val": Uncut(Y_VAL)}
    model = SalutaryClassifier(**SETTINGS)
    found = cross_val_score(model, X, Y, cv=2, params=params, error_score="raise")
    plain = cross_val_score(model, X, Y, cv=2, params=params | {"X_pool": Uncut(POOL)}, error_score="raise")
    assert found.tolist() == plain.tolist()


def columns(n=20, **changed):
    return {name: values.to_numpy() for name, values in POOL[:n].items()} | changed


PAIRS = [(f"p{i}", i) for i in range(20)]
TIMES = pd.to_datetime(["2024-01-01"] * 20)
TWICE = pa.Table.from_arrays([pa.array(range(20))] * 4, names=[*NAMES, "age"])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (columns(key=range(30)), "20 rows and 30 ids"),
        (columns(key=[1, 2]), "20 rows and 2 ids"),
        (columns(key=[]), "20 rows and 0 ids"),
        (columns(key="p1"), "20 rows and 1 ids"),
        (columns(key=7), "20 rows and 1 ids"),
        (columns(0, key=range(20)), "0 rows and 20 ids"),
        (columns(key=PAIRS, dose=[1.0]), "20 rows of column 'age' and 1 of 'dose'"),
        (columns(key=PAIRS, age=[]), "0 rows of column 'age' and 20 of 'dose'"),
        (columns(0, key=[], more=range(20)), "has rows, but not of features"),
        (columns(key=PAIRS, dose=TIMES), "column 'dose': datetime64[us] is no type of real numbers"),
        (columns(key=PAIRS, dose=[*TIMES.to_numpy()]), "column 'dose': datetime64[us] is no type"),
        (columns(key=PAIRS, dose=TIMES - TIMES[0]), "column 'dose': timedelta64[us] is no type"),
        (columns(key=PAIRS, dose=np.ones(20) * 1j), "column 'dose': complex128 is no type"),
        (columns(key=PAIRS, dose=np.array([*np.ones(20) * 1j], object)), "column 'dose': complex128 is"),
        (POOL[:20].assign(key=1, dose=TIMES), "column 'dose': datetime64[us] is no type"),
        (POOL[:20].assign(key=1, dose=pd.Categorical(TIMES)), "column 'dose': datetime64[us] is no type"),
        (pa.Table.from_pandas(POOL[:20].assign(key=1, dose=TIMES)), "column 'dose': datetime64["),
        (TWICE.append_column("key", [range(20)]), "has 2 columns 'age'"),
        (POOL[:20].assign(key=1)[[*NAMES, "age", "key"]], "has 2 columns 'age'"),
        (POOL[:20].assign(key=1, more=1)[[*NAMES, "more", "key", "key"]], "has 2 columns 'key'"),
    ],
)
def test_a_block_that_is_no_table_of_numbers_is_one_line(block, message):
    good = columns(key=range(20))
    for before in ([], [good]):
        with pytest.raises(SalutaryError, match=re.escape(message)) as error:
            fit([*before, block], id_pool="key")
        assert str(error.value).startswith(f"X_pool, block {len(before)} (counted from 0): ")
        assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["M8[s]", "m8[s]", complex])
def test_matrices_of_other_types_are_no_numbers(kind):
    matrix = np.ones((20, 3)).astype(int).astype(kind)
    with pytest.raises(SalutaryError, match=r"X_pool, block 0 .*: .* is no type of real numbers"):
        fit([matrix], named=False)
    with pytest.raises(SalutaryError, match=r"X_pool, block 0 .*: column '1': .* is no type of real numbers"):
        fit([pd.DataFrame({0: np.ones(20), 1: matrix[:, 0], 2: np.ones(20)})], named=False)


def test_columns_that_are_not_read_may_have_any_form():
    """And blocks whose first column has no row are no empty ones."""
    pool = {"note": [], **{name: values.to_numpy() for name, values in POOL.items()}, "when": 1j}
    same(fit([pool]), EXPECTED)
    table = pa.Table.from_pandas(POOL, preserve_index=False)
    for _ in range(2):
        table = table.append_column("note", [["no feature"] * len(POOL)])
    same(fit(table), EXPECTED)
    with pytest.raises(SalutaryError, match=r"^X_pool has 2 columns 'age'$"):
        fit(pa.dataset.dataset(TWICE))


def test_ids_stay_what_they_are():
    def ids(of, rows):
        half = len(of) // 2
        blocks = [columns(half, key=of[:half]), columns(len(of) - half, key=of[half:])]
        with opened_pool(EXPECTED, blocks, "key", None) as (_, found):
            return found.of(np.array(rows))

    mixed = [0, None, 2, "three", 4.0, True, 2**70, ("a", (7, "b"))]
    found = ids(mixed, range(8))
    assert [*found] == mixed and [*map(type, found)] == [*map(type, mixed)] and found.shape == (8,)
    assert [*ids(PAIRS, [19, 3])] == [PAIRS[19], PAIRS[3]]
    assert [*map(repr, ids([2**63, -1], [0, 1]))] == [repr(2**63), "-1"]
    assert ids(pd.Series([5, None, 7], dtype="Int64"), [1, 2]).tolist() == [None, 7]
    for plain in ([3, 1, 2], ["ab", "c", "d"], [0.5, 1.0, 2.0], [True, False, True]):
        for form in (list, np.array, pd.Series, pa.array, lambda each: [*np.array(each)]):
            np.testing.assert_array_equal(ids(form(plain), [2, 0]), np.array(plain)[[2, 0]], strict=True)
    days = ids(np.array(["2024-01-01", "2024-01-02"], "M8[ns]"), [1])
    assert days[0].startswith("2024-01-02")


@pytest.mark.parametrize("given", [None, 5, "pool/", lambda: None])
def test_a_function_that_gives_no_blocks_is_one_line(given):
    with pytest.raises(SalutaryError, match=r"^X_pool is a function that gives .+, and not blocks of rows$"):
        fit(lambda: given)


@pytest.mark.parametrize("empty", [[], (), lambda: [], iter([])])
def test_a_pool_of_no_blocks_holds_no_row(empty):
    with pytest.raises(SalutaryError, match=r"^X_pool holds no row; an iterator gives its blocks only once$"):
        fit(empty)


def test_a_source_that_runs_out_of_its_own_disk_says_so_itself():
    def failing():
        yield POOL
        raise OSError(28, "the source's own disk")

    with pytest.raises(OSError, match="the source's own disk"):
        fit(failing())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a disk that is full")
@pytest.mark.parametrize("id_pool", [None, "key"])
def test_what_is_left_to_write_when_files_are_closed_is_one_line(monkeypatch, id_pool):
    """Of few rows nothing is written before; without room, closing fails a second time."""
    is_full = "ids.jsonl" if id_pool else "pool.npy"
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode: opened(Path("/dev/full") if path.name == is_full else path, "wb")
    )
    with pytest.raises(SalutaryError, match=r"X_pool does not fit into .*No space left.*set TMPDIR"):
        fit([columns(key=range(20))], id_pool=id_pool)
