"""A data set that is in memory: arrays, or a DataFrame of numbers and categories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from salutary.datasets import ROLES, Table
from salutary.errors import SalutaryError
from salutary.tables import UNLABELED
from salutary.tables.columns import Columns
from salutary.tables.findings import left_out_findings
from salutary.tables.schema import Schema


class Arrays:
    """Features ``X`` and labels ``y`` of the same rows.

    ``X``: (n, d) numbers, (n, channels, height, width) bytes for networks of images, or a DataFrame, whose
    columns are read as those of a file are (:mod:`salutary.tables.schema`): what is no number is a category,
    gaps may be there. ``y`` (n,): classes of any kind; None or NaN where nobody knows: such rows form the
    pool. ``parts``: the part of each row, (n,) of train, pool, validation, test, or for each part its row
    numbers or a mask; None leaves that to the protocol. ``class_names``: in the order of the class numbers,
    if y holds numbers 0..C-1 and they are to have names; else the classes in order.
    """

    def __init__(
        self,
        X: np.ndarray | pd.DataFrame,
        y: Sequence | np.ndarray | pd.Series,
        parts: Sequence[str] | np.ndarray | Mapping[str, Sequence] | None = None,
        class_names: Sequence[str] | None = None,
    ):
        self.X = X
        self.y = y
        self.parts = parts
        self.class_names = class_names

    def load(self) -> Table:
        """Raises SalutaryError for arrays that do not fit each other, and for parts that are none."""
        if hasattr(self.X, "tocsr"):
            raise SalutaryError("X is sparse: X.toarray() is what is wanted")
        y, names = self._classes()
        n = len(self.X)
        if len(y) != n:
            raise SalutaryError(f"X has {n} rows, y has {len(y)}")
        roles = None if self.parts is None else roles_of(self.parts, n)
        if isinstance(self.X, pd.DataFrame):
            columns = _columns(self.X)
            return Table(columns.codes(), y, names, columns=columns, roles=roles)
        return Table(np.asarray(self.X), y, names, roles=roles)

    def _classes(self) -> tuple[np.ndarray, tuple[str, ...]]:
        """Class numbers (n,) and the names of the classes."""
        shape = np.shape(self.y)
        if len(shape) != 1:
            raise SalutaryError(f"y must be a label for each row, not of shape {shape}")
        values = pd.Series(np.asarray(self.y, dtype=object))
        is_known = values.notna().to_numpy()
        found = values[is_known]
        if self.class_names is not None:
            y = np.full(len(values), UNLABELED)
            numbers = pd.to_numeric(found, errors="coerce")
            if numbers.isna().any() or (numbers % 1 != 0).any():
                raise SalutaryError("with class_names, y must hold class numbers 0, 1, ...")
            y[is_known] = numbers
            return y, tuple(map(str, self.class_names))
        try:
            classes, codes = np.unique(found.to_numpy(), return_inverse=True)
        except TypeError:
            raise SalutaryError("y mixes classes of different types, such as texts and numbers") from None
        y = np.full(len(values), UNLABELED)
        y[is_known] = codes
        return y, tuple(map(str, classes))


def roles_of(parts: Sequence[str] | np.ndarray | Mapping[str, Sequence], n: int) -> np.ndarray:
    """The part (n,) of each row. Raises SalutaryError, naming it, for a row that is in none or in two."""
    if not isinstance(parts, Mapping):
        roles = np.asarray(parts, dtype=str)
        wrong = ~np.isin(roles, ROLES)
        if roles.shape != (n,):
            raise SalutaryError(f"parts must be of {n} rows, not of shape {roles.shape}")
        if wrong.any():
            row = int(np.argmax(wrong))
            raise SalutaryError(f"parts, row {row}: {str(roles[row])!r} is none of {', '.join(ROLES)}")
        return roles
    if unknown := set(parts) - set(ROLES):
        raise SalutaryError(f"parts has {', '.join(sorted(unknown))}; there are {', '.join(ROLES)}")
    masks = {name: _mask(name, rows, n) for name, rows in parts.items()}
    count = np.sum([*masks.values()], axis=0)
    if (count != 1).any():
        row = int(np.argmax(count != 1))
        raise SalutaryError(f"parts: row {row} is in {'none' if not count[row] else 'more than one'} of them")
    return np.select([*masks.values()], [*masks], default="")


def _mask(name: str, rows: Sequence, n: int) -> np.ndarray:
    chosen, mask = np.asarray(rows), np.zeros(n, dtype=bool)
    is_mask = chosen.dtype == bool
    if (is_mask and chosen.shape != (n,)) or not (is_mask or chosen.dtype.kind in "iu" or not chosen.size):
        raise SalutaryError(f"parts[{name!r}] must be row numbers, or a mask of {n} rows")
    if not is_mask and chosen.size and not (chosen.min() >= 0 and chosen.max() < n):
        raise SalutaryError(f"parts[{name!r}] has row {chosen.max()}, but there are {n} rows, from 0")
    mask[chosen if is_mask else chosen.astype(int)] = True
    return mask


def _columns(frame: pd.DataFrame) -> Columns:
    """Columns of type category are categories, whatever these are."""
    frame = frame.reset_index(drop=True).set_axis(frame.columns.astype(str), axis=1)
    coded = [*frame.select_dtypes("category")]
    frame = frame.astype(dict.fromkeys(coded, object))
    schema = Schema.of(frame, "X", categorical=coded)
    return Columns(schema, [("X", schema.convert(frame, "X"))], tuple(left_out_findings(schema, "X")))
