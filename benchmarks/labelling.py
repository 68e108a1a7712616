"""What `salutary-label` is worth, and whether its verdict can be trusted: real tables, defaults, test rows.

    python benchmarks/labelling.py --csv benchmarks/labelling.csv

100 or 300 labelled rows, as many validation rows, a pool of at most 10,000, other rows to test on (at most
5,000). The verdict is the model of the lowest held-out loss; it is right if no other has a lower test loss.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from measure import print_table, use_threads, write_csv
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from salutary.datasets import Table
from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, MAJORITY, ModelComparison
from salutary.labeling.kept import three_models
from salutary.labeling.labeler import Labeler
from salutary.labeling.measured import row_losses
from salutary.labeling.pool import ArrayPool
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows
from salutary.system.commands import build
from salutary.system.conf import config_dir

TABLES = ("bank", "electrical", "waveform", "musk_v2", "celeba", "diabetic", "breast_cancer", "wine")
SIZES = (100, 300)
SEEDS = 5
POOL, TEST = 10_000, 5_000


def table_of(name: str) -> Table:
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return build(compose("config", [f"dataset={name}"]), "dataset").load()


def label(table: Table, n: int, seed: int, rerank: int) -> dict:
    """One labelling with the defaults of conf/label.yaml: measured on the test rows, and its verdict."""
    rows = np.flatnonzero(np.bincount(table.y)[table.y] >= 100)
    classes, y = np.unique(table.y[rows], return_inverse=True)
    X = table.X[rows]
    draw = {"random_state": seed}
    labeled, rest = train_test_split(np.arange(len(y)), train_size=n, stratify=y, **draw)
    validation, rest = train_test_split(rest, train_size=n, stratify=y[rest], **draw)
    test, pool = train_test_split(rest, test_size=min(POOL, len(rest) // 2), stratify=y[rest], **draw)
    X = StandardScaler().fit(X[labeled]).transform(X)

    def part(chosen: np.ndarray) -> Rows:
        return Rows(torch.tensor(X[chosen]), torch.tensor(y[chosen]))

    strategy, model = SalutaryGreedy(rerank=rerank), LogisticRegression(len(classes), "validation")
    parts = (part(labeled), part(validation), ArrayPool(X[pool]), len(classes), model, strategy)
    labeler, stopping = Labeler(*parts, seed=seed), Stopping()
    rounds = tuple(labeler.rounds(stopping))
    kept = stopping.kept([record.loss for record in rounds])
    models, held_out = three_models(labeler, rounds, stopping)
    models.pop(MAJORITY)
    tested = {name: row_losses(model, part(test[:TEST])) for name, model in models.items()}
    picks = [record.picks[0] for record in rounds[1 : kept + 1]]
    true = [(y[pool[each.rows]] == each.labels) for each in picks]
    return {
        "labels": sum(map(len, picks)),
        "true": np.concatenate(true).mean() if true else np.nan,
        "loss": {name: losses.mean() for name, (losses, _) in tested.items()},
        "accuracy": {name: hits.mean() for name, (_, hits) in tested.items()},
        "held_out": {name: losses.mean() for name, (losses, _) in held_out.items()},
        "verdict": ModelComparison.of("", held_out),
    }


def summary(name: str, n: int, runs: list[dict]) -> dict:
    """Means over the seeds. Held-out error: mean difference of the held-out loss to the test loss."""

    def mean(what: str, which: str) -> float:
        return float(np.mean([run[what][which] for run in runs]))

    right = [run["loss"][run["verdict"].best] <= min(run["loss"].values()) + 1e-12 for run in runs]
    sure = [each for each, run in zip(right, runs, strict=True) if run["verdict"].is_sure]
    shares = [run["true"] for run in runs if run["true"] == run["true"]]
    return {
        "table": name,
        "n": n,
        "labels": float(np.mean([run["labels"] for run in runs])),
        "true, %": 100 * float(np.mean(shares)) if shares else "",
        "initial": mean("loss", INITIAL),
        "salutary": mean("loss", LABELED),
        "L + V": mean("loss", ALTERNATIVE),
        "accuracy: initial": 100 * mean("accuracy", INITIAL),
        "salutary ": 100 * mean("accuracy", LABELED),
        "L + V ": 100 * mean("accuracy", ALTERNATIVE),
        "held-out loss - test loss": mean("held_out", LABELED) - mean("loss", LABELED),
        "worse than initial": sum(run["loss"][LABELED] > run["loss"][INITIAL] for run in runs),
        "verdict right": f"{sum(right)} of {len(runs)}",
        "when sure": f"{sum(sure)} of {len(sure)}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tables", default=",".join(TABLES))
    parser.add_argument("--rerank", type=int, default=20)
    parser.add_argument("--csv", help="also write the table to this file")
    options = parser.parse_args()
    use_threads(1)
    rows = []
    for name in options.tables.split(","):
        table = table_of(name)
        for n in SIZES:
            if 4 * n > len(table.y):
                continue
            rows.append(summary(name, n, [label(table, n, seed, options.rerank) for seed in range(SEEDS)]))
            print(rows[-1], flush=True)
    print_table(rows)
    if options.csv:
        write_csv(rows, options.csv)


if __name__ == "__main__":
    main()
