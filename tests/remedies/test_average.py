"""The average of models, and its weights."""

import numpy as np
import pytest

from salutary.engine.soft_regression import of_classes
from salutary.remedies.average import LEAST_WEIGHT, PLAIN_AHEAD, Average, mean_prediction, weights_of
from salutary.remedies.base_models import Linear


class Constant:
    def __init__(self, *P):
        self.P = P

    def probabilities(self, X):
        return np.repeat([self.P], len(X), 0)


def linear(K, seed):
    return Linear(np.random.default_rng(seed).normal(size=(K, 5)), float(10**seed))


X = np.random.default_rng(9).normal(size=(20, 4))


@pytest.mark.parametrize("K", [1, 3])
def test_linear_members_make_one_linear_model(K):
    models = {"a": linear(K, 0), "b": linear(K, 1), "c": linear(K, 2)}
    average = Average.of(models, {"a": 3.0, "c": 1.0})
    assert average.is_linear and average.linear_weight == 1 and average.weights == {"a": 0.75, "c": 0.25}
    Z = 0.75 * models["a"].logits(X) + 0.25 * models["c"].logits(X)
    np.testing.assert_allclose(average.linear.logits(X), Z)
    np.testing.assert_allclose(average.probabilities(X), of_classes(Z))
    assert average.linear.l2 == pytest.approx(100**0.25)


def test_others_vote():
    tree, forest = Constant(0.9, 0.1), Constant(0.2, 0.8)
    models = {"a": linear(1, 0), "tree": tree, "b": linear(1, 1), "forest": forest}
    average = Average.of(models, {"a": 2.0, "tree": 3.0, "b": 1.0, "forest": 4.0})
    Z = (2 * models["a"].logits(X) + models["b"].logits(X)) / 3
    expected = 0.3 * of_classes(Z) + 0.3 * tree.probabilities(X) + 0.4 * forest.probabilities(X)
    np.testing.assert_allclose(average.probabilities(X), expected)
    assert not average.is_linear and set(average.others) == {"tree", "forest"}
    Zs = {name: models[name].logits(X) for name in "ab"}
    P = {name: model.probabilities(X) for name, model in models.items()}
    found = mean_prediction(Zs, P, {"a": 2.0, "tree": 3.0, "b": 1.0, "forest": 4.0})
    np.testing.assert_allclose(found, expected)


def test_without_linear_members():
    models = {"tree": Constant(0.9, 0.1), "forest": Constant(0.2, 0.8)}
    average = Average.of(models, {"tree": 1.0, "forest": 1.0})
    assert average.linear is None
    np.testing.assert_allclose(average.probabilities(X), np.repeat([[0.55, 0.45]], 20, 0))
    P = {name: model.probabilities(X) for name, model in models.items()}
    np.testing.assert_allclose(mean_prediction({}, P, {"tree": 1.0}), P["tree"])


def test_weights_are_of_the_formula():
    losses = np.random.default_rng(0).exponential(size=(3, 8))
    is_plain = np.array([False, True, False])
    raw = np.array([np.exp(-8 * losses[m].mean() / 2) * np.exp(PLAIN_AHEAD * is_plain[m]) for m in range(3)])
    expected = raw / raw.sum()
    expected = np.where(expected < LEAST_WEIGHT, 0, expected)
    np.testing.assert_allclose(weights_of(losses, is_plain), expected / expected.sum())


def test_plain_training_starts_ahead():
    alike = np.ones((3, 10))
    weights = weights_of(alike, np.array([False, True, False]))
    assert weights[1] / weights[0] == pytest.approx(np.exp(2)) and weights[0] == weights[2]
    none = weights_of(alike, np.zeros(3, bool))
    np.testing.assert_allclose(none, 1 / 3)


def test_small_weights_are_dropped():
    losses = np.zeros((3, 100))
    losses[1], losses[2] = 0.08, 0.1  # log-odds of 4 and 5: weights of about 1.8% and .7%
    weights = weights_of(losses, np.zeros(3, bool))
    assert weights[2] == 0 and 0.01 < weights[1] < 0.02 and weights.sum() == pytest.approx(1)
    far = weights_of(np.array([[1e6] * 10, [0.0] * 10, [1e5] * 10]), np.array([True, False, False]))
    assert far.tolist() == [0, 1, 0]
