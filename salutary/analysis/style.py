"""One look for one strategy, in every figure: colour, line and marker; one style of figures for the screen,
and one for print.

Colours are Okabe and Ito's, and of one's own strategies Tol's muted ones; no two strategies share line and
marker, so a figure can be read without colours. Sizes are matplotlib's settings, in points and inches.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import matplotlib

from salutary.system.pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION

# Darker than the palette's: to a reader who lacks green, lighter greys are the palette's green or purple.
GREY = "#595959"
# Widths of a page's column and of its text, inches.
WIDTHS = {"column": 3.3, "text": 6.8}


@dataclass(frozen=True)
class Style:
    """``width`` of a figure in inches, ``text`` in points (tick labels and legends half a point less), and
    the ``dpi`` of its PNG.
    """

    name: str
    width: float
    text: float
    dpi: int

    def of_width(self, width: float | None) -> Style:
        """The same in another width; None: its own."""
        return replace(self, width=width or self.width)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Figures that are drawn or saved inside have this style."""
        with matplotlib.rc_context(self._settings()):
            yield

    def _settings(self) -> dict[str, object]:
        small, thin = self.text - 0.5, self.text / 12
        return {
            "figure.figsize": (self.width, 0.6 * self.width),
            "figure.dpi": self.dpi,
            "font.family": "DejaVu Sans",  # comes with matplotlib: the same files everywhere
            "font.size": self.text,
            "axes.titlesize": self.text,
            "axes.titlepad": 0.5 * self.text,
            "axes.labelsize": small,
            "axes.labelpad": 2.0,
            "axes.linewidth": thin,
            "axes.spines.top": False,
            "axes.spines.right": False,
            **dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "legend.fontsize"), small),
            **dict.fromkeys(("xtick.major.width", "ytick.major.width"), thin),
            **dict.fromkeys(("xtick.major.size", "ytick.major.size"), 0.35 * self.text),
            "lines.linewidth": 0.13 * self.text,
            "lines.markersize": 0.42 * self.text,
            "legend.frameon": False,
        }


STYLES = {"screen": Style("screen", 10.2, 10, 110), "paper": Style("paper", WIDTHS["text"], 7.5, 300)}
SCREEN = STYLES["screen"]


class Look(NamedTuple):
    """``weight``: times the width of a thin line. ``stands_out``: what the figure is about."""

    label: str
    color: str
    linestyle: str = "-"
    marker: str = "o"
    weight: float = 0.8
    stands_out: bool = False
    filled: bool = False

    def line(self) -> dict[str, object]:
        """Keyword arguments of ``Axes.plot``, in the style that is applied."""
        width, size = matplotlib.rcParams["lines.linewidth"], matplotlib.rcParams["lines.markersize"]
        return {
            **{"label": self.label, "color": self.color, "linestyle": self.linestyle, "marker": self.marker},
            "linewidth": self.weight * width,
            "markersize": size,
            "markerfacecolor": self.color if self.filled else "white",
            "markeredgewidth": 0.75 * width,
            "zorder": 3 if self.stands_out else 2,
        }


LOOKS = {
    "random": Look("Random", GREY, ":", "x"),
    "entropy": Look("Entropy", BLUE, "-", "^"),
    "margin": Look("Margin", BLUE, "--", "v"),
    "uncertainty": Look("Uncertainty", BLUE, ":", "<"),
    "isal": Look("ISAL", GREEN, "-", "D"),
    "ibds": Look("IBDS", GREEN, "--", "d"),
    "coreset": Look("CoreSet", ORANGE, "-", "P"),
    "batchbald": Look("BatchBALD", PURPLE, "-", "*"),
    "badge": Look("BADGE", PURPLE, "--", "X"),
    "self_training": Look("Self-training", SKY, "-", "h"),
    "fixmatch": Look("FixMatch", SKY, "--", "H"),
    "salutary_gt": Look("Salutary, true labels", VERMILLION, "--", "o", 1.2),
    "salutary": Look("Salutary", VERMILLION, "-", "o", 1.8, stands_out=True),
    "salutary_greedy": Look("Salutary greedy (ours)", BLACK, "-", "s", 1.8, stands_out=True),
}
REFERENCES = {
    "majority": "Majority class",
    "initial": "Initial model",
    "labeled_and_validation": "Trained on L + V",
    "fully_supervised": "Fully supervised",
    "remedies_average": "Average of remedies",
}
# Before the name of a remedy that is a reference line.
REMEDY = "remedy_"
# Colours of strategies of one's own: Tol's muted scheme without its two that are faint on white.
OWN_COLORS = ("#332288", "#882255", "#999933", "#117733", "#CC6677", "#44AA99", "#AA4499")
MARKERS = "1234+|_ph8"
OWN_MARKERS = "sDv^<>P"
LINES = ("-", "--", ":", "-.")


def look(strategy: str) -> Look:
    """The look of a strategy; one that is not ours gets a grey line and a marker by its name."""
    mark = MARKERS[sum(map(ord, strategy)) % len(MARKERS)]
    return LOOKS.get(strategy, Look(strategy, GREY, "-.", mark))


def looks(strategies: Iterable[str], everyone: Iterable[str] = ()) -> dict[str, Look]:
    """The look of each; those of one strategy that differ in settings, ``salutary (l2=1)``, share its colour
    and take each the next line and marker.

    A strategy that is not the house's has the colour that its name gives, and keeps it in other figures and
    reports; where two names of these and of ``everyone`` that other figures of the page show give the same,
    the second takes the next that is free.
    """
    strategies = {*strategies}
    places = _places({base_name(name) for name in {*strategies, *everyone}} - LOOKS.keys())
    found: dict[str, Look] = {}
    counts: Counter[str] = Counter()
    for name in in_order(strategies):
        base = base_name(name)
        own = _own_look(base, places[base]) if base in places else look(base)
        if base != name:
            line, mark = LINES[counts[base] % len(LINES)], MARKERS[counts[base] % len(MARKERS)]
            own = own._replace(label=name, linestyle=line, marker=mark)
            counts[base] += 1
        found[name] = own
    return found


def _places(names: set[str]) -> dict[str, int]:
    """A place for each name, in turns of as many as there are colours. Of names that give the same place the
    first by the alphabet has it.
    """
    n = len(OWN_COLORS)
    first = {_preferred(name): name for name in sorted(names, reverse=True)}
    places = {name: place for place, name in first.items()}
    for name in sorted(names - places.keys()):
        taken = {*places.values()}
        turn = len(taken) // n * n
        around = (turn + (_preferred(name) + step) % n for step in range(n))
        places[name] = next(place for place in around if place not in taken)
    return places


def _preferred(name: str) -> int:
    return zlib.crc32(name.encode()) % len(OWN_COLORS)


def _own_look(strategy: str, place: int) -> Look:
    """Colours come again after seven, with another line, and after four lines with another marker."""
    turn, place_of_color = divmod(place, len(OWN_COLORS))
    line = LINES[turn % len(LINES)]
    mark = OWN_MARKERS[(place + turn // len(LINES)) % len(OWN_MARKERS)]
    return Look(strategy, OWN_COLORS[place_of_color], line, mark, 1.3, stands_out=True, filled=True)


def base_name(strategy: str) -> str:
    """A strategy's name without the settings that tell its runs apart."""
    return strategy.partition(" (")[0]


def label(strategy: str) -> str:
    """A strategy or reference line as readers see it."""
    if strategy.startswith(REMEDY):
        return f"Remedy {strategy.removeprefix(REMEDY)}"
    return REFERENCES.get(strategy) or look(strategy).label


def in_order(strategies: Iterable[str]) -> list[str]:
    """Strategies in the order of LOOKS, then the others by name, numbers in names by size."""
    places = {name: place for place, name in enumerate(LOOKS)}
    return sorted(
        set(strategies), key=lambda name: (places.get(base_name(name), len(places)), by_numbers(name))
    )


def by_numbers(name: str) -> tuple[list[str | float], str]:
    """For sorting: ``s9`` before ``s10``, ``C=0.25`` before ``C=0.5``, ``s01`` before ``s1``."""
    parts = re.split(r"(\d+(?:\.\d+)?)", name)  # every second one is a number
    return [float(part) if place % 2 else part for place, part in enumerate(parts)], name
