"""Where conf/ is, and what its YAML files say of themselves: their comments are all that documents a setting.

Read as text, so that ``--help`` need not wait for Hydra.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r"(?P<name>\w+): *(?P<value>[^#\s].*?)?(?:\s+# ?(?P<about>.*))?")


@dataclass(frozen=True)
class Setting:
    """A setting as a YAML file has it: ``name``, its default as text, what the comment beside it says."""

    name: str
    value: str
    about: str


def config_dir() -> str:
    """Absolute path of conf/: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


def settings(file: Path) -> list[Setting]:
    """The settings at the top level of a file; what has settings of its own, such as ``model:``, is none."""
    lines = file.read_text(errors="replace").splitlines()
    matches = (LINE.fullmatch(line) for line in lines)
    return [
        Setting(match["name"], match["value"], match["about"] or "")
        for match in matches
        if match and match["value"] and match["name"] != "_target_"
    ]


def choices(folders: Iterable[Path]) -> dict[str, dict[str, Path]]:
    """The files of each group in such folders as conf/, by name, both in order; of two the first folder's."""
    groups: dict[str, dict[str, Path]] = {}
    for folder in folders:
        for file in folder.glob("*/*.yaml"):
            groups.setdefault(file.parent.name, {}).setdefault(file.stem, file)
    return {group: dict(sorted(groups[group].items())) for group in sorted(groups) if group != "hydra"}


def default_choices(file: Path) -> dict[str, str]:
    """The choice of each group in a file's list of defaults."""
    return dict(re.findall(r"^  - (\w+): (\w+)$", file.read_text(), re.MULTILINE))


def first_sentence(file: Path) -> str:
    """Of the comment at the top of a file: what a choice is."""
    lines = file.read_text(errors="replace").splitlines()
    comment = itertools.takewhile(lambda line: line.startswith("#"), lines)
    words = (line.lstrip("# ") for line in comment if "@package" not in line)
    return re.split(r"(?<!\.)\. (?=[A-Z])|\.$", " ".join(words))[0]
