"""Labelled rows that grow by points of a pool: what a round of querying or labelling starts from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np
import torch
from torch import Tensor

from salutary.engine import Objective
from salutary.engine.objectives import Criterion, objective_on
from salutary.engine.soft_loss import one_hot
from salutary.strategies import PoolView


@dataclass(frozen=True)
class Rows:
    """X (n, ...), features or images, and class numbers y (n,); ``groups`` (n,): group numbers, if known.

    ``soft_labels`` (n, C): where some rows have label distributions, the weight of each label of each row,
    and y then is the likeliest class; None: each is of class y and weighs 1.
    """

    X: Tensor
    y: Tensor
    groups: Tensor | None = None
    soft_labels: Tensor | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: np.ndarray | Tensor | slice) -> Rows:
        groups, soft = (None if each is None else each[rows] for each in (self.groups, self.soft_labels))
        return Rows(self.X[rows], self.y[rows], groups, soft)

    @property
    def targets(self) -> Tensor:
        """What a model is fitted to: the soft labels, or y if there is none that is soft."""
        soft = self.soft_labels
        if soft is None or bool((soft == one_hot(self.y, soft.shape[1])).all()):
            return self.y
        return soft

    def joined(self, X: Tensor, y: Tensor, soft_labels: Tensor | None = None) -> Rows:
        """These rows, then those, with the precision and on the device of these; without groups."""
        soft = None
        parts = [(self.y, self.soft_labels), (y, soft_labels)]
        n_classes = {each.shape[1] for _, each in parts if each is not None}
        if n_classes:
            soft = torch.cat(
                [
                    (one_hot(labels, max(n_classes)) if each is None else each).to(self.y.device)
                    for labels, each in parts
                ]
            )
        return Rows(torch.cat([self.X, X.to(self.X)]), torch.cat([self.y, y.to(self.y)]), soft_labels=soft)


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
            soft_labels=None if self.labeled.soft_labels is None else self.labeled.soft_labels.clone(),
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

    def add(self, rows: np.ndarray, X: Tensor, labels: Tensor, soft_labels: Tensor | None = None) -> Self:
        """The track with the pool rows of these numbers (b,), X (b, ...), with these labels (b,), or with the
        ``soft_labels`` (b, C), weights of labels, of which these are the likeliest.
        """
        grown = self.labeled.joined(X, labels, soft_labels)
        return replace(self, labeled=grown, taken=np.concatenate([self.taken, rows]))
