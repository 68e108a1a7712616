"""ResNet-34, trained on ImageNet: the encoder of the paper."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from salutary.embeddings.images import ImageEncoder
from salutary.models.resnet34 import DEVIATION, MEAN, fingerprint, load_weights, resnet34, weights_file


class ResNet34Features(ImageEncoder):
    """512 features: the mean over the last map, before the classifier (appendix B of the paper).

    ``weights``: ``imagenet`` or a file, see :class:`salutary.models.resnet34.ResNet34`.
    """

    name = "resnet34"

    def __init__(self, weights: str = "imagenet", image_size: int = 224, data_dir: str | None = None):
        super().__init__(image_size)
        self.path = weights_file(weights, data_dir)

    @property
    def weights_fingerprint(self) -> str:
        return f"{self.name} {fingerprint(self.path)}"

    def module(self) -> nn.Module:
        network = resnet34()
        load_weights(network, self.path)
        return network

    def scaled(self, X: Tensor) -> Tensor:
        mean, deviation = (
            torch.tensor(values, device=X.device)[:, None, None] for values in (MEAN, DEVIATION)
        )
        return (X / 255 - mean) / deviation
