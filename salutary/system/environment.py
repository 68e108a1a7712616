"""With what a result was made: versions, the program's commit, the machine."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from pathlib import Path

from salutary.system import __version__

PACKAGES = ("numpy", "scipy", "torch", "scikit-learn", "modAL-python", "pandas", "hydra-core", "omegaconf")


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
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
