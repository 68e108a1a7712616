"""The same choices on a device as on the CPU: on CUDA where it is, on a pretended device everywhere."""

import contextlib
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from oracles import blobs
from pretend_device import Pretending, pretend
from sklearn.datasets import load_wine

from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.iteration import LOOK_EVERY, Iteration
from salutary.engine.newton import _Descent
from salutary.engine.solvers import DENSE
from salutary.labeling import cli
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.influence import optimum_of, real_fall
from salutary.strategies.salutary import Salutary

cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
SIZES = [(2, 8, True), (5, 8, False), (10, 64, True)]
CONVEX = ("batchbald", "ibds", "isal", "salutary", "salutary_greedy", "salutary_gt", "salutary_soft")
OTHERS = ("badge", "coreset", "entropy", "margin", "random", "self_training", "uncertainty")


@pytest.fixture(params=["pretend", pytest.param("cuda", marks=cuda)])
def device(request):
    return pretend() if request.param == "pretend" else torch.device("cuda", 0)


def on(device):
    """A context in which the device exists."""
    return Pretending() if device.type == "pretend" else contextlib.nullcontext()


def override(device):
    return "device._target_=pretend_device.PretendDevice" if device.type == "pretend" else "device=cuda"


def situation(n_classes, d, fit_intercept, device="cpu", dtype=torch.float64):
    def rows(n, seed):
        X, y = blobs(n, d, n_classes, seed=seed, spread=2.0)
        return X.to(device, dtype), y.to(device)

    X, y = rows(200, 1)
    model = LogisticRegression(n_classes, 1.0, fit_intercept).fit(X, y)
    return model, PoolView(rows(5000, 2)[0], X, y, *rows(500, 3), len(X), n_classes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("hessian", ["labeled", "pool"])
@pytest.mark.parametrize(
    "settings",
    [{"solver": "cholesky"}, {"solver": "cg"}, {"estimate": "newton"}, {"estimate": "second_order"}],
    ids=lambda settings: next(iter(settings.values())),
)
def test_same_choices(size, hessian, settings, device):
    strategy = Salutary(hessian, **settings)
    ours = strategy.propose(*situation(*size), 20, None)
    with on(device):
        theirs = strategy.propose(*situation(*size, device=device), 20, None)
        assert theirs.indices.device == device
        indices, labels, influence = (x.cpu() for x in (theirs.indices, theirs.labels, theirs.influence))
    assert torch.equal(ours.indices, indices)
    assert torch.equal(ours.labels, labels)
    torch.testing.assert_close(ours.influence, influence, rtol=1e-6, atol=1e-12)


def test_same_refits(device):
    def falls(where):
        model, view = situation(5, 8, True, where)
        return real_fall(model, view, view.pool[:50], torch.arange(50, device=where) % 5).cpu()

    ours = falls("cpu")
    with on(device):
        theirs = falls(device)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("d, fit_intercept", [(8, True), (300, False), (300, True)])
def test_same_standard_errors_of_a_sketch(d, fit_intercept, device, monkeypatch):
    """Of many rows, and of fewer than there are features."""
    monkeypatch.setitem(DENSE, "standard_error", 1)

    def scores(where):
        model, view = situation(3, d, fit_intercept, where)
        scorer = ConfidentInfluence.at(optimum_of(model, view), np.random.default_rng(0))
        return [each.cpu() for each in scorer.score(view.pool[:100])]

    ours = scores("cpu")
    with on(device):
        theirs = scores(device)
    torch.testing.assert_close(ours[0], theirs[0], rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-2, atol=1e-9)  # a device looks less often


def queries(folder, salutary_run, *settings):
    """What a run chose, without the influences, which may differ in their last digits."""
    status, _, err = salutary_run(*settings, "budget=4", "rounds=2", f"output_dir={folder}")
    assert status == 0, err
    (file,) = folder.glob("*/queries.csv")
    return [line.rpartition(",")[0] for line in file.read_text().splitlines()]


# Two classes are a case of their own where the model is to be convex; there soft labels of ten take longest.
SLOW = {("salutary_soft", "digits"), *((each, "breast_cancer") for each in OTHERS)}


@pytest.mark.parametrize(
    "strategy, dataset",
    [
        pytest.param(*each, marks=pytest.mark.slow if each in SLOW else ())
        for each in itertools.product([*CONVEX, *OTHERS], ["digits", "breast_cancer"])
    ],
)
def test_whole_runs_agree(strategy, dataset, device, salutary_run, tmp_path):
    settings = [f"dataset={dataset}", f"strategy={strategy}", "n_init=60", "n_pool=200"]
    ours = queries(tmp_path / "cpu", salutary_run, *settings, "device=cpu")
    with on(device):
        theirs = queries(tmp_path / "there", salutary_run, *settings, override(device))
    assert ours == theirs


MODELS = {
    "head": ["dataset=digits", "model.max_steps=20", "model.surrogate_l2=1"],
    "fixmatch": ["dataset=digits", "model.steps=40"],
    "cnn": ["dataset=mnist_small", "model.backbone.width=8", "model.max_steps=8", "model.surrogate_l2=1"],
    "cnn_fixmatch": ["dataset=mnist_small", "model.backbone.width=8", "model.max_steps=2"],
}


# The others have an image network too, its training, and labels by a surrogate.
SLOW_MODELS = {("cnn", "salutary"), ("cnn_fixmatch", "badge")}


@pytest.mark.parametrize(
    "model, strategy",
    [
        pytest.param(m, s, marks=pytest.mark.slow if (m, s) in SLOW_MODELS else ())
        for m in MODELS
        for s in ("badge", "salutary")
        if "fixmatch" not in m or s == "badge"
    ],
)
def test_whole_runs_of_other_models_agree(model, strategy, salutary_run, data_dir, tmp_path, monkeypatch):
    """On the pretended device only, which draws as the CPU does."""
    if model == "cnn_fixmatch":
        pytest.importorskip("kornia")
    generator = torch.Generator
    monkeypatch.setattr(torch, "Generator", lambda device=None: generator())
    settings = [*MODELS[model], f"model={model}", f"strategy={strategy}", f"data_dir={data_dir}"]
    settings += ["n_init=60", "n_pool=150", "n_validation=100"]
    ours = queries(tmp_path / "cpu", salutary_run, *settings, "device=cpu")
    with on(pretend()):
        theirs = queries(tmp_path / "there", salutary_run, *settings, override(pretend()))
    assert ours == theirs


@pytest.mark.parametrize("study", ["added_points", "relabelled_bins"])
def test_studies_agree(study, device, salutary_run, tmp_path):
    def tables(folder, there):
        settings = ["dataset=breast_cancer", f"study={study}", "rounds=0", f"output_dir={folder}", there]
        assert salutary_run(*settings)[0] == 0
        return {file.name: pd.read_csv(file) for file in tmp_path.glob(f"{folder}/*/*.csv")}

    ours = tables("ours", "device=cpu")
    with on(device):
        theirs = tables("theirs", override(device))
    measured = ours.keys() - {"rounds.csv"}
    assert len(measured) >= 2
    for name in measured:
        pd.testing.assert_frame_equal(ours[name], theirs[name], rtol=1e-5)


@pytest.mark.parametrize("task", [["pool=pool.csv", "rounds=2", "folds=0"], ["audit=true"]])
def test_labelling_and_audit_agree(task, device, command, tmp_path):
    table = load_wine(as_frame=True).frame.sample(frac=1, random_state=0)
    parts = {"labeled": table[:40], "validation": table[40:100], "pool": table[100:].drop(columns="target")}
    for name, part in parts.items():
        part.to_csv(tmp_path / f"{name}.csv", index=False)
    settings = ["labeled=labeled.csv", "validation=validation.csv", "target=target", "remedies=false", *task]

    def labels(file, there):
        status, _, err = command(cli.main, "salutary-label", *settings, f"output={file}", there)
        assert status == 0, err
        return pd.read_csv(tmp_path / file)

    ours = labels("ours.csv", "device=cpu")
    with on(device):
        theirs = labels("theirs.csv", override(device))
    assert len(ours) >= 10
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize("solver, most", [("cholesky", 3), ("auto", 3), ("cg", 16)])
def test_the_host_rarely_waits(solver, most):
    """For whether a few steps with the factor solve it, and the answer is a number; in every eighth iteration
    once there have been as many."""
    with Pretending() as mode:
        model, view = situation(10, 64, True, pretend())
        mode.waits.clear()
        Salutary("labeled", solver).propose(model, view, 20, None)
    assert 1 <= len(mode.waits) <= most, mode.waits


@pytest.mark.parametrize("l2", [50.0, 0.01])
@pytest.mark.parametrize("n_classes, d", [(2, 51), (10, 512)])
def test_the_host_rarely_waits_for_an_update(n_classes, d, l2, monkeypatch):
    """Four times, for the classes there are, the penalties and where it starts; in a Newton step once, and
    when it looks at the residual, after 2, 4, 8, 16, 24 iterations."""
    steps, iterations = [], []
    direction, advance = _Descent.direction, Iteration.advance
    monkeypatch.setattr(_Descent, "direction", lambda *of: steps.append(1) or direction(*of))
    monkeypatch.setattr(Iteration, "advance", lambda self, n: iterations.append(n) or advance(self, n))
    X, y = blobs(310, d, n_classes, seed=1, spread=2.0)
    with Pretending() as mode:
        X, y = X.to(pretend()), y.to(pretend())
        model = LogisticRegression(n_classes, l2, fit_intercept=False).fit(X[:300], y[:300])
        for counts in (mode.waits, steps, iterations):
            counts.clear()
        model.update(X, y)
    assert 1 <= len(steps) <= 12
    assert len(mode.waits) <= 4 + len(steps) + len(iterations)
    assert len(iterations) <= 3 * len(steps) + sum(iterations) // LOOK_EVERY


def test_what_mixes_devices_fails():
    with Pretending():
        there = torch.ones(3, 3, device=pretend())
        assert (there @ there).cpu().sum() == 27
        with pytest.raises(RuntimeError, match="mixes devices"):
            there @ torch.ones(3, 3)
        with pytest.raises(TypeError, match="not on the CPU"):
            there.numpy()
