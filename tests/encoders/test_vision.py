"""Encoders of files of pictures: networks of pictures and texts, and what is refused."""

import json

import numpy as np
import pytest
import torch
from picture_files import write_folder
from PIL import Image

from salutary.encoders import vision
from salutary.encoders.vision import HuggingFaceVision
from salutary.errors import SalutaryError

PREPARED = {
    "image_processor_type": "CLIPImageProcessor",
    "size": {"shortest_edge": 16},
    "crop_size": {"height": 16, "width": 16},
    "do_resize": True,
    "do_center_crop": True,
    "do_rescale": True,
    "do_normalize": True,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}


@pytest.fixture
def tiny_clip(tmp_path):
    """Of random weights, 16 x 16 pixels, 5 features."""
    transformers = pytest.importorskip("transformers")
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.CLIPConfig(
        text_config=size | {"vocab_size": 20},
        vision_config=size | {"image_size": 16, "patch_size": 8},
        projection_dim=5,
    )
    folder = tmp_path / "tiny_clip"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.CLIPModel(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPARED))
    return folder


def test_of_pictures_and_texts_the_features_that_are_compared(tiny_clip, tmp_path):
    from transformers import CLIPModel

    paths = [str(tmp_path / "pictures" / path) for path in write_folder(tmp_path / "pictures", 4, 0)]
    encoder = HuggingFaceVision(str(tiny_clip))
    encoder.check()
    found = encoder.encode(paths)
    model = CLIPModel.from_pretrained(tiny_clip).eval()
    pixels = np.stack([np.asarray(Image.open(path).resize((16, 16), Image.BICUBIC)) for path in paths])
    pixels = torch.tensor(pixels / 255, dtype=torch.float32).permute(0, 3, 1, 2) * 2 - 1
    with torch.inference_mode():
        expected = model.visual_projection(model.vision_model(pixels).pooler_output)
    assert found.shape == (4, 5) and encoder.pooling == vision.OF_BOTH
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_timm_is_named_where_it_is_lacking(tmp_path, monkeypatch):
    monkeypatch.setattr(vision, "find_spec", lambda name: None)
    line = r"^image_encoder=\S+ is a model of timm's, which is not installed: pip install timm"
    with pytest.raises(SalutaryError, match=line):
        HuggingFaceVision("timm/resnet18.a1_in1k").check()
    folder = tmp_path / "resnet18"
    folder.mkdir()
    (folder / "model.safetensors").touch()
    for told in ({"architecture": "resnet18", "pretrained_cfg": {}}, {"model_type": "timm_wrapper"}):
        (folder / "config.json").write_text(json.dumps(told))
        with pytest.raises(SalutaryError, match=line):
            HuggingFaceVision(str(folder)).check()
