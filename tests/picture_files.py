"""Small pictures, the files that hold them, and a tiny ViT with random weights."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

RED, BLUE = (200, 40, 40), (40, 40, 200)


def picture(label, rng, side=12):
    """Noise around red or blue."""
    mean = {"red": RED, "blue": BLUE}[label]
    return Image.fromarray(rng.normal(mean, 30, (side, side, 3)).clip(0, 255).astype(np.uint8))


def write_folder(folder, n, seed, flat=False):
    """``n`` pictures in a folder for each class, or ``flat``; the labels by path."""
    rng, labels = np.random.default_rng(seed), {}
    for number in range(n):
        label = ("red", "blue")[number % 2]
        path = f"{number:03}.png" if flat else f"{label}/{number:03}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture(label, rng).save(folder / path)
        labels[path] = label
    return labels


def write_tiny_vit(folder):
    """A ViT of 1 layer and 16 features that takes 16 x 16 pixels."""
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=16,
        patch_size=8, initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    size = {"height": 16, "width": 16}
    prepared = {"image_processor_type": "ViTImageProcessor", "size": size, "do_resize": True}
    scaled = {"do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepared | scaled))
