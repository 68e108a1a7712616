"""What is typed after ``salutary-report`` and ``salutary-plot``: a folder, and ``key=value``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from salutary.analysis.learning_curves import AXES
from salutary.analysis.metrics import METRICS
from salutary.errors import SalutaryError

FIGURES = ("pdf", "svg", "png")
# The option and what --help says of it.
ABOUT = {
    "metric": f"what own runs are compared by: {', '.join(METRICS)} [accuracy]",
    "x": f"what curves and their areas run over: {', '.join(AXES)} [rounds]",
    "where": "runs to take, a pandas query on facts and settings: \"dataset in ['bank','wine']\"",
    "group_by": "settings by whose values lines are split and named: model.l2",
    "baseline": "strategy or reference line that the others are compared with [random]",
    "format": "of the tables beside the report: csv, markdown, latex [csv]",
    "figures": f"forms of the figures beside the page's own: {', '.join(FIGURES)}",
}
CHOICES = {
    "metric": tuple(METRICS),
    "x": tuple(AXES),
    "format": ("csv", "markdown", "latex"),
    "figures": FIGURES,
}
OF_PLOTS = ("metric", "x", "where", "group_by", "figures")


@dataclass(frozen=True)
class Options:
    """How own runs are shown; ``baseline`` None: random if it is there, else the first by name."""

    metric: str = "accuracy"
    x: str = "rounds"
    where: str | None = None
    group_by: tuple[str, ...] = ()
    baseline: str | None = None
    format: str = "csv"
    figures: tuple[str, ...] = ()

    @property
    def of_own_runs(self) -> dict[str, str]:
        """Those that say how own runs are shown, and are not as they are by default."""
        names = ("metric", "x", "where", "group_by", "baseline")
        values = {
            name: getattr(self, name) for name in names if getattr(self, name) != getattr(Options, name)
        }
        return {name: ",".join(each) if isinstance(each, tuple) else each for name, each in values.items()}


def parsed(arguments: Iterable[str], allowed: Iterable[str] = tuple(ABOUT)) -> tuple[Path, Options]:
    """The folder of records (``outputs`` if none is named) and the options.

    Raises SalutaryError for an option that is unknown, given twice or has no such value, and for a second
    folder.
    """
    folders: list[str] = []
    options: dict[str, str] = {}
    for argument in arguments:
        name, is_option, value = _split(argument)
        if not is_option:
            folders.append(argument)
        elif name not in allowed:
            raise SalutaryError(f"{name}= is no option; there are {', '.join(allowed)}")
        elif name in options:
            raise SalutaryError(f"{name}= is given twice")
        else:
            options[name] = value
    if len(folders) > 1:
        raise SalutaryError(f"one folder of records, not {len(folders)}: {', '.join(folders)}")
    return Path(folders[0] if folders else "outputs"), _checked(options)


def _split(argument: str) -> tuple[str, str, str]:
    """Its name, whether it is one, and its value; a folder may have a = in its name."""
    if Path(argument).exists() or not re.match(r"[A-Za-z_.]+=", argument):
        return argument, "", ""
    return argument.partition("=")


def _checked(options: Mapping[str, str]) -> Options:
    values: dict[str, object] = {}
    for name, text in options.items():
        several = name in ("figures", "group_by")
        parts = tuple(each.strip() for each in text.split(",")) if several else (text.strip(),)
        if not all(parts):
            raise SalutaryError(f"{name}= has no value")
        wrong = [each for each in parts if each not in CHOICES.get(name, parts)]
        if wrong:
            raise SalutaryError(f"{name}={wrong[0]}: there are {', '.join(CHOICES[name])}")
        values[name] = parts if several else parts[0]
    return Options(**values)
