"""What the files of the user hold that a data set reads: part of what a run is known by."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.utils import get_class

from salutary.errors import SalutaryError
from salutary.system.commands import build
from salutary.system.files import as_path, checksum
from salutary.tables.places import Place

# Settings of data sets that may be there, but are no files of the user's.
OTHERS = {"_target_", "data_dir", "cache_dir", "device"}


def contents(dataset: dict) -> dict[str, str]:
    """Checksums of what the user's files hold that a data set reads, by the setting that names them.

    ``sha256:<checksum>.csv`` of a file, whose ending says how it is read; ``sha256:<checksum>/`` of a folder,
    over the names and checksums of its files. Empty for a data set without ``files()``, or where a file is
    not there: whoever loads it says so. Raises SalutaryError for a ``files()`` that gives something else.
    """
    try:
        found = _files(dataset)
        if not isinstance(found, Mapping):
            raise SalutaryError(f"{dataset['_target_']}.files() must give a dictionary, not {found!r}")
        return {name: _content(dataset.get(name), [Path(each) for each in found[name]]) for name in found}
    except OSError:
        return {}


def _files(dataset: dict) -> Any:
    """What the data set's ``files()`` gives. The program's own are not loaded where there are no files."""
    target = str(dataset.get("_target_", ""))
    if not target:  # an object stands for it
        return {}
    named = [dataset[name] for name in dataset.keys() - OTHERS]
    if target.startswith("salutary.") and not any(map(_is_there, named)):
        return {}
    try:
        if not hasattr(get_class(target), "files"):
            return {}
        built = _built(json.dumps(dataset))
    except Exception:  # it fails again when the table is loaded, which tells it
        return {}
    try:
        return built.files()
    except (SalutaryError, OSError):
        raise
    except Exception as error:
        raise SalutaryError(f"{target}.files(): {type(error).__name__}: {error}") from error


@functools.lru_cache(maxsize=64)
def _built(dataset: str) -> Any:
    return build({"dataset": json.loads(dataset)}, "dataset")


def _is_there(value: object) -> bool:
    return isinstance(value, str) and any(
        each.is_remote or each.path.exists() for each in Place.of(value).all
    )


def _content(setting: object, files: list[Path]) -> str:
    place = Place.of(str(setting))
    part = "" if place.part is None else f"#{place.part}"
    root = as_path(place.file)
    if not root.is_dir() and len(files) == 1:
        return f"sha256:{checksum(files[0])}{_ending(files[0])}{part}"
    digest = hashlib.sha256()
    for name, file in sorted((os.path.relpath(file, root), file) for file in files):
        digest.update(f"{name} {checksum(file)}\n".encode(errors="backslashreplace"))
    return f"sha256:{digest.hexdigest()}/"


def _ending(file: Path) -> str:
    """``.csv``, or ``.csv.gz``: what says how a file is read."""
    last = file.suffix.lower()
    return Path(file.stem).suffix.lower() + last if last == ".gz" else last
