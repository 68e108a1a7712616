"""Small pictures for the pages: JPEG within the HTML, so that a page is one file."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
from PIL import Image

from salutary.tables.pictures import BadPicture, located, upright

# Pixels of the longer side, at most, and how much a JPEG may lose.
SIDE, QUALITY = 96, 70
# Characters that all pictures of a page may have together.
MOST = 4_000_000
# And those of the points that are asked for.
OF_ASKED = 500_000


@dataclass(eq=False)
class Room:
    """What is left of a page."""

    left: int = MOST


@dataclass(frozen=True, eq=False)
class Thumbnail:
    """A picture that a row names, made small when it is first shown. As a text it is what the row has."""

    value: object
    folder: Path
    room: Room

    def __str__(self) -> str:
        return str(self.value)

    @cached_property
    def uri(self) -> str | None:
        """As the source of an image; None for a bad picture, and where the page is full."""
        try:
            picture = upright(located(self.value, self.folder), SIDE)
        except BadPicture:
            return None
        picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, format="jpeg", quality=QUALITY)
        uri = f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        if len(uri) > self.room.left:
            return None
        self.room.left -= len(uri)
        return uri


def with_thumbnails(
    frame: pd.DataFrame, columns: Iterable[str], folder: Path, most: int = MOST
) -> pd.DataFrame:
    """The frame with small pictures in place of their paths, of ``most`` characters together."""
    room = Room(most)
    made = {
        name: pd.Series([Thumbnail(each, folder, room) for each in frame[name]], frame.index, object)
        for name in columns
        if name in frame
    }
    return frame.assign(**made)
