"""Recordings as CUDA makes them, for machines without it: operations on the CPU, replayed where they worked.

What a graph would freeze is frozen here, too: a replay runs the operations alone, with the numbers that the
host gave them and on the tensors that they had, and puts the results into the memory where they were. What
would wait for the device cannot be recorded.
"""

import torch
from pretend_device import WAITS
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from salutary.system import capture


class Recorder:
    """In place of ``repeated``; ``replays``: of each recording."""

    def __init__(self):
        self.replays = []

    def __call__(self, function, device, changed=()):
        if not capture._captures.get():
            return function
        changed = list(changed)
        before, generator = [each.detach().clone() for each in changed], torch.get_rng_state()
        for _ in range(capture.WARM_UP):
            function()
        with Tape() as tape:
            function()
        with torch.no_grad():
            for each, value in zip(changed, before, strict=True):
                each.copy_(value)
        torch.set_rng_state(generator)
        number = len(self.replays)
        self.replays.append(0)

        def replay():
            self.replays[number] += 1
            tape.replay()

        return replay


class Tape(TorchDispatchMode):
    """All operations that run inside of it."""

    def __init__(self):
        super().__init__()
        self.operations = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        if function.overloadpacket.__name__ in WAITS:
            raise RuntimeError(f"{function} waits, and cannot be recorded")
        result = function(*arguments, **(options or {}))
        self.operations.append((function, arguments, options or {}, result))
        return result

    @torch.no_grad()
    def replay(self):
        for function, arguments, options, before in self.operations:
            result = function(*arguments, **options)
            for old, new in zip(pytree.tree_leaves(before), pytree.tree_leaves(result), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)
