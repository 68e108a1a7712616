"""Where files are kept; writing them so that a reader never sees half, and one process writes at a time."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pooch
from filelock import FileLock, Timeout

logging.getLogger("filelock").setLevel(logging.WARNING)  # it tells of every attempt
# How often a lock is tried for in a folder that others take away.
ATTEMPTS = 20


def directory(folder: str | Path | None) -> Path:
    """``folder`` if given, else the cache directory of this user and platform."""
    return as_path(folder) if folder else Path(pooch.os_cache("salutary"))


def checksum(path: Path) -> str:
    """SHA-256 of a file, read once by a process as long as it stays as it is. Raises OSError."""
    found = path.stat()
    return _checksum(str(path.absolute()), found.st_ino, found.st_size, found.st_mtime_ns)


@functools.cache
def _checksum(path: str, *state: int) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file that is either there whole or not at all, even if the machine stops half-way."""
    with whole_file(path) as building:
        building.write_bytes(content)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A file to write, beside ``path``, whose place it takes once all is written and on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        yield Path(temporary)
        sync(Path(temporary))
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def sync(path: Path) -> None:
    """Wait until a file's content has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of ``folder`` once all is written."""
    building = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
        shutil.rmtree(folder, ignore_errors=True)
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


@contextlib.contextmanager
def locked(path: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock file ``path``; it goes afterwards, and so do folders made for it that are still empty.

    ``wait`` is called if another process holds it, before waiting for that, and may raise instead. Raises
    OSError if nothing can be written there.
    """
    folder = path.parent.absolute()
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    lock = FileLock(path)
    try:
        _acquire(lock, wait)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                path.unlink()  # while it is held: who waits for it sees that and makes another
            lock.release()
    finally:
        with contextlib.suppress(OSError):  # they hold what was written
            for each in made:
                each.rmdir()


def _acquire(lock: FileLock, wait: Callable[[], object]) -> None:
    timeout = 0
    for left in reversed(range(ATTEMPTS)):
        try:
            Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout)
            return
        except Timeout:
            wait()
            timeout = -1  # until it is free
        except FileNotFoundError:  # another process has just taken away a folder that it had made
            if not left:
                raise


def as_path(name: str | Path) -> Path:
    """With ~ for the home directory; ~name of nobody stays as it is."""
    return Path(os.path.expanduser(name))


def overlap(first: Path, second: Path) -> bool:
    """Whether they are the same, or one of them is within the other."""
    first, second = first.resolve(), second.resolve()
    return first.is_relative_to(second) or second.is_relative_to(first)


def files_in(path: Path) -> list[Path]:
    """The file, or all files below a folder, in folders that are linked there, too."""
    return sorted(_below(path, frozenset())) if path.is_dir() else [path]


def _below(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    real = folder.resolve()
    if real in above:  # a link to a folder that it is in
        return
    with contextlib.suppress(PermissionError):  # nobody reads what is in there
        for path in folder.iterdir():
            if path.is_dir():
                yield from _below(path, above | {real})
            elif path.is_file():
                yield path
