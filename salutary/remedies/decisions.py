"""What models say of rows: probabilities of classes, and decisions, which some draw at random."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.remedies import Part, Predictor

# Decisions that stand for probabilities are no surer than this.
CLIPPED = 0.01


class Decider(Predictor, ABC):
    """A model that draws decisions at random, and knows no probabilities of classes."""

    @abstractmethod
    def decisions(self, X: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
        """Probability of each decision about rows X (n, d) of ``groups`` (n,), -1 where unknown: (n, C)."""

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """The decisions, clipped: they stand for probabilities where a loss is to be taken of them, and are
        not calibrated."""
        return clipped(self.decisions(X))


def clipped(D: np.ndarray) -> np.ndarray:
    """Decisions (n, C), none surer than ``CLIPPED`` allows."""
    P = np.maximum(D, CLIPPED)
    return P / P.sum(1, keepdims=True)


@dataclass(frozen=True)
class Told:
    """What a model says of rows: probabilities P (n, C), and the probability of each decision D (n, C), 0 or
    1 but where it is drawn at random, ``is_random``."""

    P: np.ndarray
    D: np.ndarray
    is_random: bool = False

    def __getitem__(self, rows: np.ndarray) -> Told:
        return Told(self.P[rows], self.D[rows], self.is_random)

    @classmethod
    def of(cls, model: Predictor, part: Part) -> Told:
        """Of the rows of a part, and of their groups where the model asks for them."""
        if isinstance(model, Decider):
            D = model.decisions(part.X, part.groups)
            return cls(clipped(D), D, True)
        return cls.of_probabilities(model.probabilities(part.X))

    @classmethod
    def of_probabilities(cls, P: np.ndarray) -> Told:
        """Of a model that decides for the likeliest class, the lower of equals; P (n, C)."""
        return cls(P, np.eye(P.shape[1])[P.argmax(1)])

    def hits(self, y: np.ndarray) -> np.ndarray:
        """Probability that the decision is the class y (n,), (n,)."""
        return self.D[np.arange(len(y)), y]

    def figure(self, part: Part, criterion: Criterion) -> float:
        """What people report of the criterion, at its exact expectation over what is drawn."""
        if self.is_random:
            return criterion.expected_figure(self.D, part.y, part.groups)
        return criterion.figure(self.P, part.y, part.groups)
