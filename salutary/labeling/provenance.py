"""Which files a model was made of, as its card tells them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from salutary.labeling.settings import LabelSettings
from salutary.system.files import checksum
from salutary.tables.places import Place, files_of

# Bytes of a table above which no checksum is made: reading a larger one once more takes minutes.
LARGEST = 4 * 2**30


def provenance(asked: LabelSettings) -> dict[str, dict]:
    """By setting, of each table that is read: ``file``, as it was named without what is secret in a URL; how
    many ``files`` that is and their ``bytes``; ``sha256``, None of more than :data:`LARGEST` bytes.

    That of one file is what ``sha256sum`` prints; of several, the SHA-256 of the lines that it prints of them
    in the order of their names, which are relative to the folder. To be called once the files were read.
    """
    found = {}
    for name, file in asked.files.items():
        paths = files_of(file)
        size = sum(path.stat().st_size for path in paths)
        sha256 = _checksum(paths, Place.of(file)) if size <= LARGEST else None
        shown = " + ".join(each.shown for each in Place.of(file).all)
        found[name] = {"file": shown, "files": len(paths), "bytes": size, "sha256": sha256}
    return found


def _checksum(paths: list[Path], place: Place) -> str:
    if len(paths) == 1:
        return checksum(paths[0])
    names = {path: _name(path, place) for path in paths}
    lines = [f"{checksum(path)}  {names[path]}\n" for path in sorted(paths, key=names.__getitem__)]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _name(path: Path, place: Place) -> str:
    """Relative to the folder that is the table; of other files the last part."""
    return path.relative_to(place.path).as_posix() if path.is_relative_to(place.path) else path.name
