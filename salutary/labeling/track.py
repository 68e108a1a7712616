"""One labelled set that grows by points of the pool, and the model of it."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from salutary import engine
from salutary.engine.confidence import ConfidentInfluence
from salutary.models.logistic import LogisticRegression
from salutary.system.seeding import stream


@dataclass(frozen=True)
class Rows:
    """Features X (n, d) and class numbers y (n,)."""

    X: Tensor
    y: Tensor

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: np.ndarray) -> Rows:
        return Rows(self.X[rows], self.y[rows])

    def joined(self, X: Tensor, y: Tensor) -> Rows:
        return Rows(torch.cat([self.X, X.to(self.X)]), torch.cat([self.y, y.to(self.y)]))


@dataclass(frozen=True)
class Picks:
    """Pool points that a round adds: ``rows`` (b,) of the pool, ``labels`` (b,) given to them, ``influence``
    (b,).

    ``influences`` (b, C): of every label, and ``probabilities`` (b, C): both before the round's first point.
    """

    rows: np.ndarray
    labels: np.ndarray
    influence: np.ndarray
    influences: np.ndarray
    probabilities: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True)
class Track:
    """A labelled set, the first ``n_initial`` of it given, and its fitted ``model``.

    ``seen``: the validation rows that choose. ``held_out``: numbers of the validation rows that do not, and
    are measured. ``taken``: the pool rows that have been added.
    """

    model: LogisticRegression
    labeled: Rows
    n_initial: int
    seen: Rows
    held_out: np.ndarray
    taken: np.ndarray

    @classmethod
    def start(
        cls, model: LogisticRegression, labeled: Rows, seen: Rows, held_out: np.ndarray, seed: int
    ) -> Track:
        """The track of the given labels alone, a copy of ``model`` tuned with what it sees."""
        tuned = copy.copy(model).tune(labeled.X, labeled.y, stream(seed, "model"), (seen.X, seen.y))
        fitted = tuned.fit(labeled.X, labeled.y)
        return cls(fitted, labeled, len(labeled), seen, held_out, np.empty(0, np.int64))

    def direction(self) -> Tensor:
        """S = H^-1 g_V (K, D), over the labelled set."""
        return self._optimum.direction()

    def confident(self, rng: np.random.Generator) -> ConfidentInfluence:
        """Influences with their standard errors, over the labelled set."""
        return ConfidentInfluence.at(self._optimum, rng)

    @property
    def _optimum(self) -> engine.Optimum:
        objective = engine.MeanLoss(self.seen.X, self.seen.y)
        return engine.Optimum(
            self.model.coef_, self.model.penalty_, self.labeled.X, objective, self.labeled.y
        )

    def grown(self, rows: np.ndarray, X: Tensor, labels: np.ndarray) -> Track:
        """The track with these pool rows added, with these labels."""
        labeled = self.labeled.joined(X, torch.as_tensor(labels))
        model = copy.copy(self.model).fit(labeled.X, labeled.y)
        return replace(self, model=model, labeled=labeled, taken=np.concatenate([self.taken, rows]))

    def described(
        self, S: Tensor, X: Tensor, rows: np.ndarray, labels: np.ndarray, influence: np.ndarray
    ) -> Picks:
        """The picks with the influences and probabilities of all classes, by this track's model."""
        influences = engine.score_labels(self.model.coef_, S, X)
        probabilities = self.model.predict_proba(X)
        return Picks(rows, labels, influence, influences.numpy(force=True), probabilities.numpy(force=True))
