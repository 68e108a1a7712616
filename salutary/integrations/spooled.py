"""The pool of a fit: rows in memory, or blocks that are written to a temporary file and read from there."""

from __future__ import annotations

import contextlib
import errno
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from salutary.errors import SalutaryError
from salutary.integrations.blocks import Blocks, is_blocks
from salutary.labeling.pool import ArrayPool, NpyPool, write_header

NAME = "X_pool"
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Ids:
    """Ids of rows in a file: a line of JSON for each block. What JSON has no word for is a text."""

    def __init__(self, path: Path):
        self._file = path.open("wb+")
        self._starts, self._offsets = [0], [0]

    def add(self, ids: list[Any]) -> None:
        """Those of the rows that come next."""
        self._file.write(json.dumps(ids, default=str).encode() + b"\n")
        self._starts.append(self._starts[-1] + len(ids))
        self._offsets.append(self._file.tell())

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Of rows (q,), (q,)."""
        found: dict[int, Any] = {}
        blocks = np.searchsorted(self._starts, rows, side="right") - 1
        for block in np.unique(blocks).tolist():
            self._file.seek(self._offsets[block])
            ids = json.loads(self._file.readline())
            found |= {row: ids[row - self._starts[block]] for row in rows[blocks == block].tolist()}
        return np.array([found[row] for row in rows.tolist()])

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def opened_pool(
    estimator: Any, X_pool: Any, id_column: str | None, mapped: Callable[[Any], np.ndarray]
) -> Iterator[tuple[ArrayPool | NpyPool, Ids | None]]:
    """The pool of a fit of ``estimator``, and ids if an ``id_column`` names them.

    ``mapped``: makes features (m, D) of rows in memory. Those of blocks are in a temporary file until this
    ends. Raises SalutaryError for what is wrong with blocks, and if there is no room for the file.
    """
    if not is_blocks(X_pool):
        if id_column is not None:
            raise SalutaryError("id_pool names a column of blocks: give X_pool=[X_pool], one block")
        yield ArrayPool(mapped(X_pool)), None
        return
    blocks = Blocks(estimator, X_pool, NAME, id_column)
    with tempfile.TemporaryDirectory(prefix="salutary-") as folder, contextlib.ExitStack() as stack:
        ids = Ids(Path(folder) / "ids.jsonl") if id_column else None
        if ids:
            stack.callback(ids.close)
        path = Path(folder) / "pool.npy"
        try:
            with path.open("wb") as file:
                _write(file, blocks, ids, estimator.map_.features)
        except OSError as error:
            if error.errno not in NO_ROOM:  # of the blocks' own source
                raise
            advice = "set TMPDIR to a folder on a larger disk"
            raise SalutaryError(f"{NAME} does not fit into {folder}: {error.strerror}; {advice}") from error
        pool = NpyPool(path)
        pool.name = ArrayPool.name
        yield pool, ids


def _write(
    file: IO[bytes], blocks: Blocks, ids: Ids | None, features: Callable[[np.ndarray], np.ndarray]
) -> None:
    n = width = 0
    for block in blocks:
        X = np.ascontiguousarray(features(block.X))
        if not n:
            width = X.shape[1]
            write_header(file, n, width, np.float64)
        file.write(X.data)
        if ids:
            ids.add(block.ids)
        n += len(X)
    file.seek(0)
    write_header(file, n, width, np.float64)


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
