"""The pool of a fit: rows in memory, or blocks that are written to a temporary file and read from there."""

from __future__ import annotations

import contextlib
import errno
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from salutary.errors import SalutaryError
from salutary.integrations.blocks import Blocks, is_blocks
from salutary.labeling.pool import ArrayPool, NpyPool, write_header

NAME = "X_pool"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Types of ids that arrays hold as they are, and the kinds of these arrays.
PLAIN = {bool: "b", int: "iu", float: "f", str: "U"}


class Ids:
    """Ids of rows in a file: a line of JSON for each block. What JSON has no word for is a text, a list is
    a tuple.
    """

    def __init__(self, path: Path):
        self._file = path.open("wb+")
        self._starts, self._offsets = [0], [0]

    def add(self, ids: list[Any]) -> None:
        """Those of the rows that come next."""
        self._file.write(json.dumps(ids, default=str).encode() + b"\n")
        self._starts.append(self._starts[-1] + len(ids))
        self._offsets.append(self._file.tell())

    def flush(self) -> None:
        self._file.flush()

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Of rows (q,), (q,): of one type if all are of it, else objects."""
        found: dict[int, Any] = {}
        blocks = np.searchsorted(self._starts, rows, side="right") - 1
        for block in np.unique(blocks).tolist():
            self._file.seek(self._offsets[block])
            ids = json.loads(self._file.readline())
            found |= {row: ids[row - self._starts[block]] for row in rows[blocks == block].tolist()}
        return _array([_hashable(found[row]) for row in rows.tolist()])

    def close(self) -> None:
        self._file.close()


def _hashable(value: Any) -> Any:
    return tuple(map(_hashable, value)) if isinstance(value, list) else value


def _array(ids: list[Any]) -> np.ndarray:
    """(q,): objects unless all are of one plain type, since NumPy makes floats or a matrix of some."""
    kinds = {type(each) for each in ids}
    if len(kinds) == 1 and (kind := kinds.pop()) in PLAIN:
        plain = np.array(ids)
        if plain.dtype.kind in PLAIN[kind]:  # integers of 64 bits, say
            return plain
    objects = np.empty(len(ids), object)
    objects[:] = ids
    return objects


@contextlib.contextmanager
def opened_pool(
    estimator: Any, X_pool: Any, id_column: str | None, mapped: Callable[[Any], np.ndarray]
) -> Iterator[tuple[ArrayPool | NpyPool, Ids | None]]:
    """The pool of a fit of ``estimator``, and ids if an ``id_column`` names them.

    ``mapped``: makes features (m, D) of rows in memory. Those of blocks are in a temporary file until this
    ends. Raises SalutaryError for what is wrong with blocks, and if there is no room for the file.
    """
    if isinstance(X_pool, (list, tuple)) and not X_pool:
        X_pool = iter(X_pool)  # blocks, of which there is none
    if not is_blocks(X_pool):
        if id_column is not None:
            raise SalutaryError("id_pool names a column of blocks: give X_pool=[X_pool], one block")
        yield ArrayPool(mapped(X_pool)), None
        return
    blocks = Blocks(estimator, X_pool, NAME, id_column)
    with tempfile.TemporaryDirectory(prefix="salutary-") as folder, contextlib.ExitStack() as stack:
        ids = None
        if id_column:
            with _room(folder):
                ids = Ids(Path(folder) / "ids.jsonl")
            stack.callback(_room(folder)(ids.close))
        path = Path(folder) / "pool.npy"
        _write(path, blocks, ids, estimator.map_.features)
        pool = NpyPool(path)
        pool.name = ArrayPool.name
        yield pool, ids


@contextlib.contextmanager
def _room(folder: str | Path) -> Iterator[None]:
    """For what writes into a folder, and nothing else: a source of blocks may run out of its own disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        advice = "set TMPDIR to a folder on a larger disk"
        raise SalutaryError(f"{NAME} does not fit into {folder}: {error.strerror}; {advice}") from error


def _write(path: Path, blocks: Blocks, ids: Ids | None, features: Callable[[np.ndarray], np.ndarray]) -> None:
    n = width = 0
    with contextlib.ExitStack() as stack:
        with _room(path.parent):
            file = path.open("wb")
        stack.callback(_room(path.parent)(file.close))  # which writes what is left
        for block in blocks:
            X = np.ascontiguousarray(features(block.X))
            with _room(path.parent):
                if not n:
                    width = X.shape[1]
                    write_header(file, n, width, np.float64)
                file.write(X.data)
                if ids:
                    ids.add(block.ids)
            n += len(X)
        with _room(path.parent):
            file.seek(0)
            write_header(file, n, width, np.float64)
            if ids:
                ids.flush()


def by_block(
    estimator: Any,
    function: Callable[[np.ndarray], np.ndarray],
    X: Any,
    mapped: Callable[[Any], np.ndarray],
) -> np.ndarray:
    """``function`` of the features of rows in memory, or of each block, one after another."""
    if not is_blocks(X):
        return function(mapped(X))
    features = estimator.map_.features
    return np.concatenate([function(features(block.X)) for block in Blocks(estimator, X, "X")])
