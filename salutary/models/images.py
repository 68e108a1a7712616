"""What the networks of images share."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from salutary.errors import SalutaryError
from salutary.models.network import Backbone, Module
from salutary.system.rules import NULL, Whole


class ImageBackbone(Backbone):
    """A body that makes ``width`` features of images, and a linear classifier.

    Images are resized to ``image_size`` (None leaves them as they are), grey ones made coloured, and
    standardised by ``mean`` and ``deviation`` (of values in 0..1).
    """

    width: int
    mean = (0.5, 0.5, 0.5)
    deviation = (0.25, 0.25, 0.25)
    RULES = {"image_size": Whole(8) | NULL}

    def __init__(self, image_size: int | None):
        self.image_size = image_size

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        if len(shape) != 3:
            raise SalutaryError(
                "this model needs images, such as dataset=mnist_small, not a table of features"
            )
        if shape[0] not in (1, 3):
            raise SalutaryError(f"images must be grey or have three colours, not {shape[0]} channels")

    def input_size(self, shape: tuple[int, ...]) -> int:
        return 3 * (self.image_size**2 if self.image_size else math.prod(shape[1:]))

    @abstractmethod
    def body(self) -> nn.Module:
        """From images (m, 3, h, w) to features (m, width)."""

    def module(self, shape: tuple[int, ...], n_classes: int) -> Module:
        classifier = nn.Linear(self.width, n_classes)
        body = nn.Sequential(Prepare(self.image_size, self.mean, self.deviation), self.body())
        return Module(body, classifier).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class Prepare(nn.Module):
    """Images of bytes, or of numbers in 0..1 as augmentations make them, for a network."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, image_size: int | None, mean: tuple[float, ...], deviation: tuple[float, ...]):
        super().__init__()
        self.image_size = image_size
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)

    def forward(self, X: Tensor) -> Tensor:
        X = X.float() / 255 if X.dtype == torch.uint8 else X
        side = self.image_size
        if side and X.shape[2:] != (side, side):
            X = interpolate(X, (side, side), mode="bilinear", align_corners=False)
        X = (X - self.mean) / self.deviation  # one channel becomes three
        return X.contiguous(memory_format=torch.channels_last)
