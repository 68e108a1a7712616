"""Networks, trained again from the same start after every round."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from torch import Tensor, nn

from salutary.errors import SalutaryError
from salutary.models.augmentation import ImageAugmentation
from salutary.models.training import PRECISIONS, Consistency, Schedule, Training, isolated_random
from salutary.system import rules
from salutary.system.device import exact_convolutions
from salutary.system.rules import Choice, Number, Rule, Whole, Worded

BLOCK = 512  # rows that go through a network together when it only predicts


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
    """An architecture, with the weights that it starts from. ``RULES``: what its settings may be."""

    RULES: Mapping[str, Rule] = {}

    @abstractmethod
    def check(self, shape: tuple[int, ...]) -> None:
        """Raises SalutaryError for settings that make no sense, and rows of a shape that it does not take."""
        rules.check(self, self.RULES, "model.backbone.")

    @abstractmethod
    def module(self, shape: tuple[int, ...], n_classes: int) -> Module:
        """A new network for rows of this shape; what is random in it is PyTorch's generator's."""


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
    precision: of training, ``auto`` (bfloat16 where that is safe on a GPU), ``float32`` or ``bfloat16``.

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
        training = Training(
            module.to(X.device),
            Schedule(self.epochs, self.max_steps, self.batch_size, self.learning_rate, self.weight_decay),
            self.seed_,
            self.augmentation,
            self.consistency,
            self.checkpoint,
            self.precision,
        )
        self.module_ = cast(Module, training.run(X, y, unlabeled if self.consistency else None))
        return self

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities (n, C), float64."""
        return torch.softmax(in_blocks(self.module_, X), 1)

    def features(self, X: Tensor) -> Tensor:
        """What strategies see of rows, (n, d); of rows that are features already, the rows."""
        body = self.module_.body
        return X if isinstance(body, nn.Identity) else in_blocks(body, X)

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
        """Class probabilities (n, C), float64, of features."""
        return torch.softmax(in_blocks(self._module, X), 1)


def in_blocks(module: nn.Module, X: Tensor) -> Tensor:
    """Outputs of a network in evaluation: computed in float32, returned as float64."""
    with torch.no_grad(), exact_convolutions():
        outputs = [module(rows if rows.dtype == torch.uint8 else rows.float()) for rows in X.split(BLOCK)]
        return torch.cat([output.double() for output in outputs])
