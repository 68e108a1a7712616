"""Final accuracies beside those that the paper prints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from salutary.analysis import paper
from salutary.analysis.curves import datasets_in_order
from salutary.analysis.statistics import summarise
from salutary.analysis.style import in_order, label

# The paper cuts its percentages after two decimals.
PRECISION = 0.01


def compare(final: pd.DataFrame, printed: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per strategy and table: mean, std, n, low, high (per cent), paper_mean, paper_std, differs.

    ``final``: dataset, strategy, accuracy (per cent), a row per run. ``printed``: the paper's numbers, by
    default table 4. ``differs``: the means are further apart than two pooled standard deviations,
    sqrt((ours^2 + theirs^2) / 2), or two of ours alone if the paper prints none.
    """
    ours = summarise(final, ["strategy", "dataset"], "accuracy")
    printed = paper.table4() if printed is None else printed
    both = ours.merge(printed, how="left", on=["strategy", "dataset"])
    pooled = np.sqrt((both["std"] ** 2 + both["paper_std"].fillna(both["std"]) ** 2) / 2)
    gap = (both["mean"] - both["paper_mean"]).abs()
    return both.assign(differs=gap > np.maximum(2 * pooled, PRECISION))


def means(final: pd.DataFrame, value: str = "accuracy") -> pd.DataFrame:
    """:func:`compare` where the paper prints nothing."""
    table = summarise(final, ["strategy", "dataset"], value)
    return table.assign(paper_mean=np.nan, paper_std=np.nan, differs=False)


def cells(comparison: pd.DataFrame, name: Callable[[str], str] = label, digits: int = 1) -> pd.DataFrame:
    """Texts "ours ± std / paper / difference", * where it differs; rows strategies, columns tables."""
    rows = comparison.assign(cell=[_cell(row, digits) for row in comparison.itertuples()])
    wide = rows.pivot(index="strategy", columns="dataset", values="cell")
    wide = wide.reindex(index=in_order(wide.index), columns=datasets_in_order(comparison["dataset"]))
    names = {name: paper.DATASETS.get(name, name) for name in wide}
    return wide.rename(index=name, columns=names).rename_axis(index="strategy", columns=None)


def with_deviation(mean: float, std: float, digits: int = 1) -> str:
    """``78.0 ± 1.2``; of a single seed, which has no deviation, ``78.0``."""
    return f"{mean:.{digits}f}" if pd.isna(std) else f"{mean:.{digits}f} ± {std:.{digits}f}"


def _cell(row, digits: int) -> str:
    ours = with_deviation(row.mean, row.std, digits)
    if pd.isna(row.paper_mean):
        return ours
    return f"{ours} / {row.paper_mean:.1f} / {row.mean - row.paper_mean:+.1f}{'*' if row.differs else ''}"
