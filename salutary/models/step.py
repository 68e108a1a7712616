"""One step of a training, on tensors that stay where they are: on CUDA a single launch for all of it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from salutary.system.capture import repeated

# Batches of a size with which its recording has paid: it takes as long as about five plain steps.
WORTH_RECORDING = 20
# From logits (n, C) and labels to the loss, and the share of unlabelled rows that count in it.
Objective = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Step:
    """Forward, loss, backward, AdamW, moving average: all that one batch changes.

    A call waits for nothing and draws from the device's generator only, so that it can be recorded; the first
    one of a training brings the optimiser's state into being and is plain. No gradient outlives a call.

    ``objective``: the loss. ``decay``: of the moving average, None for none. ``mixed``: forward in bfloat16.
    ``loss``, ``share``: sums over the calls of what the objective gave.
    """

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        weight_decay: float,
        decay: float | None = None,
        mixed: bool = False,
    ):
        self.module = module
        self.device = next(module.parameters()).device
        self.average = None if decay is None else Average(module, decay)
        parameters = [each for each in module.parameters() if each.requires_grad]
        self.optimizer = _adamw(parameters, weight_decay, self.device)
        self.loss, self.share = (torch.zeros((), dtype=torch.float32, device=self.device) for _ in range(2))
        self._objective = objective
        self._mixed = mixed

    @property
    def is_begun(self) -> bool:
        """Whether the optimiser's state is there."""
        return bool(self.optimizer.state)

    def set_rate(self, rate: float) -> None:
        """The learning rate of the calls to come."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)  # where a recording reads it
            else:
                group["lr"] = rate

    def __call__(self, images: Tensor, y: Tensor) -> None:
        is_first = not self.is_begun
        # What the cache of autocast holds would be neither in a recording nor out of it.
        with torch.autocast(
            self.device.type, torch.bfloat16, enabled=self._mixed, cache_enabled=not _on_cuda(self.device)
        ):
            loss, share = self._objective(self.module(images).float(), y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average:
            self.average.update(self.module, is_first)
        self.loss += loss.detach()
        self.share += share

    def changed(self) -> list[Tensor]:
        """All that a call changes, once the first is done."""
        state = chain.from_iterable(each.values() for each in self.optimizer.state.values())
        modules = [self.module, *([self.average] if self.average else [])]
        tensors = chain.from_iterable((*each.parameters(), *each.buffers()) for each in modules)
        return [*tensors, *(each for each in state if isinstance(each, Tensor)), self.loss, self.share]

    def state_dict(self) -> dict[str, Any]:
        """What a training goes on from."""
        return {name: part.state_dict() for name, part in self._parts().items()}

    def load_state_dict(self, saved: Mapping[str, Any]) -> None:
        """Go on from there; a recording made before is of no use any more.

        The optimiser's settings are those it has: the state may come from another device.
        """
        states = {name: saved[name] for name in self._parts()}  # nothing is changed if one is missing
        states["optimizer"] = {
            **states["optimizer"],
            "param_groups": self.optimizer.state_dict()["param_groups"],
        }
        for name, part in self._parts().items():
            part.load_state_dict(states[name])

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        parts: dict[str, nn.Module | torch.optim.Optimizer]
        parts = {"module": self.module, "optimizer": self.optimizer}
        return parts | ({"averaged": self.average} if self.average else {})


class RecordedStep:
    """A step, recorded for each size of batch that comes often; on others, and where nothing is recorded,
    the step itself. The same bits either way.

    ``sizes``: those of all batches to come.
    """

    def __init__(self, step: Step, sizes: Iterable[int]):
        self.step = step
        counts: dict[int, int] = {}
        for size in sizes:
            counts[size] = counts.get(size, 0) + 1
        self._often = {size for size, count in counts.items() if count >= WORTH_RECORDING}
        self._recorded: dict[int, tuple[Tensor, Tensor, Callable[[], None]]] = {}

    def __call__(self, images: Tensor, y: Tensor) -> None:
        if len(y) not in self._often or not self.step.is_begun:
            self.step(images, y)
            return
        if len(y) not in self._recorded:
            batch = images.clone(), y.clone()
            call = repeated(functools.partial(self.step, *batch), y.device, self.step.changed())
            self._recorded[len(y)] = (*batch, call)
        images_there, y_there, call = self._recorded[len(y)]
        images_there.copy_(images)
        y_there.copy_(y)
        call()


class Average(nn.Module):
    """Exponential moving average of a network's parameters and buffers; of counts, the last.

    After n steps the decay is at most (1 + n) / (10 + n), to forget the first weights.
    """

    n_averaged: Tensor

    def __init__(self, module: nn.Module, decay: float):
        super().__init__()
        self.module = copy.deepcopy(module)
        self.decay = decay
        device = next(module.parameters()).device
        self.register_buffer("n_averaged", torch.zeros((), dtype=torch.int64, device=device))

    @torch.no_grad()
    def update(self, module: nn.Module, is_first: bool) -> None:
        """Take in the weights as they are now; the first time, they are the average."""
        share = 1 - ((1 + self.n_averaged) / (10 + self.n_averaged)).clamp(max=self.decay)
        averages, weights = (chain(each.parameters(), each.buffers()) for each in (self.module, module))
        for average, weight in zip(averages, weights, strict=True):
            if is_first or not average.is_floating_point():
                average.copy_(weight)
            else:
                average.lerp_(weight, share.to(average))
        self.n_averaged += 1


def _adamw(parameters: list[nn.Parameter], weight_decay: float, device: torch.device) -> torch.optim.AdamW:
    """On CUDA with all of its state, and the learning rate, on the device."""
    if not _on_cuda(device):
        return torch.optim.AdamW(parameters, weight_decay=weight_decay)
    rate = torch.zeros((), dtype=torch.float32, device=device)
    return torch.optim.AdamW(parameters, rate, weight_decay=weight_decay, fused=True, capturable=True)


def _on_cuda(device: torch.device) -> bool:
    return device.type == "cuda"
