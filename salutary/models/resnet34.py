"""ResNet-34 and its ImageNet weights, as encoder and as a network to retrain."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import torch
from torch import Tensor, nn

from salutary.datasets import sources
from salutary.errors import SalutaryError, needs
from salutary.models.images import ImageBackbone

HUB = "microsoft/resnet-34"
HUB_FILE = "model.safetensors"
# Files looked for below the data directory, before the hub is asked.
LOCAL = (f"resnet34/{HUB_FILE}", "resnet34/resnet34-b627a593.pth")
WIDTH = 512
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ResNet34(ImageBackbone):
    """He, Zhang, Ren & Sun, "Deep residual learning for image recognition", CVPR 2016: 512 features.

    ``weights``: ``imagenet`` (a file below the data directory, else downloaded), ``random``, or a file
    with a state dict, named as by transformers (.safetensors) or torchvision (.pth). ``image_size``:
    ImageNet's own is 224; 64 takes a twelfth of the time.
    """

    width = WIDTH
    mean = MEAN
    deviation = DEVIATION

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
        path = Path(weights).expanduser()
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
