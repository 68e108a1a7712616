"""Studies: what a run can measure besides accuracies, on its initial model.

A study is an object with ``measure``; ``study=<name>`` runs it after the rounds and writes each of its
tables to a CSV file beside ``rounds.csv``. Unlike a strategy it sees everything, the hidden labels too.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod

import torch

from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.models import Model
from salutary.strategies import PoolView, Strategy
from salutary.strategies.track import Rows, Track
from salutary.tables import UNLABELED


class Study(ABC):
    """The contract."""

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:  # noqa: B027  (optional)
        """Raise SalutaryError for what cannot be measured. Called once, before the rounds."""

    @abstractmethod
    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """Tables by name, each a list of rows with the same keys. ``model`` is a tuned one of the run."""


def require_labels(problem: Problem) -> None:
    """Raises SalutaryError if the pool has rows without a label."""
    if (problem.y[problem.split.pool] == UNLABELED).any():
        raise SalutaryError("this study needs true labels, but the pool has rows without one")


def initial_state(problem: Problem, model: Model) -> tuple[Model, PoolView]:
    """The model of round 0, and what its strategy sees; ``model`` stays as it is."""
    labeled, pool = (torch.as_tensor(rows) for rows in (problem.split.initial, problem.split.pool))
    rows, X_pool = Rows(problem.X[labeled], problem.given[labeled]), problem.X[pool]
    fitted = copy.copy(model).fit(rows.X, rows.y, X_pool)
    track = Track.start(rows, problem.rows("validation"), problem.n_classes, problem.criterion)
    return fitted, track.view(X_pool)
