"""What encoders of images share."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from salutary.encoders import Encoder
from salutary.errors import SalutaryError, require_whole
from salutary.system.device import exact_convolutions


class ImageEncoder(Encoder):
    """Images (m, 1 or 3, height, width) of bytes, resized to ``image_size`` and given three channels.

    Bicubic without antialiasing, clipped to 0..255, as the features that come with the small data sets.
    """

    def __init__(self, image_size: int = 224):
        require_whole("dataset.image_size", image_size, 32)
        if image_size % 32:
            raise SalutaryError(f"dataset.image_size must be a multiple of 32, not {image_size}")
        self.image_size = image_size

    @property
    def fingerprint(self) -> str:
        return f"{self.weights_fingerprint} bicubic {self.image_size}"

    @property
    @abstractmethod
    def weights_fingerprint(self) -> str:
        """Name and checksum of the weights."""

    @abstractmethod
    def module(self) -> nn.Module:
        """The network, from scaled images to features (m, width)."""

    @abstractmethod
    def scaled(self, X: Tensor) -> Tensor:
        """Values 0..255 as the network takes them."""

    def load(self, device: str) -> None:
        self._device = device
        module = self.module().eval().requires_grad_(False)
        self._module = module.to(device, memory_format=torch.channels_last)

    def encode(self, items: np.ndarray) -> np.ndarray:
        X = torch.as_tensor(np.array(items), device=self._device)
        X = resized(X, self.image_size).expand(-1, 3, -1, -1)
        with torch.inference_mode(), exact_convolutions():
            features = self._module(self.scaled(X).contiguous(memory_format=torch.channels_last))
        return features.float().numpy(force=True)


def resized(X: Tensor, size: int) -> Tensor:
    """Images of bytes as float32 in 0..255, ``size`` a side."""
    X = X.float()
    if X.shape[2:] == (size, size):
        return X
    return interpolate(X, (size, size), mode="bicubic", align_corners=False).clamp(0, 255)
