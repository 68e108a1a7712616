"""The numbers printed in the paper, and what it calls things. Sources: README.md beside this file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent
STRATEGIES = {
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
# Rows of table 2 and the initial row of table 4.
METHODS = {
    "initial": "Initial",
    "fully_supervised": "Fully Supervised",
    "self_training": "Self-Training 1995",
    "fixmatch": "FixMatch 2020",
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
    "mnist": "MNIST",
    "cifar10": "CIFAR10",
    "wnli": "WNLI",
    "mrpc": "MRPC",
    "rte": "RTE",
}


def table4() -> pd.DataFrame:
    """Columns strategy, dataset, paper_mean, paper_std (per cent); ``initial`` and the twin's row, which is
    from table 1, have no deviation.
    """
    table = pd.read_csv(HERE / "table4.csv")
    twin = _by_dataset("table1.csv").loc["Ours w/ GT"]
    rows = [
        {"method": "Ours w/ GT", "dataset": name, "accuracy_mean": float(value)}
        for name, value in twin.items()
    ]
    table = pd.concat([table, pd.DataFrame(rows)])
    names = {paper: ours for ours, paper in STRATEGIES.items()} | {"Init": "initial"}
    table["strategy"] = table["method"].map(names)
    table["dataset"] = table["dataset"].map({paper: ours for ours, paper in DATASETS.items()})
    table = table.rename(columns={"accuracy_mean": "paper_mean", "accuracy_std": "paper_std"})
    return table.dropna(subset=["strategy", "dataset"])[["strategy", "dataset", "paper_mean", "paper_std"]]


def table5() -> pd.DataFrame:
    """Columns strategy, dataset, paper_mean, paper_std (it prints none), as :func:`table4`."""
    table = _by_dataset("table5.csv").rename(columns=_our_name).astype(float)
    names = {paper: ours for ours, paper in STRATEGIES.items()}
    names |= {"Init": "initial", "Ground Truth (GT)": "salutary_gt"}
    table = table.rename(index=names).rename_axis(index="strategy", columns="dataset")
    return table.stack().rename("paper_mean").reset_index().assign(paper_std=float("nan"))


def label_differences() -> pd.Series:
    """Table 1, last row: of 100 salutary labels, how many differ from the truth; by data set."""
    return _by_dataset("table1.csv").loc["Diff. GT vs. SL"].rename(_our_name).astype(float)


def table2() -> pd.DataFrame:
    """Accuracies (per cent) after querying half of the pool: rows as in METHODS, columns data sets."""
    table = _by_dataset("table2.csv").rename(columns=_our_name).astype(float)
    return table.rename(index={paper: ours for ours, paper in METHODS.items()})


def _by_dataset(name: str) -> pd.DataFrame:
    """A table with a row per method; table 1 writes Electric for Electrical."""
    return pd.read_csv(HERE / name).set_index("Method").rename(columns={"Electric": "Electrical"})


def _our_name(dataset: str) -> str:
    return {paper: ours for ours, paper in DATASETS.items()}.get(dataset, dataset)
