"""Saved models, byte for byte the same for the same model."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import PurePosixPath

import numpy as np
from sklearn.base import BaseEstimator

SCHEMA = "schema.json"
# Where scikit-learn keeps an address in memory, in which nothing is after loading.
ADDRESSES = ("_stop_words_id",)


def dumps(estimator: BaseEstimator, compression: int = zipfile.ZIP_STORED) -> bytes:
    """A fitted estimator in skops' format, which holds no pickle; the same bytes for the same estimator."""
    import skops.io

    return reproducible(skops.io.dumps(estimator, compression=compression))


def reproducible(archive: bytes) -> bytes:
    """An archive of skops whose parts are numbered in their order: skops names them by addresses in memory
    or at random, and notes the time, so that one model would have other bytes each time. What lies between
    the fields of structured arrays, such as the nodes of trees, is zero, where it is whatever was in memory.
    """
    numbers: dict[str, int] = {}
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        compression = old.getinfo(SCHEMA).compress_type
        schema = _renumbered(json.loads(old.read(SCHEMA)), numbers)
        names = [name for name in old.namelist() if name != SCHEMA]
        parts = {_name(name, numbers): _without_gaps(name, old.read(name)) for name in names}
        parts[SCHEMA] = json.dumps(schema, indent=2).encode()
        for name, content in sorted(parts.items()):
            new.writestr(zipfile.ZipInfo(name), content, compression)  # of 1980, the first year of a zip
    return made.getvalue()


def _renumbered(node: object, numbers: dict[str, int]) -> object:
    if isinstance(node, list):
        return [_renumbered(each, numbers) for each in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, object] = {}
    for key, value in node.items():
        if key == "__id__" and isinstance(value, int):
            made[key] = _number(str(value), numbers)
        elif key == "file" and isinstance(value, str):
            made[key] = _name(value, numbers)
        elif key in ADDRESSES and isinstance(value, dict):
            made[key] = value | {"__id__": _number(str(value["__id__"]), numbers), "content": "0"}
        else:
            made[key] = _renumbered(value, numbers)
    return made


def _number(name: str, numbers: dict[str, int]) -> int:
    """From 1 on: what is numbered 0, skops loads once for each place where it stands."""
    return numbers.setdefault(name, len(numbers) + 1)


def _name(file: str, numbers: dict[str, int]) -> str:
    """The name of a part, whose stem is its number."""
    path = PurePosixPath(file)
    return f"{_number(path.stem, numbers)}{path.suffix}"


def _without_gaps(name: str, content: bytes) -> bytes:
    if not name.endswith(".npy"):
        return content
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if not array.dtype.names:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for field in array.dtype.names:
        clean[field] = array[field]
    made = io.BytesIO()
    np.save(made, clean, allow_pickle=False)
    return made.getvalue()
