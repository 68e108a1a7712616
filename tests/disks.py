"""Small file systems that are really mounted: full, or only to be read. Skips where that is not permitted."""

import contextlib
import os
import subprocess

import pytest


@contextlib.contextmanager
def mounted(folder, size):
    """A file system of so much memory at ``folder``; gives what makes it another size."""
    folder.mkdir(exist_ok=True)
    mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        yield lambda other: mount("-o", f"remount,size={other}", folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextlib.contextmanager
def read_only(folder):
    """What is in the folder may be read, and nothing be written."""
    folder.mkdir(exist_ok=True)
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def mount(*arguments):
    command = ["mount", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if done.returncode:
        pytest.skip(f"may not mount a file system: {done.stderr.strip()}")


def fill(folder, left):
    """Write a file that leaves so many bytes; gives what takes it away."""
    file = folder / "filling"
    free = os.statvfs(folder)
    with file.open("wb") as out:
        out.write(bytes(free.f_bavail * free.f_frsize - left))
    return file.unlink
