"""Newton's method against a dense one, on problems of any scale; on NumPy's arrays and on torch's."""

import numpy as np
import pytest
import torch
from oracles import blobs, objective

from salutary.engine import Hessian, newton, solvers
from salutary.engine.newton import minimise
from salutary.engine.summed_loss import SummedLoss
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.salutary import Salutary


class Dense:
    """Damped Newton steps with the whole Hessian, its columns scaled, in float64."""

    def __init__(self, X, y, n_rows, intercept, penalty):
        self.A = np.c_[X, np.ones(len(X))] if intercept else X
        self.y, self.penalty, self.n_rows = y, penalty, n_rows

    def value(self, W):
        """Accurate for objectives near 0, too: the loss is log(1 + what the other classes weigh)."""
        Z = W @ self.A.T
        if self.n_rows == 1:
            losses = np.logaddexp(0, np.where(self.y == 1, -Z[0], Z[0]))
        else:
            others = Z - Z[self.y, np.arange(len(self.y))]
            others[self.y, np.arange(len(self.y))] = -np.inf
            top = np.maximum(others.max(0), 0)
            losses = np.where(
                top > 0,
                top + np.log(np.exp(others - top).sum(0) + np.exp(-top)),
                np.log1p(np.exp(np.minimum(others, 0)).sum(0)),
            )
        return losses.sum() + 0.5 * (self.penalty * W * W).sum()

    def derivatives(self, W):
        Z = W @ self.A.T
        if self.n_rows == 1:
            sign = np.where(self.y == 1, -1.0, 1.0)
            wrong = np.exp(-np.logaddexp(0, -sign * Z[0]))
            R, bent = (wrong * sign)[None], [[wrong * np.exp(-np.logaddexp(0, sign * Z[0]))]]
        else:
            P = np.exp(Z - Z.max(0))
            P /= P.sum(0)
            R = P.copy()
            R[self.y, np.arange(len(self.y))] = 0
            R[self.y, np.arange(len(self.y))] = -R.sum(0)
            bent = [[p * ((a == b) - q) for b, q in enumerate(P)] for a, p in enumerate(P)]
        G = R @ self.A + self.penalty * W
        H = np.block([[(self.A.T * w) @ self.A for w in row] for row in bent])
        return G, H + np.diag(self.penalty.ravel())

    def minimum(self):
        W = np.zeros((self.n_rows, self.A.shape[1]))
        value = self.value(W)
        for _ in range(300):
            G, H = self.derivatives(W)
            scale = np.sqrt(np.maximum(H.diagonal(), 1e-300))
            e, V = np.linalg.eigh(H / scale / scale[:, None])
            kept = e > 1e-14 * e.max()
            S = ((V[:, kept] @ (V[:, kept].T @ (G.ravel() / scale) / e[kept])) / scale).reshape(W.shape)
            slope, t = (G * S).sum(), 1.0
            while t > 1e-14 and self.value(W - t * S) > value - 1e-4 * t * slope:
                t /= 2
            if t <= 1e-14:
                break
            W = W - t * S
            value, before = self.value(W), value
            if before - value <= 1e-15 * before:
                break
        return value


def problem(seed):
    """Two to ten classes, few rows or many columns, columns and penalties of any scale; classes that are
    separable, or have nothing to do with the features."""
    rng = np.random.default_rng(seed)
    n_classes = int(rng.choice([2, 2, 3, 5, 10]))
    n, d = int(rng.integers(2 * n_classes, 120)), int(rng.integers(1, 30 if n_classes < 10 else 12))
    scale = 10.0 ** rng.uniform(-3, 4, d) if seed % 2 else np.ones(d)
    y = rng.permutation(np.r_[np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    X = rng.normal(size=(n, d)) * rng.choice([0.3, 1, 3])
    X = (X + rng.normal(size=(n_classes, d))[y] * rng.choice([0, 0.5, 3]) + rng.choice([0, 0, 5])) * scale
    return X, y, n_classes, 10.0 ** rng.uniform(-6, 5), bool(rng.integers(2))


def check(seed):
    X, y, n_classes, l2, intercept = problem(seed)
    model = LogisticRegression(n_classes, l2, intercept).fit(torch.as_tensor(X), torch.as_tensor(y))
    dense = Dense(X, y, len(model.coef_), intercept, model.penalty_.numpy())
    value, lowest = dense.value(model.coef_.numpy()), dense.minimum()
    at_zero = dense.value(np.zeros(model.coef_.shape))
    assert value - lowest <= 1e-9 * lowest + 1e-15 * at_zero
    G, _ = dense.derivatives(model.coef_.numpy())
    assert np.linalg.norm(G) <= 1e-10 * np.linalg.norm(dense.derivatives(0 * model.coef_.numpy())[0]) + 1e-12


@pytest.fixture(params=["numpy", "torch"])
def arrays(request, monkeypatch):
    """What is computed with on the CPU, and what is on a device."""
    if request.param == "torch":
        monkeypatch.setattr(SummedLoss, "array", staticmethod(lambda tensor: tensor))
    return request.param


@pytest.mark.parametrize("seed", range(40))
def test_no_lower_objective_is_found(seed, arrays):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40, 500))
def test_no_lower_objective_is_found_of_many(seed):
    check(seed)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("n, d", [(90, 6), (30, 80)])
def test_where_it_starts_does_not_matter(n, d, n_classes, arrays):
    X, y = blobs(n, d, n_classes, seed=1, spread=2.0)
    loss = SummedLoss(X, y, 1 if n_classes == 2 else n_classes, True)
    model = LogisticRegression(n_classes, 0.01).fit(X, y)
    near = minimise(loss, model.penalty_, model.coef_ * 1.1)
    torch.testing.assert_close(near.W, model.coef_, rtol=0, atol=1e-9)
    again = minimise(loss, model.penalty_, near.W)
    torch.testing.assert_close(again.W, near.W, rtol=0, atol=1e-11)


@pytest.mark.parametrize("l2", [1e-6, 1e-2, 1.0])
def test_update_ends_where_fit_does(l2):
    """Separable classes and a contrary point: at weak penalties one Newton step is not enough."""
    X, y = blobs(60, 4, 2, seed=1, spread=0.3)
    model = LogisticRegression(2, l2).fit(X, y)
    X, y = torch.cat([X, X[:1]]), torch.cat([y, 1 - y[:1]])
    followed = model.update(X, y).coef_
    fitted = LogisticRegression(2, l2).fit(X, y).coef_
    torch.testing.assert_close(followed, fitted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_rows_in_blocks_are_rows(n_classes, arrays, monkeypatch):
    from salutary.engine import softmax, summed_loss

    X, y = blobs(400, 7, n_classes, seed=3)
    whole = LogisticRegression(n_classes, 0.1).fit(X, y).coef_
    monkeypatch.setattr(summed_loss, "SMALL", 100)
    monkeypatch.setitem(softmax.BLOCK_BYTES, "cpu", 1)
    assert len(SummedLoss(X, y, n_classes, True)._blocks) > 5
    torch.testing.assert_close(LogisticRegression(n_classes, 0.1).fit(X, y).coef_, whole, rtol=0, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_more_columns_than_rows(n_classes, arrays):
    """They are rotated into the rows' space, where the optimum is; the intercept stays."""
    X, y = blobs(25, 60, n_classes, seed=4, spread=3.0)
    model = LogisticRegression(n_classes, 0.1).fit(X + 1, y)
    G = torch.func.grad(objective)(model.coef_, X + 1, y, model.penalty_)
    assert G.norm() < 1e-9
    assert model.coef_.shape[1] == 61


def test_more_columns_than_rows_need_one_penalty():
    X, y = blobs(10, 20, 2, seed=4)
    penalty = torch.linspace(1, 2, 20, dtype=torch.float64)[None]
    with pytest.raises(ValueError, match="all need the same penalty"):
        minimise(SummedLoss(X, y, 1, False), penalty)


@pytest.mark.parametrize("method", ["averaged", "diagonal", "factor"])
def test_every_way_leads_to_the_optimum(method, arrays, monkeypatch):
    """Whatever preconditions; so that no way is right only where it is chosen."""
    X, y = blobs(80, 5, 4, seed=5, spread=2.0)
    expected = LogisticRegression(4, 0.01).fit(X, y).coef_
    used = []

    def descent(self, loss, penalty, tol):
        original(self, loss, penalty, tol)
        self.averaged = method == "averaged"
        self.patience = 1 if method == "factor" else 10_000

    def factor(self, W, penalty):
        used.append("factor")
        return made(self, W, penalty)

    original, made = newton._Descent.__init__, SummedLoss.factor
    monkeypatch.setattr(newton._Descent, "__init__", descent)
    monkeypatch.setattr(SummedLoss, "factor", factor)
    fitted = LogisticRegression(4, 0.01).fit(X, y).coef_
    torch.testing.assert_close(fitted, expected, rtol=0, atol=1e-9)
    assert bool(used) == (method == "factor")


def test_constant_columns_and_classes_that_are_one_row():
    X = torch.tensor([[0.0, 1e4], [0.0, -1e4], [0.0, 3e3], [0.0, 1.0]], dtype=torch.float64)
    model = LogisticRegression(3, 1e-3).fit(X, torch.tensor([0, 1, 2, 2]))
    assert (model.coef_[:, 0] == 0).all()
    assert model.predict_proba(X).argmax(1).tolist()[:2] == [0, 1]


def test_too_few_steps_are_told():
    X, y = blobs(50, 3, 3, seed=1)
    with pytest.raises(SalutaryError, match=r"not at its optimum.*raise model\.l2 or model\.max_iter"):
        LogisticRegression(3, 1e-3, max_iter=2).fit(100 * X, y)


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_diagonal_of_the_hessian(n_classes, fit_intercept):
    X, y = blobs(50, 4, n_classes, seed=6)
    model = LogisticRegression(n_classes, 0.3, fit_intercept).fit(X, y)
    weights = torch.rand(50, dtype=torch.float64)
    hessian = Hessian.at(model.coef_, X, model.penalty_, weights)
    torch.testing.assert_close(hessian.diagonal().flatten(), hessian.dense().diagonal())


def test_what_conjugate_gradients_do_not_find_a_factor_does(monkeypatch):
    """Columns of any scale, mixed, so that no diagonal helps."""
    X, y = blobs(60, 12, 4, seed=7, spread=3.0)
    mixed = X * 10.0 ** torch.linspace(-3, 3, 12) @ torch.linalg.qr(X[:12])[0]
    model = LogisticRegression(4, 1e-4, fit_intercept=False).fit(mixed, y)
    hessian = Hessian.at(model.coef_, mixed, model.penalty_)
    G = torch.as_tensor(np.random.default_rng(0).normal(size=model.coef_.shape))
    H = hessian.dense()
    expected = torch.cholesky_solve(G.reshape(-1, 1), torch.linalg.cholesky(H)).reshape(G.shape)
    monkeypatch.setattr(solvers, "FEW_ITERATIONS", 0)
    monkeypatch.setattr(solvers, "iterations_of_a_factor", lambda n, K, D, device: 5)
    torch.testing.assert_close(solvers.solve(hessian, G), expected, rtol=1e-6, atol=0)
    with pytest.raises(SalutaryError, match="conjugate gradients did not converge"):
        solvers.conjugate_gradients(hessian, G, max_iter=5)


@pytest.mark.parametrize("l2", [0.1, 0.001])
def test_following_a_few_labels_takes_no_more_factors_than_a_fit(l2, monkeypatch):
    """Labels that a steep fit denies send its first steps astray: that alone is no reason for a factor."""
    X, y = blobs(200, 128, 10, seed=1, spread=2.0)
    pool = blobs(1000, 128, 10, seed=2, spread=2.0)[0]
    model = LogisticRegression(10, l2).fit(X, y)
    view = PoolView(pool, X, y, *blobs(300, 128, 10, seed=3, spread=2.0), len(X), 10)
    chosen = Salutary().propose(model, view, 10, None)
    grown = torch.cat([X, pool[chosen.indices]]), torch.cat([y, chosen.labels])
    factor, made = SummedLoss.factor, []
    monkeypatch.setattr(SummedLoss, "factor", lambda *arguments: made.append(1) or factor(*arguments))
    fitted = LogisticRegression(10, l2).fit(*grown)
    updated = model.update(*grown)
    assert not made
    torch.testing.assert_close(updated.coef_, fitted.coef_, rtol=1e-5, atol=1e-7)
