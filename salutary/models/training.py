"""Training a network: one schedule, deterministic given the seed, able to go on where it was interrupted."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import logging
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel

from salutary.errors import SalutaryError
from salutary.models.augmentation import ImageAugmentation
from salutary.system import rules
from salutary.system.device import exact_convolutions
from salutary.system.files import write_atomic
from salutary.system.rules import Number, Whole

log = logging.getLogger(__name__)

PRECISIONS = ("auto", "float32", "bfloat16")
REPORT_SECONDS = 10.0  # between lines on a long training
CHECKPOINT_SECONDS = 60.0  # between checkpoints: what an interruption loses at most


@dataclass(frozen=True)
class Schedule:
    """AdamW for ``epochs`` passes over the rows, but at most ``max_steps`` batches.

    The learning rate rises for a tenth of the steps, then falls as a cosine to zero. Loshchilov & Hutter,
    "Decoupled weight decay regularization", ICLR 2019.
    """

    epochs: int
    max_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float

    def steps(self, n: int) -> tuple[int, int]:
        """Steps of an epoch over n rows, and of the whole training."""
        each = math.ceil(n / self.batch_size)
        return each, min(self.epochs * each, self.max_steps)

    def rate(self, step: int, steps: int) -> float:
        warm = max(1, steps // 10)
        return self.learning_rate * min((step + 1) / warm, 0.5 * (1 + math.cos(math.pi * step / steps)))


@dataclass(frozen=True)
class Consistency:
    """FixMatch's part of the loss:

        weight * sum over unlabelled of 1[max p >= threshold] loss(strong(x), argmax p) / their number,

    p the prediction at weak(x), held constant; ``ratio`` unlabelled rows per labelled one in a batch. The
    labelled rows are among the unlabelled, and augmented weakly; results are those of the exponential moving
    average of the weights, with ``decay``, less in the first steps. Sohn et al., "FixMatch", NeurIPS 2020.
    """

    RULES = {"threshold": Number(0, 1), "weight": Number(0), "decay": Number(0, 1), "ratio": Whole(1)}

    augmentation: ImageAugmentation
    threshold: float = 0.95
    weight: float = 1.0
    ratio: int = 7
    decay: float = 0.999

    def check(self) -> None:
        """Raises SalutaryError for a setting that makes no sense."""
        self.augmentation.check()
        rules.check(self, self.RULES, "model.consistency.")

    def loss(self, module: nn.Module, x: Tensor, y: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """The whole loss of a batch, and the share of unlabelled rows above the threshold."""
        weak, strong = self.augmentation.weak, self.augmentation.strong
        with torch.autocast(
            x.device.type, enabled=False
        ):  # coordinates of 8 bits move pictures by half a pixel
            images = torch.cat([weak(x), weak(u), strong(u)])
        # One pass, so that batch normalisation sees labelled and unlabelled rows alike.
        logits = module(images).float()
        labeled, weakly, strongly = logits.split([len(x), len(u), len(u)])
        confidence, target = torch.softmax(weakly.detach(), 1).max(1)
        mask = (confidence >= self.threshold).float()
        consistency = (cross_entropy(strongly, target, reduction="none") * mask).mean()
        return cross_entropy(labeled, y) + self.weight * consistency, mask.mean()


class Training:
    """Trains ``module`` in place on X (n, ...) and y (n,); :meth:`run` gives the network to predict with.

    Each epoch has random streams of its own, so that one can be redone by itself: a checkpoint after an
    epoch holds weights and the optimiser's state, nothing else. ``precision``: one of ``PRECISIONS``;
    bfloat16 is used where that is safe, ``auto`` does so on a GPU.
    """

    def __init__(
        self,
        module: nn.Module,
        schedule: Schedule,
        seed: int,
        augmentation: ImageAugmentation | None = None,
        consistency: Consistency | None = None,
        checkpoint: Path | None = None,
        precision: str = "auto",
    ):
        self.module = module
        self.schedule = schedule
        self.seed = seed
        self.precision = precision
        self.augmentation = augmentation
        self.consistency = consistency
        self.checkpoint = checkpoint
        parameters = [each for each in module.parameters() if each.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, weight_decay=schedule.weight_decay)
        self.averaged = None
        self._kept: Tensor | float = 0.0  # sum over steps of the shares above the threshold
        if consistency:
            average = functools.partial(_average, decay=consistency.decay)
            self.averaged = AveragedModel(module, multi_avg_fn=average, use_buffers=True)

    def run(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> nn.Module:
        """Raises SalutaryError if the training diverges."""
        each, steps = self.schedule.steps(len(X))
        epochs = math.ceil(steps / each)
        key = self._key(X, y) if self.checkpoint else ""
        pool = X if unlabeled is None else torch.cat([X, unlabeled])
        reported = saved = time.monotonic()
        self.module.train()
        for epoch in range(self._restored(key), epochs):
            with isolated_random(self.seed + epoch, X.device), exact_convolutions():
                loss = self._epoch(X, y, pool, epoch * each, min(each, steps - epoch * each), steps)
            if not math.isfinite(loss):
                raise SalutaryError("the training diverged: lower model.learning_rate")
            now = time.monotonic()
            if now - reported >= REPORT_SECONDS:
                log.info("training: epoch %d of %d, loss %.3f", epoch + 1, epochs, loss)
                reported = now
            if self.checkpoint and now - saved >= CHECKPOINT_SECONDS:
                self._save(self.checkpoint, key, epoch + 1)
                saved = now
        if self.checkpoint:
            self.checkpoint.unlink(missing_ok=True)
        if self.consistency:
            log.info("fixmatch: %.0f%% of unlabelled rows above the threshold", 100 * self._kept / steps)
        return (self.averaged.module if self.averaged else self.module).eval()

    def _epoch(self, X: Tensor, y: Tensor, pool: Tensor, first: int, n: int, steps: int) -> float:
        """``n`` steps from step ``first`` on; the mean loss."""
        rng = np.random.default_rng([self.seed, first])
        total = X.new_zeros((), dtype=torch.float32)
        # Parts of nearly equal size: batch normalisation cannot do with a last batch of one row.
        parts = np.array_split(rng.permutation(len(X)), self.schedule.steps(len(X))[0])
        for step, part in enumerate(parts[:n], start=first):
            rows = torch.as_tensor(part, device=X.device)
            for group in self.optimizer.param_groups:
                group["lr"] = self.schedule.rate(step, steps)
            with self._mixed(X.device):
                loss = self._loss(X[rows], y[rows], pool, rng)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            if self.averaged:
                self.averaged.update_parameters(self.module)
            total += loss.detach()
        return float(total) / n

    def _loss(self, x: Tensor, y: Tensor, pool: Tensor, rng: np.random.Generator) -> Tensor:
        if self.consistency:
            rows = torch.as_tensor(rng.integers(len(pool), size=self.consistency.ratio * len(x)))
            loss, share = self.consistency.loss(self.module, x, y, pool[rows.to(pool.device)])
            self._kept = self._kept + share
            return loss
        x = self.augmentation.weak(x) if self.augmentation else x
        return cross_entropy(self.module(x).float(), y)

    def _mixed(self, device: torch.device) -> torch.autocast:
        return torch.autocast(device.type, torch.bfloat16, enabled=self._is_mixed(device))

    def _is_mixed(self, device: torch.device) -> bool:
        return self.precision == "bfloat16" or (self.precision == "auto" and device.type == "cuda")

    def _key(self, X: Tensor, y: Tensor) -> str:
        """Which training a checkpoint belongs to."""
        digest = hashlib.sha256(
            repr((self.schedule, self.seed, self._is_mixed(X.device), str(self.module))).encode()
        )
        for tensor in (X, y):
            digest.update(np.ascontiguousarray(tensor.numpy(force=True)).data)
        return digest.hexdigest()

    def _state(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        state: dict[str, nn.Module | torch.optim.Optimizer]
        state = {"module": self.module, "optimizer": self.optimizer}
        return state | ({"averaged": self.averaged} if self.averaged else {})

    def _save(self, path: Path, key: str, epoch: int) -> None:
        buffer = io.BytesIO()
        state = {name: part.state_dict() for name, part in self._state().items()}
        torch.save({"key": key, "epoch": epoch, **state}, buffer)
        write_atomic(path, buffer.getvalue())

    def _restored(self, key: str) -> int:
        """The epoch to go on with; 0 without a checkpoint of this training."""
        if not self.checkpoint or not self.checkpoint.exists():
            return 0
        try:
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            if saved["key"] != key:
                return 0
            for name, part in self._state().items():
                part.load_state_dict(saved[name])
            return saved["epoch"]
        except Exception as error:  # a damaged file can fail in many ways, and costs one training only
            log.warning("%s is damaged (%s): training starts over", self.checkpoint, error)
            return 0


@contextlib.contextmanager
def isolated_random(seed: int, device: torch.device) -> Iterator[None]:
    """PyTorch's own generators, seeded for a while: initial weights, dropout and augmentations draw there."""
    on_cuda = device.type == "cuda"
    with torch.random.fork_rng([device] if on_cuda else []):
        torch.default_generator.manual_seed(seed)
        if on_cuda:  # torch.manual_seed would seed all other devices, too
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _average(averages: list[Tensor], weights: list[Tensor], n: Tensor, decay: float) -> None:
    """Exponential moving average; after n steps decay is at most (1 + n) / (10 + n), to forget the first."""
    share = 1 - ((1 + n) / (10 + n)).clamp(max=decay)
    for average, weight in zip(averages, weights, strict=True):
        if average.is_floating_point():
            average.lerp_(weight, share.to(average))
        else:  # a count
            average.copy_(weight)
