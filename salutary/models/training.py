"""Training a network: one schedule, deterministic given the seed, able to go on where it was interrupted."""

from __future__ import annotations

import contextlib
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

from salutary.errors import SalutaryError
from salutary.models.augmentation import ImageAugmentation
from salutary.models.step import RecordedStep, Step
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

    def sizes(self, n: int) -> list[int]:
        """Rows of each batch of an epoch over n rows.

        Nearly equal, at most two numbers: batch normalisation cannot do with a last batch of one row.
        """
        batches = math.ceil(n / self.batch_size)
        return [n // batches + (batch < n % batches) for batch in range(batches)]

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

    def images(self, x: Tensor, u: Tensor) -> Tensor:
        """A batch: labelled rows, augmented weakly, then unlabelled ones, weakly and strongly."""
        return torch.cat([self.augmentation.weak(x), self.augmentation.weak(u), self.augmentation.strong(u)])

    def loss(self, logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The whole loss of a batch, and the share of unlabelled rows above the threshold.

        ``logits``: of :meth:`images`, from one pass, so that batch normalisation sees labelled and unlabelled
        rows alike.
        """
        n = (len(logits) - len(y)) // 2
        labeled, weakly, strongly = logits.split([len(y), n, n])
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
        self.schedule = schedule
        self.seed = seed
        self.augmentation = augmentation
        self.consistency = consistency
        self.checkpoint = checkpoint
        self._mixed = is_mixed(precision, next(module.parameters()).device)
        objective, decay = (consistency.loss, consistency.decay) if consistency else (supervised, None)
        self.step = Step(module, objective, schedule.weight_decay, decay, self._mixed)

    def run(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> nn.Module:
        """Raises SalutaryError if the training diverges."""
        each, steps = self.schedule.steps(len(X))
        epochs = math.ceil(steps / each)
        key = self._key(X, y) if self.checkpoint else ""
        pool = X if unlabeled is None else torch.cat([X, unlabeled])
        reported = saved = time.monotonic()
        self.step.module.train()
        start = self._restored(key)
        sizes = self.schedule.sizes(len(X))
        step = RecordedStep(self.step, [sizes[i % each] for i in range(start * each, steps)])
        for epoch in range(start, epochs):
            first, last = epoch * each, min((epoch + 1) * each, steps)
            rates = [self.schedule.rate(number, steps) for number in range(first, last)]
            with isolated_random(self.seed + epoch, X.device), exact_convolutions():
                loss = self._epoch(step, self._batches(X, y, pool, first, last - first), rates)
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
        if self.consistency and start < epochs:
            share = float(self.step.share) / (steps - start * each)
            log.info("fixmatch: %.0f%% of unlabelled rows above the threshold", 100 * share)
        return (self.step.average or self.step).module.eval()

    def _epoch(
        self, step: RecordedStep, batches: Iterator[tuple[Tensor, Tensor]], rates: list[float]
    ) -> float:
        """A step for each learning rate; the mean loss, for which alone the host waits."""
        self.step.loss.zero_()
        for rate, batch in zip(rates, batches, strict=True):
            self.step.set_rate(rate)
            step(*batch)
        return float(self.step.loss) / len(rates)

    def _batches(
        self, X: Tensor, y: Tensor, pool: Tensor, first: int, n: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images, augmented, and labels of ``n`` steps from step ``first`` on, the first of an epoch.

        The rows of all of them are on the device at once. Augmentations draw on the host, so they are made
        here, and outside of autocast: coordinates of 8 bits would move pictures by half a pixel.
        """
        rng = np.random.default_rng([self.seed, first])
        sizes = self.schedule.sizes(len(X))
        rows = torch.as_tensor(rng.permutation(len(X)), device=X.device).split(sizes)[:n]
        if not self.consistency:
            weak = self.augmentation.weak if self.augmentation else _as_they_are
            for part in rows:
                yield weak(X[part]), y[part]
            return
        others = [self.consistency.ratio * size for size in sizes[:n]]
        drawn = np.concatenate([rng.integers(len(pool), size=size) for size in others])
        for part, other in zip(rows, torch.as_tensor(drawn, device=X.device).split(others), strict=True):
            yield self.consistency.images(X[part], pool[other]), y[part]

    def _key(self, X: Tensor, y: Tensor) -> str:
        """Which training a checkpoint belongs to."""
        digest = hashlib.sha256(repr((self.schedule, self.seed, self._mixed, str(self.step.module))).encode())
        for tensor in (X, y):
            digest.update(np.ascontiguousarray(tensor.numpy(force=True)).data)
        return digest.hexdigest()

    def _save(self, path: Path, key: str, epoch: int) -> None:
        buffer = io.BytesIO()
        torch.save({"key": key, "epoch": epoch, **self.step.state_dict()}, buffer)
        write_atomic(path, buffer.getvalue())

    def _restored(self, key: str) -> int:
        """The epoch to go on with; 0 without a checkpoint of this training."""
        if not self.checkpoint or not self.checkpoint.exists():
            return 0
        try:
            saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
            if saved["key"] != key:
                return 0
            self.step.load_state_dict(saved)
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


def is_mixed(precision: str, device: torch.device) -> bool:
    """Whether ``precision``, one of ``PRECISIONS``, is bfloat16 on this device."""
    return precision == "bfloat16" or (precision == "auto" and device.type == "cuda")


def supervised(logits: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of labelled rows; there are no others."""
    return cross_entropy(logits, y), logits.new_zeros(())


def _as_they_are(X: Tensor) -> Tensor:
    return X
