"""The average of judged models: of linear ones their parameters', of others a soft vote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salutary.engine.soft_regression import of_classes
from salutary.remedies import Predictor
from salutary.remedies.base_models import Linear

# Members of less weight than this are left out.
LEAST_WEIGHT = 0.01
# Log-odds by which plain training on L + V starts ahead, so that a clean L pays little for being judged.
PLAIN_AHEAD = 2.0


@dataclass(frozen=True)
class Average:
    """A linear model and others by name, each with its weight; weights sum to 1.

    ``linear``: has the weighted mean parameters of all linear members; None without any. ``weights``: of
    every member by name.
    """

    linear: Linear | None
    linear_weight: float
    others: dict[str, tuple[Predictor, float]]
    weights: dict[str, float]

    @property
    def is_linear(self) -> bool:
        return not self.others

    def probabilities(self, X: np.ndarray) -> np.ndarray:
        """(n, C)."""
        parts = [weight * model.probabilities(X) for model, weight in self.others.values()]
        if self.linear is not None:
            parts.append(self.linear_weight * self.linear.probabilities(X))
        return np.sum(parts, 0)

    @classmethod
    def of(cls, models: dict[str, Predictor], weights: dict[str, float]) -> Average:
        """The models with these weights, which are made to sum to 1."""
        total = sum(weights.values())
        linear = {name: weights[name] / total for name in weights if isinstance(models[name], Linear)}
        others = {name: (models[name], w / total) for name, w in weights.items() if name not in linear}
        share = sum(linear.values())
        each = {name: weight / total for name, weight in weights.items()}
        return cls(_mean(models, linear) if linear else None, share, others, each)


def _mean(models: dict[str, Predictor], weights: dict[str, float]) -> Linear:
    """The mean parameters, and the geometric mean of the penalties."""
    members = [model for name in weights if isinstance(model := models[name], Linear)]
    shares = np.array([*weights.values()]) / sum(weights.values())
    W = np.tensordot(shares, np.stack([model.W for model in members]), 1)
    return Linear(W, float(np.exp(shares @ np.log([model.l2 for model in members]))))


def mean_prediction(
    Z: dict[str, np.ndarray], P: dict[str, np.ndarray], weights: dict[str, float]
) -> np.ndarray:
    """What the average predicts of rows, (n, C), from the logits Z (n, K) of its linear members and the
    probabilities P (n, C) of the others.
    """
    total = sum(weights.values())
    linear = {name: weight / total for name, weight in weights.items() if name in Z}
    share = sum(linear.values())
    parts = [weight / total * P[name] for name, weight in weights.items() if name not in Z]
    if linear:
        mean = sum(weight / share * Z[name] for name, weight in linear.items())
        parts.append(share * of_classes(np.asarray(mean)))
    return np.sum(parts, 0)


def weights_of(losses: np.ndarray, is_plain: np.ndarray) -> np.ndarray:
    """exp(-n_V (loss - least) / 2), with ``PLAIN_AHEAD`` for plain members (M,), made to sum to 1: (M,).

    ``losses`` (M, n): of each member, of each row. Those below ``LEAST_WEIGHT`` are 0. A pseudo-Bayesian
    average by cross-validation, with a learning rate of 1/2 (Yao, Vehtari, Simpson & Gelman, "Using stacking
    to average Bayesian predictive distributions", Bayesian Analysis 2018, section 3.4).
    """
    scores = PLAIN_AHEAD * is_plain - losses.sum(1) / 2
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    weights[weights < LEAST_WEIGHT] = 0
    return weights / weights.sum()
