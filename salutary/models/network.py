"""Networks, trained again from the same start after every round."""

from __future__ import annotations

import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from salutary.errors import SalutaryError
from salutary.models.augmentation import ImageAugmentation
from salutary.models.training import (
    PRECISIONS,
    Consistency,
    Schedule,
    Training,
    is_mixed,
    isolated_random,
)
from salutary.system import rules
from salutary.system.capture import uncaptured
from salutary.system.device import exact_convolutions
from salutary.system.rules import Choice, Number, Rule, Whole, Worded

BLOCK = 512  # rows that go through a network together when it only predicts, on the CPU
BLOCK_BYTES = 2**27  # and elsewhere, of float32: what is launched for many rows takes little longer


class Module(nn.Module):
    """``body`` makes features (n, d) of rows, ``classifier`` logits (n, C) of features.

    Strategies see the features; where rows are features already, the body passes them on.
    """

    def __init__(self, body: nn.Module, classifier: nn.Module):
        super().__init__()
        self.body = body
        self.classifier = classifier

    def forward(self, X: Tensor) -> Tensor:
        return self.classifier(self.body(X))


class Backbone(ABC):
    """An architecture, with the weights that it starts from. ``RULES``: what its settings may be.

    ``repeatable``: on CUDA a step of its training may be recorded, and replayed as it was. That asks of its
    networks that a forward pass is the same operations every time, waits for no number from the device, draws
    from PyTorch's generator of the device only, and keeps nothing for the next.
    """

    RULES: Mapping[str, Rule] = {}
    repeatable = False

    @abstractmethod
    def check(self, shape: tuple[int, ...]) -> None:
        """Raises SalutaryError for settings that make no sense, and rows of a shape that it does not take."""
        rules.check(self, self.RULES, "model.backbone.")

    @abstractmethod
    def module(self, shape: tuple[int, ...], n_classes: int) -> Module:
        """A new network for rows of this shape; what is random in it is PyTorch's generator's."""

    def input_size(self, shape: tuple[int, ...]) -> int:
        """Numbers that a row of this shape is for the network."""
        return math.prod(shape)


class Network:
    """A network as a model: trained on the labelled rows, always from the same weights.

    Strategies work with its features: those that only predict or measure distances, with its own classifier;
    those that need a convex model, with a surrogate of that (:mod:`salutary.strategies.surrogate`).

    Parameters
    ----------
    n_classes: C.
    backbone: the architecture.
    epochs, max_steps, batch_size, learning_rate, weight_decay: see Schedule.
    augmentation: weak augmentation of training images, None for none.
    consistency: trains on the unlabelled pool too, by FixMatch.
    surrogate_l2: penalty of the surrogate, or ``auto``.
    precision: of training, ``auto`` (bfloat16 where that is safe on a GPU), ``float32`` or ``bfloat16``;
        off the CPU of :meth:`features`, too. Predictions are float32.

    ``checkpoint``: a file in which a long training is kept every minute, if it is set.
    """

    checkpoint: Path | None = None
    RULES = {
        "epochs": Whole(1),
        "max_steps": Whole(1),
        "batch_size": Whole(2),
        "learning_rate": Number(0, 1),
        "weight_decay": Number(0),
        "surrogate_l2": Worded(Choice("auto") | Number(0, excluded=True), "auto or a number > 0"),
        "precision": Worded(Choice(*PRECISIONS), ", ".join(PRECISIONS)),
    }

    def __init__(
        self,
        n_classes: int,
        backbone: Backbone,
        epochs: int = 30,
        max_steps: int = 2000,
        batch_size: int = 64,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        augmentation: ImageAugmentation | None = None,
        consistency: Consistency | None = None,
        surrogate_l2: float | str = "auto",
        precision: str = "auto",
    ):
        self.n_classes = n_classes
        self.backbone = backbone
        self.epochs = epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.augmentation = augmentation
        self.consistency = consistency
        self.surrogate_l2 = surrogate_l2
        self.precision = precision
        self.seed_ = 0

    def tune(
        self,
        X: Tensor,
        y: Tensor,
        rng: np.random.Generator,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> Self:
        """Check the settings and draw the seed of all fits. Raises SalutaryError for a bad setting."""
        if not isinstance(self.backbone, Backbone):
            raise SalutaryError("model.backbone must name a network with _target_")
        self.backbone.check(tuple(X.shape[1:]))
        rules.check(self, self.RULES, "model.")
        if self.augmentation:
            self.augmentation.check()
        if self.consistency:
            self.consistency.check()
        self.seed_ = int(rng.integers(2**31))
        return self

    def fit(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> Self:
        """Train from the start, in float32; ``unlabeled`` rows are used if there is a consistency."""
        X = X.float() if X.is_floating_point() else X
        with isolated_random(self.seed_, X.device):
            module = self.backbone.module(tuple(X.shape[1:]), self.n_classes)
        rates = (self.learning_rate, self.weight_decay)
        schedule = Schedule(self.epochs, self.max_steps, self.batch_size, *rates)
        training = Training(
            module.to(X.device),
            schedule,
            self.seed_,
            self.augmentation,
            self.consistency,
            self.checkpoint,
            self.precision,
        )
        self.n_iter_ = schedule.steps(len(X))[1]
        with contextlib.nullcontext() if self.backbone.repeatable else uncaptured():
            self.module_ = cast(Module, training.run(X, y, unlabeled if self.consistency else None))
        return self

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities (n, C), float64."""
        return torch.softmax(in_blocks(self.module_, X, self._block(X)), 1)

    def features(self, X: Tensor) -> Tensor:
        """What strategies see of rows, (n, d), float64; of rows that are features already, the rows.

        Off the CPU they are computed in bfloat16 if that is the precision of the training.
        """
        body = self.module_.body
        if isinstance(body, nn.Identity):
            return X
        mixed = X.device.type != "cpu" and is_mixed(self.precision, X.device)
        return in_blocks(body, X, self._block(X), mixed)

    def _block(self, X: Tensor) -> int:
        """Rows that go through the network together."""
        return block_of(X.device, self.backbone.input_size(tuple(X.shape[1:])))

    @property
    def classifier(self) -> Classifier:
        """What predicts from :meth:`features`."""
        return Classifier(self.module_.classifier)


class Classifier:
    """The last part of a network, from its features on."""

    fit_intercept = True

    def __init__(self, module: nn.Module):
        self._module = module

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities (n, C), float64, of features; computed in float32."""
        return torch.softmax(in_blocks(self._module, X, block_of(X.device, X.shape[1])), 1)


def block_of(device: torch.device, size: int) -> int:
    """Rows of ``size`` numbers that go through a network together when it only predicts."""
    return BLOCK if device.type == "cpu" else max(1, BLOCK_BYTES // (4 * size))


def in_blocks(module: nn.Module, X: Tensor, block: int, mixed: bool = False) -> Tensor:
    """Outputs of a network in evaluation, for ``block`` rows at a time, as float64.

    Computed in float32, or ``mixed`` with bfloat16.
    """
    autocast = torch.autocast(X.device.type, torch.bfloat16, enabled=mixed)
    with torch.no_grad(), exact_convolutions(), autocast:
        outputs = [module(rows if rows.dtype == torch.uint8 else rows.float()) for rows in X.split(block)]
        return torch.cat([output.double() for output in outputs])
