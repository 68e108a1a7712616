"""A run's metric along rounds, labels, human labels or seconds; means of runs, and areas under them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import integrate

from salutary.analysis.metrics import Metric

# The option x=, and what an axis is called.
AXES = {
    "rounds": "round",
    "labels": "labelled points",
    "human_labels": "human labels bought",
    "seconds": "seconds of choosing and refitting",
}
CELL = ["dataset", "strategy", "seed"]


def points(rounds: pd.DataFrame, metric: Metric, x: str = "rounds") -> pd.DataFrame:
    """``rounds`` with ``x`` and ``value``, by x; without those that have no value. Of several rounds of a run
    at one x, such as those of a strategy that buys no human label, the last. Seconds count from the initial
    model on.
    """
    rounds = rounds.sort_values("round", kind="stable")
    table = rounds.assign(x=_x(rounds, x), value=metric.factor * rounds[metric.column])
    table = table.dropna(subset=["value"])
    return table if x == "rounds" else table.drop_duplicates(["run", "x"], keep="last")


def _x(rounds: pd.DataFrame, x: str) -> pd.Series:
    if x != "seconds":
        column = {"rounds": "round", "labels": "n_labeled", "human_labels": "n_human_labels"}[x]
        return rounds[column]
    spent = (rounds["select_seconds"] + rounds["fit_seconds"]).where(rounds["round"] > 0, 0.0)
    return spent.groupby(rounds["run"]).cumsum()


def over_seeds(curves: pd.DataFrame) -> pd.DataFrame:
    """:func:`points` of one table and strategy as a row per x of any of its runs and a column per seed.

    Between two points of a run the value is on the line that joins them; after its last point it stays.
    """
    wide = curves.pivot_table("value", "x", "seed")
    return wide.interpolate(method="index", limit_area="inside").ffill()


def last_values(rounds: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """dataset, strategy, seed, run and ``value`` of the last round of each run, for
    :func:`~salutary.analysis.own_statistics.compare`.
    """
    last = rounds.sort_values("round").groupby("run", as_index=False).tail(1)
    value = metric.factor * last[metric.column]
    return last[["dataset", "strategy", "seed", "run"]].assign(value=value)


def areas(curves: pd.DataFrame) -> pd.DataFrame:
    """dataset, strategy, seed and ``value``: the area under each curve by trapezoids, divided by the length
    of the axis, which makes it a mean of the metric, in the metric's units.

    All runs of a table are taken to the furthest x of any of them: one that stops before keeps its last
    value. Where that is no length at all, the value itself.
    """
    ends = curves.groupby("dataset")["x"].max()
    rows = [
        {**dict(zip(CELL, cell, strict=True)), "value": _area(each, ends[cell[0]])}
        for cell, each in curves.groupby(CELL)
    ]
    return pd.DataFrame(rows, columns=[*CELL, "value"])


def _area(curve: pd.DataFrame, end: float) -> float:
    x, y = np.append(curve["x"], end), np.append(curve["value"], curve["value"].iloc[-1])
    return float(integrate.trapezoid(y, x) / (end - x[0])) if end > x[0] else float(y[-1])
