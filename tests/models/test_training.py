"""Trainings: deterministic, able to go on where they were interrupted, and what FixMatch adds to them."""

from functools import partial

import numpy as np
import pytest
import torch
from small_networks import network, rng, weights
from torch import nn

from salutary.errors import SalutaryError
from salutary.models import training
from salutary.models.augmentation import ImageAugmentation
from salutary.models.step import Average
from salutary.models.training import Consistency, Schedule, Training, isolated_random


def test_training_is_deterministic_and_leaves_the_global_generators_alone(digits):
    X, y = digits[0][:100], digits[1][:100]
    before = torch.random.get_rng_state()
    model = network().tune(X, y, rng())
    first = weights(model.fit(X, y))
    assert torch.equal(first, weights(model.fit(X, y)))
    assert not torch.equal(first, weights(network().tune(X, y, np.random.default_rng(1)).fit(X, y)))
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("precision, computed", [("auto", torch.float32), ("bfloat16", torch.bfloat16)])
def test_mixed_precision(precision, computed, digits, monkeypatch):
    """Convolutions and linear layers of the training are computed in it; weights and predictions are not."""
    X, y = digits[0][:100], digits[1][:100]
    seen, forward = {True: set(), False: set()}, torch.nn.Linear.forward

    def spy(self, x):
        result = forward(self, x)
        seen[self.training].add(result.dtype)
        return result

    exact = weights(network(precision="float32").tune(X, y, rng()).fit(X, y))
    monkeypatch.setattr(torch.nn.Linear, "forward", spy)
    model = network(precision=precision).tune(X, y, rng()).fit(X, y)
    assert seen[True] == {computed}
    assert torch.equal(weights(model), exact) == (precision == "auto")
    assert torch.equal(weights(model), weights(model.fit(X, y)))
    assert all(each.dtype == torch.float32 for each in model.module_.parameters())
    model.predict_proba(X)
    assert seen[False] == {torch.float32}


def test_convolutions_are_exact_forwards_and_backwards(digits, monkeypatch):
    """What cuDNN is told while a network trains and predicts, and that it is as before afterwards."""
    settings = torch.backends.cudnn
    seen, forward = set(), torch.nn.Conv2d.forward

    def told(*_):
        seen.add((settings.deterministic, settings.benchmark, settings.conv.fp32_precision))

    def spy(self, x):
        told()
        result = forward(self, x)
        if result.requires_grad:
            result.register_hook(told)
        return result

    before = settings.deterministic, settings.benchmark, settings.allow_tf32, settings.conv.fp32_precision
    monkeypatch.setattr(torch.nn.Conv2d, "forward", spy)
    X, y = digits[0][:100], digits[1][:100]
    network().tune(X, y, rng()).fit(X, y).predict_proba(X)
    assert seen == {(True, False, "ieee")}
    after = settings.deterministic, settings.benchmark, settings.allow_tf32, settings.conv.fp32_precision
    assert before == after


def test_an_interrupted_training_ends_where_the_other_does(digits, tmp_path, monkeypatch):
    X, y = digits[0][:100], digits[1][:100]
    whole = weights(network().tune(X, y, rng()).fit(X, y))
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    model = network().tune(X, y, rng())
    model.checkpoint = tmp_path / "run.checkpoint"
    epoch, done = Training._epoch, []

    def interrupted(self, *arguments):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(arguments)
        return epoch(self, *arguments)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Training, "_epoch", interrupted)
        model.fit(X, y)
    assert model.checkpoint.exists()
    kept = model.checkpoint.read_bytes()
    monkeypatch.setattr(Training, "_epoch", lambda self, *a: done.append(a) or epoch(self, *a))
    assert torch.equal(whole, weights(model.fit(X, y)))
    assert len(done) == 3  # of three epochs, two were there
    assert not model.checkpoint.exists()
    model.checkpoint.write_bytes(kept)  # another training's checkpoint is not taken
    assert not torch.equal(whole, weights(model.fit(X, y.flip(0))))
    model.checkpoint.write_bytes(kept[:1000])
    assert torch.equal(whole, weights(model.fit(X, y)))


def test_no_code_is_run_from_a_checkpoint(digits, tmp_path):
    X, y = digits[0][:20], digits[1][:20]
    model = network().tune(X, y, rng())
    model.checkpoint = tmp_path / "run.checkpoint"
    torch.save({"key": partial(print, "code"), "epoch": 2}, model.checkpoint)
    assert torch.equal(weights(network().tune(X, y, rng()).fit(X, y)), weights(model.fit(X, y)))


class Identity(ImageAugmentation):
    def weak(self, X):
        return X.float() / 255

    strong = weak


def test_consistency_is_the_published_loss(digits):
    X, y = digits[0][:8], digits[1][:8]
    U = digits[0][100:120]
    with isolated_random(0, torch.device("cpu")):
        module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    consistency = Consistency(Identity(), threshold=0.15, weight=2.0)
    loss, share = consistency.loss(module(consistency.images(X, U)), y)
    logits, P = module(X.float() / 255), torch.softmax(module(U.float() / 255), 1)
    kept = P.max(1).values >= 0.15
    assert 0 < kept.sum() < len(U)
    wanted = nn.functional.cross_entropy(logits, y) - 2 * (P.max(1).values.log() * kept).sum() / len(U)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(share, kept.float().mean())


def test_image_augmentations(digits):
    pytest.importorskip("kornia")
    X = digits[0][:16]
    augmentation = ImageAugmentation(flip=False)
    augmentation.check()
    with isolated_random(3, torch.device("cpu")):
        weak, strong = augmentation.weak(X), augmentation.strong(X)
    with isolated_random(3, torch.device("cpu")):
        assert torch.equal(weak, augmentation.weak(X))
    for each in (weak, strong):
        assert each.shape == X.shape and each.min() >= 0 and each.max() <= 1
        assert not torch.equal(each, X / 255)
    # Without mirroring, a weakly augmented image is the image shifted by up to three pixels.
    padded = nn.functional.pad(X[:1].float() / 255, [3, 3, 3, 3], mode="reflect")
    shifts = [padded[0, 0, i : i + 28, j : j + 28] for i in range(7) for j in range(7)]
    assert any(torch.allclose(weak[0, 0], each, atol=1e-6) for each in shifts)
    mirrored = ImageAugmentation(flip=True)
    with isolated_random(0, torch.device("cpu")):
        assert not torch.equal(mirrored.weak(X), augmentation.weak(X))
    colour = X.expand(-1, 3, -1, -1)
    assert augmentation.strong(colour).shape == colour.shape


class Two(nn.Module):
    """A weight and a count."""

    def __init__(self, weight, count):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([weight]))
        self.register_buffer("count", torch.tensor(count))


def test_the_average_of_weights_forgets_the_first():
    """With a decay of 0.999 from the first step on, two thirds of it would be they after 400 steps."""
    average = Average(Two(5.0, 7), 0.999)
    average.update(Two(0.0, 0), is_first=True)
    assert average.module.weight.item() == 0 and average.module.count == 0
    for n in range(1, 2000):
        average.update(Two(1.0, n), is_first=False)
        assert average.module.weight.item() >= 1 - 10 / (n + 10)
    assert average.module.count == 1999 and average.n_averaged == 2000
    long = Average(Two(0.0, 0), 0.999)
    long.n_averaged.fill_(10**6)
    long.update(Two(1.0, 0), is_first=False)
    assert long.module.weight.item() == pytest.approx(0.001, rel=1e-4)


def test_fixmatch_for_networks_uses_the_pool(digits):
    pytest.importorskip("kornia")
    X, y = digits[0][:60], digits[1][:60]
    consistency = Consistency(ImageAugmentation(flip=False), threshold=0.1, ratio=2)
    model = network(consistency=consistency, max_steps=4).tune(X, y, rng())
    alone = weights(model.fit(X, y))
    with_pool = weights(model.fit(X, y, digits[0][1000:1200]))
    assert torch.equal(with_pool, weights(model.fit(X, y, digits[0][1000:1200])))
    assert not torch.equal(alone, with_pool)
    assert model.predict_proba(X).isfinite().all()


def test_a_training_that_diverges_says_so(digits):
    X, y = digits[0][:64], digits[1][:64]
    schedule = Schedule(epochs=1, max_steps=1, batch_size=64, learning_rate=1e-3, weight_decay=0.0)
    module = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    with torch.no_grad():
        module[1].weight.fill_(torch.nan)
    with pytest.raises(SalutaryError, match="the training diverged"):
        Training(module, schedule, seed=0).run(X.float(), y)


def test_schedule():
    schedule = Schedule(epochs=30, max_steps=100, batch_size=64, learning_rate=1.0, weight_decay=0.0)
    assert schedule.steps(300) == (5, 100)
    assert schedule.steps(130) == (3, 90)
    rates = [schedule.rate(step, 100) for step in range(100)]
    assert max(rates) <= 1 and rates[0] == 0.1 and rates[-1] < 0.001 and np.argmax(rates) == 9
    assert schedule.sizes(130) == [44, 43, 43]
    assert schedule.sizes(65) == [33, 32]  # not 64 and 1
