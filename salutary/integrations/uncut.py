"""Rows that a search of scikit-learn hands on whole, and the refusal of those that it has cut."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from salutary.errors import SalutaryError
from salutary.integrations.blocks import is_blocks

# What scikit-learn's own functions call to choose rows of the arguments of a fit (1.8, 1.9).
CUTTING = "_check_method_params"


class Uncut:
    """A pool, or validation rows or their labels, that every ``fit`` of a search gets whole.

    scikit-learn takes each argument of ``fit`` that has as many rows as its own ``X`` for one value a row
    of X, as weights are, and gives ``fit`` only the rows of a fold, with metadata routing too. Of these
    ``rows``, an array (n, ...), a DataFrame or what gives blocks of rows, any choice of rows is all of them.

    >>> rows = Uncut([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    >>> rows[[0, 2]] is rows, len(rows)
    (True, 3)
    """

    def __init__(self, rows: ArrayLike):
        self.rows = rows

    @property
    def shape(self) -> tuple[int, ...]:
        return (0,) if is_blocks(self.rows) else np.shape(self.rows)  # nobody counts those of blocks

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, chosen: object) -> Uncut:
        return self

    def __iter__(self) -> Iterator[Any]:  # without it Python would count __getitem__ up for ever
        return iter(np.asarray(self.rows))

    def __array__(self, dtype: np.dtype | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.rows, dtype=dtype, copy=copy)


def opened(n: int, arguments: Mapping[str, Any]) -> list[Any]:
    """The values of ``arguments`` of a fit to ``n`` rows, those of :class:`Uncut` taken out.

    Raises SalutaryError if a function of scikit-learn, from which fit is called, has cut some of them. Cut
    rows look like any others, so it is asked of the functions above: who of them chose n rows of more, and
    handed on as many of an argument.
    """
    for function in _cutting():
        n_all = _n_rows(function.get("X"))
        names = [name for name, value in _handed_on(function) if name in arguments and _n_rows(value) == n]
        if names and n_all not in (0, n):
            raise SalutaryError(_cut(list(dict.fromkeys(names)), n, n_all))
    return [value.rows if isinstance(value, Uncut) else value for value in arguments.values()]


def _cutting() -> Iterator[Mapping[str, Any]]:
    """The variables of the functions of scikit-learn that choose rows for a fit, the innermost first."""
    frame = sys._getframe(1)
    while frame := frame.f_back:
        module = frame.f_globals.get("__name__") or ""
        if CUTTING in frame.f_code.co_names and module.startswith("sklearn."):
            yield frame.f_locals


def _handed_on(function: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments in a function's dictionaries, by their names without those of a pipeline's steps."""
    for variable in function.values():
        if isinstance(variable, dict):
            yield from ((str(name).rpartition("__")[2], value) for name, value in variable.items())


def _n_rows(value: Any) -> int:
    """0 of what has none, and of what cannot be cut."""
    if value is None or isinstance(value, Uncut):
        return 0
    shape = getattr(value, "shape", None)
    return shape[0] if shape else len(value) if hasattr(value, "__len__") else 0


def _cut(names: list[str], n: int, n_all: int) -> str:
    whole = ", ".join(f"{name}=Uncut({name})" for name in names)
    return (
        f"{' and '.join(names)} came with {n} rows, as many as X has here of its {n_all}: scikit-learn cuts"
        f" what has as many rows as X; give {whole} (from salutary import Uncut)"
    )
