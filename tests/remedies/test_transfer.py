"""Models of L that are moved towards V, against SciPy, scikit-learn and limits."""

from dataclasses import replace

import numpy as np
import pytest
from planted import drawn, loss, noisy, planted, shuffled, symmetric
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from salutary.engine.soft_regression import L2_GRID, SoftRegression, cross_entropy, logits
from salutary.remedies import LabelledData, Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled, LabeledAndValidation
from salutary.remedies.transfer import Calibrated, FineTuned, scaling


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_huge_penalty_leaves_the_model_of_l(n_classes, intercept):
    data, _ = planted(n_classes, l2=1e9, intercept=intercept)
    prior = Logistic().fit(Labeled().rows(replace(data, l2=1.0)), data).W
    rows = Labeled().rows(replace(data, l2=1.0))
    np.testing.assert_allclose(FineTuned().fit(data, Logistic(), rows).W, prior, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_small_penalty_leaves_the_model_of_v(n_classes):
    data, test = planted(n_classes, l2=1e-3)
    alone = Logistic().fit(replace(Labeled().rows(replace(data, labeled=data.validation))), data)
    far = Logistic().fit(Labeled().rows(data), data)
    found = FineTuned().fit(data, Logistic())
    gap = np.abs(found.probabilities(test.X) - alone.probabilities(test.X)).max()
    assert gap < 0.02 < np.abs(far.probabilities(test.X) - alone.probabilities(test.X)).max()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_penalty_is_that_of_the_distance_to_l(n_classes):
    """Chosen by V's rows left out, intercepts drawn as well; and L's model is chosen by its own."""
    data, _ = planted(n_classes, n_validation=30)
    prior = Logistic().fit(Labeled().rows(data), data).W
    V = data.validation
    regression = SoftRegression(V.X, data.one_hot(V.y), np.ones(30))
    losses = []
    for l2 in L2_GRID:
        penalty = np.full(prior.shape, l2)
        Z = regression.left_out(regression.fit(penalty, prior=prior), penalty, np.arange(30))
        losses.append(cross_entropy(Z, regression.targets).mean())
    found = FineTuned().fit(data, Logistic())
    assert found.l2 == L2_GRID[np.argmin(losses)]
    expected = regression.fit(np.full(prior.shape, found.l2), prior=prior)
    np.testing.assert_allclose(found.W, expected, atol=1e-3)


def test_scaling_of_two_classes_is_platts():
    """scikit-learn penalises the slope towards 0, and this one towards 1: the loss of an offset."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(300, 1)) * 2
    targets = (rng.random((300, 1)) < 1 / (1 + np.exp(-0.4 * Z - 1))).astype(float)
    a, b = scaling(Z, targets)
    theirs = LogisticRegression(C=1e6).fit(Z, targets[:, 0].astype(int))
    assert a[0] == pytest.approx(theirs.coef_[0, 0], abs=0.03)
    assert b[0] == pytest.approx(theirs.intercept_[0], abs=0.05)


@pytest.mark.parametrize("K", [1, 3])
def test_scaling_is_the_least_by_finite_differences(K):
    rng = np.random.default_rng(1)
    Z = rng.normal(size=(40, K))
    targets = rng.integers(2, size=(40, 1)).astype(float) if K == 1 else np.eye(3)[rng.integers(3, size=40)]

    def objective(parameters):
        a, b = parameters[:K], parameters[K:]
        return cross_entropy(a * Z + b, targets).sum() + ((a - 1) ** 2).sum() / 2 + (b**2).sum() / 2

    expected = minimize(objective, np.zeros(2 * K), method="BFGS").x
    np.testing.assert_allclose(np.concatenate(scaling(Z, targets)), expected, atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_calibrated_logits_are_scaled_ones(n_classes):
    data, test = planted(n_classes)
    model = Logistic().fit(Labeled().rows(data), data)
    q = data.one_hot(data.validation.y)
    a, b = scaling(logits(data.validation.X, model.W), q[:, 1:] if n_classes == 2 else q)
    found = Calibrated().fit(data, Logistic())
    np.testing.assert_allclose(found.logits(test.X), a * model.logits(test.X) + b)
    plain = replace(data, intercept=False)
    unchanged = Logistic().fit(Labeled().rows(plain), plain)
    np.testing.assert_array_equal(Calibrated().fit(plain, Logistic()).W, unchanged.W)


def nearly_right(seed):
    """L of a concept that is V's but for one column, V small."""
    data, test = planted(n_validation=60, d=8, seed=seed)
    part = drawn(400, 8, 2, np.random.default_rng(seed + 50))
    return LabelledData(Part(part.X * [-1, *[1] * 7], part.y), data.validation, 2), test


def timid(seed):
    """A third of L's labels is wrong at random: its model is right but for its scale."""
    data, test = planted(n_labeled=600, n_validation=60, seed=seed)
    return noisy(data, symmetric(2, 0.35), seed), test


@pytest.mark.parametrize(("remedy", "make"), [(FineTuned(), nearly_right), (Calibrated(), timid)])
def test_it_helps_where_l_is_nearly_right(remedy, make):
    gains, spoilt = [], []
    for seed in range(3):
        data, test = make(seed)
        plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
        gains.append(plain - loss(remedy.fit(data, Logistic()), test))
        spoilt.append(plain - loss(remedy.fit(shuffled(data, seed), Logistic()), test))
    assert np.mean(gains) > 0.03 and max(spoilt) < 0
