"""One labelled set of a labelling, the model of it, and what a round adds."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from torch import Tensor

from salutary import engine
from salutary.engine.confidence import ConfidentInfluence
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Track
from salutary.system.seeding import stream


@dataclass(frozen=True)
class Picks:
    """Pool points that a round adds: ``rows`` (b,) of the pool, ``labels`` (b,) given to them, ``influence``
    (b,).

    ``influences`` (b, C): of every label, and ``probabilities`` (b, C): both before the round's first point.
    ``soft_labels`` (b, C): the weight of each label, where they were given distributions; else None.
    """

    rows: np.ndarray
    labels: np.ndarray
    influence: np.ndarray
    influences: np.ndarray
    probabilities: np.ndarray
    soft_labels: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)


def soft_labels_of(picks: Sequence[Picks], n_classes: int) -> np.ndarray | None:
    """The weight of each label (q, C) of points that were picked, None where all have classes."""
    if all(each.soft_labels is None for each in picks):
        return None
    return np.concatenate(
        [np.eye(n_classes)[each.labels] if each.soft_labels is None else each.soft_labels for each in picks]
    )


def weights_and_distributions(M: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights (q,), without what rounding leaves of a sum, and distributions (q, C) of soft labels (q, C)."""
    totals = M.sum(1)
    return totals.round(12), M / totals[:, None]


@dataclass(frozen=True)
class FittedTrack(Track):
    """A track, and the ``model`` fitted to its labelled rows.

    ``held_out``: numbers of the validation rows that do not choose, and are measured.
    """

    model: LogisticRegression
    held_out: np.ndarray

    @classmethod
    def of(cls, track: Track, model: LogisticRegression, held_out: np.ndarray, seed: int) -> FittedTrack:
        """With a copy of ``model`` tuned by what the track sees."""
        X, y, seen = track.labeled.X, track.labeled.y, (track.validation.X, track.validation.y)
        fitted = copy.copy(model).tune(X, y, stream(seed, "model"), seen).fit(X, y)
        return cls(**vars(track), model=fitted, held_out=held_out)

    def direction(self) -> Tensor:
        """S = H^-1 g_V (K, D), over the labelled set."""
        return self._optimum.direction()

    def confident(self, rng: np.random.Generator) -> ConfidentInfluence:
        """Influences with their standard errors, over the labelled set."""
        return ConfidentInfluence.at(self._optimum, rng)

    @property
    def _optimum(self) -> engine.Optimum:
        rows, soft = self.labeled, self.labeled.soft_labels
        weights = None if soft is None else soft.sum(1)
        of = self.model.coef_, self.model.penalty_, rows.X, self.objective
        return engine.Optimum(*of, rows.y, weights)

    def add(self, rows: np.ndarray, X: Tensor, labels: Tensor, soft_labels: Tensor | None = None) -> Self:
        """With these pool rows and labels added, and a copy of the model fitted to them all."""
        grown = super().add(rows, X, labels, soft_labels)
        model = copy.copy(self.model).update(grown.labeled.X, grown.labeled.targets)
        return replace(grown, model=model)

    def described(
        self,
        S: Tensor,
        X: Tensor,
        rows: np.ndarray,
        labels: np.ndarray,
        influence: np.ndarray,
        soft_labels: np.ndarray | None = None,
    ) -> Picks:
        """The picks with the influences and probabilities of all classes, by this track's model."""
        influences = engine.score_labels(self.model.coef_, S, X)
        probabilities = self.model.predict_proba(X)
        of_classes = influences.numpy(force=True), probabilities.numpy(force=True)
        return Picks(rows, labels, influence, *of_classes, soft_labels)
