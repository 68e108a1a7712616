"""The ladder: autograd, dense solves, brute force over (point, label), and real retraining."""

import re
from pathlib import Path

import oracles
import pytest
import torch
from oracles import blobs, retrained_fall
from scipy.stats import linregress, spearmanr

from salutary import engine
from salutary.engine.solvers import cholesky
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression

CASES = [
    pytest.param((n_classes, fit_intercept, l2), id=f"C={n_classes},intercept={fit_intercept},l2={l2}")
    for n_classes in (2, 3, 7)
    for fit_intercept in (False, True)
    for l2 in (50, 0.01)
]


@pytest.fixture(params=CASES)
def case(request):
    """A fitted model with its labelled set, pool and validation set."""
    n_classes, fit_intercept, l2 = request.param
    X, y = blobs(80, 5, n_classes, seed=1)
    model = LogisticRegression(n_classes, l2, fit_intercept).fit(X, y)
    pool, _ = blobs(30, 5, n_classes, seed=2)
    return model, X, y, pool, *blobs(60, 5, n_classes, seed=3)


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_gradient_equals_autograd(case):
    model, X, y, *_ = case
    W = model.coef_ + 0.1
    close(engine.gradient(X, y, W), oracles.gradient(W, X, y))


def test_loss_equals_its_definition(case):
    model, X, y, *_ = case
    close(engine.loss(X, y, model.coef_).sum(), oracles.summed_loss(model.coef_, X, y))


def without_shift(hessian: engine.Hessian) -> torch.Tensor:
    """The dense matrix without the 1 1^T that makes it regular."""
    H = hessian.dense()
    K, D = hessian.penalty.shape
    H.reshape(K, D, K, D)[:, -1, :, -1] -= hessian._free_shift
    return H


def test_hessian_equals_autograd(case):
    model, X, y, *_ = case
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    close(without_shift(hessian), oracles.hessian(model.coef_, X, y, model.penalty_))


@pytest.mark.parametrize("n_classes, d", [(2, 30), (3, 5), (3, 30), (7, 30), (7, 60)])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_dense_hessian_of_weighted_rows(n_classes, d, fit_intercept):
    """Few and many features for each class take different ways; a weight of 3 is a row that occurs thrice."""
    X, y = blobs(40, d, n_classes, seed=4)
    model = LogisticRegression(n_classes, 0.1, fit_intercept).fit(X, y)
    times = torch.arange(40) % 4
    repeated = X.repeat_interleave(times, 0), y.repeat_interleave(times)
    expected = oracles.hessian(model.coef_, *repeated, model.penalty_)
    close(without_shift(engine.Hessian.at(model.coef_, X, model.penalty_, times.double())), expected)


@pytest.mark.parametrize("d", [5, 60])
def test_dense_hessian_of_a_large_float32_pool(d, monkeypatch):
    """It is not taken in float64, but summed in it."""
    monkeypatch.setattr("salutary.engine.hessian.SMALL", 100)
    X, y = blobs(400, d, 3, seed=4)
    model = LogisticRegression(3, 1.0).fit(X[:50], y[:50])
    rough = engine.Hessian.at(model.coef_, X.float(), model.penalty_).dense()
    exact = engine.Hessian.at(model.coef_, X, model.penalty_).dense()
    assert rough.dtype == torch.float64
    assert 0 < (rough - exact).norm() < 1e-5 * exact.norm()
    g = engine.gradient(X, y, model.coef_)
    solved = [
        engine.solve(engine.Hessian.at(model.coef_, rows, model.penalty_), g, "cholesky")
        for rows in (X.float(), X)
    ]
    assert (solved[0] - solved[1]).norm() < 1e-4 * solved[1].norm()


def test_hessian_product_equals_dense(case):
    model, X, *_ = case
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    V = torch.randn(model.coef_.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    close((hessian @ V).flatten(), hessian.dense() @ V.flatten())


@pytest.mark.parametrize("method", ["cholesky", "cg", "auto"])
def test_solve_equals_pseudo_inverse(case, method):
    model, X, y, _, X_validation, y_validation = case
    g = engine.gradient(X_validation, y_validation, model.coef_)
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    H = oracles.hessian(model.coef_, X, y, model.penalty_)
    expected = (torch.linalg.pinv(H, hermitian=True) @ g.flatten()).reshape(g.shape)
    close(engine.solve(hessian, g, method), expected, 1e-8)


def test_solution_sums_to_zero_over_classes(case):
    model, X, _, _, X_validation, y_validation = case
    if len(model.coef_) == 1:
        return  # one weight vector stands for the difference of two classes
    g = engine.gradient(X_validation, y_validation, model.coef_)
    S = engine.solve(engine.Hessian(X, model.predict_proba(X), model.penalty_), g)
    assert S.sum(0).abs().max() < 1e-10 * S.abs().max()


def scores(case, **options):
    model, X, _, pool, X_validation, y_validation = case
    objective = engine.MeanLoss(X_validation, y_validation)
    return engine.Optimum(model.coef_, model.penalty_, X, objective).influence(pool, **options)


@pytest.mark.parametrize("solver", ["cholesky", "cg"])
def test_influence_equals_brute_force(case, solver):
    model, X, y, pool, X_validation, y_validation = case
    expected = oracles.label_influence(model.coef_, model.penalty_, pool, X, y, X_validation, y_validation)
    close(scores(case, solver=solver), expected, 1e-8)


def test_old_names_work_and_say_the_new_ones(case):
    model, X, _, pool, X_validation, y_validation = case
    rows = {"X_hessian": X, "X_validation": X_validation, "y_validation": y_validation}
    with pytest.warns(FutureWarning, match=r"Optimum\.influence now, and gone in 0\.5\.0"):
        influence = engine.label_influence(model.coef_, model.penalty_, X_pool=pool, solver="cg", **rows)
    assert torch.equal(influence, scores(case, solver="cg"))
    with pytest.warns(FutureWarning, match=r"validation_direction is .*Optimum\.direction now") as caught:
        S = engine.validation_direction(model.coef_, model.penalty_, **rows)
    assert torch.equal(engine.score_labels(model.coef_, S, pool), scores(case))
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)]


def test_influence_weighted_by_probability_is_zero(case):
    model, _, _, pool, *_ = case
    scored = scores(case)
    assert (model.predict_proba(pool) * scored).sum(1).abs().max() < 1e-12 * scored.abs().max() + 1e-16


def test_unpenalised_intercepts_are_not_silently_wrong():
    """Cholesky of the singular softmax Hessian succeeds by rounding and is off; ours is not."""
    X, y = blobs(200, 4, 5, seed=4, spread=2.0)
    model = LogisticRegression(5, 1.0, fit_intercept=True).fit(X, y)
    X_validation, y_validation = blobs(50, 4, 5, seed=5, spread=2.0)
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    singular = torch.linalg.eigvalsh(without_shift(hessian))
    assert singular[0].abs() < 1e-10 * singular[-1]
    assert torch.linalg.eigvalsh(hessian.dense())[0] > 1e-3
    g = engine.gradient(X_validation, y_validation, model.coef_)
    H = oracles.hessian(model.coef_, X, y, model.penalty_)
    S = engine.solve(hessian, g, "cholesky")
    assert (H @ S.flatten() - g.flatten()).norm() < 1e-12 * g.norm()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_pivots_lost_to_rounding_are_refused(n_classes):
    """Of a doubled column Cholesky's method succeeds by rounding; of columns of any scale it is right to."""
    X, y = blobs(80, 3, n_classes, seed=5)
    rows = torch.cat([X, X[:, :1]], 1)
    model = LogisticRegression(n_classes, 1.0, fit_intercept=False).fit(rows, y)

    def hessian(rows, l2):
        penalty = model.coef_.new_full((len(model.coef_), rows.shape[1]), l2)
        return engine.Hessian(rows, probabilities, penalty)

    probabilities = model.predict_proba(rows)
    assert torch.linalg.cholesky_ex(hessian(rows, 1e-15).dense()).info == 0
    with pytest.raises(SalutaryError, match=r"not positive definite to working precision: raise model\.l2"):
        cholesky(hessian(rows, 1e-15))
    cholesky(hessian(rows, 1e-6))
    if n_classes == 2:  # softmax weights need a penalty, which is of no scale
        cholesky(hessian(X * torch.tensor([1e-6, 1.0, 1e6]).double(), 1e-15))


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_labelled_set_that_lacks_classes(fit_intercept):
    """Influences exist, for the missing classes too, and agree with brute force."""
    X, y = blobs(60, 4, 5, seed=6)
    keep = (y != 1) & (y != 3)
    X, y = X[keep], y[keep]
    model = LogisticRegression(5, 0.5, fit_intercept).fit(X, y)
    pool, _ = blobs(20, 4, 5, seed=7)
    X_validation, y_validation = blobs(50, 4, 5, seed=8)
    scored = scores((model, X, y, pool, X_validation, y_validation))
    close(
        scored,
        oracles.label_influence(model.coef_, model.penalty_, pool, X, y, X_validation, y_validation),
        1e-8,
    )
    assert (scored.argmax(1) == 1).any()  # the best label can be one the model has never seen


def test_unknown_solver_is_refused(case):
    with pytest.raises(ValueError, match="method must be one of"):
        scores(case, solver="lu")


def test_conjugate_gradients_that_stall_say_so(case):
    model, X, y, *_ = case
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    with pytest.raises(SalutaryError, match="did not converge"):
        engine.conjugate_gradients(hessian, engine.gradient(X, y, model.coef_ + 1), 1e-12, max_iter=1)


@pytest.mark.parametrize("hessian", ["labeled", "pool"])
@pytest.mark.parametrize("n_classes", [2, 6])
@pytest.mark.parametrize("l2", [50, 0.01, 1e-4])
def test_float32_agrees_with_float64_on_confident_fits(n_classes, l2, hessian):
    """Without the shift by the predicted class, relative errors reach 1e-2 at l2 = 1e-4."""
    X, y = blobs(150, 20, n_classes, seed=1)
    pool, _ = blobs(20_000, 20, n_classes, seed=2)
    X_validation, y_validation = blobs(500, 20, n_classes, seed=3)
    found = {}
    for dtype, solver in ((torch.float64, "cholesky"), (torch.float32, "cg"), (torch.float32, "cholesky")):
        rows = X.to(dtype)
        model = LogisticRegression(n_classes, l2).fit(rows, y)
        objective = engine.MeanLoss(X_validation.to(dtype), y_validation)
        over = rows if hessian == "labeled" else pool.to(dtype)
        S = engine.Optimum(model.coef_, model.penalty_, over, objective).direction(solver)
        found[dtype, solver] = engine.score_labels(model.coef_, S, pool.to(dtype)).double()
    exact = found.pop((torch.float64, "cholesky"))
    for rough in found.values():
        assert (rough - exact).norm() < 1e-5 * exact.norm()
        assert torch.equal(rough.argmax(1), exact.argmax(1))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_best_influence_is_the_highest_of_all_labels(case, dtype):
    model, X, _, pool, X_validation, y_validation = case
    W = model.coef_
    S = engine.solve(engine.Hessian.at(W, X, model.penalty_), engine.gradient(X_validation, y_validation, W))
    every = engine.score_labels(W, S, pool)
    best = engine.best_influence(W, S, pool.to(dtype))
    assert best.dtype == dtype
    close(best.double(), every.amax(1), 1e-9 if dtype == torch.float64 else 1e-5)
    assert torch.equal(engine.best_labels(S, pool.to(dtype)), every.argmax(1))


def test_best_influences_of_several_models(case):
    model, _, _, pool, *_ = case
    W = model.coef_
    models = [(W + 0.1 * i, W.flip(1) - 0.2 * i) for i in range(3)]
    together = engine.best_influences(models, pool)
    for (W, S), found in zip(models, together, strict=True):
        close(found, engine.score_labels(W, S, pool).amax(1), 1e-12)


def test_best_influence_of_certain_points():
    """Logits of a thousand, and a direction in which nothing can be gained."""
    X = torch.tensor([[1000.0, 0.0], [-1000.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    for W in (torch.eye(2).double()[:1], torch.eye(3, 2).double()):
        for S in (torch.ones_like(W), -torch.ones_like(W), torch.zeros_like(W)):
            best = engine.best_influence(W, S, X)
            assert torch.isfinite(best).all() and (best >= 0).all()
            close(best, engine.score_labels(W, S, X).amax(1))


def test_blocks_of_rows_change_nothing(case, monkeypatch):
    model, X, _, pool, X_validation, y_validation = case
    hessian = engine.Hessian(X, model.predict_proba(X), model.penalty_)
    V = torch.randn(model.coef_.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def everything():
        S = V + 0.1
        return [
            engine.gradient(X_validation, y_validation, V),
            hessian.curvature(V),
            hessian.dense(),
            engine.score_labels(V, S, pool),
            engine.best_influence(V, S, pool),
        ]

    whole = everything()
    monkeypatch.setattr("salutary.engine.softmax.MIN_ROWS", 7)
    monkeypatch.setitem(engine.softmax.BLOCK_BYTES, "cpu", 1)
    for blocked, expected in zip(everything(), whole, strict=True):
        close(blocked, expected)


def test_nothing_of_the_size_of_the_pool_is_built():
    """Scoring 400,000 x 100 (320 MB) needs a few per cent of that besides."""
    generator = torch.Generator().manual_seed(0)
    pool = torch.randn(400_000, 100, generator=generator, dtype=torch.float64)
    W, S = torch.randn(2, 8, 100, generator=generator, dtype=torch.float64)
    engine.best_influence(W, S, pool[:1000])
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")

    def resident(key):
        return int(re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

    before = resident("VmRSS")
    engine.best_influence(W, S, pool)
    assert resident("VmHWM") - before < 0.15 * pool.numel() * 8


def test_influence_predicts_retraining_on_bank(data_dir, prepared):
    """300 random (point, label) pairs of bank, really added one at a time and refitted."""
    problem, model, _, cfg = prepared("dataset=bank", f"data_dir={data_dir}", "protocol=paper")
    assert cfg.model.l2 == 50
    X, y = problem.part("initial")
    X_pool, _ = problem.part("pool")
    X_validation, y_validation = problem.part("validation")
    model.fit(X, y)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(X_pool), generator=generator)[:300]
    labels = torch.randint(2, (300,), generator=generator)
    optimum = engine.Optimum(model.coef_, model.penalty_, X, engine.MeanLoss(X_validation, y_validation))
    predicted = optimum.influence(X_pool[rows])[torch.arange(300), labels].numpy()
    actual = [
        retrained_fall(model, X, y, X_pool[row], int(c), X_validation, y_validation)
        for row, c in zip(rows, labels, strict=True)
    ]
    assert spearmanr(predicted, actual).statistic > 0.99
    assert 0.9 < linregress(predicted, actual).slope < 1.2
