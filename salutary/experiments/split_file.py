"""``split.npz``: which rows of the table a run had in which part."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np

from salutary.experiments.split import Split

NAME = "split.npz"


def packed(split: Split, n_rows: int) -> bytes:
    """Of each part of a table of ``n_rows`` a bit for each row, whether it is in it: :func:`numpy.packbits`.

    That is less than a byte a row for all parts, at no cost; numbers of rows would take several.
    """
    bits: dict[str, Any] = {}
    for name, rows in vars(split).items():
        mask = np.zeros(n_rows, bool)
        mask[rows] = True
        bits[name] = np.packbits(mask)
    buffer = io.BytesIO()
    np.savez(buffer, **bits)
    return buffer.getvalue()


def read_split(file: Path) -> Split:
    """The parts in such a file, each in the order of the table's rows."""
    with np.load(file, allow_pickle=False) as stored:
        names = [field.name for field in dataclasses.fields(Split)]
        return Split(**{name: np.flatnonzero(np.unpackbits(stored[name])) for name in names})
