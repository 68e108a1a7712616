"""Labelled rows that grow by points of a pool: what a round of querying or labelling starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine import Objective
from salutary.engine.objectives import Criterion, objective_on
from salutary.strategies import PoolView


@dataclass(frozen=True)
class Rows:
    """X (n, ...), features or images, and class numbers y (n,); ``groups`` (n,): group numbers, if known."""

    X: Tensor
    y: Tensor
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: np.ndarray | Tensor) -> Rows:
        return Rows(self.X[rows], self.y[rows], None if self.groups is None else self.groups[rows])

    def joined(self, X: Tensor, y: Tensor) -> Rows:
        """These rows, then those, with the precision and on the device of these; without groups."""
        return Rows(torch.cat([self.X, X.to(self.X)]), torch.cat([self.y, y.to(self.y)]))


@dataclass(frozen=True)
class Track:
    """Labelled rows, the first ``n_initial`` of them given, the others of a pool, in the order they came.

    ``validation``: the rows that a strategy chooses by. ``taken`` (q,): the pool rows that have been added.
    ``criterion``: what the model is to be good at, None for the mean log-loss.
    What fits a model to the labelled rows does so itself.
    """

    labeled: Rows
    validation: Rows
    n_initial: int
    n_classes: int
    taken: np.ndarray
    criterion: Criterion | None = field(default=None, kw_only=True)

    @classmethod
    def start(
        cls, labeled: Rows, validation: Rows, n_classes: int, criterion: Criterion | None = None
    ) -> Track:
        """The track of the given labels alone."""
        return Track(labeled, validation, len(labeled), n_classes, np.empty(0, np.int64), criterion=criterion)

    def view(self, X_pool: Tensor) -> PoolView:
        """What a strategy may see, of the pool the rows X_pool (u, ...).

        The labelled rows are copies: a strategy cannot change what the model trains on.
        """
        return PoolView(
            pool=X_pool,
            labeled=self.labeled.X.clone(),
            labels=self.labeled.y.clone(),
            validation=self.validation.X,
            validation_labels=self.validation.y,
            n_initial=self.n_initial,
            n_classes=self.n_classes,
            validation_groups=self.validation.groups,
            criterion=self.criterion,
        )

    @property
    def objective(self) -> Objective:
        """What is to fall, measured on the validation rows."""
        rows = self.validation
        return objective_on(self.criterion, rows.X, rows.y, rows.groups, self.n_classes)

    def add(self, rows: np.ndarray, X: Tensor, labels: Tensor) -> Self:
        """The track with the pool rows of these numbers (b,), X (b, ...), with these labels (b,)."""
        return replace(self, labeled=self.labeled.joined(X, labels), taken=np.concatenate([self.taken, rows]))
