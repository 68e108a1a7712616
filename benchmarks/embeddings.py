"""What a pool of embeddings costs: 1,280 features of EfficientNet-Lite0 and ten classes (CIFAR-10).

    export SALUTARY_DATA_DIR=...                               CIFAR-10's features, see docs/pictures.md
    python benchmarks/embeddings.py                            # this tree
    python benchmarks/embeddings.py --csv here.csv --tree /path/of/another

CPU seconds of one thread: what the columns of 2,000 rows hold (``schema``), fits of 300 labelled and 300
validation rows, ``ask=5`` of a pool of 2,000, and picks of ``salutary_greedy`` with ``rerank=20``. Each
is measured in a process of its own, ``--repeats`` times, this tree and the other in turn. The points and
labels that were chosen are compared.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

N_ROWS, N_POOL, N_CLASSES = 300, 2_000, 10
N_ASKED, N_PICKS, RERANK = 5, 2, 20


def features() -> tuple[np.ndarray, np.ndarray]:
    """Standardised features and classes, 2,600 rows in a random order."""
    kept = np.load(Path(os.environ["SALUTARY_DATA_DIR"], "cifar10", "features_efficientnet-lite0.npz"))
    rows = np.random.default_rng(0).permutation(len(kept["train_labels"]))[: 2 * N_ROWS + N_POOL]
    X = kept["train_features"][rows].astype(float)
    return (X - X.mean(0)) / X.std(0).clip(1e-9), kept["train_labels"][rows].astype(np.int64)


def parts() -> list[tuple[np.ndarray, np.ndarray]]:
    """Labelled rows, validation rows and the pool."""
    X, y = features()
    ends = (0, N_ROWS, 2 * N_ROWS, len(X))
    return [(X[a:b], y[a:b]) for a, b in itertools.pairwise(ends)]


def schema() -> Any:
    from salutary.tables.schema import Schema

    X = features()[0][:N_POOL]
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(X.shape[1])])
    return timed(lambda: len(Schema.of(frame, "embeddings").numeric))


def tuned() -> Any:
    from salutary.engine.soft_regression import SoftRegression

    (X, y), (X_val, y_val), _ = parts()
    q = np.eye(N_CLASSES)[np.concatenate([y, y_val])]
    rows = SoftRegression(np.concatenate([X, X_val]), q, np.ones(len(q)))
    return timed(lambda: rows.tune(N_ROWS + np.arange(N_ROWS))[0])


def fitted() -> Any:
    from salutary.engine.soft_regression import SoftRegression

    (X, y), (X_val, y_val), _ = parts()
    q = np.eye(N_CLASSES)[np.concatenate([y, y_val])]
    rows = SoftRegression(np.concatenate([X, X_val]), q, np.ones(len(q)))
    return timed(lambda: round(float(abs(rows.fit(rows.penalty(10.0))).sum()), 2))


def ask() -> Any:
    from salutary.labeling.asking import questions
    from salutary.remedies import LabelledData, Part
    from salutary.remedies.base_models import candidates
    from salutary.remedies.catalogue import named
    from salutary.remedies.judge import Judge
    from salutary.remedies.judgement import folds_of

    (X, y), (X_val, y_val), (pool, _) = parts()
    data = LabelledData(Part(X, y), Part(X_val, y_val), N_CLASSES, seed=0)
    remedies = named(["labeled", "labeled_and_validation"])
    judgement = Judge(remedies, candidates(["logistic"])).judge(data, folds_of(y_val, 5, 0))
    return timed(lambda: questions(data, judgement, pool, N_ASKED, np.random.default_rng(0)).rows.tolist())


def rerank() -> Any:
    from salutary.models.logistic import LogisticRegression
    from salutary.strategies import PoolView
    from salutary.strategies.salutary_greedy import SalutaryGreedy

    tensors = [[torch.from_numpy(each) for each in part] for part in parts()]
    (X, y), (X_val, y_val), (pool, _) = tensors
    model = LogisticRegression(n_classes=N_CLASSES, l2=1.0)
    model.fit(X, y)
    view = PoolView(
        pool=pool,
        labeled=X,
        labels=y,
        validation=X_val,
        validation_labels=y_val,
        n_initial=N_ROWS,
        n_classes=N_CLASSES,
    )

    def picks() -> Any:
        strategy = SalutaryGreedy(confidence=0, rerank=RERANK)
        found = strategy.propose(model, view, N_PICKS, np.random.default_rng(0))
        return found.indices.tolist(), found.labels.tolist()

    return timed(picks)


WHAT: dict[str, Callable[[], Any]] = {
    "schema": schema,
    "fit": fitted,
    "tune": tuned,
    "ask": ask,
    "rerank": rerank,
}


def timed(function: Callable[[], Any]) -> Any:
    started = time.process_time()
    found = function()
    return time.process_time() - started, found


def measured(what: str, tree: Path) -> Any:
    """In a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--one", what]
    return json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(WHAT))
    parser.add_argument("--tree", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        torch.set_num_threads(1)
        print(json.dumps(WHAT[asked.one]()))
        return
    trees = {"here": Path(__file__).parents[1]} | ({"other": asked.tree} if asked.tree else {})
    rows, found = [], {}
    for what in asked.only:
        for repeat in range(asked.repeats):
            for name, tree in trees.items():
                seconds, found[what, name] = measured(what, tree)
                rows.append({"what": what, "tree": name, "repeat": repeat, "cpu_seconds": seconds})
    table = pd.DataFrame(rows)
    print(
        table.pivot_table(
            index="what", columns="tree", values="cpu_seconds", aggfunc="median", sort=False
        ).round(3)
    )
    for what in asked.only if asked.tree else ():
        print(f"{what}: {'the same' if found[what, 'here'] == found[what, 'other'] else 'another'} result")
    if asked.csv:
        table.to_csv(asked.csv, index=False)


if __name__ == "__main__":
    main()
