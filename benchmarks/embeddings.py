"""What a pool of embeddings costs: 1,280 features of EfficientNet-Lite0 and ten classes (CIFAR-10).

    export SALUTARY_DATA_DIR=...                               CIFAR-10's features, see docs/pictures.md
    python benchmarks/embeddings.py                            # this tree
    python benchmarks/embeddings.py --tree /path/of/another/checkout --csv here.csv
    python benchmarks/embeddings.py --only "salutary-label ask=20 rounds=1"       # minutes

CPU seconds of one thread, 300 labelled and 300 validation rows: ``PARTS``, or with ``--only`` whole
``COMMANDS``, start and all. Each is measured in a process of its own, ``--repeats`` times, this tree
and the other in turn. What was chosen, and the figures by which, are compared.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

N_ROWS, N_POOL, N_CLASSES = 300, 2_000, 10
# What is chosen, the figures that led to it, and CPU seconds.
Found = tuple[list, list, float]


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


def timed(function: Callable[[], tuple[Any, Any]]) -> Found:
    started = time.process_time()
    chosen, values = (np.asarray(each).tolist() for each in function())
    return chosen, values, time.process_time() - started


def schema() -> Found:
    """What the columns of the pool hold."""
    from salutary.tables.schema import Schema

    X = features()[0][:N_POOL]
    frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(X.shape[1])])
    return timed(lambda: (Schema.of(frame, "embeddings").numeric, []))


def regression() -> Any:
    """Of labelled and validation rows."""
    from salutary.engine.soft_regression import SoftRegression

    (X, y), (X_val, y_val), _ = parts()
    q = np.eye(N_CLASSES)[np.concatenate([y, y_val])]
    return SoftRegression(np.concatenate([X, X_val]), q, np.ones(len(q)))


def fitted() -> Found:
    rows = regression()
    return timed(lambda: ([], rows.fit(rows.penalty(10.0)).sum(1)))


def tuned() -> Found:
    """The penalty of those 600 rows, by the leave-one-out loss of the validation rows."""
    rows = regression()

    def tune() -> Any:
        l2, W = rows.tune(N_ROWS + np.arange(N_ROWS))
        return [l2], W.sum(1)

    return timed(tune)


def refits(l2: float, n: int) -> Found:
    """Falls with ``n`` points of the pool, each joining by itself, as one class after another."""
    from salutary.engine import MeanLoss, Optimum
    from salutary.engine.refit import refitted_fall
    from salutary.models.logistic import LogisticRegression

    (X, y), (X_val, y_val), (pool, _) = [[torch.from_numpy(each) for each in part] for part in parts()]
    model = LogisticRegression(n_classes=N_CLASSES, l2=l2).fit(X, y)
    optimum = Optimum(model.coef_, model.penalty_, X, MeanLoss(X_val, y_val), y)
    return timed(lambda: ([], refitted_fall(optimum, pool[:n], torch.arange(n) % N_CLASSES)))


def ask(n_refitted: int, n: int) -> Found:
    """Of the pool of 2,000: refits with the points of a shortlist of about ``n_refitted``, not 40."""
    from salutary.labeling import asking
    from salutary.remedies import LabelledData, Part
    from salutary.remedies.base_models import candidates
    from salutary.remedies.catalogue import named
    from salutary.remedies.judge import Judge
    from salutary.remedies.judgement import folds_of

    (X, y), (X_val, y_val), (pool, _) = parts()
    data = LabelledData(Part(X, y), Part(X_val, y_val), N_CLASSES, seed=0)
    remedies = named(["labeled", "labeled_and_validation"])
    judgement = Judge(remedies, candidates(["logistic"])).judge(data, folds_of(y_val, 5, 0))

    asking.LEAST = n_refitted

    def asked() -> Any:
        found = asking.questions(data, judgement, pool, n, np.random.default_rng(0))
        return found.rows, found.falls

    return timed(asked)


def rerank(n: int, n_picks: int = 2) -> Found:
    from salutary.models.logistic import LogisticRegression
    from salutary.strategies import PoolView
    from salutary.strategies.salutary_greedy import SalutaryGreedy

    (X, y), (X_val, y_val), (pool, _) = [[torch.from_numpy(each) for each in part] for part in parts()]
    model = LogisticRegression(n_classes=N_CLASSES, l2=1.0).fit(X, y)
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
        strategy = SalutaryGreedy(confidence=0, rerank=n)
        found = strategy.propose(model, view, n_picks, np.random.default_rng(0))
        assert found.labels is not None
        return [found.indices.tolist(), found.labels.tolist()], found.influence

    return timed(picks)


def command(*settings: str) -> Found:
    """``salutary-label`` of Parquet files with a column for each feature, from start to end."""
    with tempfile.TemporaryDirectory() as folder:
        for name, (X, y) in zip(("labeled", "validation", "pool"), parts(), strict=True):
            frame = pd.DataFrame(X, columns=[f"e{i}" for i in range(X.shape[1])])
            frame = frame if name == "pool" else frame.assign(kind=[f"k{c}" for c in y])
            frame.to_parquet(Path(folder, f"{name}.parquet"))
        files = [f"{name}={name}.parquet" for name in ("labeled", "validation", "pool")]
        code = "from salutary.labeling.cli import main; main()"
        before = _seconds_of_children()
        given = [*files, "target=kind", "device=cpu", "output=labels.csv", *settings]
        subprocess.run([sys.executable, "-c", code, *given], cwd=folder, check=True, capture_output=True)
        seconds = _seconds_of_children() - before
        labels, asked = Path(folder, "labels.csv"), Path(folder, "labels", "ask.csv")
        found = pd.read_csv(asked if asked.exists() else labels)
        figure = "expected_fall" if asked.exists() else "influence"
        return found["row"].tolist(), found[figure].tolist(), seconds


def _seconds_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


PARTS: dict[str, Callable[[], Found]] = {
    "Schema.of 2,000 rows": schema,
    "SoftRegression.fit": fitted,
    "SoftRegression.tune": tuned,
    "refits with 20 points, l2 = 10": lambda: refits(10.0, 20),
    "refits with 20 points, l2 = 1": lambda: refits(1.0, 20),
    "refits with 20 points, l2 = .01": lambda: refits(0.01, 20),
    "ask=2, refits with 10 points": lambda: ask(10, 2),
    "2 picks, rerank=20": lambda: rerank(20),
}
ASKING = ("remedies=[labeled,labeled_and_validation]", "model.candidates=[logistic]", "ask=20")
COMMANDS: dict[str, Callable[[], Found]] = {
    "salutary-label ask=20 rounds=1": lambda: command(*ASKING, "rounds=1", "budget=1", "strategy.rerank=0"),
    "salutary-label rerank=20 rounds=2": lambda: command("remedies=false", "strategy.rerank=20", "rounds=2"),
}
WHAT = PARTS | COMMANDS


def measured(what: str, tree: Path) -> Found:
    """In a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--one", what]
    return json.loads(subprocess.check_output(command, env=environment, text=True).splitlines()[-1])


def compared(here: Found, other: Found) -> str:
    """Whether the same was chosen, and how far the figures are apart."""
    if here[0] != other[0] or len(here[1]) != len(other[1]):
        return "another choice"
    if not here[1]:
        return "the same"
    return f"the same, figures within {np.abs(np.subtract(here[1], other[1])).max():.0e}"


def row_of(what: str, trees: dict[str, Path], repeats: int) -> dict[str, Any]:
    """Medians of the trees in turn."""
    found: dict[str, list[Found]] = {name: [] for name in trees}
    for _ in range(repeats):
        for name, tree in trees.items():
            found[name].append(measured(what, tree))
    seconds = {name: float(np.median([each[2] for each in all_])) for name, all_ in found.items()}
    same = {"result": compared(found["here"][-1], found["other"][-1])} if "other" in found else {}
    return {"what": what, **seconds, **same}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=list(PARTS), help="some of: " + "; ".join(WHAT))
    parser.add_argument("--tree", type=Path, help="another checkout, measured beside this one")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        torch.set_num_threads(1)
        print(json.dumps(WHAT[asked.one]()))
        return
    trees = {"here": Path(__file__).parents[1]} | ({"other": asked.tree.resolve()} if asked.tree else {})
    rows = []
    for what in asked.only:
        rows.append(row_of(what, trees, asked.repeats))
        print({name: round(v, 3) if isinstance(v, float) else v for name, v in rows[-1].items()}, flush=True)
    if asked.csv:
        pd.DataFrame(rows).to_csv(asked.csv, index=False)


if __name__ == "__main__":
    main()
