"""ResNet-34 and its ImageNet weights: the encoder of the paper."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from salutary.encoders.images import ImageEncoder
from salutary.errors import SalutaryError, needs
from salutary.system import sources
from salutary.system.files import as_path

HUB = "microsoft/resnet-34"
HUB_FILE = "model.safetensors"
# Files looked for below the data directory, before the hub is asked.
LOCAL = (f"resnet34/{HUB_FILE}", "resnet34/resnet34-b627a593.pth")
WIDTH = 512
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


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


def resnet34() -> nn.Module:
    """The network of images (m, 3, h, w) to features (m, 512), with random weights."""
    try:
        from transformers import ResNetConfig, ResNetModel
    except ImportError as error:
        raise needs("transformers", "vision") from error
    config = ResNetConfig(layer_type="basic", hidden_sizes=[64, 128, 256, WIDTH], depths=[3, 4, 6, 3])
    return _Features(ResNetModel(config))


class _Features(nn.Module):
    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, X: Tensor) -> Tensor:
        return self.network(X).pooler_output.flatten(1)


def weights_file(weights: str, data_dir: str | None) -> Path:
    """The file that ``weights`` names. Raises SalutaryError that says what to put where."""
    if weights != "imagenet":
        path = as_path(weights)
        if not path.is_file():
            raise SalutaryError(f"weights={weights}: there is no such file (imagenet, random, or a file)")
        return path
    for name in LOCAL:
        path = sources.directory(data_dir) / name
        if path.exists():
            return path
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise needs("huggingface-hub", "vision") from error
    try:
        try:  # asking the Hub first takes half a minute without a network, and this is asked before every fit
            return Path(hf_hub_download(HUB, HUB_FILE, local_files_only=True))
        except OSError:
            return Path(hf_hub_download(HUB, HUB_FILE))
    except Exception as error:  # the hub's own, requests' and the operating system's are many
        raise SalutaryError(
            f"ResNet-34's ImageNet weights cannot be downloaded (is there a network?): put {HUB_FILE} of"
            f" huggingface.co/{HUB}, or torchvision's resnet34-b627a593.pth, into"
            f" {(sources.directory(data_dir) / 'resnet34').resolve()};"
            " dataset.encoder=efficientnet_lite0 needs no download"
        ) from error


def fingerprint(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a state dict in either naming; raises SalutaryError if it is not one of a ResNet-34."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict({f"network.{name}": value for name, value in _renamed(state).items()})
    except Exception as error:  # unpicklers, zip and safetensors each have their own
        reason = str(error).splitlines()[0]
        raise SalutaryError(f"{path} does not hold the weights of a ResNet-34: {reason}") from error


def _renamed(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's names as transformers', without the classifier of either."""
    if "conv1.weight" not in state:
        kept = {name: value for name, value in state.items() if not name.startswith("classifier.")}
        return {name.removeprefix("resnet."): value for name, value in kept.items()}
    rules = (
        (r"^conv1\.", "embedder.embedder.convolution."),
        (r"^bn1\.", "embedder.embedder.normalization."),
        (r"\.downsample\.0\.", ".shortcut.convolution."),
        (r"\.downsample\.1\.", ".shortcut.normalization."),
        (r"\.conv1\.", ".layer.0.convolution."),
        (r"\.bn1\.", ".layer.0.normalization."),
        (r"\.conv2\.", ".layer.1.convolution."),
        (r"\.bn2\.", ".layer.1.normalization."),
    )
    renamed = {}
    for name, value in state.items():
        if name.startswith("fc."):
            continue
        name = re.sub(r"^layer(\d)\.", lambda m: f"encoder.stages.{int(m[1]) - 1}.layers.", name)
        for pattern, ours in rules:
            name = re.sub(pattern, ours, name)
        renamed[name] = value
    return renamed
