"""Which files a model was made of, as its card tells them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from salutary.labeling.on_ray.rules import copied
from salutary.labeling.settings import LabelSettings
from salutary.system.files import checksum
from salutary.tables.parquet_elsewhere import sizes
from salutary.tables.places import Place, files_of

# Bytes of a table above which no checksum is made: reading a larger one once more takes minutes.
LARGEST = 4 * 2**30


def provenance(asked: LabelSettings) -> dict[str, dict]:
    """By setting, of each table that is read: ``file``, as it was named without what is secret in a URL; how
    many ``files`` that is and their ``bytes``; ``sha256``, None of more than :data:`LARGEST` bytes and of
    what is read where it is.

    That of one file is what ``sha256sum`` prints; of several, the SHA-256 of the lines that it prints of them
    in the order of their names, which are relative to the folder. To be called once the files were read.
    """
    found = {}
    for name, file in asked.files.items():
        if Place.of(file).is_parquet_elsewhere and not copied(name, asked.backend):
            found[name] = _told(Place.of(file).shown, sizes(file), None)
            continue
        paths = files_of(file)
        of_each = [path.stat().st_size for path in paths]
        sha256 = _checksum(paths, Place.of(file)) if sum(of_each) <= LARGEST else None
        found[name] = _told(" + ".join(each.shown for each in Place.of(file).all), of_each, sha256)
    return found


def _told(shown: str, of_each: list[int], sha256: str | None) -> dict:
    return {"file": shown, "files": len(of_each), "bytes": sum(of_each), "sha256": sha256}


def _checksum(paths: list[Path], place: Place) -> str:
    if len(paths) == 1:
        return checksum(paths[0])
    names = {path: _name(path, place) for path in paths}
    lines = [f"{checksum(path)}  {names[path]}\n" for path in sorted(paths, key=names.__getitem__)]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _name(path: Path, place: Place) -> str:
    """Relative to the folder that is the table; of other files the last part."""
    return path.relative_to(place.path).as_posix() if path.is_relative_to(place.path) else path.name
