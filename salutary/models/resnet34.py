"""ResNet-34, as a network to retrain."""

from __future__ import annotations

from torch import nn

from salutary.encoders.resnet34 import DEVIATION, MEAN, WIDTH, load_weights, resnet34, weights_file
from salutary.models.images import ImageBackbone


class ResNet34(ImageBackbone):
    """He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016: 512 features.

    ``weights``: ``imagenet`` (a file below the data directory, else downloaded), ``random``, or a file
    with a state dict, named as by transformers (.safetensors) or torchvision (.pth). ``image_size``:
    ImageNet's own is 224; 64 takes a twelfth of the time.
    """

    width = WIDTH
    mean = MEAN
    deviation = DEVIATION
    repeatable = True

    def __init__(self, weights: str = "imagenet", image_size: int | None = 64, data_dir: str | None = None):
        super().__init__(image_size)
        self.weights = weights
        self.data_dir = data_dir

    def check(self, shape: tuple[int, ...]) -> None:
        super().check(shape)
        if self.weights != "random":
            weights_file(self.weights, self.data_dir)

    def body(self) -> nn.Module:
        network = resnet34()
        if self.weights != "random":
            load_weights(network, weights_file(self.weights, self.data_dir))
        return network
