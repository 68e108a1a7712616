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
    """Of each part of a table of ``n_rows`` whether a row is in it, (n_rows,) bool, compressed.

    So it takes a fraction of a byte a row, where numbers of rows would take several.
    """
    masks: dict[str, Any] = {name: np.zeros(n_rows, bool) for name in vars(split)}
    for name, mask in masks.items():
        mask[getattr(split, name)] = True
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **masks)
    return buffer.getvalue()


def read_split(file: Path) -> Split:
    """The parts in such a file, each in the order of the table's rows."""
    with np.load(file, allow_pickle=False) as stored:
        names = [field.name for field in dataclasses.fields(Split)]
        return Split(**{name: np.flatnonzero(stored[name]) for name in names})
