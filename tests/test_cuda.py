"""The same choices on a CUDA device as on the CPU; and, without one, how often the host would wait for it."""

import pytest
import torch
from oracles import blobs
from torch.utils._python_dispatch import TorchDispatchMode

from salutary.engine import softmax, solvers
from salutary.engine.refit import refitted_fall
from salutary.models.logistic import LogisticRegression
from salutary.split import PoolView
from salutary.strategies.salutary import Salutary

cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SIZES = [(2, 8, True), (5, 8, False), (10, 64, True)]


def situation(n_classes, d, fit_intercept, device="cpu", dtype=torch.float64):
    def rows(n, seed):
        X, y = blobs(n, d, n_classes, seed=seed, spread=2.0)
        return X.to(device, dtype), y.to(device)

    X, y = rows(200, 1)
    model = LogisticRegression(n_classes, 1.0, fit_intercept).fit(X, y)
    return model, PoolView(rows(5000, 2)[0], X, y, *rows(500, 3), len(X), n_classes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("hessian", ["labeled", "pool"])
@pytest.mark.parametrize("solver", ["cholesky", "cg"])
@pytest.mark.parametrize("estimate", ["gradient", "newton", "second_order"])
@pytest.mark.parametrize("device", [pytest.param("cuda", marks=cuda)])
def test_same_choices(size, hessian, solver, estimate, device):
    strategy = Salutary(hessian, solver, estimate)
    ours = strategy.propose(*situation(*size), 20, None)
    theirs = strategy.propose(*situation(*size, device=device), 20, None)
    assert torch.equal(ours.indices, theirs.indices.cpu())
    assert torch.equal(ours.labels, theirs.labels.cpu())
    torch.testing.assert_close(ours.influence, theirs.influence.cpu(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=cuda)])
def test_same_refits(device):
    falls = []
    for where in ("cpu", device):
        model, view = situation(5, 8, True, where)
        candidates = {"X_new": view.pool[:50], "y_new": torch.arange(50, device=where) % 5}
        validation = {"X_validation": view.validation, "y_validation": view.validation_labels}
        rows = {"X": view.labeled, "y": view.labels}
        falls.append(refitted_fall(model.coef_, model.penalty_, **rows, **candidates, **validation).cpu())
    torch.testing.assert_close(*falls, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=cuda)])
def test_whole_runs_agree(device, salutary_run, tmp_path):
    """The records of a run on the device hold the same queries."""
    for name in ("cpu", device):
        assert salutary_run("dataset=digits", f"device={name}", "rounds=3", f"output_dir={name}")[0] == 0
    ours, theirs = ((next((tmp_path / name).iterdir()) / "queries.csv") for name in ("cpu", device))
    without_influence = [
        [line.rpartition(",")[0] for line in file.read_text().splitlines()] for file in (ours, theirs)
    ]
    assert without_influence[0] == without_influence[1]


class Waits(TorchDispatchMode):
    """Counts the operations for which the host would wait for a device."""

    NAMES = ("_local_scalar_dense", "nonzero", "masked_select", "_unique2", "equal")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if function.overloadpacket.__name__ in self.NAMES:
            self.seen.append(function.overloadpacket.__name__)
        return function(*arguments, **(options or {}))


@pytest.mark.parametrize("solver, most", [("cholesky", 4), ("cg", 20)])
def test_the_host_rarely_waits(solver, most, monkeypatch):
    """A proposal on the device's path, taken on the CPU."""
    monkeypatch.setattr(softmax, "product", torch.matmul)
    monkeypatch.setitem(solvers.LOOK_EVERY, "cpu", 8)
    model, view = situation(10, 64, True)
    with Waits() as waits:
        Salutary("labeled", solver).propose(model, view, 20, None)
    assert 1 <= len(waits.seen) <= most
