"""What is typed after ``salutary-report`` and ``salutary-plot``: a folder, and ``key=value``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from salutary.analysis.learning_curves import AXES
from salutary.analysis.metrics import METRICS
from salutary.analysis.style import STYLES, WIDTHS, Style
from salutary.errors import SalutaryError

FIGURES = ("pdf", "svg", "png")
NUMBERS = ("1", "2", "3", "4", "5", "6")
NARROWEST, WIDEST = 2.0, 30.0  # of a figure, inches
# The option and what --help says of it.
ABOUT = {
    "metric": f"what own runs are compared by: {', '.join(METRICS)} [accuracy]",
    "x": f"what curves and their areas run over: {', '.join(AXES)} [rounds]",
    "where": "runs to take, a pandas query on facts and settings: \"dataset in ['bank','wine']\"",
    "group_by": "settings by whose values lines are split and named: model.l2",
    "baseline": "strategy or reference line that the others are compared with [random]",
    "format": "of the tables beside the report: csv, markdown, latex [csv]",
    "figures": f"forms of the figures beside the page's own: {', '.join(FIGURES)}",
    "figure": f"the paper's figures to draw: {', '.join(NUMBERS)}, or all that there are records of [all]",
    "style": "screen (10.2 inches wide, text of 10 points) or paper (6.8 inches, 7.5 points) [screen]",
    "width": "of the figures: column (3.3 inches), text (6.8), or inches [that of the style]",
}
CHOICES = {
    "metric": tuple(METRICS),
    "x": tuple(AXES),
    "format": ("csv", "markdown", "latex"),
    "figures": FIGURES,
    "figure": (*NUMBERS, "all"),
    "style": tuple(STYLES),
}
SEVERAL = ("figures", "figure", "group_by")
OF_REPORTS = ("metric", "x", "where", "group_by", "baseline", "format", "figures")
OF_PLOTS = ("figure", "style", "width", "format", "metric", "x", "where", "group_by", "figures")
# What salutary-plot calls an option that has another name here; it has no tables that format= could mean.
PLOTS_CALL_IT = {"format": "figures"}


@dataclass(frozen=True)
class Options:
    """How own runs are shown, and which figures are drawn how; ``baseline`` None: random if it is there, else
    the first by name; ``figure`` empty: all; ``width`` None: that of the style, else inches.
    """

    metric: str = "accuracy"
    x: str = "rounds"
    where: str | None = None
    group_by: tuple[str, ...] = ()
    baseline: str | None = None
    format: str = "csv"
    figures: tuple[str, ...] = ()
    figure: tuple[str, ...] = ()
    style: str = "screen"
    width: float | None = None

    @property
    def drawn_in(self) -> Style:
        """The style of figures, in the width that is wished."""
        return STYLES[self.style].of_width(self.width)

    @property
    def of_own_runs(self) -> dict[str, str]:
        """Those that say how own runs are shown, and are not as they are by default."""
        names = ("metric", "x", "where", "group_by", "baseline")
        values = {
            name: getattr(self, name) for name in names if getattr(self, name) != getattr(Options, name)
        }
        return {name: ",".join(each) if isinstance(each, tuple) else each for name, each in values.items()}


def parsed(
    arguments: Iterable[str],
    allowed: Iterable[str] = tuple(ABOUT),
    other_names: Mapping[str, str] | None = None,
) -> tuple[Path, Options]:
    """The folder of records (``outputs`` if none is named) and the options; ``other_names``: what some are
    called by the command, and here.

    Raises SalutaryError for an option that is unknown, given twice or has no such value, for a second
    folder, and for options of own runs beside the paper's figures.
    """
    folders: list[str] = []
    here, typed = other_names or {}, {}
    options: dict[str, str] = {}
    for argument in arguments:
        name, is_option, value = _split(argument)
        if not is_option:
            folders.append(argument)
        elif name not in allowed:
            raise SalutaryError(f"{name}= is no option; there are {', '.join(allowed)}")
        elif (name_here := here.get(name, name)) in options:
            raise SalutaryError(f"{name}= is given twice")
        else:
            options[name_here], typed[name_here] = value, name
    if len(folders) > 1:
        raise SalutaryError(
            f"one folder of records, not {len(folders)}: {', '.join(folders)}; name the one that they are in:"
            " records are read at any depth"
        )
    checked = _checked(options, typed)
    if checked.figure and checked.of_own_runs:
        names = ", ".join(f"{name}=" for name in checked.of_own_runs)
        raise SalutaryError(f"{names} of own runs, and figure={','.join(checked.figure)} of the paper's")
    return Path(folders[0] if folders else "outputs"), checked


def _split(argument: str) -> tuple[str, str, str]:
    """Its name, whether it is one, and its value; a folder may have a = in its name."""
    if Path(argument).exists() or not re.match(r"[A-Za-z_.]+=", argument):
        return argument, "", ""
    return argument.partition("=")


def _checked(options: Mapping[str, str], typed: Mapping[str, str]) -> Options:
    """``typed``: what an option was called where that is another name."""
    values: dict[str, object] = {}
    for name, text in options.items():
        several = name in SEVERAL
        parts = tuple(each.strip() for each in text.split(",")) if several else (text.strip(),)
        if not all(parts):
            raise SalutaryError(f"{typed.get(name, name)}= has no value")
        wrong = [each for each in parts if each not in CHOICES.get(name, parts)]
        if wrong:
            raise SalutaryError(f"{typed.get(name, name)}={wrong[0]}: there are {', '.join(CHOICES[name])}")
        if name == "figure" and "all" in parts:
            continue
        values[name] = parts if several else _inches(text) if name == "width" else parts[0]
    return Options(**values)


def _inches(text: str) -> float:
    try:
        width = WIDTHS.get(text) or float(text)
    except ValueError:
        width = 0.0
    if not NARROWEST <= width <= WIDEST:
        names = ", ".join(WIDTHS)
        raise SalutaryError(f"width={text}: there are {names}, and inches from {NARROWEST:g} to {WIDEST:g}")
    return width
