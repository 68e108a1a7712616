"""With what a result was made: versions, the program's commit, the machine."""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from pathlib import Path

from salutary.system import __version__
from salutary.system.files import checksum

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "modAL-python", "pandas", "hydra-core", "omegaconf")
PACKAGE = Path(__file__).parents[1]
# Loaded, but not what a class from elsewhere is built on: the program itself, and how it was started.
NEVER_BUILT_ON = (PACKAGE.name, "hydra_plugins", "__main__")
# When the program was started, but for the first moments of it.
STARTED = time.time()


def environment() -> dict:
    """What records keep of it."""
    return {
        "versions": {
            "salutary": __version__,
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in PACKAGES},
        },
        "git_commit": git_commit(),
        "platform": platform.platform(),
    }


def git_commit() -> str | None:
    """Commit of the checkout the program runs from, None when installed from a package."""
    root = PACKAGE.parent
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def code(packages: frozenset[str] = frozenset()) -> str | None:
    """Checksum of the code that computes in this process; None where that cannot be told.

    It is of the program's own source, the versions of Python and of everything installed, and, if a class
    is from one of other top-level ``packages``, the files of these and of all else that is loaded without
    being installed: what such a class may be built on. A file that changed since the program started may be
    another than the one that was loaded, so then there is no telling; nor for a module without a file.
    """
    own, theirs = _program(), others(packages)
    if not theirs or own is None:
        return own
    built_on = _checksum(_loaded(theirs))
    return built_on and hashlib.sha256(f"{own} {built_on}".encode()).hexdigest()


def own_code(packages: frozenset[str]) -> dict[str, str] | None:
    """Checksums, by path, of the files that classes of other ``packages`` may be built on (:func:`code`).

    Empty if all of it is the program's own; None where it cannot be told.
    """
    theirs = others(packages)
    files = _loaded(theirs) if theirs else {}
    try:
        if (theirs and not files) or any(map(changed_meanwhile, files.values())):
            return None
        return {str(path): checksum(path) for path in files.values()}
    except OSError:
        return None


def changed_meanwhile(path: Path) -> bool:
    """Whether a file may be another than the one that this process has loaded. Raises OSError."""
    return path.stat().st_mtime >= STARTED


def others(packages: frozenset[str]) -> frozenset[str]:
    """Those of some top-level packages that are neither the program's nor Python's own."""
    return packages - {PACKAGE.name} - sys.stdlib_module_names


@functools.cache
def _program() -> str | None:
    """Of the program, and what it stands on; once, since a process does not load it twice."""
    checksum = _checksum({str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")})
    folders = (Path(each) for each in sys.path if each and Path(each).is_dir())
    installed = sorted({path.name for folder in folders for path in folder.glob("*-info")})
    versions = json.dumps([sys.version, platform.machine(), installed])
    return checksum and hashlib.sha256(f"{checksum} {versions}".encode()).hexdigest()


def _loaded(packages: frozenset[str]) -> dict[str, Path]:
    """Files of the modules of ``packages``, and of those that are neither installed nor the program's.

    None at all if one of the packages has no file.
    """
    installed = tuple(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    found, seen = {}, set()
    for name, module in list(sys.modules.items()):
        top, file = name.partition(".")[0], getattr(module, "__file__", None)
        if not file or top in NEVER_BUILT_ON:
            continue
        # Some modules, as torch.ops, only say that they have a file.
        if top in packages or (not file.startswith(installed) and Path(file).is_file()):
            found[name] = Path(file)
            seen |= {top} & packages
    return found if seen == packages else {}


def _checksum(files: Mapping[str, Path]) -> str | None:
    """Of the names and contents of files; None for none, or if one changed since the program started."""
    digest = hashlib.sha256()
    try:
        if not files or any(map(changed_meanwhile, files.values())):
            return None
        for name, path in sorted(files.items()):
            digest.update(f"{name} {checksum(path)}\n".encode())
    except OSError:
        return None
    return digest.hexdigest()
