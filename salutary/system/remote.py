"""Files elsewhere, such as s3://bucket/pool.parquet: copied here once, as long as they stay as they are."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from salutary.errors import Interruption, SalutaryError, needs
from salutary.system.files import checksum, directory, whole_file, write_atomic
from salutary.system.progress import counting_bar
from salutary.system.urls import public

# The extra with the package of a protocol; that of others says what it needs.
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "hf": "text"}
# What says that a file is another one, where a protocol tells it.
VERSION = ("ETag", "etag", "LastModified", "last_modified", "mtime", "md5Hash", "created", "blob_id")
TABLES = (".parquet", ".parq", ".pq")


@functools.cache
def fetched(url: str) -> Path:
    """A copy of the file, or of the folder of Parquet files, in the user's cache.

    What is there stays if it is still the same by its size and what the protocol tells of its version; else,
    and if it tells nothing, the file is copied again. A process looks once. It is a copy, and no stream,
    since every form of file is read more than once, and most of them from their end.

    Raises SalutaryError for what is not there, or may not be read, and for a package that is missing.
    """
    with one_line_of(url):
        system, path = _system(url)
        folder, about = _kept_in(url), system.info(path)
        if about.get("type") == "directory":
            return _folder(system, path, folder, lambda below: below.lower().endswith(TABLES))
        return _file(system, path, about, folder / _name(url))


def fetched_files(url: str, wanted: Callable[[str], bool]) -> Path:
    """A copy of the folder's files whose paths below it are ``wanted``, as :func:`fetched`.

    Raises SalutaryError like that, and if it is no folder.
    """
    with one_line_of(url):
        system, path = _system(url)
        if system.info(path).get("type") != "directory":
            raise NotADirectoryError(f"{url} is no folder")
        return _folder(system, path, _kept_in(url), wanted, "copying files")


def listed(url: str) -> tuple[Any, str, dict[str, dict]]:
    """The file system of a URL, the path there, and the files at or below it with what is told of each.

    Raises SalutaryError for what is not there, or may not be read, and for a package that is missing.
    """
    with one_line_of(url):
        system, path = _system(url)
        about = system.info(path)
        if about.get("type") == "directory":
            return system, path, dict(system.find(path, detail=True))
        return system, path, {path: about}


def noted(url: str) -> Path:
    """A file here that changes when what is at or below the URL does, by size and what tells of its version.

    Raises SalutaryError as :func:`listed` does.
    """
    told = {name: _version(about) for name, about in listed(url)[2].items()}
    place, content = _kept_in(url) / ".noted", json.dumps(told, sort_keys=True).encode()
    if not place.exists() or place.read_bytes() != content:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(place, content)
    return place


@contextlib.contextmanager
def one_line_of(url: str) -> Iterator[None]:
    """Raises Interruption for whatever a protocol does: each has errors of its own."""
    try:
        yield
    except SalutaryError:
        raise
    except Exception as error:
        raise Interruption(_problem(url, error)) from error


def _system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise needs("fsspec", "remote") from error
    return url_to_fs(url)


def _kept_in(url: str) -> Path:
    return directory(None) / "remote" / hashlib.sha256(url.encode()).hexdigest()[:16]


def _folder(system: Any, path: str, folder: Path, wanted: Callable[[str], bool], title: str = "") -> Path:
    """The files that are wanted below a path, and nothing that was there before; with a title they are shown
    as one.
    """
    found = dict(system.find(path, detail=True))
    root, kept = system._strip_protocol(path).rstrip("/"), folder / "files"
    names = {name: name.removeprefix(root).lstrip("/") for name in found}
    names = {name: below for name, below in names.items() if wanted(below)}
    for old in kept.rglob("*"):
        if old.is_file() and old.relative_to(kept).as_posix() not in names.values():
            old.unlink()
    with counting_bar(title, len(names), bool(title)) as advance:
        for name, below in names.items():
            if not (kept / below).resolve().is_relative_to(kept.resolve()):
                raise ValueError(f"the name of a file leads out of the folder: {below}")
            _file(system, name, found[name], kept / below, shown=not title)
            advance(1)
    kept.mkdir(parents=True, exist_ok=True)
    return kept


def _file(system: Any, path: str, about: dict, place: Path, shown: bool = True) -> Path:
    version = _version(about)
    mark = place.with_name(f".{place.name}.version")
    told = json.dumps(version, sort_keys=True)
    if place.exists() and len(version) > 1 and mark.exists() and mark.read_text() == told:
        return place
    with whole_file(place.with_name(f".{place.name}.new")) as building:
        _copy(system, path, about.get("size"), building, shown)
    new = place.with_name(f".{place.name}.new")
    if place.exists() and checksum(place) == checksum(new):
        new.unlink()  # the time of the old one stays: what was begun goes on
    else:
        shutil.move(new, place)
    write_atomic(mark, told.encode())
    return place


def _version(about: dict) -> dict[str, str]:
    version = {name: str(about[name]) for name in VERSION if about.get(name) is not None}
    return version | {"size": str(about.get("size"))}


def _copy(system: Any, path: str, size: int | None, building: Path, shown: bool) -> None:
    """Shows how far it is, in thousands of bytes."""
    from fsspec.callbacks import Callback

    total = None if size is None else -(-size // 1000)
    with counting_bar(f"downloading {Path(public(path)).name}, kB", total, shown) as advance:

        class Told(Callback):
            def relative_update(self, inc: int = 1) -> None:
                super().relative_update(inc)
                advance(inc / 1000)

        system.get_file(path, str(building), callback=Told())


def _name(url: str) -> str:
    """The last part, with the ending that says what it is."""
    parts = urlsplit(url)
    return Path(parts.path).name or parts.netloc or "file"


def _problem(url: str, error: BaseException) -> str:
    """One line on what went wrong."""
    protocol, cause, secret, url = url.partition("://")[0], error.__cause__ or error, url, public(url)
    said, of_cause = (
        " ".join(str(each).replace(secret, url).split()) or type(each).__name__ for each in (error, cause)
    )
    if isinstance(error, ImportError):
        extra = EXTRAS.get(protocol, "remote")
        return f"{url}: a package is not installed: pip install 'salutary[{extra}]' ({said})"
    if "Protocol not known" in said:
        return f"{url}: nothing here reads {protocol}://"
    status = getattr(cause, "status", None) or getattr(error, "status", None)
    if isinstance(error, PermissionError) or status in (401, 403):
        return f"{url} may not be read: {said}"
    no_answer = isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError)
    if isinstance(error, FileNotFoundError) and status in (None, 404) and not no_answer:
        return f"there is no {url}"
    return f"{url} cannot be read: {of_cause}"
