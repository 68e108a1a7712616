"""One look for one strategy, in every figure: colour (safe for colour-blind readers), line and marker."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from salutary.system.pictures import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION


class Look(NamedTuple):
    label: str
    color: str
    linestyle: str = "-"
    marker: str = "o"
    linewidth: float = 1.0

    def line(self) -> dict[str, object]:
        """Keyword arguments of ``Axes.plot``."""
        return {**self._asdict(), "markersize": 4, "markerfacecolor": "white", "markeredgewidth": 0.9}


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
    "salutary_gt": Look("Salutary, true labels", VERMILLION, "--", "o", 1.4),
    "salutary": Look("Salutary", VERMILLION, "-", "o", 2.0),
    "salutary_greedy": Look("Salutary greedy (ours)", BLACK, "-", "s", 2.0),
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
# Colours of strategies of one's own: Tol's muted scheme, those least like the house's first.
OWN_COLORS = (
    *("#332288", "#DDCC77", "#882255", "#999933", "#117733"),
    *("#CC6677", "#44AA99", "#AA4499", "#88CCEE"),
)
MARKERS = "1234+|_ph8"
OWN_MARKERS = "sDv^<>PX"
LINES = ("-", "--", ":", "-.")


def look(strategy: str) -> Look:
    """The look of a strategy; one that is not ours gets a grey line and a marker by its name."""
    mark = MARKERS[sum(map(ord, strategy)) % len(MARKERS)]
    return LOOKS.get(strategy, Look(strategy, GREY, "-.", mark))


def looks(strategies: Iterable[str], everyone: Iterable[str] = ()) -> dict[str, Look]:
    """The look of each; those of one strategy that differ in settings, ``salutary (l2=1)``, share its colour
    and take each the next line and marker.

    Strategies that are not the house's take the next colour each, by name, of these and of ``everyone`` that
    other figures of the page show.
    """
    strategies = {*strategies}
    foreign = sorted({base_name(name) for name in {*strategies, *everyone}} - LOOKS.keys())
    found: dict[str, Look] = {}
    counts: Counter[str] = Counter()
    for name in in_order(strategies):
        base = base_name(name)
        own = _own_look(base, foreign.index(base)) if base in foreign else look(base)
        if base != name:
            line, mark = LINES[counts[base] % len(LINES)], MARKERS[counts[base] % len(MARKERS)]
            own = own._replace(label=name, linestyle=line, marker=mark)
            counts[base] += 1
        found[name] = own
    return found


def _own_look(strategy: str, place: int) -> Look:
    """Colours come again after nine, with another line."""
    turn, place_of_color = divmod(place, len(OWN_COLORS))
    line, mark = LINES[turn % len(LINES)], OWN_MARKERS[place % len(OWN_MARKERS)]
    return Look(strategy, OWN_COLORS[place_of_color], line, mark, 1.4)


def base_name(strategy: str) -> str:
    """A strategy's name without the settings that tell its runs apart."""
    return strategy.partition(" (")[0]


def label(strategy: str) -> str:
    """A strategy or reference line as readers see it."""
    if strategy.startswith(REMEDY):
        return f"Remedy {strategy.removeprefix(REMEDY)}"
    return REFERENCES.get(strategy) or look(strategy).label


def in_order(strategies: Iterable[str]) -> list[str]:
    """Strategies in the order of LOOKS, then the others by name."""
    places = {name: place for place, name in enumerate(LOOKS)}
    return sorted(set(strategies), key=lambda name: (places.get(base_name(name), len(places)), name))
