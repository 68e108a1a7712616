"""Image data sets, from the sources' files and from folders."""

import gzip
import shutil

import numpy as np
import pytest
import torch
from compositions import composed
from PIL import Image

from salutary.datasets import load
from salutary.datasets.cifar10 import Cifar10, parse_batch, parse_sheet
from salutary.datasets.image_folder import ImageFolder
from salutary.datasets.images import Images
from salutary.datasets.mnist import Mnist, parse_idx
from salutary.encoders import FeatureCache
from salutary.errors import SalutaryError
from salutary.system import sources
from salutary.system.commands import build
from salutary.tables import UNLABELED

SMALL = {
    "mnist_small": [479, 563, 488, 493, 535, 434, 501, 550, 462, 495],
    "cifar10_small": [505, 460, 519, 486, 519, 488, 519, 486, 520, 498],
}


def dataset(data_dir, *overrides):
    return build(composed(f"data_dir={data_dir}", *overrides), "dataset")


@pytest.mark.parametrize("name", SMALL)
def test_small_sets_as_features_and_as_images(name, data_dir):
    table = dataset(data_dir, f"dataset={name}").load()
    images = dataset(data_dir, f"dataset={name}", "inputs=images").load()
    assert table.X.shape == (6000, 1280)
    assert images.X.shape == {"mnist_small": (6000, 1, 28, 28), "cifar10_small": (6000, 3, 32, 32)}[name]
    assert images.X.dtype == np.uint8
    assert np.array_equal(table.y, images.y)
    assert np.bincount(table.y[:5000]).tolist() == SMALL[name]
    assert "efficientnet_lite0" in table.encoder and images.encoder is None


def test_whole_mnist_from_its_idx_files(data_dir):
    table = dataset(data_dir, "dataset=mnist", "inputs=images").load()
    assert table.X.shape == (70_000, 1, 28, 28)
    assert np.bincount(table.y[-10_000:]).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("name", SMALL)
def test_stored_features_are_those_of_the_encoder(name, data_dir):
    """The same images through the encoder give the published features, up to their half precision."""
    pytest.importorskip("efficientnet_lite_pytorch")
    wanted = dataset(data_dir, f"dataset={name}").load()
    ours = dataset(data_dir, f"dataset={name}")
    images = ours.read()
    encoder = ours._encoder()
    encoder.load("cpu")
    rows = [0, 1, 2500, 4999, 5000, 5999]
    X = encoder.encode(images.pixels[rows])
    np.testing.assert_allclose(X, wanted.X[rows], atol=4e-3, rtol=2e-3)


def test_sheets_and_binary_batches_hold_the_same_images(data_dir):
    sheet = (data_dir / "cifar10" / "cifar10_batch_0.png").read_bytes()
    pixels = parse_sheet(sheet, "sheet")
    y = np.arange(len(pixels), dtype=np.uint8) % 10
    batch = np.column_stack([y, pixels.reshape(len(pixels), -1)]).tobytes()
    assert all(np.array_equal(a, b) for a, b in zip(parse_batch(batch, "batch"), (pixels, y), strict=True))


DAMAGED = [b"", b"\0\0\x08", b"\0\0\x0d\x01\0\0\0\x01\0", b"\0\0\x08\x01\0\0\0\x05abc", b"PK\x03\x04"]


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_idx_files_are_refused(content):
    with pytest.raises(SalutaryError, match="labels is not a whole idx file"):
        parse_idx(content, "labels")


def test_truncated_files_are_named(data_dir, tmp_path):
    for name in ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"):
        (tmp_path / "mnist").mkdir(exist_ok=True)
        content = (data_dir / "mnist" / name).read_bytes()
        (tmp_path / "mnist" / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(SalutaryError, match=r"train-images-idx3-ubyte\.gz is truncated or corrupt"):
        dataset(tmp_path, "dataset=mnist", "inputs=images").load()
    for name in (data_dir / "cifar10").iterdir():
        (tmp_path / "cifar10").mkdir(exist_ok=True)
        shutil.copyfile(name, tmp_path / "cifar10" / name.name)
    (tmp_path / "cifar10" / "cifar10_batch_3.png").write_bytes(b"no image")
    with pytest.raises(SalutaryError, match=r"cifar10_batch_3\.png is not the published file"):
        dataset(tmp_path, "dataset=cifar10_small", "inputs=images").load()
    with pytest.raises(SalutaryError, match="batch is not a whole CIFAR-10 batch"):
        parse_batch(b"12345", "batch")


def test_downloads_are_checked_and_kept(monkeypatch, tmp_path):
    content = np.array([0, 0, 8, 1, 0, 0, 0, 2, 5, 7], np.uint8).tobytes()
    monkeypatch.setattr(sources, "download", lambda url, data_dir, name: gzip.compress(content))
    sha256 = "b05f9c37b6a8f18e1b4cbc6ab1d8dbb8f1a0ae3e3b2d0b5d8ef6f4c7b4b1bd2f"
    with pytest.raises(SalutaryError, match="is not the published file"):
        sources.from_gz("https://example.org/labels.gz", sha256, tmp_path, "mnist/labels")
    import hashlib

    sha256 = hashlib.sha256(content).hexdigest()
    assert sources.from_gz("https://example.org/labels.gz", sha256, tmp_path, "mnist/labels") == content
    assert (tmp_path / "mnist" / "labels.gz").exists()


@pytest.mark.parametrize(
    "overrides, message",
    [
        (["dataset=mnist_small", "dataset.encoder=vgg"], "encoder must be resnet34 or efficientnet_lite0"),
        (["dataset=mnist_small", "inputs=pixels"], "inputs must be features or images"),
        (
            ["dataset=mnist_small", "dataset.n_train=70000", "inputs=images"],
            "n_train=70000 is more than the",
        ),
        (["dataset=mnist_small", "dataset.n_test=0", "inputs=images"], "n_test must be a whole number >= 1"),
        (["dataset=mnist_small", "dataset.n_test=10", "dataset.image_size=100"], "must be a multiple of 32"),
        (
            ["dataset=mnist_small", "dataset.encoder=resnet34", "dataset.weights=x.pth"],
            "x.pth: there is no",
        ),
    ],
)
def test_bad_settings(overrides, message, data_dir):
    with pytest.raises(SalutaryError, match=message):
        load(dataset(data_dir, *overrides), "images")


def test_missing_weights_say_which_file_goes_where(data_dir, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")

    def unreachable(*_, **__):
        raise hub.errors.LocalEntryNotFoundError("no network")

    monkeypatch.setattr(hub, "hf_hub_download", unreachable)
    message = r"model\.safetensors of huggingface\.co/microsoft/resnet-34.*/resnet34; .*efficientnet_lite0"
    with pytest.raises(SalutaryError, match=message):
        dataset(data_dir, "dataset=mnist_small", "dataset.encoder=resnet34").load()


@pytest.fixture
def folder(tmp_path, data_dir):
    """Digits 3 and 8 as pictures in folders, and twenty of them without a label."""
    images = dataset(data_dir, "dataset=mnist_small", "inputs=images").load()
    root = tmp_path / "pictures"
    for digit, name in ((3, "three"), (8, "eight")):
        rows = np.flatnonzero(images.y == digit)[:60]
        for i, row in enumerate(rows):
            place = root / (name if i < 50 else "unlabeled")
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(images.X[row, 0]).save(place / f"{name}-{i:02d}.png")
    return root


def test_image_folder(folder):
    (folder / "eight" / "notes.txt").write_text("no picture")
    (folder / "eight" / ".hidden.png").write_text("no picture")
    table = ImageFolder(str(folder), side=28, inputs="images").load()
    assert table.X.shape == (120, 3, 28, 28)
    assert table.class_names == ("eight", "three")
    assert np.bincount(table.y + 1).tolist() == [20, 50, 50]
    assert (table.y[-20:] == UNLABELED).all()
    first = np.asarray(Image.open(folder / "eight" / "eight-00.png").convert("RGB"))
    assert np.array_equal(table.X[0].transpose(1, 2, 0), first)


def test_pictures_without_a_label_are_labelled(folder, salutary_run, tmp_path):
    settings = ["dataset=image_folder", f"dataset.path={folder}", "dataset.side=28", "model=cnn", "rounds=2"]
    settings += ["model.epochs=2", "model.backbone.width=8", "budget=5"]
    status, out, err = salutary_run(*settings, "strategy=salutary")
    assert status == 0, err
    assert "10 points added, 0 human labels bought" in out and "equal the truth" not in out
    (queries,) = tmp_path.glob("outputs/*salutary*/queries.csv")
    rows = [line.split(",") for line in queries.read_text().splitlines()[1:]]
    assert len(rows) == 10
    assert all(100 <= int(row[2]) < 120 and row[3] in ("eight", "three") and row[4] == "" for row in rows)
    (rounds,) = tmp_path.glob("outputs/*salutary*/rounds.csv")
    assert all(line.split(",")[14] == "" for line in rounds.read_text().splitlines()[1:])
    status, _, err = salutary_run(*settings, "strategy=margin")
    assert status == 1 and "buys true labels, but the pool has rows without one" in err
    assert not list(tmp_path.glob("outputs/*margin*"))
    features = [setting for setting in settings if not setting.startswith("model")]
    features += [
        f"cache_dir={tmp_path / 'cache'}",
        "dataset.encoder=efficientnet_lite0",
        "dataset.image_size=32",
    ]
    pytest.importorskip("efficientnet_lite_pytorch")
    status, _, err = salutary_run(*features, "study=added_points", "study.n=5")
    assert status == 1 and "this study needs true labels" in err


def spoil(folder, what):
    if what == "one class":
        shutil.rmtree(folder / "three")
    elif what == "empty class":
        (folder / "two").mkdir()
    elif what == "broken picture":
        (folder / "three" / "three-07.png").write_bytes(b"\x89PNG broken")
    else:
        (folder / "labels.csv").write_text(what)
        return {"labels": str(folder / "labels.csv")}
    return {}


@pytest.mark.parametrize(
    "what, message",
    [
        ("one class", "holds 1 class folders, but at least two"),
        ("empty class", "two holds no picture"),
        ("broken picture", r"three-07\.png is not a whole picture"),
        (
            "file,label\neight/eight-00.png,eight\nthree/three-01.png,eight",
            "line 3: three/three-01.png is in",
        ),
        ("file,label\nthree/nine.png,three", "line 2: there is no picture three/nine.png"),
        ("picture,class\na,b", "needs the columns file and label, not picture, class"),
        ("", r"labels\.csv cannot be read"),
    ],
)
def test_image_folder_mistakes(what, message, folder):
    with pytest.raises(SalutaryError, match=message):
        ImageFolder(str(folder), side=28, inputs="images", **spoil(folder, what)).load()


@pytest.mark.parametrize("path, message", [(None, "set dataset.path"), ("/nowhere", "is not a folder")])
def test_image_folder_that_is_not_there(path, message):
    with pytest.raises(SalutaryError, match=message):
        ImageFolder(path, inputs="images").load()


def test_image_classes_are_those_of_the_sources(data_dir):
    assert Mnist(data_dir=str(data_dir)).class_names == tuple("0123456789")
    images = Cifar10(n_train=5000, n_test=1000, data_dir=str(data_dir)).read()
    assert isinstance(images, Images)
    assert images.class_names[images.y[0]] == "frog"  # the training part's first picture, as is well known
    assert torch.as_tensor(images.pixels).float().mean() > 100


def test_features_of_any_number_of_images(data_dir, tmp_path, monkeypatch):
    """Pixels of PNG sheets are not stored image by image."""
    monkeypatch.setattr(
        FeatureCache, "features", lambda self, encoder, pixels, content, name: pixels[:, 0, 0]
    )
    few = {"n_train": 30, "n_test": 10, "data_dir": str(data_dir), "cache_dir": str(tmp_path)}
    table = Cifar10(encoder="efficientnet_lite0", **few).load()
    assert table.X.shape == (40, 32) and len(table.y) == 40
