"""Soft labels by influence: against autograd, finite differences, dense formulas, and what they are for."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from salutary.engine import MeanLoss, soft_labels
from salutary.engine.objectives import DemographicParity, EqualOpportunity, WorstGroup
from salutary.engine.soft_labels import RHOS, SoftLabels, SoftStep, held_out_values, tilted
from salutary.engine.soft_regression import SoftRegression, logits, of_classes

LOADERS = {2: load_breast_cancer, 3: load_wine}
PARITY = DemographicParity(1).resolved([0, 1])


def part(n_classes, rows, d=4):
    X, y = LOADERS[n_classes](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))[rows]
    return StandardScaler().fit_transform(X)[order, :d], y[order]


def mean_loss(X, y):
    return MeanLoss(torch.from_numpy(X), torch.from_numpy(y))


def case(n_classes=2, intercept=True, weight=1.0, l2=1.0, criterion=None):
    """Forty labelled rows, fifty of a pool, and sixty that the objective is taken on."""
    (X, y), (V, v) = part(n_classes, slice(40)), part(n_classes, slice(90, 150))
    q = np.eye(n_classes)[y]
    penalty = SoftRegression(X, q, np.ones(40), intercept).penalty(l2)
    groups = torch.from_numpy((V[:, 0] > 0).astype(int))
    objective = mean_loss(V, v)
    if criterion is not None:
        objective = criterion.on(objective.X, objective.y, groups, n_classes=n_classes)
    return SoftLabels(X, q, part(n_classes, slice(40, 90))[0], penalty, objective, weight)


def random_step(labels, seed=1, rho=1.0):
    """At distributions that nothing speaks for, with the optimum that belongs to them."""
    C = labels.q.shape[1]
    q = np.random.default_rng(seed).dirichlet(np.ones(C), len(labels.pool))
    return SoftStep(rho, q, labels.regression(q).fit(labels.penalty, last=1e-20))


def summed(labels, q, W):
    """J as it is defined, in torch."""

    def losses(X, q):
        X = torch.from_numpy(X)
        X = torch.cat([X, torch.ones_like(X[:, :1])], 1) if W.shape[1] > X.shape[1] else X
        Z = X @ W.T
        Z = torch.cat([torch.zeros_like(Z), Z], 1) if len(W) == 1 else Z
        return -(torch.as_tensor(q) * torch.log_softmax(Z, 1)).sum()

    a = labels.weight * len(labels.X) / len(labels.pool)
    quadratic = 0.5 * (torch.from_numpy(labels.penalty) * W**2).sum()
    return losses(labels.X, labels.q) + a * losses(labels.pool, q) + quadratic


@pytest.mark.parametrize("criterion", [None, WorstGroup()])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_influences_are_those_of_the_whole_objective(n_classes, intercept, criterion):
    """g . H^-1 . grad of each loss, with the Hessian of J by autograd, over L and the weighted pool."""
    labels = case(n_classes, intercept, weight=0.7, criterion=criterion)
    step = random_step(labels)
    W = torch.from_numpy(step.W)
    G = torch.func.grad(lambda at: summed(labels, step.q, at))(W)
    assert G.abs().max() < 1e-8
    H = torch.func.hessian(lambda at: summed(labels, step.q, at))(W).reshape(W.numel(), -1)
    solved = torch.linalg.pinv(H, rtol=1e-11) @ labels.objective.gradient(W).flatten()
    expected = np.empty((len(labels.pool), n_classes))
    for c in range(n_classes):
        for i, x in enumerate(labels.pool):
            one = replace(labels, X=x[None], q=np.eye(n_classes)[[c]], weight=0, penalty=0 * labels.penalty)
            loss = torch.func.grad(lambda at, one=one: summed(one, step.q, at))(W)
            expected[i, c] = solved @ loss.flatten()
    np.testing.assert_allclose(labels.influence(step), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_influences_are_the_slope_of_f_in_the_distributions(n_classes):
    labels = case(n_classes, weight=2.0)
    step = random_step(labels)
    move = np.random.default_rng(2).normal(size=step.q.shape)
    move -= move.mean(1, keepdims=True)

    def F(t):
        W = labels.regression(step.q + t * move).fit(labels.penalty, step.W, last=1e-20)
        return float(labels.objective.value(torch.from_numpy(W)))

    slope = (F(1e-5) - F(-1e-5)) / 2e-5
    assert -labels.pool_weight * (move * labels.influence(step)).sum() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_an_infinite_rho_leaves_predictions_and_model_as_they_are(n_classes):
    """The pool then says nothing that L does not: its rows have no gradient."""
    labels = case(n_classes)
    start = labels.start
    alone = SoftRegression(labels.X, labels.q, np.ones(40)).fit(labels.penalty, last=1e-20)
    np.testing.assert_allclose(start.W, alone, atol=1e-5)
    np.testing.assert_allclose(start.q, of_classes(logits(labels.pool, alone)), atol=1e-5)
    with_pool = labels.regression(start.q).fit(labels.penalty, last=1e-20)
    np.testing.assert_allclose(with_pool, alone, atol=1e-5)
    for step in (labels.path([1e9])[-1], labels.beyond(1e9)):
        np.testing.assert_allclose(step.q, start.q, atol=1e-6)
        np.testing.assert_allclose(step.W, alone, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_steps_are_distributions_and_optima(n_classes):
    labels = case(n_classes)
    for step in [*labels.path(), labels.beyond(0.1), labels.beyond(1e-9)]:
        np.testing.assert_allclose(step.q.sum(1), 1, rtol=1e-12)
        assert (step.q >= 0).all()
        G = torch.func.grad(lambda at, q=step.q: summed(labels, q, at))(torch.from_numpy(step.W))
        assert G.abs().max() < 0.02  # as near as the fit goes: J is within 1e-5 of its minimum
    assert [step.rho for step in labels.path()] == [np.inf, *RHOS]


def test_half_of_a_label_is_the_prediction_beyond():
    labels = case()
    best = labels.influence(labels.start).argmax(1)
    expected = (labels.start.q + np.eye(2)[best]) / 2
    np.testing.assert_allclose(labels.beyond(1e-12).q, expected, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_where_the_steps_end_is_the_distribution_of_the_docstring(n_classes, monkeypatch):
    monkeypatch.setattr(soft_labels, "UPDATES", 60)
    labels = case(n_classes, weight=0.5)
    step = labels.path([3.0])[-1]
    np.testing.assert_allclose(step.q, labels.aimed(step), atol=0.01)
    lowest = labels.penalised(step)
    for seed in range(20):
        other = np.random.default_rng(seed).dirichlet(np.ones(n_classes), len(step.q))
        q = step.q + 0.05 * (other - step.q)
        there = SoftStep(3.0, q, labels.regression(q).fit(labels.penalty, step.W))
        assert labels.penalised(there) > lowest


def test_the_penalty_is_the_mean_divergence():
    labels = case(weight=0.7)
    step = random_step(labels, rho=2.0)
    divergence = np.mean((step.q * np.log(step.q / labels.start.q)).sum(1))
    F = float(labels.objective.value(torch.from_numpy(step.W)))
    assert labels.penalised(step) == pytest.approx(F + 2.0 * 0.7 * divergence, rel=1e-9)


@pytest.mark.parametrize("criterion", [None, PARITY, EqualOpportunity(1).resolved([0, 1]), WorstGroup()])
def test_the_objective_falls_along_the_path(criterion):
    labels = case(criterion=criterion)
    values = [float(labels.objective.value(torch.from_numpy(step.W))) for step in labels.path()]
    assert (np.diff(values) < 1e-4).all() and values[-1] < 0.9 * values[0]


def test_weights_scale():
    """A pool of twice the rows is as much; without weight it is nothing."""
    labels = case()
    twice = replace(labels, pool=np.concatenate([labels.pool, labels.pool]))
    assert twice.pool_weight == labels.pool_weight / 2
    for one, other in zip(labels.path(), twice.path(), strict=True):
        np.testing.assert_allclose(one.W, other.W, atol=1e-6)
    light, heavy = (replace(labels, weight=w).beyond(0.1).W - labels.start.W for w in (0.01, 1))
    assert np.abs(light).max() < 0.1 * np.abs(heavy).max()


def test_a_confident_prediction_is_tilted_too():
    P = np.array([[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(tilted(P, np.array([[0.0, 2000.0], [0, 1]]))[:, 1], [1, 1 / (1 + np.exp(-1))])


def test_held_out_values_are_of_models_that_did_not_see_the_row():
    labels = case()
    V, v = labels.objective.X.numpy(), labels.objective.y.numpy()
    rows = np.random.default_rng(0).permutation(60)
    folds = [(np.setdiff1d(rows, held_out), held_out) for held_out in np.split(rows, 3)]

    def path_of(seen):
        return [step.W for step in replace(labels, objective=mean_loss(V[seen], v[seen])).path(RHOS[:2])]

    expected = np.zeros(3)
    for seen, held_out in folds:
        for place, W in enumerate(path_of(seen)):
            P = of_classes(logits(V[held_out], W))
            expected[place] -= np.log(P[np.arange(20), v[held_out]]).sum() / 60
    np.testing.assert_allclose(held_out_values(path_of, folds, labels.objective), expected, rtol=1e-9)


# -- what it is for ----------------------------------------------------------------------------------


def grouped(n, rng):
    """A group that a feature tells of, and that gets the label more often at the same merit."""
    g = rng.integers(0, 2, n)
    merit, tells = rng.normal(size=n), g + 0.5 * rng.normal(size=n)
    y = (merit + 1.5 * g - 0.75 + 0.7 * rng.normal(size=n) > 0).astype(int)
    return np.stack([merit, tells, rng.normal(size=n)], 1), y, g


def gaps(shuffled, seed):
    """Of decisions about fresh rows, by the model of L, at the end of the path, and beyond."""
    rng = np.random.default_rng(seed)
    (X, y, _), (V, v, g) = grouped(150, rng), grouped(200, rng)
    pool, (T, t, h) = grouped(400, rng)[0], grouped(4000, rng)
    g = rng.permutation(g) if shuffled else g
    q = np.eye(2)[y]
    objective = PARITY.on(*map(torch.from_numpy, (V, v, g)), n_classes=2)
    labels = SoftLabels(X, q, pool, SoftRegression(X, q, np.ones(150)).penalty(1.0), objective)
    models = labels.start.W, labels.path()[-1].W, labels.beyond(0.3).W
    return [PARITY.figure(of_classes(logits(T, W)), t, h) for W in models]


def mean_gaps(shuffled):
    return np.mean([gaps(shuffled, seed) for seed in range(5)], 0)


def test_a_gap_on_fresh_rows_closes_by_the_groups_of_v_alone():
    before, after, beyond = mean_gaps(shuffled=False)
    assert before > 0.25 and after < 0.5 * before and beyond < 0.5 * before


def test_shuffled_groups_close_no_gap():
    before, after, beyond = mean_gaps(shuffled=True)
    assert after > 0.8 * before and beyond > 0.8 * before
