"""The ways that only a device takes, against dense float64 ones: here on the CPU and the pretended device."""

import functools
import gc
import weakref
from threading import get_ident

import pytest
import torch
from oracles import blobs
from pretend_device import Pretending, pretend

from salutary.engine import Hessian, MeanLoss, Optimum, iteration, kept_system, solvers
from salutary.engine.iteration import Iteration, looks
from salutary.engine.kept_system import System
from salutary.engine.newton import _Descent, minimise
from salutary.engine.refined import refined, single, unit_diagonal
from salutary.engine.solvers import FEW_ITERATIONS, cholesky, is_dense, iterations_of_a_factor, solve
from salutary.engine.summed_loss import SummedLoss
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.system.capture import uncaptured

PROBLEMS = [
    pytest.param((n_classes, intercept, l2, decades), id=f"C={n_classes},{intercept},{l2},1e{decades}")
    for n_classes in (2, 3, 8)
    for intercept in (False, True)
    for l2 in (1e-3, 1.0, 1e3)
    for decades in (0, 4)
]
cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(params=PROBLEMS)
def case(request):
    """A Hessian whose columns are of scales 10^-decades to 10^decades, and a right-hand side."""
    n_classes, intercept, l2, decades = request.param
    X, y = blobs(90, 9, n_classes, seed=1, spread=2.0)
    X = X * 10.0 ** torch.linspace(-decades, decades, 9).double()
    model = LogisticRegression(n_classes, l2, intercept).fit(X, y)
    V, labels = blobs(70, 9, n_classes, seed=2, spread=2.0)
    V = V * 10.0 ** torch.linspace(-decades, decades, 9).double()
    return Hessian.at(model.coef_, X, model.penalty_), MeanLoss(V, labels).gradient(model.coef_)


def lowest(hessian):
    """The smallest eigenvalue, columns scaled to a diagonal of ones."""
    return float(torch.linalg.eigvalsh(unit_diagonal(hessian.dense())[0])[0])


def dense_solution(hessian, G):
    """By eigenvalues, in float64, of the matrix scaled to a diagonal of ones."""
    H, scale = unit_diagonal(hessian.dense())
    e, V = torch.linalg.eigh(H)
    return (scale * (V @ ((V.T @ (scale * G.flatten())) / e))).reshape(G.shape)


def distance(hessian, a, b):
    """Of two solutions, in the scale of the columns, relative to b."""
    size = hessian.diagonal().sqrt()
    return float(((a - b) * size).norm() / (b * size).norm())


def residual(hessian, S, G):
    """In the norm in which conjugate gradients end."""
    R = G - (hessian.dense() @ S.flatten()).reshape(G.shape)
    return float(((R * R / hessian.diagonal()).sum() / (G * G / hessian.diagonal()).sum()).sqrt())


def there(hessian, G):
    """The same on the pretended device."""
    X, P, penalty, G = (each.to(pretend()) for each in (hessian.X, hessian.P, hessian.penalty, G))
    return Hessian(X, P, penalty), G


def mixed(decades, l2=1e-13):
    """A Hessian of this penalty whose eigenvalues no scaling of the columns brings together."""
    X, _ = blobs(200, 12, 2, seed=3)
    Q = torch.linalg.qr(X[:12])[0]
    X = X @ Q * 10.0 ** torch.linspace(-decades, 0, 12).double() @ Q.T
    P = torch.full((200, 2), 0.5, dtype=torch.float64)
    return Hessian(X, P, torch.full((1, 12), l2, dtype=torch.float64))


def test_refined_is_as_exact_as_float64(case):
    hessian, G = case
    S = refined(hessian.dense(), hessian.penalty, G)
    if lowest(hessian) > 1e-6:
        assert S is not None
    if S is not None:
        assert residual(hessian, S, G) <= 1.01e-10
        assert distance(hessian, S, dense_solution(hessian, G)) < 1e-10 / lowest(hessian)


@pytest.fixture(params=[0, solvers.SMALL_FACTOR], ids=["as large ones", "small"])
def small_factor(request, monkeypatch):
    """Whether systems as small as these are solved as larger ones would be."""
    monkeypatch.setattr(solvers, "SMALL_FACTOR", request.param)
    monkeypatch.setattr("salutary.engine.newton.SMALL_FACTOR", request.param)
    return request.param


def test_every_solver_on_the_device(case, small_factor):
    """As on the CPU: to the same residual, or refused, where weights of features have next to no penalty."""
    hessian, G = case
    for method in ("cholesky", "cg", "auto"):
        try:
            solve(hessian, G, method)
        except SalutaryError as error:
            with Pretending(), pytest.raises(SalutaryError, match=str(error)[:40]):
                solve(*there(hessian, G), method)
            continue
        with Pretending():
            S = solve(*there(hessian, G), method).cpu()
        assert distance(hessian, S, dense_solution(hessian, G)) < 1e-9 / lowest(hessian)
        if lowest(hessian) > 1e-6:
            assert residual(hessian, S, G) <= 1.1e-10


def test_a_solution_by_a_factor_waits_once(small_factor):
    X, y = blobs(90, 9, 3, seed=1, spread=2.0)
    model = LogisticRegression(3, 0.1).fit(X, y)
    hessian = Hessian.at(model.coef_, X, model.penalty_)
    G = MeanLoss(*blobs(70, 9, 3, seed=2, spread=2.0)).gradient(model.coef_)
    with Pretending() as mode:
        hessian, G = there(hessian, G)
        mode.waits.clear()
        solve(hessian, G, "cholesky")
    assert len(mode.waits) == 1


@pytest.mark.parametrize("decades, is_single", [(1, True), (3, False), (5, False)])
def test_what_float32_cannot_float64_does(decades, is_single, monkeypatch):
    """The factor in float32 is lost, or not to be believed; the one in float64 is right."""
    hessian = mixed(decades)
    G = torch.linspace(-1, 1, 12).double()[None]
    made = []
    monkeypatch.setattr(solvers, "SMALL_FACTOR", 0)
    monkeypatch.setattr(solvers, "cholesky", lambda hessian: made.append(1) or cholesky(hessian))
    assert (refined(hessian.dense(), hessian.penalty, G) is not None) == is_single
    with Pretending():
        S = solve(*there(hessian, G), "cholesky").cpu()
    assert bool(made) == (not is_single)
    expected = torch.cholesky_solve(G.T, torch.linalg.cholesky(hessian.dense())).T
    torch.testing.assert_close(S, expected, rtol=1e-5, atol=0)


def test_refinement_that_gets_nowhere_is_given_up():
    """Where the factor is believed but steps do not reach the residual."""
    hessian = mixed(1)
    G = torch.linspace(-1, 1, 12).double()[None]
    assert refined(hessian.dense(), hessian.penalty, G, rtol=1e-30) is None
    assert refined(hessian.dense(), hessian.penalty, G * torch.nan) is None


@pytest.mark.parametrize("n_classes", [2, 3])
def test_singular_ones_are_refused(n_classes):
    """A doubled column, with next to no penalty; of which float32 may make a factor by rounding."""
    for seed in range(20):
        X, y = blobs(80, 3, n_classes, seed=seed)
        rows = torch.cat([X, X[:, :1]], 1)
        model = LogisticRegression(n_classes, 1.0, fit_intercept=False).fit(rows, y)
        hessian = Hessian(rows, model.predict_proba(rows), torch.full_like(model.coef_, 1e-15))
        G = torch.linspace(-1, 1, model.coef_.numel()).double().reshape(model.coef_.shape)
        assert refined(hessian.dense(), hessian.penalty, G) is None
        with Pretending(), pytest.raises(SalutaryError, match="not positive definite to working precision"):
            solve(*there(hessian, G), "cholesky")


@pytest.mark.parametrize("p", [10, 100, 1000])
def test_pivots_lost_in_float32_are_not_believed(p):
    """Of a doubled column some factor comes of rounding, and the others are believed."""
    for seed in range(5):
        A = torch.randn(p, 2 * p, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert single(unit_diagonal(A @ A.T)[0])[1].amin() > 0
        A[-1] = A[0]
        assert single(unit_diagonal(A @ A.T)[0])[1].amin() < 0


def test_a_penalty_is_believed_where_pivots_are_not():
    """By so much they are above 0, however float32 rounds them; refinement tells the rest."""
    A = torch.randn(50, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    penalty, G = torch.full((1, 50), 1e-5, dtype=torch.float64), (A @ A[0])[None]
    H = A @ A.T + 1e-5 * torch.eye(50, dtype=torch.float64)
    assert single(unit_diagonal(H.clone())[0])[1].amin() < 0
    S = refined(H.clone(), penalty, G)
    assert S is not None and (G - S @ H).norm() < 1e-9 * G.norm()
    assert refined(H.clone(), 0 * penalty, G) is None


@pytest.mark.parametrize("shape", [(90, 9), (30, 60), (300, 4)])
@pytest.mark.parametrize("n_classes, intercept", [(2, False), (2, True), (4, False), (4, True)])
def test_a_kept_system_is_the_hessian(shape, n_classes, intercept):
    """Weighted rows too; whatever numbers the systems before have left."""
    X, y = blobs(*shape, n_classes, seed=1, spread=2.0)
    model = LogisticRegression(n_classes, 0.1, intercept).fit(X, y)
    weights = torch.arange(len(X)).double() % 3
    for rows, w in ((slice(None), None), (slice(0, 20), weights[:20]), (slice(5, 29), None)):
        hessian = Hessian.at(model.coef_, X[rows], model.penalty_, w)
        inverse = 1 / hessian.diagonal()
        system = solvers._system(hessian, inverse)
        G = hessian @ torch.linspace(-1, 1, inverse.numel()).double().reshape(inverse.shape)
        S, found = system.solve(G, 1e-12, 1000)
        assert found
        torch.testing.assert_close(S, solve(hessian, G, "cholesky"), rtol=0, atol=1e-8)


def test_one_place_serves_many_systems():
    kept_system._places.cache_clear()
    X, _ = blobs(250, 6, 3, seed=1)
    penalty = torch.ones(3, 6, dtype=torch.float64)
    for n in range(200, 256):
        rows = torch.cat([X, X[:6]])[:n]
        P = torch.full((3, n), 1 / 3, dtype=torch.float64)
        System(rows, P, penalty, 0.0, penalty / 10).solve(penalty, 1e-3, 10)
    assert kept_system._places.cache_info().misses == 1


def test_what_a_system_leaves_does_not_matter():
    """Not even probabilities that are no numbers, in rows that the next one does not have."""
    kept_system._places.cache_clear()
    X, _ = blobs(40, 6, 3, seed=1)
    penalty = torch.ones(3, 6, dtype=torch.float64)
    P = torch.full((3, 40), 1 / 3, dtype=torch.float64)
    expected, found = System(X[:20], P[:, :20], penalty, 0.0, penalty / 10).solve(penalty, 1e-8, 100)
    assert found
    System(X, P * torch.nan, penalty, 0.0, penalty / 10).solve(penalty, 1e-8, 10)
    again = System(X[:20], P[:, :20], penalty, 0.0, penalty / 10).solve(penalty, 1e-8, 100)[0]
    assert torch.equal(again, expected)


def test_what_is_kept_goes_at_once(monkeypatch):
    """With its graph, not when garbage happens to be collected: then that could be during a recording."""
    monkeypatch.setattr(iteration, "CAPTURE_AFTER", 0)
    kept_system._places.cache_clear()
    X, _ = blobs(20, 6, 3, seed=1)
    penalty = torch.ones(3, 6, dtype=torch.float64)
    gc.disable()
    try:
        System(X, torch.full((3, 20), 1 / 3).double(), penalty, 0.0, penalty / 10).solve(penalty, 1e-3, 10)
        kept = [weakref.ref(each) for each in kept_system._places(256, 6, 3, 6, False, X.device, get_ident())]
        assert kept_system._places.cache_info().misses == 1 and kept[1]()._some
        kept_system._places.cache_clear()
        assert not any(each() for each in kept)
    finally:
        gc.enable()


def test_looks_are_early_then_rare():
    assert list(looks(40)) == [2, 2, 4, 8, 8, 8, 8]
    assert list(looks(3)) == [2, 2]
    assert list(looks(0)) == []


def test_iterations_are_those_of_the_cpu(case):
    """The same numbers but for rounding, after the same number of iterations."""
    hessian, G = case
    inverse = 1 / hessian.diagonal()
    steps = Iteration(hessian.__matmul__, inverse.__mul__, G)
    steps.begin(G)
    for n in (2, 4):
        steps.advance(n)
    plain, _ = solvers.iterate(hessian.__matmul__, G, inverse.__mul__, 0.0, 6)
    assert distance(hessian, steps.S, plain) < 1e-8
    start = plain.clone()
    S, found = steps.solve(G, 1e-8, 500, start)
    again, _ = solvers.iterate(hessian.__matmul__, G, inverse.__mul__, 1e-8, 500, plain)
    assert found
    assert torch.equal(start, plain)
    assert distance(hessian, S, again) < 1e-7 / lowest(hessian)


def test_captured_once_it_pays(monkeypatch):
    """What ``repeated`` gives takes the place of plain calls, once, and nothing else changes."""
    calls = []

    def repeated(function, device, changed):
        before = [each.clone() for each in changed]
        function()  # as a recording does
        for each, value in zip(changed, before, strict=True):
            each.copy_(value)
        return lambda: calls.append(1) or function()

    H = torch.diag(torch.logspace(0, 5, 500).double())
    G = torch.ones(500, dtype=torch.float64)
    plain = Iteration(H.__matmul__, torch.clone, G).solve(G, 1e-10, 5000)
    monkeypatch.setattr(iteration, "repeated", repeated)
    for after in (0, 64):
        calls.clear()
        monkeypatch.setattr(iteration, "CAPTURE_AFTER", after)
        steps = Iteration(H.__matmul__, torch.clone, G)
        assert torch.equal(steps.solve(G, 1e-10, 5000)[0], plain[0])
        assert len(calls) == (steps._made - after) / iteration.AT_ONCE > 100


def test_solvers_by_a_factor_are_not_captured(monkeypatch):
    """A library's calls, which a graph need not be able to hold; nor are there ever enough of them."""

    def repeated(*_):
        raise AssertionError("captured")

    monkeypatch.setattr(iteration, "repeated", repeated)
    monkeypatch.setattr(iteration, "CAPTURE_AFTER", 0)
    monkeypatch.setattr("salutary.engine.summed_loss.is_kept", lambda X: False)
    monkeypatch.setattr(_Descent, "precondition", by_a_factor)
    X, y, ours = fitted(4, 0.01, True, 80, 5)
    hessian = Hessian.at(ours.coef_, X, ours.penalty_)
    with Pretending():
        solve(*there(hessian, ours.coef_), "cholesky")
        W = LogisticRegression(4, 0.01).fit(X.to(pretend()), y.to(pretend())).coef_.cpu()
    torch.testing.assert_close(W, ours.coef_, rtol=0, atol=1e-9)


def by_a_factor(descent, at, precondition=_Descent.precondition):
    descent.factor = descent.factor or descent.loss.factor(at.W, descent.penalty_tensor)
    return precondition(descent, at)


def test_no_iterations_follow_what_is_no_number():
    steps = Iteration(lambda V: V * torch.nan, torch.clone, torch.ones(3).double())
    assert not steps.solve(torch.ones(3).double(), 1e-10, 10**9)[1]


def test_nothing_is_solved_by_nothing():
    G = torch.zeros(2, 3, dtype=torch.float64)
    S, found = Iteration(lambda V: 2 * V, torch.clone, G).solve(G, 1e-10, 10)
    assert found and not S.any()


@pytest.mark.parametrize("n, K, D, at_once", [(300, 7, 11, True), (300, 1, 51, True), (300, 10, 512, False)])
def test_small_ones_have_a_factor_at_once(n, K, D, at_once):
    found = iterations_of_a_factor(n, K, D, torch.device("cuda", 0))
    assert (found <= FEW_ITERATIONS) == at_once


def test_choice_by_the_cost_of_a_device():
    """The more rows an iteration reads, the fewer cost a factor; where none may be, all are worth trying."""
    device = pretend()
    of_few, of_more = (iterations_of_a_factor(n, 10, 512, device) for n in (300, 20_000))
    assert of_few > of_more > FEW_ITERATIONS
    assert iterations_of_a_factor(300, 10, 2_001, device) == 200_100
    assert iterations_of_a_factor(300, 10, 2_000, device) < 20_000
    assert iterations_of_a_factor(300, 10, 2_000) == 200_000  # on the CPU that is too large


def test_a_factor_needs_memory(monkeypatch):
    device = pretend()
    assert is_dense("factor", 20_000, device) and not is_dense("factor", 20_001, device)
    assert not is_dense("factor", 20_000) and not is_dense("factor", 20_000, torch.device("cpu"))
    assert not is_dense("estimate", 2_001, device)
    monkeypatch.setattr("salutary.system.memory.free", lambda device: 4 * 2**30)
    assert is_dense("factor", 11_000, device) and not is_dense("factor", 12_000, device)


@functools.cache
def fitted(n_classes, l2, intercept, n, d):
    X, y = blobs(n, d, n_classes, seed=4, spread=2.0)
    return X, y, LogisticRegression(n_classes, l2, intercept).fit(X, y)


@pytest.mark.parametrize("n, d", [(120, 8), (40, 90)])
@pytest.mark.parametrize("l2", [1e-2, 1.0, 50.0])
@pytest.mark.parametrize("n_classes, intercept", [(2, True), (2, False), (5, True), (5, False)])
def test_fits_reach_the_same_optimum(n_classes, l2, intercept, n, d, small_factor):
    X, y, ours = fitted(n_classes, l2, intercept, n, d)
    with Pretending():
        model = LogisticRegression(n_classes, l2, intercept).fit(X.to(pretend()), y.to(pretend()))
        theirs = model.coef_.cpu()
        torch.testing.assert_close(theirs, ours.coef_, rtol=0, atol=1e-8)
        model.update(X[:-5].to(pretend()), y[:-5].to(pretend()))
        followed = model.coef_.cpu()
    shorter = LogisticRegression(n_classes, l2, intercept).fit(X[:-5], y[:-5]).coef_
    torch.testing.assert_close(followed, shorter, rtol=0, atol=1e-8)


@pytest.mark.parametrize("way", ["kept", "plain", "factor", "factor in float64"])
def test_every_way_of_a_device_leads_to_the_optimum(way, monkeypatch):
    X, y, ours = fitted(4, 0.01, True, 80, 5)
    if way == "kept":
        monkeypatch.setattr(solvers, "iterations_of_a_factor", None)
        monkeypatch.setattr("salutary.engine.newton.iterations_of_a_factor", lambda *shape: 1000)
    else:
        monkeypatch.setattr("salutary.engine.summed_loss.is_kept", lambda X: False)
    if "factor" in way:
        monkeypatch.setattr(solvers, "SMALL_FACTOR", 0)
        monkeypatch.setattr("salutary.engine.newton.SMALL_FACTOR", 0)
        monkeypatch.setattr("salutary.engine.newton.iterations_of_a_factor", lambda *shape: 1)
    if way == "factor in float64":
        monkeypatch.setattr(solvers, "single", lambda H: (H.float(), -H.diagonal()))
    with Pretending():
        W = LogisticRegression(4, 0.01).fit(X.to(pretend()), y.to(pretend())).coef_.cpu()
    torch.testing.assert_close(W, ours.coef_, rtol=0, atol=1e-9)


def test_fits_of_any_scale_on_the_device(small_factor):
    """Mixed columns, that no diagonal helps, so that a factor is made."""
    for n_classes in (2, 4):
        X, y = blobs(60, 12, n_classes, seed=7, spread=3.0)
        X = X * 10.0 ** torch.linspace(-2, 2, 12).double() @ torch.linalg.qr(X[:12])[0]
        ours = LogisticRegression(n_classes, 1e-2).fit(X, y)
        with Pretending():
            loss = SummedLoss(X.to(pretend()), y.to(pretend()), len(ours.coef_), True)
            minimum = minimise(loss, ours.penalty_.to(pretend()))
            W = minimum.W.cpu()
        hessian = Hessian.at(ours.coef_, X, ours.penalty_)
        assert distance(hessian, W, ours.coef_) < 1e-8


def test_a_fit_goes_on_where_there_is_no_factor(monkeypatch):
    tried = []
    none = torch.full((3, 6), torch.nan, dtype=torch.float64)
    monkeypatch.setattr("salutary.engine.newton.direct", lambda *of: tried.append(1) or none.to(pretend()))
    X, y, ours = fitted(3, 1.0, True, 60, 5)
    with Pretending():
        W = LogisticRegression(3, 1.0).fit(X.to(pretend()), y.to(pretend())).coef_.cpu()
    assert len(tried) == 1
    torch.testing.assert_close(W, ours.coef_, rtol=0, atol=1e-9)


def test_contrary_points_need_no_factor(monkeypatch):
    """Ten points labelled against a steep fit make steps short: on a device more of them are cheaper."""
    made = []
    monkeypatch.setattr(SummedLoss, "factor", lambda *of: made.append(1))
    X, y = blobs(310, 60, 10, seed=1, spread=3.0)
    y[300:] = (y[300:] + 1) % 10
    ours = LogisticRegression(10, 0.01, False).fit(X, y).coef_
    made.clear()
    with Pretending():
        X, y = X.to(pretend()), y.to(pretend())
        monkeypatch.setattr("salutary.engine.newton.iterations_of_a_factor", lambda *shape: 200)
        model = LogisticRegression(10, 0.01, False).fit(X[:300], y[:300]).update(X, y)
        theirs = model.coef_.cpu()
    assert not made
    torch.testing.assert_close(theirs, ours, rtol=0, atol=1e-8)


def test_a_factor_that_is_there_serves():
    X, y, model = fitted(3, 1.0, True, 60, 5)
    with Pretending() as mode:
        rows = [each.to(pretend()) for each in (model.coef_, model.penalty_, X, y)]
        optimum = Optimum(*rows[:3], MeanLoss(*rows[2:]))
        S = optimum.direction("cholesky").cpu()
        assert "factor" not in vars(optimum)  # nor is one made in float64 for one right-hand side
        assert optimum.factor.dtype == torch.float64
        mode.waits.clear()
        again = optimum.direction("cholesky")
        assert not mode.waits
        torch.testing.assert_close(again.cpu(), S, rtol=1e-8, atol=1e-12)


def captured_and_plain(solution, monkeypatch):
    """What ``solution`` gives by graphs from the first iteration on, and by plain calls."""
    monkeypatch.setattr(iteration, "CAPTURE_AFTER", 0)
    found = [solution()]
    kept_system._places.cache_clear()
    with uncaptured():
        found.append(solution())
    kept_system._places.cache_clear()
    return found


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=cuda)])
@pytest.mark.parametrize("n_classes, intercept", [(2, True), (10, False), (10, True)])
def test_a_graph_is_its_plain_twin(device, n_classes, intercept, monkeypatch):
    """Bit for bit: solutions with few rows and with many, and whole fits."""
    X, y = (each.to(device) for each in blobs(310, 40, n_classes, seed=1, spread=2.0))
    V = [each.to(device) for each in blobs(200, 40, n_classes, seed=2, spread=2.0)]

    def followed():
        model = LogisticRegression(n_classes, 0.1, intercept).fit(X[:300], y[:300])
        model.update(X, y)
        optimum = Optimum(model.coef_, model.penalty_, X, MeanLoss(*V))
        return torch.stack([model.coef_, optimum.direction("cg"), optimum.direction("cholesky")])

    assert torch.equal(*captured_and_plain(followed, monkeypatch))
    monkeypatch.setattr(solvers, "SMALL", 0)
    assert torch.equal(*captured_and_plain(followed, monkeypatch))
