"""What is captured does what plain calls do, and leaves no trace of its recording."""

import threading

import pytest
import torch

from salutary.system import capture
from salutary.system.capture import repeated, uncaptured

on_cuda = [
    pytest.mark.cuda,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=on_cuda)])
def device(request):
    return torch.device(request.param)


def walk(device, steps=20):
    """A random walk whose steps are drawn on the device."""
    place, shift = torch.zeros(100, device=device), torch.zeros((), device=device)

    def step():
        place.add_(torch.randn(100, device=device) + shift)

    call = repeated(step, device, [place])
    assert not place.any()  # the recording left no trace
    path = []
    for number in range(steps):
        shift.fill_(number)
        call()
        path.append(place.clone())
    return torch.stack(path)


def test_a_replay_is_a_plain_call(device):
    torch.manual_seed(3)
    captured = walk(device)
    torch.manual_seed(3)
    with uncaptured():
        plain = walk(device)
    assert torch.equal(captured, plain)
    assert len(captured.diff(dim=0).unique(dim=0)) == len(captured) - 1  # no two draws are the same


def test_a_seed_counts_between_replays(device):
    drawn = torch.zeros(50, device=device)

    def draw():
        drawn.copy_(torch.rand(50, device=device))

    call = repeated(draw, device, [drawn])
    results = []
    for seed in (1, 2, 1):
        torch.manual_seed(seed)
        call()
        results.append(drawn.clone())
    torch.manual_seed(2)
    assert torch.equal(results[0], results[2])
    assert torch.equal(results[1], torch.rand(50, device=device))


def test_a_recording_keeps_what_its_function_holds(device):
    """Memory that a replay reads is not given to others."""
    total = torch.zeros(1000, device=device)

    def made():
        held = torch.ones(1000, device=device)
        return repeated(lambda: total.add_(held), device, [total])

    call = made()
    others = [torch.full((1000,), torch.nan, device=device) for _ in range(100)]
    call()
    assert len(others) == 100 and torch.equal(total, torch.ones_like(total))


def test_elsewhere_it_is_the_function_itself():
    def function():
        pass

    assert repeated(function, torch.device("cpu")) is function


def test_a_thread_is_uncaptured_by_itself():
    """Also where the first to begin is the first to end."""
    entered, left, told = threading.Event(), threading.Event(), []

    def other():
        told.append(capture._captures.get())
        with uncaptured():
            entered.set()
            assert left.wait(10)
        told.append(capture._captures.get())

    thread = threading.Thread(target=other)
    with uncaptured():
        thread.start()
        assert entered.wait(10)
    assert capture._captures.get()
    left.set()
    thread.join()
    assert capture._captures.get() and told == [True, True]
