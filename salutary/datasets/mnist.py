"""MNIST: handwritten digits, 28 x 28, grey."""

from __future__ import annotations

import numpy as np

from salutary.datasets.images import Benchmark, Images
from salutary.errors import SalutaryError
from salutary.system import sources

URL = "https://storage.googleapis.com/cvdf-datasets/mnist/{}.gz"
SHA256 = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


class Mnist(Benchmark):
    """70,000 images of 10 classes, the last 10,000 being the test part, from the original idx files.

    LeCun, Cortes & Burges, "The MNIST database of handwritten digits", 1998.
    """

    name = "mnist"
    class_names = tuple("0123456789")
    features_files = {
        "efficientnet_lite0": (
            "mnist/features_efficientnet-lite0.npz",
            "b009028fb0896d490b58c0496b71318aea36026ac59dda0fc83ebe0a388620b3",
        )
    }

    def read(self) -> Images:
        train, y_train, test, y_test = (self._idx(name, sha256) for name, sha256 in SHA256.items())
        return Images(self.first(train, test)[:, None], self.first(y_train, y_test), self.class_names)

    def _idx(self, name: str, sha256: str) -> np.ndarray:
        content = sources.from_gz(URL.format(name), sha256, self.data_dir, f"mnist/{name}")
        return parse_idx(content, name)


def parse_idx(content: bytes, name: str) -> np.ndarray:
    """The array of bytes in an idx file; raises SalutaryError if it is none, or not whole.

    Four bytes (0, 0, 8 for bytes, number of dimensions), each dimension as a big-endian uint32, the values.
    """
    dimensions = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    shape = np.frombuffer(content, ">u4", dimensions, 4) if len(content) >= 4 + 4 * dimensions else ()
    start = 4 + 4 * dimensions
    if not dimensions or len(content) - start != np.prod(shape, dtype=np.int64):
        raise SalutaryError(f"{name} is not a whole idx file of bytes")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)
