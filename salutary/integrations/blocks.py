"""Rows that come block by block: data sets of Arrow and Ray Data, and iterators of arrays or DataFrames."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_array

from salutary.errors import SalutaryError
from salutary.labeling.pool import BLOCK_BYTES
from salutary.tables.messages import quoted, shown

# What rows in memory have; a list of rows has none of it.
ROWS = ("shape", "__array__", "__array_interface__", "__dataframe__", "iloc")
# What blocks are read by, of what a function gives.
READ_BY = (*ROWS, "__iter__", "__getitem__", "to_batches", "iter_batches")
# Kinds of NumPy's types that it makes real numbers of, though they are none: times, lengths of time, complex.
NO_NUMBERS = "Mmc"


def is_blocks(X: Any) -> bool:
    """Whether X gives blocks of rows, and is not the rows themselves.

    These are tables, batches, readers and data sets of PyArrow's, data sets of Ray's, callables that give one
    of all these, iterators and other iterables, and lists with a block in them. Neither package is imported.
    """
    if isinstance(X, (str, bytes, Mapping)) or X is None:
        return False
    if _is_arrow(X) or _is_ray(X) or callable(X):
        return True
    if isinstance(X, (list, tuple)):
        return any(_is_block(each) for each in X)
    return isinstance(X, Iterable) and not any(hasattr(X, name) for name in ROWS)


@dataclass
class Block:
    """``X`` (m, d) float64, all of it finite; ``ids``: of its rows, empty unless they were asked for."""

    X: np.ndarray
    ids: list[Any]


class Blocks:
    """What a ``source`` gives, as blocks of the features that an ``estimator`` was fitted to.

    Columns are taken by name, in any order, where X had names; others are not read. Where X had none, columns
    are taken as they come in the first block, and each block needs the same. ``name``: of the source in
    messages. ``id_column``: is no feature.
    """

    def __init__(self, estimator: Any, source: Any, name: str, id_column: str | None = None):
        names = getattr(estimator, "feature_names_in_", None)
        self._names: list[str] | None = None if names is None else list(names)
        self._are_those_of_X = names is not None
        self._width: int = estimator.n_features_in_
        self._source, self._name, self._id_column = source, name, id_column
        self._place = self._start = 0

    def __iter__(self) -> Iterator[Block]:
        """All that have rows, in order. Raises SalutaryError, naming the block, for one that does not fit,
        and if there are no rows.
        """
        self._place = self._start = 0
        with _opened(self._source, self._name, self._wanted, self._n_rows) as blocks:
            for place, block in enumerate(blocks):
                self._place = place
                if not _is_empty(block):
                    checked = self._checked(block)
                    self._start += len(checked.X)
                    yield checked
        if not self._start:
            raise SalutaryError(f"{self._name} holds no row; an iterator gives its blocks only once")

    @property
    def _wanted(self) -> list[str] | None:
        """Columns that are to be read; None for all."""
        if self._names is None or not self._are_those_of_X:
            return None
        return [*dict.fromkeys([*self._names, *([self._id_column] if self._id_column else [])])]

    @property
    def _n_rows(self) -> int:
        """Of a block, where the source leaves that to who reads it."""
        return max(1, BLOCK_BYTES // (8 * self._width))

    def _checked(self, block: Any) -> Block:
        named, ids = _columns(block), []
        if named is not None:
            names, columns = self._named(named[0]), named[1]
            ids = _list(columns[self._id_column]) if self._id_column else []
            self._check_lengths({name: _length(columns[name]) for name in names}, ids)
            block = self._told(
                lambda: np.column_stack([self._numbers(name, columns[name]) for name in names])
            )
        elif self._id_column:
            raise self._wrong(f"has no names of columns, and id_pool={self._id_column} is one")
        self._told(lambda: _check_types(block))
        X = self._told(lambda: check_array(block, dtype=np.float64, ensure_all_finite=False))
        if X.shape[1] != self._width:
            raise self._wrong(f"has {X.shape[1]} features, X has {self._width}")
        if not np.isfinite(X).all():
            row, column = np.argwhere(~np.isfinite(X))[0].tolist()
            feature = column if self._names is None or len(self._names) != X.shape[1] else self._names[column]
            raise self._wrong(f"{feature} of row {self._start + row} is {X[row, column]}")
        return Block(X, ids)

    def _named(self, found: list[str]) -> list[str]:
        """The columns that are features. Raises SalutaryError for one that is not there, or one too many."""
        if self._id_column and self._id_column not in found:
            raise self._wrong(f"has no column {quoted(self._id_column)}, which id_pool names")
        if self._names is None:
            self._names = [each for each in found if each != self._id_column]
        counts = Counter(found)
        for each in (*self._names, *([self._id_column] if self._id_column else [])):
            if (n := counts[each]) != 1:
                raise self._wrong(f"has {f'{n} columns' if n else 'no column'} {quoted(each)}")
        for each in found:
            if not self._are_those_of_X and each not in (*self._names, self._id_column):
                raise self._wrong(f"has a column {quoted(each)}, which those before it lack")
        return self._names

    def _check_lengths(self, lengths: Mapping[str, int], ids: list[Any]) -> None:
        """Raises SalutaryError unless all features and the ids have as many rows."""
        first, n = next(iter(lengths.items()), ("", 0))
        for name, length in lengths.items():
            if length != n:
                raise self._wrong(f"{n} rows of column {quoted(first)} and {length} of {quoted(name)}")
        if not n or (self._id_column and len(ids) != n):
            raise self._wrong(f"{n} rows and {len(ids)} ids" if ids or n else "has rows, but not of features")

    def _numbers(self, name: str, column: Any) -> np.ndarray:
        """(m,), or (m, k) of a column of vectors; NaN for what is missing."""
        if _is_arrow(column):
            column = _of_arrow(column, self._name, name, self._start)
        try:
            if not isinstance(column, pd.Series):
                column = np.asarray(np.stack(column) if _holds_arrays(column) else column)
            _check_type(column)
            if isinstance(column, pd.Series):
                return column.to_numpy(np.float64, na_value=np.nan)
            return column.astype(np.float64, copy=False)
        except (ValueError, TypeError) as error:
            raise ValueError(f"column {quoted(name)}: {error}") from error

    def _told(self, work: Callable[[], Any]) -> Any:
        """``work()``; raises SalutaryError for what NumPy or scikit-learn do not take."""
        try:
            return work()
        except SalutaryError:
            raise
        except (ValueError, TypeError) as error:
            raise self._wrong(str(error).splitlines()[0]) from error

    def _wrong(self, what: str) -> SalutaryError:
        return SalutaryError(f"{self._name}, block {self._place} (counted from 0): {what}")


@contextlib.contextmanager
def _opened(source: Any, name: str, columns: list[str] | None, n_rows: int) -> Iterator[Iterable[Any]]:
    """The blocks themselves; ``name``: of the source, ``columns``: all that have to be there."""
    if callable(source):
        source = source()
        if isinstance(source, (str, bytes)) or not any(hasattr(source, each) for each in READ_BY):
            raise SalutaryError(f"{name} is a function that gives {shown(source)}, and not blocks of rows")
    if _is_ray(source):
        known = source.columns(fetch_if_missing=False) if hasattr(source, "columns") else None
        if columns is not None and set(columns) <= {*(known or ())}:
            source = source.select_columns(columns)
        with _in_order(source):
            yield source.iter_batches(batch_size=n_rows, batch_format="numpy", prefetch_batches=1)
    elif hasattr(source, "to_batches") and hasattr(source, "scanner"):  # Arrow reads far ahead by itself
        few = {"batch_size": n_rows, "batch_readahead": 2, "fragment_readahead": 1}
        (most, count), *_ = Counter(source.schema.names).most_common(1) or [("", 0)]
        if count > 1:  # Arrow does not read it, and says so in many lines
            raise SalutaryError(f"{name} has {count} columns {quoted(most)}")
        is_there = columns is not None and set(columns) <= {*source.schema.names}
        yield source.to_batches(columns=columns if is_there else None, **few)
    elif hasattr(source, "to_batches"):
        yield source.to_batches()
    else:
        yield [source] if _is_block(source) else source


@contextlib.contextmanager
def _in_order(data: Any) -> Iterator[None]:
    """Ray Data gives blocks as they are done, unless it is told to keep its own order."""
    options = data.context.execution_options
    before, options.preserve_order = options.preserve_order, True
    try:
        yield
    finally:
        options.preserve_order = before


def _columns(block: Any) -> tuple[list[str], Mapping[str, Any]] | None:
    """The names, some perhaps twice, and the columns by name; None where they have none."""
    if isinstance(block, Mapping):
        return list(block), block
    if _is_arrow(block):
        names = block.schema.names
        columns: Sequence[Any] = block.columns
    elif hasattr(block, "columns"):
        names, columns = list(block.columns), [block[name] for name in block.columns]
    else:
        return None
    is_named = all(isinstance(name, str) for name in names)
    return (names, dict(zip(names, columns, strict=True))) if is_named else None


def _of_arrow(column: Any, source: str, name: str, start: int) -> Any:
    from salutary.tables.arrow_values import to_matrix, to_series, vector_width

    column = column.combine_chunks() if hasattr(column, "combine_chunks") else column
    width = vector_width(column.type)
    if width is None:
        width = len(column[0])
    return to_matrix(column, width, source, name, start) if width else to_series(column)


def _holds_arrays(column: Any) -> bool:
    kind = getattr(getattr(column, "dtype", None), "kind", "")
    return kind == "O" and len(column) > 0 and np.ndim(column[0]) == 1


def _check_types(block: Any) -> None:
    """Raises TypeError, naming the column, if some in a matrix or DataFrame are no real numbers."""
    if not isinstance(block, pd.DataFrame):
        _check_type(block)
        return
    for place, name in enumerate(block.columns):
        _check_type(block.iloc[:, place], f"column {quoted(name)}: ")


def _check_type(values: Any, where: str = "") -> None:
    """Raises TypeError for an array or column of what is no real number, though NumPy makes one of it."""
    dtype = getattr(values, "dtype", None)
    dtype = getattr(getattr(dtype, "categories", None), "dtype", dtype)
    kind = getattr(dtype, "kind", None)
    if kind == "O":
        types = {type(each) for each in np.ravel(values) if isinstance(each, np.generic)}
        dtype = next((each for each in map(np.dtype, types) if each.kind in NO_NUMBERS), dtype)
    if getattr(dtype, "kind", "O") in NO_NUMBERS:
        raise TypeError(f"{where}{dtype} is no type of real numbers")


def _list(column: Any) -> list[Any]:
    """The ids of a column as values of Python's own; a single value is one id."""
    if hasattr(column, "to_pylist"):
        return column.to_pylist()
    if isinstance(column, (str, bytes)) or getattr(column, "ndim", 1) == 0 or not hasattr(column, "__iter__"):
        return [_id(column)]
    return [*map(_id, column)]


def _id(value: Any) -> Any:
    if value is pd.NA:
        return None
    is_of_numpy = isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind not in NO_NUMBERS
    return value.tolist() if is_of_numpy else value


def _is_empty(block: Any) -> bool:
    """Whether there is no row in it, in none of its columns."""
    columns = block.values() if isinstance(block, Mapping) else [block]
    return not any(map(_length, columns))


def _length(values: Any) -> int:
    """How many rows a block or column has: 1 of a single value."""
    shape = getattr(values, "shape", None)
    if shape:
        return int(shape[0])
    is_one = shape == () or isinstance(values, (str, bytes)) or not hasattr(values, "__len__")
    return 1 if is_one else len(values)


def _is_block(value: Any) -> bool:
    """Whether it is a matrix or a table."""
    return isinstance(value, Mapping) or len(getattr(value, "shape", ())) == 2


def _is_arrow(value: Any) -> bool:
    return _is_of(value, "pyarrow")


def _is_ray(value: Any) -> bool:
    return _is_of(value, "ray") and hasattr(value, "iter_batches")


def _is_of(value: Any, package: str) -> bool:
    """Whether a package has made the type of a value."""
    return any(each.__module__.partition(".")[0] == package for each in type(value).__mro__)
