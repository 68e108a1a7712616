"""Accuracy beside the figure of an objective: marks of models, and how readers see their names."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from salutary.analysis.layout import leftmost, legend, panels, set_title, set_xlabel
from salutary.analysis.style import GREY
from salutary.system.pictures import BLACK, BLUE, GREEN, ORANGE, PURPLE, VERMILLION

CELL = ["dataset", "group", "objective", "n_validation"]
PLAIN = "labeled_and_validation"
# Of what does not ask for more groups than salutary labelling does.
KNOWN_IN_V = ("nowhere", "in V")
LOOKS = {
    "labeled": ("L", BLACK, "o"),
    PLAIN: ("L + V", BLACK, "s"),
    "validation": ("V", BLACK, "D"),
    "weighted_4": ("L + V, V fourfold", BLACK, "^"),
    "salutary": ("salutary", VERMILLION, "o"),
    "salutary_and_validation": ("salutary + V", VERMILLION, "s"),
    "salutary_soft_early": ("salutary soft, early", VERMILLION, "D"),
    "salutary_soft_middle": ("salutary soft, middle", VERMILLION, "^"),
    "salutary_soft_late": ("salutary soft, late", VERMILLION, "v"),
    "salutary_soft_middle_and_validation": ("salutary soft + V, middle", VERMILLION, ">"),
    "salutary_soft_late_and_validation": ("salutary soft + V, late", VERMILLION, "<"),
    "reweighed": ("reweighing", ORANGE, "P"),
    "group_weighted": ("groups weighted", ORANGE, "P"),
    "class_weighted": ("classes weighted", ORANGE, "P"),
    "cost_weighted": ("weighted by cost", ORANGE, "P"),
    "exponentiated_gradient_05": ("exp. gradient, L + V, .05", BLUE, "o"),
    "exponentiated_gradient_01": ("exp. gradient, L + V, .01", BLUE, "s"),
    "exponentiated_gradient_validation_05": ("exp. gradient, V, .05", BLUE, "D"),
    "exponentiated_gradient_validation_01": ("exp. gradient, V, .01", BLUE, "^"),
    "inferred_groups_10": ("OxonFair, L + V, .1", GREEN, "o"),
    "inferred_groups_02": ("OxonFair, L + V, .02", GREEN, "s"),
    "inferred_groups_labeled_10": ("OxonFair, L, .1", GREEN, "D"),
    "inferred_groups_labeled_02": ("OxonFair, L, .02", GREEN, "^"),
    "threshold_optimizer": ("threshold optimiser", PURPLE, "X"),
}


def label(model: str) -> str:
    """A model as readers see it."""
    return LOOKS[model][0] if model in LOOKS else model


def draw(rows: pd.DataFrame) -> Figure:
    """A panel for each cell of a table and its groups, a mark for each model, with standard errors; hollow
    where groups have to be known beyond V.
    """
    cells = [*rows.groupby(CELL, sort=True)]
    figure, axes = panels(len(cells), 3)
    marks = _marks(rows)
    for axis, (key, cell) in zip(axes, cells, strict=True):
        _panel(axis, cell, marks)
        set_title(axis, f"{key[2].replace('_', ' ')}, n_V = {key[3]:g}")
    for axis in leftmost(axes):
        axis.set_ylabel("accuracy")
    handles = [Line2D([], [], label=label(name), **mark) for name, mark in marks.items()]
    legend(figure, axes, handles)
    return figure


def _panel(axis: Axes, cell: pd.DataFrame, marks: dict[str, dict]) -> None:
    models = cell.groupby("model")[["test_figure", "test_accuracy"]]
    means, errors = models.mean(), models.sem().fillna(0)
    for name in means.index:
        (x, y), (across, up) = means.loc[name], errors.loc[name]
        axis.errorbar(x, y, up, across, elinewidth=0.5, **marks[str(name)])
    better = "higher" if cell["higher_is_better"].iloc[0] else "lower"
    axis.xaxis.set_major_locator(MaxNLocator(4))
    set_xlabel(axis, f"{cell['figure'].iloc[0].replace('_', ' ')}\n({better} is better)")


def _marks(rows: pd.DataFrame) -> dict[str, dict]:
    """How each model is drawn, in the order of the legend."""
    group_in = rows.groupby("model")["group_in"].first()
    looks = {name: look for name, look in LOOKS.items() if name in group_in}
    looks |= {name: (name, GREY, "x") for name in group_in.index if name not in looks}
    marks = {}
    for name, (_, color, marker) in looks.items():
        filled = color if group_in[name] in KNOWN_IN_V else "white"
        of = {"color": color, "marker": marker, "markerfacecolor": filled}
        marks[name] = {**of, "linestyle": ""}
    return marks
