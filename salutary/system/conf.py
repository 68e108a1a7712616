"""Where conf/ is."""

from pathlib import Path


def config_dir() -> str:
    """Absolute path of conf/: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")
