"""Calls that are made many times over: on CUDA as one graph, elsewhere as they are.

A small operation takes a GPU less time than it takes the host to launch it. A graph is launched once for all
of its operations.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar

import torch
from torch import Tensor

# Calls before a recording, in which libraries choose their ways and take their memory.
WARM_UP = 3

_captures = ContextVar("captures", default=True)  # of each thread


def repeated(
    function: Callable[[], None], device: torch.device, changed: Iterable[Tensor] = ()
) -> Callable[[], None]:
    """``function``, for many calls; on CUDA recorded as a graph that does the same, bit for bit.

    The function works on tensors that stay where they are: it may allocate others, but what it is to read or
    to leave behind has a place of its own that the caller fills and reads with ``copy_``, and does not
    replace; what the function itself holds is kept alive. It draws from the device's default generator only,
    since what the host draws would be the same in every replay, and nothing in it may wait for the device. No
    autograd graph from outside may be alive: backward passes run on the streams of their forward ones.

    ``changed``: all that a call changes. After the recording, for which the function is called a few times,
    they hold what they held before, and the generator is where it was. (Not so buffers that come into being
    in the first call, such as an optimiser's: make a plain call first.)
    """
    if device.type != "cuda" or not _captures.get():
        return function
    return _recorded(function, device, list(changed))


@contextlib.contextmanager
def uncaptured() -> Iterator[None]:
    """Plain calls only, as everywhere but on CUDA: the twin that a graph is compared with."""
    before = _captures.set(False)
    try:
        yield
    finally:
        _captures.reset(before)


def _recorded(
    function: Callable[[], None], device: torch.device, changed: list[Tensor]
) -> Callable[[], None]:
    before = [each.detach().clone() for each in changed]
    generator = torch.cuda.get_rng_state(device)
    with torch.cuda.device(device):
        # One stream for both: what libraries keep for a stream is then there already.
        here, aside = torch.cuda.current_stream(), _aside(device)
        aside.wait_stream(here)
        with torch.cuda.stream(aside):
            for _ in range(WARM_UP):
                function()
        here.wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=aside):
            function()
    with torch.no_grad():
        for each, value in zip(changed, before, strict=True):
            each.copy_(value)
    torch.cuda.set_rng_state(generator, device)
    return functools.partial(_replayed, graph, function)


@functools.cache
def _aside(device: torch.device) -> torch.cuda.Stream:
    """The stream of all recordings on a device: with each new one libraries would take memory for good."""
    return torch.cuda.Stream(device)


def _replayed(graph: torch.cuda.CUDAGraph, function: Callable[[], None]) -> None:
    """``function`` is held since the graph works on the tensors that it holds."""
    graph.replay()
