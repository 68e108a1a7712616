"""What is exported of some rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

# Tasks and records of one file: what Label Studio imports at a time.
PER_FILE = 10_000


@dataclass(frozen=True)
class About:
    """``target``: the column of labels, whose classes are ``classes``, as text. ``id``: that of the rows'
    names, None where these are their numbers. ``model``: which model predicts.
    """

    target: str
    classes: tuple[str, ...]
    id: str | None
    model: str


@dataclass(frozen=True)
class Block:
    """``names`` (m,) of the rows; ``columns``: float64 (m,) with NaN, or text (m,) with None for no value;
    ``P`` (m, C): probabilities.
    """

    names: np.ndarray
    columns: dict[str, np.ndarray]
    P: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        """Class numbers (m,)."""
        return self.P.argmax(1)

    def rows(self) -> list[dict[str, Any]]:
        """Each with its columns as JSON has them: numbers that are none as null, infinite ones as text."""
        listed = {name: [_plain(value) for value in values.tolist()] for name, values in self.columns.items()}
        return [dict(zip(listed, each, strict=True)) for each in zip(*listed.values(), strict=True)]


def _plain(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    if np.isnan(value):
        return None
    if np.isinf(value):
        return str(value)
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


@dataclass
class JsonLists:
    """Files of JSON lists, of ``PER_FILE`` entries each: ``name`` of a number gives their paths."""

    name: Callable[[int], Path]
    _n: int = field(default=0, init=False)
    _waiting: list[str] = field(default_factory=list, init=False)

    def add(self, entry: dict) -> None:
        self._waiting.append(json.dumps(entry, ensure_ascii=False, allow_nan=False))
        if len(self._waiting) == PER_FILE:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        if not self._waiting:
            return
        path = self.name(self._n)
        path.write_text("[\n" + ",\n".join(self._waiting) + "\n]\n", encoding="utf-8")
        self._n, self._waiting = self._n + 1, []
