"""Remedies: what else makes a model of L, V and the pool; V is their judge.

L, the labelled rows, may be few, of another population, or labelled wrongly by some who gave the labels. V,
the validation rows, are what a model is wanted for. A remedy says how L's rows, V's rows and what the pool
has to offer become one training set, :class:`TrainingRows`: rows, weights and labels, which may be
distributions. Any base model (:mod:`salutary.remedies.base_models`) is fitted to it.
:mod:`salutary.remedies.judge` refits all in folds of V and weighs them by the losses of the rows held out.

- ``plain``: L, V, both, V's rows weighted. ``transfer``: fine-tuned from L, calibrated on V.
- ``noise``: labels that are wrong by a noise matrix, one for all or one for each source. ``sources``: which
  to take. ``cleaned``: without the rows that cross-validation denies. ``salutary``: with labels given to the
  pool. ``soft``: with label distributions, for an objective.
- Where models are to be good at something else than the mean log-loss, what the field has for it:
  ``fair_weights``, ``exponentiated_gradient``, ``threshold_optimizer``, ``inferred_groups``, of ``fair``.
- ``judge``, ``average``: losses out of fold, weights, and the model that is handed over. ``diagnosis``,
  ``shift``: what is wrong with L.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Protocol, Self

import numpy as np

from salutary.engine.objectives import Criterion


@dataclass(frozen=True)
class Part:
    """Rows X (n, d) and class numbers y (n,); ``groups`` (n,): group numbers, where they are known."""

    X: np.ndarray
    y: np.ndarray
    groups: np.ndarray | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: np.ndarray) -> Part:
        groups = None if self.groups is None else self.groups[rows]
        return Part(self.X[rows], self.y[rows], groups=groups)


@dataclass(frozen=True)
class Assigned(Part):
    """Pool rows with the labels that they were given by V. ``l2``: penalty of the model that they help.

    ``soft_labels`` (n, C): the weight of each label of each row, if they are distributions, of which y are
    the likeliest classes. None: each row weighs 1.
    """

    l2: float
    soft_labels: np.ndarray | None = None

    @property
    def weights(self) -> np.ndarray:
        """(n,)."""
        return np.ones(len(self)) if self.soft_labels is None else self.soft_labels.sum(1)

    def distributions(self, n_classes: int) -> np.ndarray:
        """(n, C)."""
        if self.soft_labels is None:
            return np.eye(n_classes)[self.y]
        return self.soft_labels / self.weights[:, None]


@dataclass(frozen=True)
class LabelledData:
    """What a model can be made of: L and V, and with them

    ``sources`` (n_L,): numbers of who gave L's labels, from 0; None if that is not known. ``assigned``: what
    salutary labelling made of the pool, by these rows of V; None without. ``l2``: the penalty of all linear
    models; None: each is tuned. ``intercept``: whether they have one. ``seed``: of whatever is drawn.
    ``criterion``: what the model is to be good at, None for the mean log-loss. ``pool`` (u, d): a sample of
    the pool's rows, without labels; None without.
    ``n_plain``: features of the table, the first ones, which are all that a base model other than the linear
    one sees; the others are made of them by a map for the linear ones. None: there is no map.
    """

    labeled: Part
    validation: Part
    n_classes: int
    sources: np.ndarray | None = None
    assigned: Assigned | None = None
    l2: float | None = None
    intercept: bool = True
    seed: int = 0
    criterion: Criterion | None = None
    n_plain: int | None = None
    pool: np.ndarray | None = None

    @property
    def n_sources(self) -> int:
        return 0 if self.sources is None else int(self.sources.max()) + 1

    def one_hot(self, y: np.ndarray) -> np.ndarray:
        """Class numbers (n,) as distributions (n, C)."""
        return np.eye(self.n_classes)[y]


@dataclass(frozen=True)
class TrainingRows:
    """X (n, d), label distributions q (n, C), weights (n,) > 0.

    ``tuned_on`` (m,): the rows over whose left-out losses a penalty is chosen. ``l2``: it is this one
    instead. ``use`` (n_L,) and ``labels`` (n_L, C): what became of L's rows, weights relative to V's and
    distributions.
    """

    X: np.ndarray
    q: np.ndarray
    weights: np.ndarray
    tuned_on: np.ndarray
    use: np.ndarray
    labels: np.ndarray
    l2: float | None = None

    @classmethod
    def of(
        cls,
        data: LabelledData,
        use: np.ndarray | float = 1.0,
        labels: np.ndarray | None = None,
        validation: np.ndarray | float = 1.0,
        assigned: bool = False,
        tuned_on: str = "validation",
        l2: float | None = None,
    ) -> Self:
        """L's rows with weights ``use`` (n_L,) and distributions ``labels`` (n_L, C), as given by default;
        V's rows, weighing ``validation``, one number or (n_V,); and the pool rows with labels if they are
        ``assigned``.

        Rows without weight are left out. ``tuned_on``: validation, labeled or all (L and V).
        """
        L, V = data.labeled, data.validation
        weights = np.broadcast_to(np.asarray(use, float), (len(L),))
        q = data.one_hot(L.y) if labels is None else labels
        pool = data.assigned if assigned and data.assigned else Assigned(L.X[:0], L.y[:0], l2=0.0)
        parts = ("labeled", "validation", "pool")
        part = np.repeat(np.arange(3), [len(L), len(V), len(pool)])
        every = np.concatenate([weights, np.broadcast_to(validation, (len(V),)), pool.weights])
        kept = np.flatnonzero(every > 0)
        tuned = [parts.index(tuned_on)] if tuned_on != "all" else [0, 1]
        return cls(
            np.concatenate([L.X, V.X, pool.X])[kept],
            np.concatenate([q, data.one_hot(V.y), pool.distributions(data.n_classes)])[kept],
            every[kept],
            np.flatnonzero(np.isin(part[kept], tuned)),
            weights / (np.mean(validation) or 1.0),
            q,
            l2 if data.l2 is None else data.l2,
        )

    @property
    def is_plain(self) -> bool:
        """Whether all weights are one and all labels classes: what any classifier takes."""
        return bool((self.weights == 1).all() and (self.q.max(1) == 1).all())


class Predictor(Protocol):
    """A fitted model over the feature matrix."""

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """Of all classes, (n, C), each above 0."""


class BaseModel(Protocol):
    """What is fitted to training rows."""

    name: str
    is_linear: bool

    def fit(self, rows: TrainingRows, data: LabelledData) -> Predictor: ...

    def takes(self, rows: TrainingRows) -> bool:
        """Whether it can be fitted to such weights and labels."""


class Remedy(ABC):
    """The contract. ``name``: in settings and files. ``about``: what is done, for a reader.

    ``suits_all``: whether base models other than the linear one are fitted to its rows by default.
    ``group_in``: where it needs the groups of rows, in words; empty if nowhere. ``compared_only``: why its
    models are measured, but can be no part of what is handed over; empty if they can.
    """

    name: str
    about: str
    suits_all = False
    is_plain = False
    group_in = ""
    compared_only = ""

    def applies(self, data: LabelledData) -> bool:
        """Whether there is what it needs."""
        return not self.lacks(data)

    def lacks(self, data: LabelledData) -> str:
        """Why it does not apply, if a reader is to be told."""
        return ""

    @abstractmethod
    def rows(self, data: LabelledData) -> TrainingRows:
        """The training set."""

    def fit(self, data: LabelledData, base: BaseModel, rows: TrainingRows | None = None) -> Predictor:
        """The base model of it. ``rows``: as :meth:`rows` gives them, if they are known."""
        return base.fit(self.rows(data) if rows is None else rows, data)
