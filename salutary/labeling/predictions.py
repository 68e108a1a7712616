"""What the model that is handed over says of every row of the pool: written as it is computed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from salutary.errors import SalutaryError
from salutary.labeling.outputs import require_parquet
from salutary.labeling.pool import BLOCK_BYTES, NpyPool
from salutary.system.files import whole_file
from salutary.system.progress import counting_bar
from salutary.tables.files import TableFile
from salutary.tables.labels import Classes
from salutary.tables.messages import one_line
from salutary.tables.texts import each_to_text

if TYPE_CHECKING:
    import pyarrow

# Rows of one group of the file that is written, at most.
GROUP_ROWS = 65_536


def write_predictions(
    path: Path,
    table: TableFile | None,
    id_column: str | None,
    pool: NpyPool,
    predict_proba: Callable[[np.ndarray], np.ndarray],
    classes: Classes,
    progress: bool,
) -> None:
    """Write the class and the probabilities of each row of the pool, in its order, as .parquet or .csv.

    Columns: ``id_column`` of ``table`` (without one ``row``, from 0), ``prediction``, the likeliest class,
    and ``probability_<class>``. ``pool``: the features of the rows of ``table``; ``predict_proba``: of
    features (m, d) float32, (m, C). Memory does not grow with the pool. The file is there whole or not at
    all. Raises SalutaryError if PyArrow is needed and not installed, or if the table has other rows now.
    """
    require_parquet(path)
    n = max(1, min(GROUP_ROWS, BLOCK_BYTES // (8 * len(classes.names))))
    probabilities = _in_groups(_probabilities(pool, predict_proba, n), n)
    open_file = _parquet if path.suffix.lower() == ".parquet" else _csv
    with (
        whole_file(path) as building,
        open_file(building) as add,
        counting_bar("predicting the pool", len(pool), progress) as advance,
    ):
        for named, group in _side_by_side(_names(table, id_column, len(pool), n), probabilities, table):
            add(pd.concat([named, predicted(group, classes)], axis=1))
            advance(len(group))


def _probabilities(
    pool: NpyPool, predict_proba: Callable[[np.ndarray], np.ndarray], n: int
) -> Iterator[np.ndarray]:
    """Of all rows, of at most ``n`` at a time."""
    for block in pool.blocks():
        for start in range(0, len(block), n):
            yield predict_proba(np.asarray(block[start : start + n]))


def predicted(probabilities: np.ndarray, classes: Classes) -> pd.DataFrame:
    frame = pd.DataFrame({"prediction": classes.values[probabilities.argmax(1)]})
    named = [f"probability_{name}" for name in classes.names]
    return pd.concat([frame, pd.DataFrame(probabilities, columns=named)], axis=1)


def _names(table: TableFile | None, id_column: str | None, n_rows: int, n: int) -> Iterator[pd.DataFrame]:
    """What rows are called, a column, in groups of ``n``: as in :func:`_in_groups`."""
    if table is None or id_column is None:
        starts = range(0, n_rows, n)
        places = (np.arange(start, min(start + n, n_rows)) for start in starts)
        return (pd.DataFrame({"row": table.numbers(each) if table else each}) for each in places)
    blocks = (ids_of(block[id_column]).to_numpy() for block in table.blocks([id_column]))
    return (pd.DataFrame({id_column: group}) for group in _in_groups(blocks, n))


def ids_of(values: pd.Series) -> pd.Series:
    """Whole numbers and texts as they stand in the file, all else as text."""
    if pd.api.types.is_integer_dtype(values) or pd.api.types.infer_dtype(values) == "string":
        return values
    return each_to_text(values)


def _in_groups(arrays: Iterator[np.ndarray], n: int) -> Iterator[np.ndarray]:
    """The same rows, ``n`` at a time, but for the last."""
    waiting: list[np.ndarray] = []
    for array in arrays:
        waiting.append(array)
        if sum(map(len, waiting)) >= n:
            together = np.concatenate(waiting)
            whole = len(together) // n * n
            yield from (together[start : start + n] for start in range(0, whole, n))
            waiting = [together[whole:]]
    if sum(map(len, waiting)):
        yield np.concatenate(waiting)


def _side_by_side(
    names: Iterator[pd.DataFrame], probabilities: Iterator[np.ndarray], table: TableFile | None
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Both, group by group. Raises SalutaryError if one of them has more rows than the other."""
    for group in probabilities:
        named = next(names, pd.DataFrame())
        if len(named) != len(group):
            break
        yield named, group
    else:
        if next(names, None) is None:
            return
    raise SalutaryError(f"{table.path if table else 'the pool'} has other rows than when it was first read")


@contextlib.contextmanager
def _csv(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Appends to a CSV file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        yield lambda frame: frame.to_csv(file, index=False, header=not file.tell(), lineterminator="\n")


@contextlib.contextmanager
def _parquet(path: Path) -> Iterator[Callable[[pd.DataFrame], None]]:
    """Appends row groups to a Parquet file, whose types are those of the first."""
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    with contextlib.ExitStack() as stack:
        writers: list[ParquetWriter] = []

        def add(frame: pd.DataFrame) -> None:
            if not writers:
                writers.append(stack.enter_context(ParquetWriter(path, schema_of(frame))))
            try:
                group = pyarrow.Table.from_pandas(frame, writers[0].schema, preserve_index=False)
            except pyarrow.ArrowException as error:
                problem = f"its values are not of one kind: {one_line(error)}"
                raise SalutaryError(f"column {frame.columns[0]} of the pool: {problem}") from error
            writers[0].write_table(group)

        yield add


def schema_of(frame: pd.DataFrame) -> pyarrow.Schema:
    """Types that hold later groups, too: all whole numbers, and texts of any length."""
    import pyarrow

    def kind(values: pd.Series) -> pyarrow.DataType:
        if pd.api.types.is_integer_dtype(values):
            return pyarrow.uint64() if values.dtype == np.uint64 else pyarrow.int64()
        return pyarrow.float64() if pd.api.types.is_float_dtype(values) else pyarrow.string()

    return pyarrow.schema([(name, kind(frame[name])) for name in frame])
