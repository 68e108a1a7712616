"""Panels, titles and legends that fit the width of the figure, whatever the names. Sizes are in inches."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

# In sizes of the text: the narrowest panel, and the lowest and highest.
NARROWEST, LOWEST, HIGHEST = 15, 15, 30
# Of a legend, in sizes of its text.
HANDLE, PAD, GAP, LINE = 2.4, 0.6, 1.5, 1.45
# Of the quantiles that the middle lies between, and how many times its length further an axis may go.
TAIL, REACH = 0.05, 1.0


def panels(n: int, columns: int, ratio: float = 0.8) -> tuple[Figure, list[Axes]]:
    """A figure as wide as the style says, of n panels in rows of at most so many, fewer where they would be
    too narrow; ``ratio``: height by width of a panel, within bounds.
    """
    width, text = matplotlib.rcParams["figure.figsize"][0], matplotlib.rcParams["font.size"] / 72
    columns = max(1, min(n, columns, int(width / (NARROWEST * text))))
    rows = math.ceil(n / columns)
    height = min(max(ratio * width / columns, LOWEST * text), HIGHEST * text)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    return figure, [figure.add_subplot(grid[divmod(place, columns)]) for place in range(n)]


def leftmost(axes: Sequence[Axes]) -> list[Axes]:
    """The first panel of each row."""
    return [axis for axis in axes if axis.get_subplotspec().is_first_col()]


def set_title(axis: Axes, text: str, note: str = "") -> None:
    """A panel's title and, between it and the panel, a ``note``; in as many lines as the width needs."""
    width = 0.85 * axis.get_figure().get_figwidth() / axis.get_gridspec().ncols
    size, small = text_size("axes.titlesize"), text_size("legend.fontsize")
    pad = 0.4 * size
    if note:
        note = "\n".join(wrapped(line, width, small) for line in note.split("\n"))
        axis.annotate(
            note, (0.5, 1), (0, 0.2 * size), "axes fraction", "offset points", ha="center", fontsize=small
        )
        pad += 1.3 * small * (note.count("\n") + 1)
    axis.set_title(wrapped(text, width, size), pad=pad)


def set_xlabel(axis: Axes, text: str) -> None:
    """The label below a panel, in as many lines as its width needs."""
    width = 0.8 * axis.get_figure().get_figwidth() / axis.get_gridspec().ncols
    axis.set_xlabel(wrapped(text, width, text_size("axes.labelsize")))


def text_size(name: str) -> float:
    """A size of text among matplotlib's settings, in points."""
    return FontProperties(size=matplotlib.rcParams[name]).get_size_in_points()


def legend(figure: Figure, axes: Sequence[Axes], handles: Sequence[Artist]) -> None:
    """The legend where the last row of panels has room for it, or below them, where the figure grows by it;
    in as many columns as fit, and long names in several lines.
    """
    if not handles:
        return
    size = text_size("legend.fontsize")
    unit = size / 72
    taken = (HANDLE + PAD) * unit
    labels = [
        wrapped(str(each.get_label()), figure.get_figwidth() - taken - 2 * unit, size) for each in handles
    ]
    entry = taken + max(_width(each, size) for each in labels)
    lines = max(each.count("\n") for each in labels) + 1
    grid = axes[0].get_gridspec()
    empty = grid.nrows * grid.ncols - len(axes)
    room = figure.get_figwidth() / grid.ncols * empty
    height = 0.85 * figure.get_figheight() / grid.nrows
    settings = {
        **{"handles": list(handles), "labels": labels, "handlelength": HANDLE, "handletextpad": PAD},
        **{"columnspacing": GAP, "labelspacing": LINE - 1, "borderaxespad": 0.3},
    }
    ncols = _columns(room, entry, unit)
    if empty and ncols and _height(len(labels), ncols, lines, unit) < height:
        corner = figure.add_subplot(grid[-1, grid.ncols - empty :])
        corner.axis("off")
        ncols = min(ncols, math.ceil(_height(len(labels), 1, lines, unit) / height))
        corner.legend(loc="center", ncols=ncols, **settings)
        return
    ncols = min(max(_columns(figure.get_figwidth(), entry, unit), 1), len(labels))
    more = _height(len(labels), ncols, lines, unit)
    figure.set_figheight(figure.get_figheight() + more)
    figure.legend(loc="outside lower center", ncols=ncols, **settings)


def _columns(width: float, entry: float, unit: float) -> int:
    """How many entries stand beside each other."""
    return int((width - 2 * unit + GAP * unit) / (entry + GAP * unit))


def _height(n: int, ncols: int, lines: int, unit: float) -> float:
    return (math.ceil(n / ncols) * (LINE + 1.2 * (lines - 1)) + 1.5) * unit


def wrapped(text: str, width: float, size: float) -> str:
    """The text in lines that are no longer than ``width``; a word that is, is divided."""
    whole = _width(text, size)
    if whole <= width:
        return text
    for n in range(int(len(text) * width / whole) + 2, 1, -1):
        lines = "\n".join(textwrap.wrap(text, n, break_on_hyphens=False))
        if _width(lines, size) <= width:
            return lines
    return text


def _width(text: str, size: float) -> float:
    font = FontProperties(family=matplotlib.rcParams["font.family"])
    lines = [line for line in text.split("\n") if line.strip()]
    return max((TextPath((0, 0), line, size, prop=font).get_extents().x1 / 72 for line in lines), default=0.0)


def without_far_ones(values: np.ndarray | pd.Series) -> tuple[float, float] | None:
    """The limits of an axis without the few values that are so far off that they would take more than half of
    it; None where there are none such.

    Far off: below the 5% quantile, or above the 95% quantile, by more than their distance.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [TAIL, 1 - TAIL])
    far = REACH * (high - low)
    inside = values[(values >= low - far) & (values <= high + far)]
    if not far or np.ptp(values) < 2 * np.ptp(inside):
        return None
    margin = 0.05 * np.ptp(inside)
    return inside.min() - margin, inside.max() + margin
