"""What the pages of ``salutary-label`` draw."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from salutary.labeling.comparison import ALTERNATIVE
from salutary.system.pictures import BLACK, BLUE, GREY, VERMILLION

# Models that are named in the picture of accuracies and figures, beside the handed and the plain one.
NAMED = 3
# What is drawn: its factor and its name on the axis.
MEASURES = {"loss": (1, "mean loss"), "accuracy": (100, "accuracy, %")}


def curves_figure(curves: pd.DataFrame, facts: dict) -> Figure:
    """Loss, or objective, and accuracy against labels added, on rows that chose and on rows held out; beside
    them the alternative.
    """
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    for axes, measure in zip(figure.subplots(1, 2), MEASURES, strict=True):
        _draw(axes, measure, curves, facts)
    handles, _ = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles), frameon=False)
    return figure


def _draw(axes: Axes, measure: str, curves: pd.DataFrame, facts: dict) -> None:
    scale, name = MEASURES[measure]
    name = "objective" if measure == "loss" and facts["objective"] else name
    n_added, chose = curves["n_added"], scale * curves[f"validation_{measure}"]
    axes.plot(n_added, chose, color=BLUE, marker=".", label="rows that chose")
    held_out = next((each for each in facts["comparisons"] if "held out" in each["rows"]), None)
    if held_out:
        values = scale * curves[f"held_out_{measure}"]
        axes.plot(n_added, values, color=VERMILLION, marker=".", label="held-out rows")
        level = scale * held_out["models"][ALTERNATIVE][measure]
        label = "labelled + validation, held out"
        axes.axhline(level, color=BLACK, linestyle="--", linewidth=1, label=label)
    kept = n_added[curves["round"] == facts["kept_rounds"]].iloc[0]
    axes.axvline(kept, color=GREY, linewidth=0.8, linestyle=":", label="labels kept")
    axes.set_xlabel("labels added")
    axes.set_ylabel(name)
    axes.spines[["top", "right"]].set_visible(False)


def tradeoff_figure(facts: dict) -> Figure:
    """Accuracy against the objective's figure, held out, with standard errors: every model, the handed one,
    and plain training on L + V.
    """
    figure = Figure(figsize=(7.5, 4.6), layout="constrained")
    axes = figure.subplots()
    plain = next(each for each in facts["remedies"] if each["name"].endswith("labeled_and_validation"))
    named = {"handed over": facts["handed"], "labelled + validation": plain}
    others = [each for each in facts["remedies"] if each is not plain]
    for each in others:
        _mark(axes, each, GREY, "o", 4)
    path = [each for each in others if each["name"].startswith("salutary_soft_")]
    path = [each for each in path if each["held_out_figure"] is not None]
    figures, accuracies = ([each[f"held_out_{what}"] for each in path] for what in ("figure", "accuracy"))
    axes.plot(figures, [100 * share for share in accuracies], color=BLUE, linewidth=1)
    for each in path:
        _mark(axes, each, BLUE, "o", 5, "soft salutary labels, along their path" if each is path[0] else None)
    for (label, each), color, marker in zip(named.items(), (VERMILLION, BLACK), "Ds", strict=True):
        _mark(axes, each, color, marker, 7, label)
    best = sorted(others, key=lambda each: each["held_out_loss"])[:NAMED]
    for each in best:
        place = (each["held_out_figure"], 100 * each["held_out_accuracy"])
        axes.annotate(each["name"], place, fontsize=7, xytext=(4, 4), textcoords="offset points")
    if facts["objective"]["at_most"] is not None:
        axes.axvline(facts["objective"]["at_most"], color=GREY, linestyle=":", label="at_most")
    axes.set_xlabel(facts["objective"]["figure"].replace("_", " "))
    axes.set_ylabel("accuracy, %")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure


def _mark(axes: Axes, each: dict, color: str, marker: str, size: float, label: str | None = None) -> None:
    if each["held_out_figure"] is None:
        return
    accuracy, n = each["held_out_accuracy"], each["held_out_n"]
    errors = {"xerr": each["held_out_figure_error"], "yerr": 100 * (accuracy * (1 - accuracy) / n) ** 0.5}
    look: Any = {"color": color, "marker": marker, "markersize": size, "elinewidth": 0.7, "linestyle": "none"}
    axes.errorbar(each["held_out_figure"], 100 * accuracy, **errors, **look, label=label)
