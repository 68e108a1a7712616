"""Objectives other than the mean loss: against their definitions, differentiated automatically."""

import numpy as np
import oracles
import pytest
import torch
from oracles import blobs
from pretend_device import pretend
from torch.nn.functional import softplus

from salutary.engine import AtLogits, MeanLoss, Objective, Optimum
from salutary.engine.added_point import AddedPoint
from salutary.engine.objective import Buckets
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
from salutary.engine.refit import refitted_fall
from salutary.engine.softmax import with_ones
from salutary.models.logistic import LogisticRegression

MATRIX = {2: [[0, 1], [5, 0]], 3: [[0, 1, 2], [3, 0, 0.5], [0, 7, 0]]}
PER_CLASS = {2: [1, 5], 3: [0, 2, 0.5]}
POSITIVE = 0  # also with one logit, which is that of class 1


# -- definitions, of weighted rows -------------------------------------------------------------------


def all_logits(Z):
    return torch.cat([torch.zeros_like(Z), Z], 1) if Z.shape[1] == 1 else Z


def mean(values, w, rows):
    return (w * values)[rows].sum() / w[rows].sum()


def log_losses(Z, y):
    return -torch.log_softmax(all_logits(Z), 1).gather(1, y[:, None])[:, 0]


def balanced(Z, y, g, w):
    L = log_losses(Z, y)
    return torch.stack([mean(L, w, y == c) for c in y.unique()]).mean()


def cost_per_class(Z, y, g, w):
    costs = torch.tensor(PER_CLASS[all_logits(Z).shape[1]], dtype=Z.dtype)
    return mean(costs[y] * log_losses(Z, y), w, y >= 0)


def cost_matrix(Z, y, g, w):
    Z = all_logits(Z)
    costs = torch.tensor(MATRIX[Z.shape[1]], dtype=Z.dtype)[y]
    return mean((costs * -torch.log(1 - torch.softmax(Z, 1))).sum(1), w, y >= 0)


def worst_group(Z, y, g, w):
    L = log_losses(Z, y)
    of_groups = torch.stack([mean(L, w, g == k) for k in g.unique() if k >= 0])
    return torch.log(torch.exp(20 * of_groups).mean()) / 20


def squared_gaps(Z, g, w, rows):
    p = torch.softmax(all_logits(Z), 1)[:, POSITIVE]
    m = [mean(p, w, rows & (g == k)) for k in g.unique() if k >= 0 and (rows & (g == k)).any()]
    return sum((a - b) ** 2 for i, a in enumerate(m) for b in m[:i]) / (len(m) - 1)


def demographic_parity(Z, y, g, w):
    return mean(log_losses(Z, y), w, y >= 0) + 10 * squared_gaps(Z, g, w, y >= 0)


def equal_opportunity(Z, y, g, w):
    return mean(log_losses(Z, y), w, y >= 0) + 10 * squared_gaps(Z, g, w, y == POSITIVE)


def equalized_odds(Z, y, g, w):
    return equal_opportunity(Z, y, g, w) + 10 * squared_gaps(Z, g, w, y != POSITIVE)


def auc(Z, y, g, w):
    Z = all_logits(Z)
    values = []
    for c in y.unique():
        p = torch.softmax(Z, 1)[:, c]
        s, weights = torch.log(p / (1 - p)), w[y == c][:, None] * w[y != c]
        pairs = softplus(-(s[y == c][:, None] - s[y != c]))
        values.append((weights * pairs).sum() / weights.sum())
    return torch.stack(values).mean()


def criteria(n_classes):
    names = list(range(n_classes))
    return {
        balanced: Balanced(),
        cost_per_class: Cost(PER_CLASS[n_classes]).resolved(names),
        cost_matrix: Cost(MATRIX[n_classes]).resolved(names),
        worst_group: WorstGroup(),
        demographic_parity: DemographicParity(POSITIVE).resolved(names),
        equal_opportunity: EqualOpportunity(POSITIVE).resolved(names),
        equalized_odds: EqualizedOdds(POSITIVE).resolved(names),
        auc: AreaUnderROC(),
    }


CASES = [
    pytest.param((n_classes, intercept, definition), id=f"{definition.__name__}-C={n_classes}-{intercept}")
    for n_classes in (2, 3)
    for intercept in (False, True)
    for definition in criteria(n_classes)
]


def rows_with_groups(n_classes, n=60):
    """Three groups that differ, one of a single row, and rows of no known group."""
    X, y = blobs(n, 4, n_classes, seed=3)
    groups = (X[:, 0] > 0.3).long() + (X[:, 1] > 1).long()
    groups[:5] = -1
    groups[7] = 5
    return X, y, groups


@pytest.fixture(params=CASES)
def case(request):
    """An objective, its definition as a function of W and the rows' weights, and parameters."""
    n_classes, intercept, definition = request.param
    X, y, groups = rows_with_groups(n_classes)
    objective = criteria(n_classes)[definition].on(X, y, groups, n_classes=n_classes)
    rng = np.random.default_rng(0)
    W = torch.as_tensor(rng.standard_normal((1 if n_classes == 2 else n_classes, 4 + intercept)))
    x = with_ones(X, W.shape[1])
    return objective, lambda W, w: definition(x @ W.T, y, groups, w), W, torch.ones(60).double()


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_value_and_gradient_equal_the_definition(case):
    objective, F, W, w = case
    close(objective.value(W), F(W, w))
    close(objective.gradient(W), torch.func.grad(F)(W, w))
    several = torch.stack([W, -W, 0 * W])
    close(objective.values(several), torch.stack([F(each, w) for each in several]))


def test_curvature_equals_the_definition(case):
    objective, F, W, w = case
    close(objective.curvature(W), torch.func.hessian(F)(W, w).reshape(W.numel(), -1))


def test_residuals_are_the_derivatives_by_logits(case):
    objective, _, W, _ = case
    Z = objective.logits(W) + torch.as_tensor(np.random.default_rng(1).standard_normal((60, len(W))))
    close(objective.residuals_at(Z), 60 * torch.func.grad(objective.value_at)(Z))


def test_rows_are_the_derivatives_by_the_weights_of_rows(case):
    """The infinitesimal jackknife, of the objective and of its gradient."""
    objective, F, W, w = case
    by_weight = torch.func.grad(F, argnums=1)(W, w)
    close(objective.row_values_at(objective.logits(W)), F(W, w) + 60 * by_weight)
    G = torch.func.jacrev(torch.func.grad(F), argnums=1)(W, w).reshape(-1, 60).T
    close(objective.row_gradients(W), objective.gradient(W).flatten() + 60 * G)
    close(objective.row_gradients(W).mean(0), objective.gradient(W).flatten())


def test_gradient_equals_finite_differences(case):
    objective, _, W, _ = case
    step = torch.as_tensor(np.random.default_rng(2).standard_normal(W.shape))
    difference = (objective.value(W + 1e-5 * step) - objective.value(W - 1e-5 * step)) / 2e-5
    close((objective.gradient(W) * step).sum(), difference, 1e-7)


def test_at_other_logits(case):
    objective, _, W, _ = case
    Z = objective.logits(W) + torch.as_tensor(np.random.default_rng(1).standard_normal((60, len(W))))
    there = AtLogits(objective, Z)
    by_row = objective.residuals_at(Z)[:, :, None] * with_ones(objective.X, W.shape[1])[:, None]
    close(there.gradient(W), by_row.mean(0))
    close(there.row_gradients(W), objective.row_gradients_at(Z, W.shape[1]))
    close(there.moments(W)[0], there.gradient(W).flatten())
    close(there.value(W), objective.value(W))
    assert not torch.allclose(there.gradient(W), objective.gradient(W))
    own = AtLogits(objective, objective.logits(W))
    close(own.gradient(W), objective.gradient(W))
    buckets = Buckets.draw(60, 16, np.random.default_rng(0), "cpu")
    close(own.sketch(W, buckets)[1], objective.sketch(W, buckets)[1])


def test_sketch_is_that_of_the_rows(case):
    objective, _, W, _ = case
    buckets = Buckets.draw(60, 16, np.random.default_rng(0), "cpu")
    found, expected = objective.sketch(W, buckets), Objective.sketch(objective, W, buckets)
    for a, b in zip(found, expected, strict=True):
        close(a, b)


def test_sketches_are_the_covariance_in_the_mean(case):
    objective, _, W, _ = case
    rng, draws, covariance = np.random.default_rng(0), 300, objective.moments(W)[1]
    total = torch.zeros_like(covariance)
    for _ in range(draws):
        z = objective.sketch(W, Buckets.draw(60, 16, rng, "cpu"))[1].flatten(1)
        total += z.T @ z / draws
    assert (total - covariance).norm() < 0.1 * covariance.norm()


def test_float32_rows_and_a_device(case, request):
    n_classes, _, definition = request.node.callspec.params["case"]
    objective, _, W, _ = case
    X, y, groups = rows_with_groups(n_classes)
    criterion = criteria(n_classes)[definition]
    single = criterion.on(X.float(), y, groups, n_classes=n_classes)
    there = criterion.on(*(each.to(pretend()) for each in (X, y, groups)), n_classes=n_classes)
    for name in ("value", "gradient", "curvature", "row_gradients"):
        expected = getattr(objective, name)(W)
        found = getattr(single, name)(W)
        assert found.dtype == torch.float64
        close(found, expected, 1e-4)
        close(getattr(there, name)(W.to(pretend())).cpu(), expected)
    drawn = [
        Bootstrapped.where_needed(
            criterion.on(*(each.to(device) for each in (X, y, groups)), n_classes=n_classes),
            np.random.default_rng(0),
        )
        .row_gradients(W.to(device))
        .cpu()
        for device in ("cpu", pretend())
    ]
    close(*drawn)
    buckets = Buckets.draw(60, 16, np.random.default_rng(0), pretend())
    expected = objective.sketch(W, Buckets.draw(60, 16, np.random.default_rng(0), "cpu"))
    for a, b in zip(there.sketch(W.to(pretend()), buckets), expected, strict=True):
        close(a.cpu(), b)


def test_extreme_logits(case):
    objective, _, W, _ = case
    Z = objective.logits(W)
    Z = 1e3 * Z.sign() + Z
    for found in (objective.value_at(Z), objective.residuals_at(Z), objective.row_values_at(Z)):
        assert torch.isfinite(found).all()
    W = W * 1e3
    for found in (objective.gradient(W), objective.curvature(W), objective.row_gradients(W)):
        assert torch.isfinite(found).all()


# -- what the estimates make of it -------------------------------------------------------------------


@pytest.fixture(params=CASES)
def fitted(request):
    n_classes, intercept, definition = request.param
    X, y = blobs(80, 4, n_classes, seed=1)
    model = LogisticRegression(n_classes, 1.0, intercept).fit(X, y)
    objective = criteria(n_classes)[definition].on(*rows_with_groups(n_classes), n_classes=n_classes)
    pool, labels = blobs(20, 4, n_classes, seed=2)
    return Optimum(model.coef_, model.penalty_, X, objective, y), pool, labels


def repeated(optimum, times):
    """Every row so many times: a point that joins then weighs so much less. The optimum is the same."""
    X, y = optimum.X.repeat(times, 1), optimum.y.repeat(times)
    return Optimum(optimum.W, times * optimum.penalty, X, optimum.objective, y)


def test_influence_is_the_fall_of_a_refit_to_first_order(fitted):
    optimum, pool, labels = fitted
    errors = []
    for times in (20, 200):
        optimum = repeated(fitted[0], times)
        real = refitted_fall(optimum, pool, labels)
        influence = optimum.influence(pool).gather(1, labels[:, None])[:, 0]
        errors.append(float((influence - real).norm() / real.norm()))
    assert errors[1] < 0.02
    assert errors[1] < errors[0] / 8


def test_second_order_bends_with_the_objective(fitted, request):
    """What Newton's step by the pseudo-inverse does to the objective's second-order expansion."""
    n_classes, _, definition = request.node.callspec.params["fitted"]
    optimum, pool, labels = fitted
    X, y, groups = rows_with_groups(n_classes)
    W, penalty = optimum.W, optimum.penalty

    def F(W):
        return definition(with_ones(X, W.shape[1]) @ W.T, y, groups, torch.ones(60).double())

    slope, bend = torch.func.grad(F)(W).flatten(), torch.func.hessian(F)(W).reshape(W.numel(), -1)
    expected = []
    for x, c in zip(pool.split(1), labels.split(1), strict=True):
        H = oracles.hessian(W, torch.cat([optimum.X, x]), torch.cat([optimum.y, c]), penalty)
        step = -torch.linalg.pinv(H, hermitian=True) @ oracles.gradient(W, x, c).flatten()
        expected.append(-slope @ step - 0.5 * step @ bend @ step)
    found = AddedPoint.at(optimum, second_order=True).fall(pool).gather(1, labels[:, None])[:, 0]
    close(found, torch.stack(expected), 1e-7)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_only_objectives_of_groups_change_when_groups_are_shuffled(n_classes):
    X, y, groups = rows_with_groups(n_classes)
    shuffled = groups[torch.as_tensor(np.random.default_rng(0).permutation(60))]
    model = LogisticRegression(n_classes, 1.0).fit(*blobs(80, 4, n_classes, seed=1))
    pool = blobs(20, 4, n_classes, seed=2)[0]
    for criterion in criteria(n_classes).values():
        influences = [
            Optimum(model.coef_, model.penalty_, X, criterion.on(X, y, each, n_classes=n_classes)).influence(
                pool
            )
            for each in (groups, shuffled)
        ]
        assert torch.equal(*influences) != criterion.needs_groups


def test_the_mean_loss_is_the_same_object_as_ever():
    X, y, groups = rows_with_groups(3)
    objective = MeanLogLoss().on(X, y, groups, n_classes=3)
    assert type(objective) is MeanLoss
    assert objective.X is X and objective.y is y
    Z = torch.as_tensor(np.random.default_rng(0).standard_normal((60, 3)))
    close(objective.value_at(Z), log_losses(Z, y).mean())
    close(objective.residuals_at(Z), 60 * torch.func.grad(objective.value_at)(Z))
    close(objective.row_values_at(Z), log_losses(Z, y))
    coefficients = torch.as_tensor(np.random.default_rng(1).standard_normal((60, 2)))
    sums = torch.einsum("rnk,nd->rkd", objective.sums_at(Z, coefficients), X)
    close(sums.flatten(1), coefficients.T @ objective.row_gradients_at(Z, 4))


def test_pairs_in_blocks_are_the_same(monkeypatch):
    X, y, _ = rows_with_groups(3)
    objective = AreaUnderROC().on(X, y, n_classes=3)
    Z = torch.as_tensor(np.random.default_rng(0).standard_normal((60, 3)))
    methods = (objective.value_at, objective.residuals_at, objective.row_values_at)
    expected = [method(Z) for method in methods]
    monkeypatch.setattr("salutary.engine.objectives.auc.PAIRS", 100)
    for method, each in zip(methods, expected, strict=True):
        close(method(Z), each, 1e-12)
