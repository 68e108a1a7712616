"""Where conf/ is, and what its YAML files say of themselves: their comments are all that documents a setting.

Read as text, so that ``--help`` need not wait for Hydra.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

LINE = re.compile(
    r"(?P<margin> *)(?P<name>\w+):"
    r"(?: +(?P<value>\"[^\"]*\"|'[^']*'|[^#\s].*?))?"  # a # in quotes begins no comment
    r"(?:\s+# ?(?P<about>.*))?\s*"
)
COMMENT = re.compile(r"(?P<margin> *)# ?(?P<about>.*)")
HYDRAS_OWN = ("defaults", "hydra", "_target_", "_convert_", "_partial_")
# Of salutary-run, whose settings are shown with those at the top.
GROUPS = ("record",)


@dataclass(frozen=True)
class Setting:
    """A setting as a YAML file has it: ``name`` as on the command line, its default as text.

    ``about``: what the comment beside it says, and goes on to say below it. ``section``: the comment above it
    and its neighbours, up to an empty line, or that of the group it is in.
    """

    name: str
    value: str
    about: str
    section: str = ""


def config_dir() -> str:
    """Absolute path of conf/: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parent / "conf")


def settings(file: Path) -> list[Setting]:
    """The settings at the top level of a file; what has settings of its own, such as ``model:``, is none, but
    for GROUPS."""
    return [each for each in documented(file) if "." not in each.name or each.name.split(".")[0] in GROUPS]


def documented(file: Path) -> list[Setting]:
    """All settings of a file in its order, those of groups too, such as ``model.l2``; none of Hydra's own."""
    reader = _Reader()
    lines = file.read_text(errors="replace").splitlines()
    for line in itertools.dropwhile(lambda line: line.startswith("#"), lines):  # those are the file's
        reader.read(line)
    return [each for each in reader.settings if not set(each.name.split(".")) & set(HYDRAS_OWN)]


class _Reader:
    """What the lines so far say: ``settings``, the groups that are open, and the comment above."""

    def __init__(self) -> None:
        self.settings: list[Setting] = []
        self._groups: list[tuple[int, str]] = []  # the margin and name of each
        self._section = ""
        self._margin = 0  # of the last setting
        self._last = ""  # what the last line was: comment, setting, group, or nothing of these

    def read(self, line: str) -> None:
        if match := COMMENT.fullmatch(line):
            self._last = self._comment(len(match["margin"]), match["about"])
        elif match := LINE.fullmatch(line):
            about = match["about"] or ""
            self._last = self._setting(len(match["margin"]), match["name"], match["value"], about)
        else:
            self._section = self._section if line.strip() else ""
            self._last = ""

    def _comment(self, margin: int, about: str) -> str:
        if self._last == "setting" and margin > self._margin:
            last = self.settings.pop()
            self.settings.append(replace(last, about=f"{last.about} {about}".strip()))
            return "setting"
        self._section = f"{self._section} {about}" if self._last == "comment" else about
        return "comment"

    def _setting(self, margin: int, name: str, value: str | None, about: str) -> str:
        is_headed = self._last == "comment"
        while self._groups and self._groups[-1][0] >= margin:
            self._groups.pop()
            self._section = self._section if is_headed else ""
        if value is None:
            self._groups.append((margin, name))
            self._section = self._section if is_headed else about
            return "group"
        path = ".".join([*(group for _, group in self._groups), name])
        self.settings.append(Setting(path, value, about, self._section))
        self._margin = margin
        return "setting"


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
