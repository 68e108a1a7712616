"""Accuracy, or another metric, by round: the form of the paper's figures 2, 5 and 6."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from salutary.analysis.learning_curves import AXES, over_seeds, points
from salutary.analysis.metrics import ACCURACY, Metric
from salutary.analysis.paper import DATASETS
from salutary.analysis.style import Look, in_order, label, looks
from salutary.system.pictures import GREY

# Lines that are told apart by a setting; the first is alone where nothing differs.
DASHES = ("-.", "--", ":", (0, (8, 2, 1, 2, 1, 2)), (0, (1, 4)), (0, (10, 5)))


def draw_curves(
    rounds: pd.DataFrame,
    lines: pd.DataFrame,
    metric: Metric = ACCURACY,
    x: str = "rounds",
    drawn: dict[str, Look] | None = None,
) -> Figure:
    """Mean of a test metric and one standard deviation over seeds, a panel per table, along one of AXES.

    ``lines``: the reference lines as a table shows them, ``strategy`` their names, once a seed. Strategies
    whose curves are the same in every seed (the uncertainties of two classes) share one line, and the panel
    says so. Grey and dashed: trained on labelled and validation set. ``drawn``: the look of each strategy.
    """
    names = datasets_in_order(rounds["dataset"])
    columns = min(len(names), 4)
    figure, axes = panels(len(names), columns, 3.4, 2.9)
    drawn = drawn or looks(rounds["strategy"])
    curves, lines = points(rounds, metric, x), _with_values(lines, metric)
    both = lines[lines["line"] == "labeled_and_validation"]
    dashes = dict(zip(in_order(both["strategy"]), itertools.cycle(DASHES), strict=False))
    for axis, name in zip(axes, names, strict=False):
        _panel(axis, curves[curves["dataset"] == name], drawn)
        axis.set_xlabel(AXES[x])
        if x != "seconds":
            axis.xaxis.get_major_locator().set_params(integer=True)
        _levels(axis, both[both["dataset"] == name], dashes)
        axis.set_title(_title(name, lines[lines["dataset"] == name], metric), fontsize=9)
    for axis in axes[:: max(columns, 1)]:
        axis.set_ylabel(metric.title)
    handles = [Line2D([], [], **each.line()) for each in drawn.values()]
    handles += [Line2D([], [], color=GREY, linestyle=d, label=label(name)) for name, d in dashes.items()]
    legend_below(figure, axes, len(names), handles)
    return figure


def _with_values(lines: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    if "value" in lines:
        return lines
    return lines.assign(value=metric.factor * lines[metric.column])


def _levels(axis: Axes, lines: pd.DataFrame, dashes: dict) -> None:
    for name, each in lines.groupby("strategy"):
        axis.axhline(each["value"].mean(), color=GREY, linestyle=dashes[name], linewidth=1)


def _title(dataset: str, lines: pd.DataFrame, metric: Metric) -> str:
    """The table's name and what the majority class gets; from the least to the most where it differs."""
    majority = lines[lines["line"] == "majority"].groupby("strategy")["value"].mean().dropna()
    name = DATASETS.get(dataset, dataset)
    if majority.empty:
        return name
    ends = dict.fromkeys(f"{value:.{metric.digits}f}" for value in (majority.min(), majority.max()))
    return f"{name} (majority class {' to '.join(ends)}{'%' if metric.is_share else ''})"


def _panel(axis: Axes, rounds: pd.DataFrame, look: dict[str, Look]) -> None:
    curves = {name: over_seeds(each) for name, each in rounds.groupby("strategy")}
    drawn: dict[str, list[str]] = {}
    for name in in_order(curves):
        twin = next((other for other in drawn if _same(curves[other], curves[name])), None)
        if twin:
            drawn[twin].append(name)
            continue
        drawn[name] = []
        _curve(axis, curves[name], look[name])
    notes = [
        " = ".join([look[name].label, *(look[other].label for other in same)])
        for name, same in drawn.items()
        if same
    ]
    axis.text(0.98, 0.02, "\n".join(notes), transform=axis.transAxes, ha="right", va="bottom", fontsize=6.5)


def _curve(axis: Axes, curve: pd.DataFrame, look: Look) -> None:
    mean, std = curve.mean(axis=1), curve.std(axis=1)
    every = max(1, len(mean) // 10)
    line = {**look.line(), "markevery": every if len(mean) > 11 else None}
    axis.plot(mean.index, mean, **line)
    axis.fill_between(mean.index, mean - std, mean + std, color=line["color"], alpha=0.12, linewidth=0)
    if len(mean) == 1:  # no line, and no band
        axis.errorbar(mean.index, mean, std.fillna(0), color=line["color"], elinewidth=0.8)


def _same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return a.shape == b.shape and bool((a.to_numpy() == b.to_numpy()).all()) and a.index.equals(b.index)


def datasets_in_order(datasets: Iterable[str]) -> list[str]:
    """Data sets as the paper orders them, then others by name."""
    names = set(datasets)
    return [*(name for name in DATASETS if name in names), *sorted(names - DATASETS.keys())]


def panels(n: int, columns: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    """A figure of n panels in rows of so many; where the last row has room, the rest is left empty."""
    rows = math.ceil(n / columns)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axis in axes[:n]:
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes[n:]:
        axis.axis("off")
    return figure, axes


def legend_below(figure: Figure, axes: list[Axes], n: int, handles: list[Line2D]) -> None:
    """The legend in the first empty panel, or below all of them."""
    if n < len(axes):
        axes[n].legend(handles=handles, loc="center", fontsize=8, frameon=False)
    else:
        longest = max(len(str(each.get_label())) for each in handles)
        column = 1.35 if longest < 25 else 0.068 * longest  # inches
        ncols = max(1, min(5, int(figure.get_figwidth() / column)))
        more = math.ceil(len(handles) / ncols) - 3  # rows that the panels have left no room for
        figure.set_figheight(figure.get_figheight() + 0.2 * max(more, 0))
        figure.legend(handles=handles, loc="outside lower center", ncols=ncols, fontsize=8, frameon=False)
