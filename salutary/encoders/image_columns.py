"""Frozen encoders for columns of pictures in tables, as :mod:`salutary.tables.picture_features` takes
them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salutary.encoders import FeatureCache
from salutary.encoders.frozen import Frozen, checksum_of
from salutary.encoders.vision import FileEncoder, frozen
from salutary.errors import SalutaryError
from salutary.system.files import checksum
from salutary.tables.pictures import BadPicture


class FrozenImages(Frozen[FileEncoder]):
    """For the pictures of a table. ``advice``: what to do about a bad one."""

    def __init__(
        self,
        encoder: FileEncoder,
        given: str,
        cache: FeatureCache | None = None,
        device: str = "auto",
        advice: str = "",
    ):
        super().__init__(encoder, given, cache, device)
        self._advice = advice

    def encode(self, name: str, paths: Sequence[str]) -> np.ndarray:
        """Features (n, width); each distinct content is encoded once. Raises SalutaryError for a bad
        picture.
        """
        try:
            contents = [_content(path) for path in paths]
            files = dict(sorted(zip(contents, paths, strict=True)))
            places = {content: place for place, content in enumerate(files)}
            of_files = hashlib.sha256("".join(files).encode()).digest()
            found = self._features(name, [*files.values()], of_files)
        except BadPicture as error:
            raise SalutaryError(f"{error}{self._advice}") from error
        return found[[places[content] for content in contents]]

    def noted(self) -> dict[str, Any]:
        about = {"checksum": checksum_of(self.encoder), "pooling": self.encoder.pooling}
        return {"name": self.name, "given": self.given, **about}


def _content(path: str) -> str:
    """Of a file. Raises BadPicture for one that cannot be read."""
    try:
        return checksum(Path(path))
    except FileNotFoundError as error:
        raise BadPicture(f"{path} is not a whole picture: there is no such file") from error
    except (OSError, ValueError) as error:
        raise BadPicture(f"{path} is not a whole picture: {error}") from error


def encoder_of(noted: Mapping[str, Any], given: str | None = None) -> FrozenImages:
    """The encoder that a saved model was trained with, ``given`` by another name or folder if it moved.

    Raises SalutaryError if it is not here, or has other weights.
    """
    name = given or noted["given"]
    told = f"its pictures are encoded by {noted['name']} (checksum {noted['checksum'][:8]})"
    try:
        encoder = frozen(name)
        found = checksum_of(encoder)
        encoder.load("cpu")
    except SalutaryError as error:
        where = "load_model(..., image_encoder=...) says where it is"
        raise SalutaryError(f"{told}, which is not here: {error}; {where}") from error
    if (found, encoder.pooling) != (noted["checksum"], noted["pooling"]):
        raise SalutaryError(f"{told}, and {name} is another (checksum {found[:8]})")
    return FrozenImages(encoder, name)
