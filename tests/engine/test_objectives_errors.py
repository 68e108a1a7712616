"""Standard errors of influences on objectives, against a bootstrap of the validation rows."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from salutary.engine import Optimum
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.objective import Buckets, Objective
from salutary.engine.objectives import (
    AreaUnderROC,
    Balanced,
    Cost,
    DemographicParity,
    EqualizedOdds,
    EqualOpportunity,
    MeanLogLoss,
    WorstGroup,
)
from salutary.engine.objectives.bootstrapped import Bootstrapped
from salutary.models.logistic import LogisticRegression

WITHIN = 1.15
CRITERIA = [
    *(MeanLogLoss(), Balanced(), Cost((1.0, 5.0)), WorstGroup(), AreaUnderROC()),
    *(kind(positive_class=1) for kind in (DemographicParity, EqualOpportunity, EqualizedOdds)),
]


@pytest.fixture(scope="module")
def cancer():
    """Features, labels and two groups, cut at the median of the mean texture; in random order."""
    X, y = load_breast_cancer(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))
    groups = X[:, 1] > np.median(X[:, 1])
    X = StandardScaler().fit_transform(X)
    return tuple(torch.as_tensor(each[rows]) for each in (X, y, groups.astype(int)))


def errors(cancer, criterion, n, draws=300):
    """Standard errors of the influences of 40 points: ours, and over bootstrap samples of the n rows."""
    (L, V, pool), (y, y_V, _), (_, groups, _) = (each[:540].split([100, 400, 40]) for each in cancer)
    V, y_V, groups = V[:n], y_V[:n], groups[:n]
    model = LogisticRegression(2, 1.0).fit(L, y)

    def optimum(rows):
        objective = criterion.on(V[rows], y_V[rows], groups[rows], n_classes=2)
        return Optimum(model.coef_, model.penalty_, L, objective)

    found = ConfidentInfluence.at(optimum(torch.arange(n)), np.random.default_rng(0)).score(pool)[1]
    sampler = np.random.default_rng(2)
    samples = [optimum(torch.as_tensor(sampler.integers(n, size=n))).influence(pool) for _ in range(draws)]
    return found, torch.stack(samples).std(0)


def ratio(cancer, criterion, n):
    found, bootstrap = errors(cancer, criterion, n)
    return float((found / bootstrap).median())


@pytest.mark.parametrize("n", [100, 300])
@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda each: each.name)
def test_errors_are_those_of_a_bootstrap(cancer, criterion, n):
    assert 1 / WITHIN < ratio(cancer, criterion, n) < WITHIN


def test_small_sets_need_the_bootstrap(cancer, monkeypatch):
    """Equalised odds with few rows in a set: rows of the slope alone say too little."""
    monkeypatch.setattr("salutary.engine.objectives.bootstrapped.MANY_ROWS", 0)
    assert ratio(cancer, EqualizedOdds(positive_class=1), 100) < 1 / WITHIN


def test_parity_of_large_groups_needs_none(cancer):
    X, y, groups = (each[:400] for each in cancer)
    parity = DemographicParity(positive_class=1)
    objective = Bootstrapped.where_needed(parity.on(X, y, groups, n_classes=2), np.random.default_rng(0))
    assert not isinstance(objective, Bootstrapped)
    assert 1 / WITHIN < ratio(cancer, parity, 300) < WITHIN


@pytest.mark.parametrize("kind", [WorstGroup, EqualOpportunity])
def test_rows_are_mixtures_of_the_gradients_of_samples(cancer, kind, monkeypatch):
    monkeypatch.setattr("salutary.engine.objectives.bootstrapped.DRAWS", 50)
    criterion = kind() if kind is WorstGroup else kind(positive_class=1)
    X, y, groups = (each[:70] for each in cancer)
    X = X[:, :5]
    objective = Bootstrapped.where_needed(criterion.on(X, y, groups, n_classes=2), np.random.default_rng(0))
    W = torch.as_tensor(np.random.default_rng(1).standard_normal((1, 6)))
    samples = [torch.arange(70).repeat_interleave(counts) for counts in objective.counts.long()]
    gradients = torch.stack(
        [criterion.on(X[rows], y[rows], groups[rows], n_classes=2).gradient(W).flatten() for rows in samples]
    )
    mean, covariance = objective.moments(W)
    torch.testing.assert_close(mean, objective.gradient(W).flatten())
    torch.testing.assert_close(covariance, 70 * torch.cov(gradients.T))
    rows = objective.row_gradients(W)
    torch.testing.assert_close(rows.mean(0), mean)
    mixed = (70 / 49) ** 0.5 * objective.mixing @ (gradients - gradients.mean(0))
    torch.testing.assert_close(rows, mean + mixed)
    buckets = Buckets.draw(70, 16, np.random.default_rng(2), "cpu")
    for a, b in zip(objective.sketch(W, buckets), Objective.sketch(objective, W, buckets), strict=True):
        torch.testing.assert_close(a, b)
    plain = criterion.on(X, y, groups, n_classes=2)
    for name in ("value", "gradient", "curvature"):
        torch.testing.assert_close(getattr(objective, name)(W), getattr(plain, name)(W))


def test_mixtures_have_the_covariance_of_the_samples_in_the_mean(cancer):
    X, y, groups = (each[:100] for each in cancer)
    criterion, rng = EqualOpportunity(positive_class=1), np.random.default_rng(0)
    W, ratios = torch.ones(1, 3).double(), []
    for _ in range(60):
        objective = Bootstrapped.where_needed(criterion.on(X[:, :3], y, groups, n_classes=2), rng)
        ratios.append(objective.row_gradients(W).var(0) / objective.moments(W)[1].diagonal())
    ratios = torch.stack(ratios)
    assert (ratios.mean(0) - 1).abs().max() < 0.06  # three standard errors of (2 / 100)^(1/2) / 60^(1/2)
    assert ratios.std(0).max() < 0.2


def test_a_set_that_samples_miss_keeps_its_rows(cancer):
    X, y, groups = (each[:60].clone() for each in cancer)
    groups[3] = 7
    objective = Bootstrapped.where_needed(
        WorstGroup().on(X, y, groups, n_classes=2), np.random.default_rng(0)
    )
    assert (objective.counts[:, 3] == 0).any()
    assert torch.isfinite(objective.row_gradients(torch.zeros(1, 30).double())).all()
