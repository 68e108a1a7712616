"""The step of a training: the loop of the textbooks, and recorded the same bits as plain.

On the pretended recorder everywhere, on CUDA where it is.
"""

import copy
import functools
import gc

import numpy as np
import pytest
import torch
from oracles import blobs
from pretend_capture import Recorder
from pretend_device import Pretending, pretend
from small_networks import rng, weights
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel

from salutary.models import step, training
from salutary.models.augmentation import ImageAugmentation
from salutary.models.cnn import Cnn
from salutary.models.head import TwoLayerHead
from salutary.models.network import Network
from salutary.models.step import RecordedStep, Step
from salutary.models.training import Consistency, Schedule, Training, isolated_random
from salutary.system import capture
from salutary.system.capture import uncaptured

CPU = torch.device("cpu")
on_cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
# 150 rows are batches of 38, 38, 37 and 37; the last epoch ends after its first.
SETTINGS = {"epochs": 4, "max_steps": 13, "batch_size": 40, "learning_rate": 3e-3}
KINDS = ("cnn", "augmented", "head", "cnn_fixmatch")
PRECISIONS = ("float32", "bfloat16")


@pytest.fixture(params=["pretend", pytest.param("cuda", marks=on_cuda)])
def device(request, monkeypatch):
    """Where steps are recorded, if only a few of a size come: by ``step.repeated``."""
    monkeypatch.setattr(step, "WORTH_RECORDING", 3)
    if request.param == "cuda":
        return torch.device("cuda", 0)
    monkeypatch.setattr(step, "_on_cuda", lambda device: True)
    monkeypatch.setattr(step, "repeated", Recorder())
    return CPU


def situation(kind, device=CPU, **settings):
    """A model, and labelled and unlabelled rows."""
    settings = {**SETTINGS, **settings}
    X, y = blobs(240, 256, 10, spread=2.0)
    images = torch.sigmoid(X).float().reshape(-1, 1, 16, 16)
    if kind == "head":
        model, X = Network(10, TwoLayerHead(dropout=0.3), **settings), X.float()
    elif kind == "resnet34":
        pytest.importorskip("transformers")
        from salutary.models.resnet34 import ResNet34

        model, X = Network(10, ResNet34("random", image_size=64), **settings), images
    else:
        if kind in ("augmented", "cnn_fixmatch"):
            pytest.importorskip("kornia")
        augmentation = ImageAugmentation()
        if kind == "augmented":
            settings["augmentation"] = augmentation
        elif kind == "cnn_fixmatch":
            settings["consistency"] = Consistency(augmentation, threshold=0.15, ratio=2)
        model, X = Network(10, Cnn(width=16), **settings), images
    X, y = X.to(device), y.to(device)
    return model.tune(X, y, rng()), (X[:150], y[:150], X[150:])


def by_the_book(model, X, y, unlabeled):
    """The same training, written down; the moving average is PyTorch's own."""
    mixed, consistency = model.precision == "bfloat16", model.consistency
    with isolated_random(model.seed_, CPU):
        module = model.backbone.module(tuple(X.shape[1:]), 10)
    optimizer = torch.optim.AdamW(module.parameters(), weight_decay=model.weight_decay)
    schedule = Schedule(
        model.epochs, model.max_steps, model.batch_size, model.learning_rate, model.weight_decay
    )
    each, steps = schedule.steps(len(X))

    def moved(averages, now, n):
        share = 1 - ((1 + n) / (10 + n)).clamp(max=consistency.decay)
        for average, value in zip(averages, now, strict=True):
            average.lerp_(value, share) if average.is_floating_point() else average.copy_(value)

    averaged = AveragedModel(module, multi_avg_fn=moved, use_buffers=True) if consistency else None
    pool = torch.cat([X, unlabeled])
    module.train()
    for number in range(steps):
        epoch, place = divmod(number, each)
        if place == 0:
            draws, drawn = np.random.default_rng([model.seed_, number]), model.seed_ + epoch
            parts = np.array_split(draws.permutation(len(X)), each)
            torch.manual_seed(drawn)
        x, labels = X[parts[place]], y[parts[place]]
        if consistency:
            u = pool[draws.integers(len(pool), size=consistency.ratio * len(x))]
            x = consistency.images(x, u)
        elif model.augmentation:
            x = model.augmentation.weak(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            logits = module(x).float()
            loss = consistency.loss(logits, labels)[0] if consistency else cross_entropy(logits, labels)
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(number, steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if averaged:
            averaged.update_parameters(module)
    module = averaged.module if averaged else module
    return torch.cat([each.flatten() for each in module.state_dict().values()]).double()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_training_is_the_loop_of_the_textbooks(kind, precision):
    model, data = situation(kind, precision=precision)
    with isolated_random(0, CPU):
        expected = by_the_book(model, *data)
    assert torch.equal(weights(model.fit(*data)), expected)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("kind", [*KINDS, pytest.param("resnet34", marks=on_cuda)])
def test_recorded_steps_are_plain_steps(kind, precision, device, tmp_path, monkeypatch):
    """Bit for bit, in one go and interrupted; and once more."""
    model, data = situation(kind, device, precision=precision)
    with uncaptured():
        plain = weights(model.fit(*data))
    assert torch.equal(weights(model.fit(*data)), plain)
    if device == CPU:
        assert step.repeated.replays == [6, 6]  # of 7 batches of 38 rows the first is plain; 6 of 37
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0)
    model.checkpoint = tmp_path / "checkpoint"
    with monkeypatch.context() as patched:
        epoch, epochs = Training._epoch, []
        patched.setattr(Training, "_epoch", lambda *a: epochs.append(epoch(*a)) or epochs[-1])
        patched.setattr(training, "write_atomic", stopped_after(2))
        with pytest.raises(KeyboardInterrupt):
            model.fit(*data)
    assert len(epochs) == 2
    assert torch.equal(weights(model.fit(*data)), plain)
    other = situation(kind, device, precision=precision)[0].tune(*data[:2], np.random.default_rng(1))
    assert not torch.equal(weights(other.fit(*data)), plain)


def stopped_after(n):
    """Writing of files, of which the n-th is the last thing that is done."""
    written, write = [], training.write_atomic

    def writing(*arguments):
        write(*arguments)
        written.append(arguments)
        if len(written) == n:
            raise KeyboardInterrupt

    return writing


@pytest.mark.parametrize("worth, replays", [(6, [6, 6]), (7, [6]), (8, [])])
def test_seldom_sizes_are_plain(worth, replays, monkeypatch):
    recorder = Recorder()
    monkeypatch.setattr(step, "_on_cuda", lambda device: True)
    monkeypatch.setattr(step, "repeated", recorder)
    monkeypatch.setattr(step, "WORTH_RECORDING", worth)
    model, data = situation("head")
    recorded = weights(model.fit(*data))
    assert recorder.replays == replays
    with uncaptured():
        assert torch.equal(recorded, weights(model.fit(*data)))


def test_replays_draw_anew_and_follow_the_seed(device):
    """The losses of steps that change nothing, since their rate is 0, differ by their dropout alone."""
    module = TwoLayerHead(dropout=0.5).module((8,), 3).to(device).train()
    plain = Step(module, training.supervised, weight_decay=0.0)
    recorded = RecordedStep(plain, [20] * 10)
    X, y = (each.to(device) for each in blobs(20, 8, 3))
    losses = []
    for seed in (1, None, None, 1, 2):
        if seed:
            torch.manual_seed(seed)
        plain.loss.zero_()
        plain.set_rate(0.0)
        recorded(X.float(), y)
        losses.append(float(plain.loss))
    assert losses[3] == losses[0] and len({*losses}) == 4


def test_a_recording_leaves_no_trace(device):
    """Nor does a step leave gradients, or state that a recording would not put back."""
    model, (X, y, _) = situation("head", device)
    module = model.backbone.module(tuple(X.shape[1:]), 10).to(device).train()
    plain = Step(
        module, lambda *batch: (training.supervised(*batch)[0], torch.ones_like(plain.share)), 0.1, 0.9
    )
    plain.set_rate(1e-2)
    plain(X[:20], y[:20])
    before = [each.detach().clone() for each in plain.changed()]
    generator = torch.get_rng_state()
    replay = step.repeated(functools.partial(plain, X[:20], y[:20]), device, plain.changed())
    after = plain.changed()
    assert all(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert torch.equal(torch.get_rng_state(), generator)
    replay()
    assert all(
        each is it for each, it in zip(plain.changed(), after, strict=True)
    )  # nor is any of it replaced
    assert not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))
    assert all(each.grad is None for each in module.parameters())


@pytest.mark.parametrize("kind", ["cnn", "head", "resnet34"])
@pytest.mark.parametrize("kept", [False, True])
def test_no_node_of_autograd_outlives_a_step(kind, kept):
    """The gradient of a node that a plain step left would be taken on the stream of that step."""
    model, (X, y, _) = situation(kind, device=CPU)
    module = model.backbone.module(tuple(X.shape[1:]), 10).train()
    found, alive = [], []

    def objective(logits, labels):
        nodes = leaves(logits.grad_fn)
        found.append(sum("seen" in each.metadata for each in nodes))
        for each in nodes:
            each.metadata["seen"] = True
        alive.append(logits if kept else None)
        return training.supervised(logits, labels)

    plain = Step(module, objective, weight_decay=0.1)
    plain.set_rate(1e-2)
    gc.disable()
    try:
        for _ in range(2):
            plain(X[:8], y[:8])
    finally:
        gc.enable()
    assert (found[1] > 0) == kept


def leaves(node):
    """The nodes at which a backward pass leaves gradients."""
    todo, seen = [node], set()
    while todo:
        node = todo.pop()
        if node is not None and node not in seen:
            seen.add(node)
            todo += [each for each, _ in node.next_functions]
    return [each for each in seen if type(each).__name__ == "AccumulateGrad"]


def test_checkpoints_move_between_devices(monkeypatch):
    """The optimiser's settings are those of its device, and its rate is where a recording looks."""
    X, y = blobs(20, 8, 3)

    def made():
        with isolated_random(0, CPU):
            return Step(TwoLayerHead(dropout=0.0).module((8,), 3), training.supervised, 0.01)

    def go_on(stepping):
        for n in range(3):
            stepping.set_rate(0.01 * (n + 1))
            stepping(X.float(), y)
        return torch.cat([each.flatten() for each in stepping.module.state_dict().values()])

    here = made()
    go_on(here)
    saved = copy.deepcopy(here.state_dict())
    monkeypatch.setattr(step, "_on_cuda", lambda device: True)
    there = made()
    there.load_state_dict(saved)
    (group,) = there.optimizer.param_groups
    assert group["fused"] and group["capturable"] and isinstance(group["lr"], torch.Tensor)
    assert all(torch.is_tensor(each["step"]) for each in there.optimizer.state.values())
    rate = group["lr"]
    moved = go_on(there)
    assert group["lr"] is rate and rate == pytest.approx(0.03)
    monkeypatch.undo()
    back = made()
    back.load_state_dict(copy.deepcopy(there.state_dict()))
    (group,) = back.optimizer.param_groups
    assert not group["fused"] and not group["capturable"]
    torch.testing.assert_close(go_on(here), moved, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(go_on(here), go_on(back), rtol=1e-4, atol=1e-6)


def test_networks_of_ones_own_are_recorded_if_they_say_so(monkeypatch):
    class Own(Cnn):
        repeatable = False

    told = []

    def repeated(function, *_):
        told.append(capture._captures.get())
        return function

    monkeypatch.setattr(step, "WORTH_RECORDING", 3)
    monkeypatch.setattr(step, "repeated", repeated)
    _, data = situation("cnn")
    for backbone in (Cnn(width=8), Own(width=8)):
        Network(10, backbone, **SETTINGS).fit(*data)
    assert told == [True, True, False, False]


def test_the_host_waits_once_an_epoch():
    model, data = situation("cnn", epochs=3)
    with Pretending() as mode:
        data = [each.to(pretend()) for each in data]
        mode.waits.clear()
        model.fit(*data)
        assert mode.waits == ["_local_scalar_dense"] * 3
