"""What feature maps before the linear model are worth, on tables that are linear and tables that are not.

    pip install -c constraints.txt -e ".[bench]"
    SALUTARY_DATA_DIR=... python benchmarks/feature_maps.py [--seeds 5] [--labels 30] [--csv FILE]

300 labelled and 300 validation rows, standardised by the labelled ones, a pool of 1,000 and up to 5,000 test
rows. Test log-loss of the linear model of the labelled rows (penalty by validation loss), after salutary
labelling of the pool from it (ten labels a round, no folds), and of labelled + validation rows together
(penalty by cross-validation), with each map and the one that the validation rows choose; beside them boosting
and a forest of labelled + validation rows, as remedies take them.
"""

from __future__ import annotations

import argparse
import copy

import numpy as np
import pandas as pd
import torch
from label_errors import RARE, load
from measure import use_threads, versions, write_csv
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from salutary import engine
from salutary.datasets import Table
from salutary.labeling.judging import data_of
from salutary.labeling.labeler import Labeler
from salutary.labeling.mapping import Mapping
from salutary.labeling.pool import ArrayPool
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.remedies.base_models import candidates
from salutary.remedies.judgement import losses_of
from salutary.remedies.plain import LabeledAndValidation
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows
from salutary.system.seeding import stream
from salutary.tables.feature_maps import AUTO, KINDS

TABLES = ("electrical", "waveform", "bank", "wine")
N_LABELED, N_VALIDATION, N_POOL, N_TEST = 300, 300, 1000, 5000
ROUND, RERANK = 10, 20
TREES = ("hist_gradient_boosting", "random_forest")
PACKAGES = ("torch", "numpy", "scikit-learn")


def parts_of(table: Table, seed: int) -> tuple[list[Rows], int]:
    """Labelled, validation, pool and test rows, and the number of classes."""
    common = np.flatnonzero(np.bincount(table.y)[table.y] > RARE)
    classes, y = np.unique(table.y[common], return_inverse=True)
    numbers, parts = np.arange(len(y)), []
    for n in (N_LABELED, N_VALIDATION):
        part, numbers = train_test_split(numbers, train_size=n, stratify=y[numbers], random_state=seed)
        parts.append(part)
    parts += [numbers[:N_POOL], numbers[N_POOL : N_POOL + N_TEST]]
    X = StandardScaler().fit(table.X[common[parts[0]]]).transform(table.X[common])
    return [Rows(torch.as_tensor(X[rows]), torch.as_tensor(y[rows])) for rows in parts], len(classes)


def loss(model: LogisticRegression, rows: Rows) -> float:
    return float(engine.loss(rows.X, rows.y, model.coef_).mean())


def labelled(
    L: Rows, V: Rows, pool: Rows, model: LogisticRegression, seed: int, n_labels: int
) -> LogisticRegression:
    """The model after the rounds whose validation loss is least."""
    strategy, rows = SalutaryGreedy(rerank=RERANK), ArrayPool(pool.X.numpy())
    labeler = Labeler(L, V, rows, model.n_classes, model, strategy, ROUND, folds=0, seed=seed)
    stopping = Stopping("auto", 3, n_labels, 0.0, None)
    rounds = tuple(labeler.rounds(stopping))
    return labeler.kept(rounds, stopping.kept([record.loss for record in rounds])).model


def measured(parts: list[Rows], n_classes: int, seed: int, n_labels: int) -> list[dict]:
    """A row per map."""
    found = []
    for kind in KINDS:
        model = LogisticRegression(n_classes, l2="validation")
        mapping = Mapping.of(kind, parts[0], parts[1], model, seed)
        L, V, pool, test = map(mapping.rows, parts)
        initial = copy.copy(model).tune(L.X, L.y, stream(seed, "model"), (V.X, V.y)).fit(L.X, L.y)
        both, plain = L.joined(V.X, V.y), LogisticRegression(n_classes, l2="cv")
        plain.tune(both.X, both.y, stream(seed, "model")).fit(both.X, both.y)
        salutary = labelled(L, V, pool, model, seed, n_labels)
        losses = {"L": loss(initial, test), "salutary": loss(salutary, test), "L + V": loss(plain, test)}
        found.append({"model": kind, **losses, "features": L.X.shape[1]})
    chosen = Mapping.of(AUTO, parts[0], parts[1], LogisticRegression(n_classes, l2="validation"), seed).kind
    (of_chosen,) = (row for row in found if row["model"] == chosen)
    return [*found, {**of_chosen, "model": AUTO, "chosen": chosen}, *of_trees(parts, n_classes, seed)]


def of_trees(parts: list[Rows], n_classes: int, seed: int) -> list[dict]:
    """Boosting and a forest of L + V."""
    L, V, _, test = parts
    data = data_of(L, V, None, LogisticRegression(n_classes, l2="validation"), seed)
    rows, X, y = LabeledAndValidation().rows(data), test.X.numpy(), test.y.numpy()
    return [
        {"model": base.name, "L + V": losses_of(base.fit(rows, data).probabilities(X), y).mean()}
        for base in candidates([*TREES])
    ]


def summary(rows: list[dict]) -> pd.DataFrame:
    """Means over the seeds, by table and what is trained."""
    columns = ["L", "salutary", "L + V"]
    frame = pd.DataFrame(rows).pivot_table(columns, "model", "table", sort=False)
    order = [(what, table) for table in frame.columns.unique("table") for what in columns]
    return frame[order].round(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--labels", type=int, default=30)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    use_threads(1)
    tables, rows = {name: table for name in TABLES if (table := load(name))}, []
    for seed in range(arguments.seeds):
        for name, table in tables.items():
            parts, n_classes = parts_of(table, seed)
            of = measured(parts, n_classes, seed, arguments.labels)
            rows += [{"table": name, "seed": seed, **row} for row in of]
            print(f"seed {seed}, {name}", flush=True)
        if arguments.csv:
            write_csv(rows, arguments.csv)
    print(summary(rows).T.to_markdown())
    frame = pd.DataFrame(rows)
    chosen = frame[frame["model"] == AUTO].groupby("table", sort=False)["chosen"].value_counts()
    print(f"\nchosen:\n{chosen.to_string()}\n\n{versions(PACKAGES)}")


if __name__ == "__main__":
    main()
