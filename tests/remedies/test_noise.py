"""Noise matrices by EM: planted ones are found, likelihoods never fall, and repaired labels help."""

from dataclasses import replace

import numpy as np
import pytest
from planted import loss, noisy, planted, shuffled, symmetric, with_labels

from salutary.engine.soft_regression import cross_entropy, logits, of_classes
from salutary.remedies.base_models import Logistic
from salutary.remedies.diagnosis import noise_of, sources_of
from salutary.remedies.noise import (
    GoldLossCorrection,
    NoiseEstimate,
    NoiseModel,
    NoisePerSource,
    expectation_maximisation,
    first_matrices,
    prior_counts,
)
from salutary.remedies.plain import LabeledAndValidation

ONE_WAY = np.array([[0.95, 0.05], [0.45, 0.55]])
OF_THREE = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.4, 0.05, 0.55]])
OF_SOURCES = np.stack([symmetric(2, 0.05), symmetric(2, 0.3), symmetric(2, 0.9)])


def of_sources(seed, n_labeled=300, **settings):
    sources = np.arange(n_labeled) % 3
    data, test = planted(seed=seed, n_labeled=n_labeled, sources=sources, **settings)
    return noisy(data, OF_SOURCES, seed), test


def log_posterior(data, found, l2, sources, learns):
    """What EM climbs: likelihood of V's labels and of L's seen through the matrices, and the priors."""
    L, V = data.labeled, data.validation
    q = data.one_hot(V.y)
    of_v = -cross_entropy(logits(V.X, found.W), q[:, 1:] if data.n_classes == 2 else q).sum()
    P = of_classes(logits(L.X, found.W))
    of_l = np.log((P * found.matrices[sources, :, L.y]).sum(1)).sum()
    counts = (prior_counts(data.n_classes) * np.log(found.matrices)).sum() if learns else 0.0
    return of_v + of_l + counts - l2 / 2 * (found.W[:, :-1] ** 2).sum()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("learns", [True, False])
def test_the_likelihood_never_falls(n_classes, learns):
    data, _ = planted(n_classes, n_labeled=120, n_validation=40)
    data = noisy(data, symmetric(n_classes, 0.3))
    sources = np.arange(120) % 2
    first = first_matrices(2, n_classes)
    values = [
        log_posterior(
            data,
            expectation_maximisation(data, 3.0, sources, first, learns, iterations),
            *(3.0, sources, learns),
        )
        for iterations in range(9)
    ]
    assert (np.diff(values) > -1e-6).all() and values[-1] > values[0] + 1


def test_distributions_are_bayes_rule():
    data, _ = planted(3, n_labeled=30)
    found = NoiseModel(3).estimate(data)
    P = of_classes(logits(data.labeled.X, found.W))
    for row in range(5):
        joint = [P[row, c] * found.matrices[0, c, data.labeled.y[row]] for c in range(3)]
        np.testing.assert_allclose(found.q[row], np.array(joint) / np.sum(joint))
    np.testing.assert_allclose(found.matrices.sum(2), 1)


@pytest.mark.parametrize(
    "matrix", [ONE_WAY, OF_THREE, symmetric(3, 0.3)], ids=["one way", "three", "any way"]
)
def test_a_planted_matrix_is_found_within_its_errors(matrix):
    """The share of wrong labels always; the entries, of which there are many, nearly always."""
    gaps = []
    for seed in range(4):
        clean, _ = planted(len(matrix), n_labeled=500, n_validation=250, seed=seed)
        data = noisy(clean, matrix, seed)
        found = noise_of(data)
        wrong = (data.labeled.y != clean.labeled.y).mean()
        assert abs(found.wrong - wrong) < 3 * found.wrong_error and found.wrong_error < 0.06
        assert found.is_found and found.matrix_error.max() < 0.15  # it says something
        gaps.append(np.abs(found.matrix - matrix) / found.matrix_error)
    assert (np.array(gaps) < 3).mean() >= 0.85 and np.median(gaps) < 1.5


@pytest.mark.parametrize("seed", range(2))
def test_accuracies_of_planted_sources_are_found_within_their_errors(seed):
    clean, _ = planted(seed=seed, n_labeled=300, n_validation=250, sources=np.arange(300) % 3)
    data = noisy(clean, OF_SOURCES, seed)
    wrong = data.labeled.y != clean.labeled.y
    sources = {source.name: source for source in sources_of(data, ["a", "b", "c"])}
    for number, name in enumerate("abc"):
        source = sources[name]
        assert source.n == 100
        assert abs(source.wrong - wrong[number::3].mean()) < 3 * source.error and source.error < 0.1
    assert [*sources] == ["c", "b", "a"] and sources["c"].is_bad and not sources["a"].is_bad


def test_a_perfect_and_an_adversarial_source():
    """Who is always wrong tells as much as who is always right."""
    data, test = planted(n_labeled=200, n_validation=60, sources=np.arange(200) % 2)
    clean = data.labeled.y
    data = noisy(data, [symmetric(2, 0.0), symmetric(2, 1.0)])
    found = NoisePerSource().estimate(data)
    right = found.right(data.sources, data.labeled.y)
    assert right[0] > 0.85 and right[1] < 0.15
    assert (found.q.argmax(1) == clean).mean() > 0.9
    with_truth = loss(LabeledAndValidation().fit(with_labels(data, clean), Logistic()), test)
    plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
    assert loss(NoisePerSource().fit(data, Logistic()), test) < (with_truth + plain) / 2


def test_right_counts_each_source():
    q = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    found = NoiseEstimate(np.zeros((1, 2)), np.zeros((3, 2, 2)), q)
    right = found.right(np.array([0, 0, 2]), np.array([0, 1, 0]))
    np.testing.assert_allclose(right[[0, 2]], [0.75, 0.2])
    assert np.isfinite(right).all()  # the second gave none


def test_applies_with_two_sources_or_more():
    data, _ = planted(n_labeled=20)
    assert not NoisePerSource().applies(data)
    assert not NoisePerSource().applies(replace(data, sources=np.zeros(20, int)))
    assert NoisePerSource().applies(replace(data, sources=np.arange(20) % 2))


def test_matrix_of_gold_loss_correction():
    """By hand: the mean prediction of V's rows of each class, and one right row."""
    data, _ = planted(3, n_labeled=60, n_validation=30, l2=2.0)
    L, V = data.labeled, data.validation
    from sklearn.linear_model import LogisticRegression

    P = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000).fit(L.X, L.y).predict_proba(V.X)
    expected = np.empty((3, 3))
    for c in range(3):
        total = P[V.y == c].sum(0) + np.eye(3)[c]
        expected[c] = total / ((V.y == c).sum() + 1)
    np.testing.assert_allclose(GoldLossCorrection(3).matrix(data), expected, atol=1e-4)


def test_gold_loss_correction_of_classes_that_v_lacks():
    data, _ = planted(3, n_labeled=60, n_validation=30)
    V = data.validation
    data = replace(data, validation=V[V.y != 2])
    np.testing.assert_allclose(GoldLossCorrection(3).matrix(data)[2], [0, 0, 1])


def compared(remedy, make):
    """Gains over plain L + V on test rows, as it is and with V's labels shuffled."""
    gains, spoilt = [], []
    for seed in range(3):
        data, test = make(seed)
        plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
        gains.append(plain - loss(remedy.fit(data, Logistic()), test))
        spoilt.append(plain - loss(remedy.fit(shuffled(data, seed), Logistic()), test))
    return np.mean(gains), np.mean(spoilt)


def one_way(seed):
    data, test = planted(seed=seed)
    return noisy(data, ONE_WAY, seed), test


def any_way(seed):
    data, test = planted(3, n_labeled=600, n_validation=120, seed=seed, d=3)
    return noisy(data, symmetric(3, 0.4), seed), test


CASES = [
    *((NoiseModel(3), one_way), (NoiseModel(10), one_way), (NoiseModel(30), any_way)),
    *((GoldLossCorrection(3), one_way), (GoldLossCorrection(30), any_way), (NoisePerSource(), of_sources)),
]


@pytest.mark.parametrize(("remedy", "make"), CASES, ids=[remedy.name for remedy, _ in CASES])
def test_wrong_labels_are_repaired_and_v_is_what_tells_them(remedy, make):
    gain, spoilt = compared(remedy, make)
    assert gain > 0.03 and spoilt < 0
