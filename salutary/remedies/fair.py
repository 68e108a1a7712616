"""What remedies for gaps between groups share: what they need, and their rows."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np

from salutary.engine.objectives.gaps import GroupGaps
from salutary.errors import needs
from salutary.remedies import BaseModel, LabelledData, Part, Predictor, Remedy, TrainingRows
from salutary.system.device import one_thread

EXTRA = "fair"


class GapRemedy(Remedy):
    """Of two classes, with a package of the extra ``fair``; for objectives that compare groups.

    ``package``: that does it. ``groups_of_labeled``: whether L's groups must be known, too.
    """

    package: str
    groups_of_labeled = False

    def applies(self, data: LabelledData) -> bool:
        return isinstance(data.criterion, GroupGaps) and super().applies(data)

    def lacks(self, data: LabelledData) -> str:
        if not isinstance(data.criterion, GroupGaps):
            return ""
        if data.n_classes != 2:
            return f"it takes two classes, and there are {data.n_classes}"
        if data.validation.groups is None or not (data.validation.groups >= 0).any():
            return "it needs the groups of validation rows"
        if self.groups_of_labeled and (data.labeled.groups is None or not (data.labeled.groups >= 0).any()):
            return "it needs the groups of labelled rows"
        return "" if find_spec(self.package) else str(needs(self.package, EXTRA))

    def fit(self, data: LabelledData, base: BaseModel, rows: TrainingRows | None = None) -> Predictor:
        return self.fitted(data, self.rows(data) if rows is None else rows)

    @abstractmethod
    def fitted(self, data: LabelledData, rows: TrainingRows) -> Predictor:
        """Of linear models; ``rows``: as :meth:`rows` gives them."""


@contextmanager
def as_library() -> Iterator[None]:
    """For what a package does inside: on one thread, and without word of what pandas will no longer allow
    it."""
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        yield


def criterion_of(data: LabelledData) -> GroupGaps:
    assert isinstance(data.criterion, GroupGaps)
    return data.criterion


def has_gap(criterion: GroupGaps, part: Part) -> bool:
    """Whether these rows say what a gap is: two groups have rows that count, and there are two classes."""
    return len(np.unique(part.y)) > 1 and not np.isnan(criterion.figure(part.y, part.y, part.groups))


def known(part: Part) -> np.ndarray:
    """Whether the group of each row is, (n,)."""
    return np.zeros(len(part), bool) if part.groups is None else part.groups >= 0


def known_rows(*parts: Part) -> Part:
    """The rows of these parts whose group is known, together."""
    kept = [part[known(part)] for part in parts if part.groups is not None]
    groups = np.concatenate([part.groups for part in kept if part.groups is not None])
    return Part(
        np.concatenate([part.X for part in kept]), np.concatenate([part.y for part in kept]), groups=groups
    )


def columns_of(p: np.ndarray, positive: int) -> np.ndarray:
    """Probabilities (n,) of the positive one of two classes as (n, 2), in the order of the classes."""
    p = np.clip(p, 0.0, 1.0)
    return np.stack([1 - p, p] if positive else [p, 1 - p], 1)
