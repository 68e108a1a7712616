"""A table, split and standardised, on its device: what the loop works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from salutary.datasets import Table
from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.experiments.settings import Settings
from salutary.experiments.split import Split
from salutary.strategies.track import Rows
from salutary.system.device import Device
from salutary.system.seeding import stream
from salutary.tables.features import Features


@dataclass(frozen=True)
class Problem:
    """X (n, d) or images, and y (n,) of all rows, the split into parts by row number, the class names.

    ``noisy`` (n,): y but for wrong labels in the initial set, if there are any. ``features``: the fitted
    preprocessor of a table of numbers and categories. ``groups`` (n,): group numbers, if rows have groups.
    ``criterion``: what models are to be good at, None for the mean log-loss.
    """

    X: Tensor
    y: Tensor
    split: Split
    class_names: tuple[str, ...]
    noisy: Tensor | None = None
    features: Features | None = None
    groups: Tensor | None = None
    criterion: Criterion | None = None

    @property
    def given(self) -> Tensor:
        """The labels that training data come with, (n,)."""
        return self.y if self.noisy is None else self.noisy

    @classmethod
    def prepare(
        cls,
        table: Table,
        split: Split,
        device: Device,
        given: np.ndarray | None = None,
        criterion: Criterion | None = None,
    ) -> Problem:
        """Standardise as the split says and move to the device; ``given`` is y by default. Images stay bytes.

        Raises SalutaryError if the initial or the validation set holds a single class, and for a criterion
        that does not fit the table.
        """
        given = table.y if given is None else given
        for part in ("initial", "validation"):
            present = np.unique(given[getattr(split, part)])
            if len(present) < 2:
                names = ", ".join(table.class_names[c] for c in present)
                raise SalutaryError(f"the {part} set holds a single class ({names or 'no rows'})")
        X, features = _rows(table, split, device)
        y, noisy = device.labels(table.y.copy()), device.labels(given.copy())
        groups = device.labels(table.groups.numbers.copy()) if table.groups else None
        problem = cls(X, y, split, table.class_names, noisy, features, groups, _fitting(criterion, table))
        if problem.criterion:  # what it lacks is told before anything is fitted
            rows = problem.rows("validation")
            problem.criterion.on(rows.X, rows.y, rows.groups, n_classes=problem.n_classes)
        return problem

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        """(X, y) of one part, such as ``"test"``."""
        rows = getattr(self.split, name)
        return self.X[rows], self.y[rows]

    def rows(self, name: str) -> Rows:
        """The rows of one part, with their groups."""
        return Rows(self.X, self.y, self.groups)[getattr(self.split, name)]

    @property
    def n_classes(self) -> int:
        return len(self.class_names)


def _rows(table: Table, split: Split, device: Device) -> tuple[Tensor, Features | None]:
    """Standardised features or images, a copy: other runs may share the table; and a fitted preprocessor."""
    if table.columns:
        X, features = table.columns.features(split.training)
        return device.features(X), features
    if table.X.dtype == np.uint8:
        return torch.as_tensor(table.X.copy(), device=device.name), None
    if not len(split.scaling):
        return device.features(table.X.copy()), None
    return device.features(StandardScaler().fit(table.X[split.scaling]).transform(table.X)), None


def _fitting(criterion: Criterion | None, table: Table) -> Criterion | None:
    """The criterion for the table's classes; None for the mean log-loss, which models have without one.

    Raises SalutaryError for one of another table.
    """
    if criterion is None:
        return None
    if not isinstance(criterion, Criterion):
        raise SalutaryError(f"objective must be a Criterion, not a {type(criterion).__name__}")
    if criterion.name == "loss":
        return None
    if criterion.needs_groups and table.groups is None:
        raise SalutaryError(f"objective={criterion.name} needs dataset.group, a column of groups")
    return criterion.resolved(table.class_names)


def as_set(split: Split, table: Table, settings: Settings, is_baseline: bool) -> tuple[Split, np.ndarray]:
    """The split with the rows that the settings leave in it, and the labels that come with the rows, (n,)."""
    if settings.n_validation is not None:
        split = split.with_fewer_validation_rows(table.y, settings.n_validation, settings.seed)
    if settings.n_pool is not None:
        split = split.with_fewer_pool_rows(table.y, settings.n_pool, settings.seed)
    given = noisy_labels(table.y, table.n_classes, split.initial, settings.label_noise, settings.seed)
    if settings.baselines_use_validation and is_baseline:
        split = split.with_validation_as_labels()
    return split, given


def noisy_labels(y: np.ndarray, n_classes: int, rows: np.ndarray, share: float, seed: int) -> np.ndarray:
    """y (n,) with wrong labels on a share of the rows, drawn without regard to their class.

    A wrong label is any of the other classes. What is wrong at a share is the same at a higher one.
    """
    rng = stream(seed, "noise")
    wrong = rng.permutation(rows)[: round(share * len(rows))]
    shift = rng.integers(1, n_classes, size=len(rows))[: len(wrong)]
    given = y.copy()
    given[wrong] = (y[wrong] + shift) % n_classes
    return given
