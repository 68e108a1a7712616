"""Columns of pictures as numbers: what an encoder has to do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class ImageEncoder(Protocol):
    """What makes numbers of files of pictures, and learns from none of them. It is handed in: networks stand
    above tables.

    ``name``: as people call it; ``about``: what it is, for the model card.
    """

    @property
    def name(self) -> str: ...

    @property
    def about(self) -> str: ...

    def encode(self, name: str, paths: Sequence[str]) -> np.ndarray:
        """Features (n, width) of the n pictures of the column ``name``. Raises SalutaryError, naming
        the file, for what is no whole picture.
        """

    def noted(self) -> dict[str, Any]:
        """What a saved model keeps of it, in types that skops knows."""
