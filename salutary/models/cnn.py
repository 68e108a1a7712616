"""A small convolutional network: the whole way of ResNet-34, on a CPU."""

from __future__ import annotations

import itertools

from torch import nn

from salutary.errors import SalutaryError
from salutary.models.images import ImageBackbone
from salutary.system.rules import Whole


class Cnn(ImageBackbone):
    """Three blocks of convolution, batch normalisation and pooling, each twice as wide; the mean of the map.

    ``width``: features, a multiple of 4. Weights are random at the start.
    """

    RULES = {**ImageBackbone.RULES, "width": Whole(4)}
    repeatable = True

    def __init__(self, width: int = 64, image_size: int | None = None):
        super().__init__(image_size)
        self.width = width

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        if self.width % 4:
            raise SalutaryError(f"model.backbone.width must be a multiple of 4, not {self.width}")

    def body(self) -> nn.Module:
        widths = (3, self.width // 4, self.width // 2, self.width)
        blocks = [_block(before, after) for before, after in itertools.pairwise(widths)]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def _block(before: int, after: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True))
