"""A model of L, moved towards V."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from salutary.engine.soft_regression import SoftRegression, cross_entropy, logits, to_probabilities
from salutary.remedies import BaseModel, LabelledData, Predictor, Remedy, TrainingRows
from salutary.remedies.base_models import Linear, Logistic
from salutary.remedies.plain import Labeled, Validation


class FineTuned(Remedy):
    """V alone, the penalty drawing to the parameters of L's model instead of 0.

    Chelba & Acero, "Adaptation of maximum entropy capitalizer: little data can help a lot", Computer Speech &
    Language 2006.
    """

    name = "fine_tuned"
    about = "fine-tuned on validation rows, from the model of labelled ones"

    def rows(self, data: LabelledData) -> TrainingRows:
        return Labeled().rows(data)

    def fit(self, data: LabelledData, base: BaseModel, rows: TrainingRows | None = None) -> Predictor:
        prior = Logistic().fit(rows or self.rows(data), data).W
        of = Validation().rows(data)
        regression = SoftRegression(of.X, of.q, of.weights, data.intercept)
        if data.l2 is not None:
            penalty = regression.penalty(data.l2, with_intercept=True)
            return Linear(regression.fit(penalty, prior, prior), data.l2)
        l2, W = regression.tune(of.tuned_on, prior)
        return Linear(W, l2)


class Calibrated(Remedy):
    """The model of L, its logits z made a * z + b, with a and b fitted to V and drawn to 1 and 0.

    Vector scaling of Guo et al., "On calibration of modern neural networks", ICML 2017; Platt scaling for two
    classes.
    """

    name = "calibrated"
    about = "model of labelled rows, calibrated on validation rows"

    def rows(self, data: LabelledData) -> TrainingRows:
        return Labeled().rows(data)

    def fit(self, data: LabelledData, base: BaseModel, rows: TrainingRows | None = None) -> Predictor:
        model = Logistic().fit(rows or self.rows(data), data)
        if not data.intercept:  # nothing to shift
            return model
        V = data.validation
        Z, q = logits(V.X, model.W), data.one_hot(V.y)
        a, b = scaling(Z, q[:, 1:] if data.n_classes == 2 else q)
        W = a[:, None] * model.W
        W[:, -1] += b
        return Linear(W, model.l2)


def scaling(Z: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """a and b (K,) of the least sum of losses of a * Z + b, and 1/2 (|a - 1|^2 + |b|^2); Z, targets (n,
    K).
    """
    K = Z.shape[1]
    neutral = np.repeat([1.0, 0.0], K)

    def objective(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        scaled, change = parameters[:K] * Z + parameters[K:], parameters - neutral
        R = to_probabilities(scaled) - targets
        value = cross_entropy(scaled, targets).sum() + 0.5 * change @ change
        return value, np.concatenate([(R * Z).sum(0), R.sum(0)]) + change

    found = minimize(objective, neutral, jac=True, method="L-BFGS-B").x
    return found[:K], found[K:]
