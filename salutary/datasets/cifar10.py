"""CIFAR-10: photographs, 32 x 32, colour."""

from __future__ import annotations

import io
import json

import numpy as np
from PIL import Image

from salutary.datasets.images import Benchmark, Images
from salutary.errors import SalutaryError
from salutary.system import sources

# The binary archive: the other one, for Python, is a pickle.
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
SHA256 = {
    "data_batch_1": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}
# The same images in sheets of a thousand, an image a row: the first ones of each part.
SHEETS = {
    "cifar10_batch_0.png": "0614720d69293a033786d5fe2924c4e9a9b48874f19ca4627c4662a864ee9f2d",
    "cifar10_batch_1.png": "2927e26ea68602e34a7424826b76b7336ce36b8f6bcc2e9fce0c05568ff6b4c1",
    "cifar10_batch_2.png": "0b2759e307bb405bb1a6531f8a0f557eaec46d7546050612fdb836f0fa60eae0",
    "cifar10_batch_3.png": "a4530ff15c83886058a97c352f53f38be07d191de8f410e998e91786b5900a26",
    "cifar10_batch_4.png": "6368e6cf9ded682f69919f391510b73ac16058592013789501caea14cd6f15e2",
    "cifar10_batch_50.png": "5cea9e8fb7933540a2236a4bb25c1ed3a8447f345c55ae659143a95a5d8dac5e",
}
SHEET_LABELS = ("cifar10_labels.js", "f482175c1417531377e189c7fa35093727845396ca86e225af7a3dc594b101f8")
TRAINING_ROWS = 50_000


class Cifar10(Benchmark):
    """60,000 images of 10 classes, the last 10,000 being the test part.

    From the binary archive's files; at most 5,000 training and 1,000 test images also from PNG sheets.
    Krizhevsky, "Learning multiple layers of features from tiny images", 2009.
    """

    name = "cifar10"
    class_names = (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    )
    features_files = {
        "efficientnet_lite0": (
            "cifar10/features_efficientnet-lite0.npz",
            "09ddb24a67ea29af4634e3c774dcbfabaeccc3135bf3b6864e530f8dd12dde73",
        )
    }

    def read(self) -> Images:
        parts = self._sheets() or self._batches()
        (train, y_train), (test, y_test) = parts
        return Images(self.first(train, test), self.first(y_train, y_test), self.class_names)

    def _batches(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """(pixels, y) of the training and of the test part."""
        *training, test = (parse_batch(self._batch(name, sha256), name) for name, sha256 in SHA256.items())
        pixels, y = (np.concatenate(each) for each in zip(*training, strict=True))
        return [(pixels, y), test]

    def _batch(self, name: str, sha256: str) -> bytes:
        member, file = f"cifar-10-batches-bin/{name}.bin", f"cifar10/{name}.bin"
        return sources.from_archive(URL, member, sha256, self.data_dir, file)

    def _sheets(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """The same from sheets, if they are there and suffice."""
        few = (self.n_train or TRAINING_ROWS) <= 5000 and (self.n_test or TRAINING_ROWS) <= 1000
        names = [*SHEETS, SHEET_LABELS[0]]
        if not few or not all(sources.find(self.data_dir, f"cifar10/{name}") for name in names):
            return None
        *training, test = (parse_sheet(self._local(*sheet), sheet[0]) for sheet in SHEETS.items())
        text = self._local(*SHEET_LABELS).decode()
        y = np.array(json.loads(text[text.index("[") : text.rindex("]") + 1]))
        train = np.concatenate(training)
        return [(train, y[: len(train)]), (test, y[TRAINING_ROWS:])]

    def _local(self, name: str, sha256: str) -> bytes:
        return sources.read(sources.find(self.data_dir, f"cifar10/{name}"), sha256)


def parse_batch(content: bytes, name: str) -> tuple[np.ndarray, np.ndarray]:
    """(pixels (n, 3, 32, 32), y (n,)) of a batch: per image a label, then its red, green, blue bytes."""
    size = 1 + 3 * 32 * 32
    if not content or len(content) % size:
        raise SalutaryError(
            f"{name} is not a whole CIFAR-10 batch: its {len(content)} bytes are no multiple of {size}"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, size)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0]


def parse_sheet(content: bytes, name: str) -> np.ndarray:
    """Pixels (n, 3, 32, 32) of a sheet with an image a row, its pixels in reading order."""
    sheet = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    if sheet.shape[1] != 32 * 32:
        raise SalutaryError(f"{name} is {sheet.shape[1]} pixels wide, not 1,024")
    return sheet.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
