"""Where files are kept; writing them so that a reader never sees half, and one process writes at a time."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import logging
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pooch
from filelock import FileLock, Timeout

logging.getLogger("filelock").setLevel(logging.WARNING)  # it tells of every attempt
# How often a lock is tried for in a folder that others take away.
ATTEMPTS = 20
# What a disk says that takes no more; Python then often names no file.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
# Of what is written and has not its name yet: such as .labels.csv.x1k0q_3z.unfinished
UNFINISHED, REPLACED = ".unfinished", ".replaced"


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
    """A file to write, beside ``path``, whose place it takes once all is written and on the disk.

    Raises OSError that names ``path`` where it cannot be written.
    """
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(UNFINISHED, f".{path.name}.", path.parent)
        os.close(handle)
        try:
            yield Path(temporary)
            sync(Path(temporary))
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise


@contextlib.contextmanager
def named(path: Path) -> Iterator[None]:
    """An OSError of what is written as ``path`` names it, and not a temporary file or nothing."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno in FULL:
            error.filename, error.strerror = str(path), os.strerror(error.errno)
        elif error.filename is not None:
            temporary = rf"\.{re.escape(path.name)}\.\w{{8}}{UNFINISHED}"
            error.filename = re.sub(temporary, lambda _: path.name, str(error.filename))
        raise


def sync(path: Path) -> None:
    """Wait until a file's content has reached the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which takes the place of ``folder`` once all is written.

    Raises OSError that names ``folder`` where the disk takes no more.
    """
    folder = folder.resolve() if folder.is_symlink() else folder
    building, old = (
        folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{end}") for end in (UNFINISHED, REPLACED)
    )
    with named(folder):
        building.mkdir(parents=True)
        try:
            yield building
            if folder.exists():
                folder.rename(old)
            building.rename(folder)
        except BaseException:
            shutil.rmtree(building, ignore_errors=True)
            if old.exists():
                old.rename(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


def tidy(path: Path) -> None:
    """Take away what killed writes of a file or folder have left beside it, which nobody writes now.

    A folder that was about to be replaced is put back. What is named otherwise than here, or is of another
    kind, is somebody else's.
    """
    path = path.resolve() if path.is_symlink() else path
    start = re.escape(f".{path.name}.")
    of_files = re.compile(rf"{start}[a-z0-9_]{{8}}{UNFINISHED}")  # as tempfile names them
    of_folders = re.compile(rf"{start}[0-9a-f]{{8}}({UNFINISHED}|{REPLACED})")
    with contextlib.suppress(OSError):
        for each in [each for each in path.parent.iterdir() if not each.is_symlink()]:
            if each.is_dir() and of_folders.fullmatch(each.name):
                if each.suffix == REPLACED and not path.exists():
                    each.rename(path)
                else:
                    shutil.rmtree(each, ignore_errors=True)
            elif each.is_file() and of_files.fullmatch(each.name):
                each.unlink()


def remove_folder(folder: Path) -> None:
    """At once: what is killed meanwhile leaves no half of it under its name."""
    gone = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}{UNFINISHED}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


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
        except NotImplementedError as error:
            raise OSError(errno.ENOLCK, "its file system knows no locks (flock)", lock.lock_file) from error
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
