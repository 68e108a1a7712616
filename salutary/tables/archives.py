"""Saved models, byte for byte the same for the same model."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import PurePosixPath

SCHEMA = "schema.json"


def reproducible(archive: bytes) -> bytes:
    """An archive of skops whose parts are numbered in their order: skops names them by addresses in memory,
    and notes the time, so that one model would have other bytes each time.
    """
    numbers: dict[int, int] = {}
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w") as new:
        compression = old.getinfo(SCHEMA).compress_type
        schema = _renumbered(json.loads(old.read(SCHEMA)), numbers)
        parts = {_name(name, numbers): old.read(name) for name in old.namelist() if name != SCHEMA}
        parts[SCHEMA] = json.dumps(schema, indent=2).encode()
        for name, content in sorted(parts.items()):
            new.writestr(zipfile.ZipInfo(name), content, compression)  # of 1980, the first year of a zip
    return made.getvalue()


def _renumbered(node: object, numbers: dict[int, int]) -> object:
    if isinstance(node, list):
        return [_renumbered(each, numbers) for each in node]
    if not isinstance(node, dict):
        return node
    made: dict[str, object] = {}
    for key, value in node.items():
        if key == "__id__":
            made[key] = numbers.setdefault(value, len(numbers))
        elif key == "file" and isinstance(value, str):
            made[key] = _name(value, numbers)
        else:
            made[key] = _renumbered(value, numbers)
    return made


def _name(file: str, numbers: dict[int, int]) -> str:
    """The name of a part, whose stem is its number."""
    path = PurePosixPath(file)
    return f"{numbers.setdefault(int(path.stem), len(numbers))}{path.suffix}"
