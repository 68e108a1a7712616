"""Final accuracies beside those that the paper prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from salutary.analysis.runs import last_rounds

PAPER = Path(__file__).parent / "paper"
METHODS = {
    "random": "Random",
    "entropy": "Entropy 2008",
    "margin": "Margin 2007",
    "uncertainty": "Uncertainty 2022",
    "isal": "ISLA 2021",
    "ibds": "IBDS 2024",
    "coreset": "CoreSet 2018",
    "batchbald": "BatchBALD 2019",
    "badge": "BADGE 2020",
    "salutary_gt": "Ours w/ GT",
    "salutary": "Ours",
}
DATASETS = {
    "bank": "Bank",
    "wine": "Wine",
    "electrical": "Electrical",
    "waveform": "Waveform",
    "musk_v2": "Musk_v2",
    "diabetic": "Diabetic",
    "celeba": "CelebA",
}


def paper_accuracies() -> pd.DataFrame:
    """Columns strategy, dataset, paper_mean, paper_std (per cent); the twin's row has no deviation."""
    table = pd.read_csv(PAPER / "table4.csv")
    twin = pd.read_csv(PAPER / "table1.csv").set_index("Method").loc["Ours w/ GT"]
    twin.index = twin.index.str.replace(r"^Electric$", "Electrical", regex=True)
    rows = [
        {"method": "Ours w/ GT", "dataset": name, "accuracy_mean": float(value)}
        for name, value in twin.items()
    ]
    table = pd.concat([table, pd.DataFrame(rows)])
    table["strategy"] = table["method"].map({paper: ours for ours, paper in METHODS.items()})
    table["dataset"] = table["dataset"].map({paper: ours for ours, paper in DATASETS.items()})
    table = table.rename(columns={"accuracy_mean": "paper_mean", "accuracy_std": "paper_std"})
    return table.dropna(subset=["strategy", "dataset"])[["strategy", "dataset", "paper_mean", "paper_std"]]


def compare(rounds: pd.DataFrame) -> pd.DataFrame:
    """One row per strategy and data set: mean and std (n - 1) over seeds, in per cent, and the paper's.

    ``differs``: the means are more than two standard deviations apart, where the deviation is
    sqrt(ours^2 + theirs^2), and ours alone if the paper prints none.
    """
    last = last_rounds(rounds)
    last["accuracy"] = 100 * last["test_accuracy"]
    ours = last.groupby(["strategy", "dataset"])["accuracy"].agg(["mean", "std", "count"]).reset_index()
    both = ours.merge(paper_accuracies(), how="left", on=["strategy", "dataset"])
    spread = np.hypot(both["std"], both["paper_std"].fillna(0))
    both["differs"] = (both["mean"] - both["paper_mean"]).abs() > 2 * spread
    return both


def compare_references(references: pd.DataFrame) -> pd.DataFrame:
    """The reference lines in the form of :func:`compare`: mean and std over seeds, nothing of the paper's."""
    one = references.assign(accuracy=100 * references["test_accuracy"], strategy=references["line"])
    one = one.drop_duplicates(["strategy", "dataset", "seed"])
    table = one.groupby(["strategy", "dataset"])["accuracy"].agg(["mean", "std", "count"]).reset_index()
    return table.assign(paper_mean=np.nan, paper_std=np.nan, differs=False)


def markdown(comparison: pd.DataFrame) -> str:
    """A table of strategies by data sets; a cell is "mean ± std (paper)", marked * where it differs."""
    cells = {(row.strategy, row.dataset): _cell(row) for row in comparison.itertuples()}
    datasets = [name for name in DATASETS if name in set(comparison["dataset"])]
    strategies = [*METHODS, *sorted(set(comparison["strategy"]) - set(METHODS))]
    lines = ["| | " + " | ".join(datasets) + " |", "|---|" + "---|" * len(datasets)]
    for strategy in strategies:
        row = [cells.get((strategy, dataset), "") for dataset in datasets]
        if any(row):
            lines.append(f"| {strategy} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def _cell(row) -> str:
    ours = f"{row.mean:.1f} ± {row.std:.1f}"
    if pd.isna(row.paper_mean):
        return ours
    theirs = (
        f"{row.paper_mean:.1f}" if pd.isna(row.paper_std) else f"{row.paper_mean:.1f} ± {row.paper_std:.1f}"
    )
    return f"{ours} ({theirs}){'*' if row.differs else ''}"
