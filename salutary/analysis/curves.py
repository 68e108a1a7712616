"""Accuracy, or another metric, by round: the form of the paper's figures 2, 5 and 6."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from salutary.analysis.layout import leftmost, legend, panels, set_title, without_far_ones
from salutary.analysis.learning_curves import AXES, over_seeds, points
from salutary.analysis.metrics import ACCURACY, Metric
from salutary.analysis.paper import DATASETS
from salutary.analysis.style import GREY, Look, by_numbers, in_order, label, looks

# Lines that are told apart by a setting; the first is alone where nothing differs.
DASHES = ("-.", "--", ":", (0, (8, 2, 1, 2, 1, 2)), (0, (1, 4)), (0, (10, 5)))
# What a caption says of it.
DEVIATION = "mean over the seeds; bands, and bars beside the last round, are one standard deviation"
# More bands than these hide each other: then only what stands out has one, and the others a bar at the end.
MOST_BANDS = 4
# Of the length of the axis: where the bars at the end begin and end.
BARS = (0.05, 0.33)


def draw_curves(
    rounds: pd.DataFrame,
    lines: pd.DataFrame,
    metric: Metric = ACCURACY,
    x: str = "rounds",
    drawn: dict[str, Look] | None = None,
    order: Sequence[str] = (),
) -> Figure:
    """Mean of a test metric and one standard deviation over seeds, a panel per table, along one of AXES.

    ``lines``: the reference lines as a table shows them, ``strategy`` their names, once a seed. Strategies
    whose curves are the same in every seed (the uncertainties of two classes) share one line, and the panel
    says so. Grey and dashed: trained on labelled and validation set. ``drawn``: the look of each strategy;
    ``order``: tables that stand first. Of many strategies the deviations of those that do not stand out are
    bars beside the last round. A stretch that alone would take half of the axis is cut off, and marked.
    """
    names = datasets_in_order(rounds["dataset"], order)
    figure, axes = panels(len(names), 3)
    drawn = drawn or looks(rounds["strategy"])
    curves, lines = points(rounds, metric, x), _with_values(lines, metric)
    both = lines[lines["line"] == "labeled_and_validation"]
    dashes = dict(zip(in_order(both["strategy"]), itertools.cycle(DASHES), strict=False))
    for axis, name in zip(axes, names, strict=True):
        levels = both[both["dataset"] == name].groupby("strategy")["value"].mean()
        for line, level in levels.items():
            axis.axhline(level, color=GREY, linestyle=dashes[line])
        note = _panel(axis, curves[curves["dataset"] == name], drawn, levels)
        _ticks(axis, curves.loc[curves["dataset"] == name, "x"], x)
        set_title(axis, _title(name, lines[lines["dataset"] == name], metric), note)
        axis.set_xlabel(AXES[x])
    for axis in leftmost(axes):
        axis.set_ylabel(metric.title)
    handles = [Line2D([], [], **each.line()) for each in drawn.values()]
    handles += [Line2D([], [], color=GREY, linestyle=d, label=label(name)) for name, d in dashes.items()]
    legend(figure, axes, handles)
    return figure


def _with_values(lines: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    if "value" in lines:
        return lines
    return lines.assign(value=metric.factor * lines[metric.column])


def _title(dataset: str, lines: pd.DataFrame, metric: Metric) -> str:
    """The table's name and what the majority class gets; from the least to the most where it differs."""
    majority = lines[lines["line"] == "majority"].groupby("strategy")["value"].mean().dropna()
    name = DATASETS.get(dataset, dataset)
    if majority.empty:
        return name
    ends = dict.fromkeys(f"{value:.{metric.digits}f}" for value in (majority.min(), majority.max()))
    return f"{name} (majority {' to '.join(ends)}{'%' if metric.is_share else ''})"


def _panel(axis: Axes, rounds: pd.DataFrame, look: dict[str, Look], levels: pd.Series) -> str:
    """Draws one table's curves; returns which strategies share a line, and what the axis leaves out."""
    curves = {name: over_seeds(each) for name, each in rounds.groupby("strategy")}
    drawn: dict[str, list[str]] = {}
    for name in in_order(curves):
        twin = next((other for other in drawn if _same(curves[other], curves[name])), None)
        if twin:
            drawn[twin].append(name)
        else:
            drawn[name] = []
    banded = [name for name in drawn if len(drawn) <= MOST_BANDS or look[name].stands_out]
    banded = banded if len(banded) <= MOST_BANDS else []
    for place, name in enumerate(drawn):
        _curve(axis, curves[name], look[name], place, name in banded)
    if len(banded) < len(drawn):
        _bars_at_the_end(axis, {name: curves[name] for name in drawn}, look)
    cut = _cut(axis, {name: curves[name] for name in drawn}, look, levels)
    twins = [
        " = ".join([look[name].label, *(look[other].label for other in same)])
        for name, same in drawn.items()
        if same
    ]
    return "\n".join([*twins, *cut])


def _curve(axis: Axes, curve: pd.DataFrame, look: Look, place: int, has_band: bool) -> None:
    """The mean, with marks that are shifted by the curve's place, so that those of neighbours do not hide
    each other, and its band.
    """
    mean, std = curve.mean(axis=1), curve.std(axis=1)
    every = max(1, len(mean) // 10) if look.stands_out else max(1, len(mean) // 4)
    line = {**look.line(), "markevery": (place % every, every)}
    axis.plot(mean.index, mean, **line)
    if has_band:
        axis.fill_between(mean.index, mean - std, mean + std, color=look.color, alpha=0.15, linewidth=0)
    if len(mean) == 1:  # no line, and no band
        axis.errorbar(mean.index, mean, std.fillna(0), color=look.color, elinewidth=line["linewidth"])


def _bars_at_the_end(axis: Axes, curves: dict[str, pd.DataFrame], look: dict[str, Look]) -> None:
    """Mean and deviation of each curve's last values, side by side to the right of the curves."""
    first = min(each.index.min() for each in curves.values())
    last = max(each.index.max() for each in curves.values())
    begin, end = (last + share * (last - first) for share in BARS)
    if begin == end:
        return
    axis.axvspan(begin - 0.02 * (end - first), end + 0.02 * (end - first), color="#f4f4f4", linewidth=0)
    for place, (name, curve) in zip(np.linspace(begin, end, len(curves)), curves.items(), strict=True):
        mean, std = curve.iloc[-1].mean(), curve.iloc[-1].std()
        line = {**look[name].line(), "linestyle": "", "capsize": 0}
        line["elinewidth"] = line["markeredgewidth"]
        axis.errorbar(place, mean, 0 if np.isnan(std) else std, **line)


def _ticks(axis: Axes, x: pd.Series, name: str) -> None:
    """Ticks along the curves only, of whole numbers but for seconds; *± sd* below the bars."""
    first, last = x.min(), x.max()
    low, high = axis.get_xlim()
    if first == last:
        axis.set_xticks([first], [f"{first:g}"])
        return
    locator = MaxNLocator(4, integer=name != "seconds")
    places = [place for place in locator.tick_values(first, last) if low <= place <= last]
    texts = [f"{place:g}" for place in places]
    if high > last + BARS[1] * (last - first):
        places, texts = [*places, last + sum(BARS) / 2 * (last - first)], [*texts, "± sd"]
    axis.set_xticks(places, texts)


def _cut(axis: Axes, curves: dict[str, pd.DataFrame], look: dict[str, Look], levels: pd.Series) -> list[str]:
    """Leaves out what alone would take half of the axis, with marks at the edge; returns how far it goes."""
    means = {name: curve.mean(axis=1) for name, curve in curves.items()}
    limits = without_far_ones(pd.concat([*means.values()]))
    if limits is None:
        return []
    low, high = min(limits[0], levels.min()), max(limits[1], levels.max())
    axis.set_ylim(low, high)
    texts = []
    for name, mean in means.items():
        for outside, edge, mark in ((mean[mean < low], 0, "v"), (mean[mean > high], 1, "^")):
            if outside.empty:
                continue
            axis.scatter(
                *(outside.index, [edge] * len(outside)),
                **{"transform": axis.get_xaxis_transform(), "marker": mark, "color": look[name].color},
                **{"s": 1.5 * matplotlib.rcParams["lines.markersize"] ** 2, "clip_on": False, "zorder": 4},
            )
            furthest = outside.min() if edge == 0 else outside.max()
            texts.append(f"{look[name].label} {'down' if edge == 0 else 'up'} to {furthest:.3g}")
    return texts


def _same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    return a.shape == b.shape and bool((a.to_numpy() == b.to_numpy()).all()) and a.index.equals(b.index)


def datasets_in_order(datasets: Iterable[str], first: Sequence[str] = ()) -> list[str]:
    """Data sets as the paper orders them, then others by name; those that stand ``first`` before all."""
    names = set(datasets)
    known = [name for name in dict.fromkeys([*first, *DATASETS]) if name in names]
    return [*known, *sorted(names - {*known}, key=by_numbers)]
