"""Pools in files: the answer of the same pool in memory, and one line for what cannot be read."""

import numpy as np
import pyarrow
import pytest
import torch
from pyarrow import parquet

from salutary.engine import best_influence, best_labels
from salutary.engine.selection import top
from salutary.errors import SalutaryError
from salutary.labeling.pool import open_pool
from salutary.labeling.shortlist import best_points


def matrix(n=1000, d=6, dtype=np.float64):
    return np.random.default_rng(0).standard_normal((n, d)).astype(dtype)


def parameters(n_classes=4, d=6, intercept=False):
    generator = torch.Generator().manual_seed(0)
    K = 1 if n_classes == 2 else n_classes
    return torch.randn(2, K, d + intercept, generator=generator, dtype=torch.float64)


def write(path, X):
    if path.suffix == ".npy":
        np.save(path, X)
    elif path.suffix == ".parquet":
        write_parquet(path, X)
    else:
        path.mkdir()
        write_parquet(path / "b.parquet", X[300:])
        write_parquet(path / "a.parquet", X[:300])
    return path


def write_parquet(path, X):
    columns = {f"f{i}": np.ascontiguousarray(X[:, i]) for i in range(X.shape[1])}
    parquet.write_table(pyarrow.table(columns), path, row_group_size=70)


@pytest.mark.parametrize("name", ["pool.npy", "pool.parquet", "folder"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_classes, intercept", [(2, True), (4, False)])
@pytest.mark.parametrize("budget", [1, 25, 1000])
def test_answer_of_the_pool_in_memory(tmp_path, monkeypatch, name, dtype, n_classes, intercept, budget):
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 8 * 6 * 90)
    X = matrix(dtype=dtype)
    pool = open_pool(write(tmp_path / name, X))
    assert (len(pool), pool.n_features) == X.shape
    assert len(list(pool.blocks())) >= 6
    W, S = parameters(n_classes, intercept=intercept)
    found = best_points(pool, W, S, budget)
    influence = best_influence(W, S, torch.as_tensor(X))
    rows = top(influence, budget)
    assert torch.equal(found.rows, rows)
    assert torch.equal(found.labels, best_labels(S, torch.as_tensor(X))[rows])
    torch.testing.assert_close(found.influence, influence[rows])


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.int64, bool])
def test_equal_rows_come_in_the_order_of_the_file(tmp_path, monkeypatch, dtype):
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 8 * 6 * 8)
    X = np.random.default_rng(1).integers(0, 2, (500, 6)).astype(dtype)  # at most 64 different rows
    W, S = (parameters() * 4).round()  # whole numbers, so that equal rows have equal scores
    for name in ("pool.npy", "pool.parquet"):
        found = best_points(open_pool(write(tmp_path / name, X)), W, S, 60)
        assert torch.equal(found.rows, top(best_influence(W, S, torch.as_tensor(X).double()), 60))
        assert len(found.influence.unique()) < 60


def test_rows_are_scored_in_the_precision_asked_for(tmp_path):
    pool = open_pool(write(tmp_path / "pool.npy", matrix()))
    assert best_points(pool, *parameters(), 5).influence.dtype == torch.float64
    assert best_points(pool, *parameters(), 5, dtype=torch.float32).influence.dtype == torch.float32


def npy(change):
    return lambda path: np.save(path / "pool.npy", change(matrix()))


def spoilt(value):
    X = matrix()
    X[700, 3] = value
    return lambda path: np.save(path / "pool.npy", X)


def truncated(name):
    def make(path):
        content = write(path / name, matrix()).read_bytes()
        (path / name).write_bytes(content[: len(content) // 2])

    return make


def table(**columns):
    return lambda path: parquet.write_table(pyarrow.table(columns), path / "pool.parquet")


def different_columns(path):
    write(path / "pool.parquet", matrix())
    (path / "folder").mkdir()
    parquet.write_table(pyarrow.table({"a": [1.0]}), path / "folder/a.parquet")
    parquet.write_table(pyarrow.table({"b": [1.0]}), path / "folder/b.parquet")


def archive(path):
    np.savez(path / "pool.npz", matrix())
    (path / "pool.npz").rename(path / "pool.npy")


def folder_inside(path):
    (path / "folder/a.parquet").mkdir(parents=True)


SIX = {f"f{i}": [1.0, 2.0] for i in range(5)}


@pytest.mark.parametrize(
    "name, make, budget, message",
    [
        ("pool.npy", lambda path: None, 1, "there is no .*pool.npy"),
        ("pool.csv", lambda path: (path / "pool.csv").touch(), 1, "a pool is a .npy"),
        ("folder", lambda path: (path / "folder").mkdir(), 1, "holds no .parquet"),
        ("folder", folder_inside, 1, "holds no .parquet"),
        ("pool.npy", archive, 1, "an archive, not a single"),
        ("folder", different_columns, 1, "b.parquet has other columns than .*a.parquet"),
        ("pool.npy", lambda path: (path / "pool.npy").touch(), 1, "not a whole .npy"),
        ("pool.npy", truncated("pool.npy"), 1, "not a whole .npy"),
        ("pool.parquet", truncated("pool.parquet"), 1, "not a whole Parquet"),
        ("pool.npy", npy(lambda X: X[0]), 1, r"holds float64 \(6,\), not a matrix"),
        ("pool.npy", npy(lambda X: X[:0]), 1, "not a matrix"),
        ("pool.npy", npy(lambda X: X.astype(str)), 1, "not a matrix of real numbers"),
        ("pool.npy", npy(lambda X: X.astype(complex)), 1, "not a matrix of real numbers"),
        ("pool.npy", npy(lambda X: X.astype(object)), 1, "not a whole .npy"),
        ("pool.npy", npy(np.asfortranarray), 1, "stored by column"),
        ("pool.npy", npy(lambda X: X[:, :4]), 1, "4 features, the model has 6"),
        ("pool.npy", npy(lambda X: X), 1001, "budget=1001 is larger than the pool, 1000 rows"),
        ("pool.npy", npy(lambda X: X), 0, "budget must be a whole number"),
        ("pool.npy", spoilt(np.nan), 1, r"pool.npy: feature 3 of row 700 is nan"),
        ("pool.npy", spoilt(-np.inf), 1, r"feature 3 of row 700 is -inf"),
        ("pool.npy", spoilt(1e308), 1, "values of row 700 are too large"),
        ("pool.parquet", table(**SIX, x=["a", "b"]), 1, "column 'x' holds .*string.*, not numbers"),
        ("pool.parquet", table(**SIX, x=[1.0, None]), 1, "column 'x' is missing in row 1"),
    ],
)
def test_what_cannot_be_scored(tmp_path, monkeypatch, name, make, budget, message):
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 8 * 6 * 90)
    make(tmp_path)
    W, S = parameters()
    with pytest.raises(SalutaryError, match=message) as error:
        best_points(open_pool(tmp_path / name), W, S, budget)
    assert len(str(error.value).splitlines()) == 1


def test_columns_may_share_a_name(tmp_path):
    X = matrix()
    columns = [pyarrow.array(np.ascontiguousarray(column)) for column in X.T]
    parquet.write_table(
        pyarrow.table(columns, names=["a", "a", "b", "b", "c", "d"]), tmp_path / "pool.parquet"
    )
    W, S = parameters()
    found = best_points(open_pool(tmp_path / "pool.parquet"), W, S, 5)
    assert torch.equal(found.rows, top(best_influence(W, S, torch.as_tensor(X)), 5))


def test_parameters_that_do_not_belong_together(tmp_path):
    pool = open_pool(write(tmp_path / "pool.npy", matrix()))
    W, S = parameters()
    with pytest.raises(SalutaryError, match="must be alike"):
        best_points(pool, W, S[:, :5], 1)
    with pytest.raises(SalutaryError, match=r"not torch\.float16"):
        best_points(pool, W, S, 1, dtype=torch.float16)
