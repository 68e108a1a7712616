"""Networks that are retrained every round, their surrogates, and what training must not do."""

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from oracles import blobs
from pretend_device import Pretending, pretend
from small_networks import network, rng
from torch import nn

from salutary.datasets import Table
from salutary.errors import SalutaryError
from salutary.experiments.parts import OfficialParts
from salutary.experiments.split import PaperSplit, StandardSplit, split_table
from salutary.models.cnn import Cnn
from salutary.models.head import TwoLayerHead
from salutary.models.logistic import L2_GRID, LogisticRegression
from salutary.models.network import Classifier, Network
from salutary.strategies import PoolView
from salutary.strategies.influence import optimum_of
from salutary.strategies.surrogate import guide_of, surrogate_of
from salutary.system.conf import config_dir
from salutary.tables import UNLABELED

STRATEGIES = sorted(path.stem for path in __import__("pathlib").Path(config_dir(), "strategy").glob("*.yaml"))


def view_of_digits(digits, n=60):
    X, y = digits
    return PoolView(X[1000:1200], X[:n], y[:n], X[2000:2100], y[2000:2100], n, 10)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_learns_from_real_images(precision, digits):
    X, y = digits
    model = Network(10, Cnn(width=32), epochs=30, learning_rate=3e-3, precision=precision)
    model.tune(X[:300], y[:300], rng())
    model.fit(X[:300], y[:300])
    P = model.predict_proba(X[5000:])
    assert P.dtype == torch.float64 and torch.allclose(P.sum(1), torch.ones(1000, dtype=torch.float64))
    assert (P.argmax(1) == y[5000:]).double().mean() > 0.7


def test_the_guide_predicts_what_the_network_does(digits):
    view = view_of_digits(digits)
    model = network().tune(view.labeled, view.labels, rng()).fit(view.labeled, view.labels)
    guide = guide_of(model, view, convex=False)
    assert guide.view.pool.shape == (200, 16)
    torch.testing.assert_close(guide.model.predict_proba(guide.view.pool), model.predict_proba(view.pool))
    assert guide.agreement is None
    convex = guide_of(model, view, convex=True)
    assert isinstance(convex.model, LogisticRegression)
    own = convex.model.predict_proba(convex.view.pool).argmax(1)
    same = (own == model.predict_proba(view.pool).argmax(1)).double().mean()
    assert convex.agreement == pytest.approx(float(same))
    assert convex.l2 == convex.model.l2_
    assert torch.equal(convex.view.labels, model.predict_proba(view.labeled).argmax(1))
    logistic = LogisticRegression(10)
    assert guide_of(logistic, view, True).model is logistic


@pytest.mark.parametrize("n_classes", [2, 4])
def test_where_the_network_is_convex_itself_the_surrogate_is_that_network(n_classes):
    """A linear classifier at the optimum of its own labels: the same parameters, the same influences."""
    X, y = blobs(120, 5, n_classes, seed=3, spread=0.7)
    fitted = LogisticRegression(n_classes, 1.0).fit(X, y)
    for _ in range(10):
        y = fitted.predict_proba(X).argmax(1)
        fitted.fit(X, y)
    assert torch.equal(fitted.predict_proba(X).argmax(1), y)
    pool = blobs(300, 5, n_classes, seed=4, spread=0.7)[0]
    view = PoolView(pool, X, y, *blobs(80, 5, n_classes, seed=5, spread=0.7), 120, n_classes)
    guide = surrogate_of(fitted, view, "auto")
    assert guide.l2 == 1.0 and guide.agreement == 1.0
    torch.testing.assert_close(guide.model.coef_, fitted.coef_)
    S, expected = (optimum_of(each, view).direction() for each in (guide.model, fitted))
    torch.testing.assert_close(S, expected)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_features_on_cuda_are_near_those_on_the_cpu(digits):
    X, y = digits[0][:1200], digits[1][:100]
    model = network().tune(X[:100], y, rng()).fit(X[:100], y)
    F, P = model.features(X), model.predict_proba(X)
    model.module_ = copy.deepcopy(model.module_).cuda()
    near, exact = model.features(X.cuda()).cpu(), model.predict_proba(X.cuda()).cpu()
    assert not torch.equal(near, F)
    torch.testing.assert_close(near, F, rtol=0, atol=2.0**-5 * float(F.max()))
    torch.testing.assert_close(exact, P, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_surrogate_is_that_of_most_agreement(n_classes):
    """Of equals, that of the least cross-entropy; each is fitted by itself."""
    X, y = blobs(60, 5, n_classes, seed=3, spread=1.5)
    pool = blobs(300, 5, n_classes, seed=4, spread=1.5)[0]
    for l2 in (1e-2, 1.0, 30.0):
        network = LogisticRegression(n_classes, l2).fit(X, y)
        guide = surrogate_of(network, PoolView(pool, X, y, pool, y, 60, n_classes), "auto")
        target = network.predict_proba(pool)
        found = []
        for candidate in L2_GRID:
            P = LogisticRegression(n_classes, candidate).fit(X, guide.view.labels).predict_proba(pool)
            agreement = float((P.argmax(1) == target.argmax(1)).double().mean())
            found.append((-agreement, float(-(target * P.log()).sum(1).mean()), candidate))
        assert (-guide.agreement, guide.l2) == (min(found)[0], min(found)[2])


def test_a_networks_last_layer_and_its_surrogate_agree_on_a_trained_network(digits):
    """Most predictions of a network trained on real images are those of the surrogate."""
    X, y = digits
    model = Network(10, Cnn(width=32), epochs=30, learning_rate=3e-3).tune(X[:300], y[:300], rng())
    model.fit(X[:300], y[:300])
    view = PoolView(X[1000:2000], X[:300], y[:300], X[2000:2300], y[2000:2300], 300, 10)
    assert guide_of(model, view, convex=True).agreement > 0.9


def test_a_strategy_of_distributions_needs_what_learns_them(salutary_run, data_dir):
    settings = ["dataset=mnist_small", "model=cnn", f"data_dir={data_dir}", "strategy=salutary_soft"]
    status, _, err = salutary_run(*settings)
    assert status != 0 and "gives label distributions, which Network cannot learn" in err


@pytest.mark.parametrize("strategy", [each for each in STRATEGIES if each != "salutary_soft"])
def test_every_strategy_works_with_a_network(strategy, salutary_run, data_dir, tmp_path):
    if strategy == "skactiveml":
        pytest.importorskip("skactiveml", reason="needs the extra activeml")
    settings = ["dataset=mnist_small", "model=cnn", "model.backbone.width=8", "model.epochs=2", "rounds=1"]
    settings += ["model.max_steps=10", "n_pool=150", "n_validation=100", "budget=4", f"data_dir={data_dir}"]
    settings += ["strategy.confidence=0"] if strategy == "salutary_greedy" else []
    status, _, err = salutary_run(*settings, f"strategy={strategy}")
    assert status == 0, err
    (file,) = tmp_path.glob("outputs/*/rounds.csv")
    last = pd.read_csv(file).iloc[1]  # round 1
    convex = strategy in ("batchbald", "ibds", "isal") or strategy.startswith("salutary")
    assert last[["surrogate_agreement", "surrogate_l2"]].notna().tolist() == [convex, convex]


def test_a_resumed_run_of_a_network_ends_as_the_other(salutary_run, data_dir, tmp_path, monkeypatch):
    settings = ["dataset=mnist_small", "model=cnn", "model.backbone.width=8", "model.epochs=2", "rounds=3"]
    settings += ["model.max_steps=10", "n_pool=150", "n_validation=100", "budget=4", f"data_dir={data_dir}"]
    assert salutary_run(*settings, "output_dir=whole")[0] == 0
    fit, fits = Network.fit, []

    def interrupted(*arguments):
        if len(fits) == 2:
            raise KeyboardInterrupt
        fits.append(1)
        return fit(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Network, "fit", interrupted)
        assert salutary_run(*settings, "output_dir=halves")[0] == 130
    assert salutary_run(*settings, "output_dir=halves")[0] == 0
    whole, halves = (next(tmp_path.glob(f"{name}/*/queries.csv")) for name in ("whole", "halves"))
    assert whole.read_text() == halves.read_text()


def test_a_head_is_trained_on_features_and_strategies_see_those():
    X, y = blobs(300, 12, 3, seed=1, spread=1.0)
    head = Network(3, TwoLayerHead(dropout=0.1), epochs=150, batch_size=32).tune(X[:100], y[:100], rng())
    head.fit(X[:100], y[:100])
    assert [type(each).__name__ for each in head.module_.classifier] == [
        *("Dropout", "Linear", "Tanh", "Dropout", "Linear")
    ]
    assert head.module_.classifier[1].out_features == 12
    P = head.predict_proba(X[100:])
    assert torch.equal(P, head.predict_proba(X[100:]))  # no dropout when it predicts
    linear = LogisticRegression(3, 1.0).fit(X[:100], y[:100]).predict_proba(X[100:])
    accuracy, reached = ((each.argmax(1) == y[100:]).double().mean() for each in (P, linear))
    assert reached > 0.7 and abs(accuracy - reached) < 0.05
    view = PoolView(X[100:200], X[:100], y[:100], X[200:], y[200:], 100, 3)
    for convex in (False, True):
        guide = guide_of(head, view, convex)
        assert guide.view.pool is view.pool
    torch.testing.assert_close(guide_of(head, view, False).model.predict_proba(view.pool), P[:100])
    assert guide.agreement > 0.9


@pytest.mark.parametrize("precision", ["auto", "bfloat16"])
def test_features_off_the_cpu(precision, digits, monkeypatch):
    """In the precision of the training there, and in large blocks; predictions in float32."""
    X, y = digits[0][:1200], digits[1][:100]
    model = network(precision=precision).tune(X[:100], y, rng()).fit(X[:100], y)
    blocks, forward = [], nn.Conv2d.forward

    def spy(self, x):
        result = forward(self, x)
        if x.shape[1] == 3:
            blocks.append((len(x), torch.is_autocast_enabled(x.device.type)))
        return result

    monkeypatch.setattr(nn.Conv2d, "forward", spy)
    monkeypatch.setattr("salutary.models.network.BLOCK_BYTES", 1000 * 4 * 3 * 28 * 28)
    F, P = model.features(X), model.predict_proba(X)
    assert blocks == [(n, False) for n in (512, 512, 176)] * 2
    blocks.clear()
    with Pretending():
        model.module_ = copy.deepcopy(model.module_).to(pretend())
        there = X.to(pretend())
        features = model.features(there)
        p_there, from_features = model.predict_proba(there), model.classifier.predict_proba(features)
        assert features.dtype == p_there.dtype == from_features.dtype == torch.float64
        features, p_there, from_features = features.cpu(), p_there.cpu(), from_features.cpu()
    mixed = precision == "bfloat16"
    assert blocks == [(1000, mixed), (200, mixed), (1000, False), (200, False)]
    torch.testing.assert_close(features, F, rtol=1e-5, atol=1e-6)
    for each in (p_there, from_features):
        torch.testing.assert_close(each, P, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["dataset=digits", "model=cnn"], "needs images, such as dataset=mnist_small"),
        (["dataset=mnist_small", "inputs=images"], "model=logistic needs features"),
        (
            ["dataset=mnist_small", "inputs=images", "model=fixmatch", "strategy=random"],
            "model=fixmatch needs features",
        ),
        (["model=cnn", "model.epochs=0"], "model.epochs must be a whole number"),
        (["model=cnn", "model.batch_size=1"], "model.batch_size must be"),
        (["model=cnn", "model.learning_rate=fast"], "model.learning_rate must be"),
        (["model=cnn", "model.surrogate_l2=0"], "model.surrogate_l2 must be auto or a number > 0"),
        (["model=cnn", "model.precision=float16"], "model.precision must be auto, float32, bfloat16"),
        (["model=cnn", "model.backbone.width=5"], "width must be a multiple of 4"),
        (["model=cnn", "model.backbone.image_size=3"], "image_size must be a whole number >= 8"),
        (["model=cnn", "model.backbone=null"], "model.backbone must name a network"),
        (["model=cnn_fixmatch", "model.consistency.threshold=2"], "consistency.threshold must be"),
        (["model=cnn_fixmatch", "model.consistency.augmentation.magnitude=99"], "magnitude must be"),
        (["model=resnet34", "model.backbone.weights=none.pth"], r"none\.pth: there is no such file"),
        (["model=cnn", "study=added_points"], "needs the optimum of a convex model"),
        (["model=cnn", "study=relabelled_bins"], "needs the optimum of a convex model"),
    ],
)
def test_mistakes(overrides, message, salutary_run, data_dir, tmp_path):
    if "model=cnn_fixmatch" in overrides:
        pytest.importorskip("kornia")
    if not overrides[0].startswith("dataset="):
        overrides = ["dataset=mnist_small", *overrides]
    status, _, err = salutary_run(*overrides, f"data_dir={data_dir}", "rounds=1")
    assert status == 1 and len(err.strip().splitlines()) == 1
    assert message.replace("\\", "") in err
    assert not (tmp_path / "outputs").exists()


def test_images_of_a_wrong_shape_are_refused():
    with pytest.raises(SalutaryError, match="grey or have three colours, not 2 channels"):
        Cnn().check((2, 28, 28))
    with pytest.raises(SalutaryError, match=r"features \(2, 3, 8, 8\) and labels \(2,\) do not form a table"):
        Table(np.zeros((2, 3, 8, 8)), np.array([0, 1]), ("a", "b"))


def test_classifier_has_an_intercept_as_badge_asks():
    assert Classifier(nn.Linear(3, 2)).fit_intercept


# Splits of sources that set a test part aside, and of tables with rows without a label.


def test_official_test_rows_are_the_last():
    y = np.tile([0, 1], 50)
    parts = OfficialParts(test=20, validation=10).parts(y)
    assert parts.test.tolist() == list(range(80, 100))
    assert len(parts.validation) == 10 and len(parts.training) == 70
    split = StandardSplit(validation=0.25, official_test=20).split(y, 10, 0)
    assert split.test.tolist() == list(range(80, 100)) and len(split.validation) == 20
    paper = PaperSplit(OfficialParts(test=20, validation=10)).split(y, 10, 3)
    assert paper.test.tolist() == list(range(80, 100)) and len(paper.validation) == 10


def test_rows_without_a_label_are_the_pool():
    y = np.tile([0, 1, UNLABELED], 40)
    table = Table(np.arange(240.0).reshape(120, 2), y, ("a", "b"))
    split = split_table(table, StandardSplit(), n_init=10, seed=0)
    assert split.pool.tolist() == np.flatnonzero(y == UNLABELED).tolist()
    labelled = np.concatenate([split.initial, split.validation, split.test])
    assert sorted(labelled) == np.flatnonzero(y != UNLABELED).tolist()
    assert len(split.initial) == 48  # all of the training part, whatever n_init says
    plain = dataclasses.replace(table, y=np.tile([0, 1, 0], 40))
    assert len(split_table(plain, StandardSplit(), n_init=10, seed=0).initial) == 10
    with pytest.raises(SalutaryError, match="all rows are without a label"):
        Table(np.zeros((2, 1)), np.array([UNLABELED, UNLABELED]), ("a", "b"))
