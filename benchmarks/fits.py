"""Fits, tuning and labelling beside what scikit-learn takes for the same objective.

    export SALUTARY_DATA_DIR=...                     the raw tables, and CIFAR-10's first batch
    python benchmarks/fits.py --csv benchmarks/fits.csv          fifteen minutes
    python benchmarks/fits.py --only fits --shapes digits,bank

Every solver of scikit-learn's gets the loosest ``tol`` with which its objective is within 1e-8 of ours, and
is then timed beside it, in one process, one thread, interleaved; medians. ``sag`` and ``saga`` are let go on
for ten times as long as the fastest of the others. ``liblinear`` penalises intercepts, which is another
objective. Features are standardised, except wine's, which the paper leaves as they are; 300 rows each.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from measure import interleaved, print_table, use_threads, versions, write_csv
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression as ScikitLearn
from sklearn.linear_model import LogisticRegressionCV
from sklearn.preprocessing import scale

from salutary.datasets import load
from salutary.experiments.problem import Problem
from salutary.experiments.settings import Settings
from salutary.experiments.split import split_table
from salutary.models.logistic import L2_GRID, LogisticRegression
from salutary.system.commands import build
from salutary.system.conf import config_dir

N_ROWS = 300
PENALTIES = (50.0, 10.0, 1.0, 0.1, 0.01, 0.001)
TOLERANCES = [10.0**-k for k in range(2, 11)]
SOLVERS = ("lbfgs", "newton-cg", "newton-cholesky")
SLOW_SOLVERS = ("sag", "saga")
WITHIN = 1e-8
# newton-cholesky is not tried with more parameters: its matrix has their square.
DENSE = 6_000
# A solver that takes this many seconds for one fit is not tried with a smaller tolerance.
TOO_LONG = 2.0
PARTS = ("fits", "tuning", "label")
# Of embeddings: features of EfficientNet-Lite0.
EMBEDDINGS = "embeddings"


@dataclass(frozen=True)
class Rows:
    """300 labelled rows X (n, d), classes y (n,), and others of the same kind."""

    X: np.ndarray
    y: np.ndarray
    X_more: np.ndarray
    y_more: np.ndarray

    @property
    def n_classes(self) -> int:
        return int(self.y.max()) + 1

    @classmethod
    def of(cls, X: np.ndarray, y: np.ndarray) -> Rows:
        order = np.random.default_rng(0).permutation(len(X))
        X, y = scale(X)[order], y[order]
        return cls(X[:N_ROWS], y[:N_ROWS], X[N_ROWS:], y[N_ROWS:])


def of_25_classes(seed: int = 0) -> Rows:
    settings = {"n_features": 20, "n_informative": 15, "n_classes": 25, "n_clusters_per_class": 1}
    return Rows.of(*make_classification(n_samples=4000, random_state=seed, **settings))


def of_experiment(*overrides: str) -> Rows:
    """The initial set of a run, prepared as its protocol does, and the pool."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", ["device=cpu", *overrides])
    table = load(build(cfg, "dataset"), "table")
    split = split_table(table, build(cfg, "protocol.splitter"), Settings.of(cfg).n_init, seed=0)
    problem = Problem.prepare(table, split, build(cfg, "device"))
    rows, pool = split.initial, split.pool
    return Rows(*(each.numpy() for r in (rows, pool) for each in (problem.X[r], problem.y[r])))


def shapes() -> dict[str, Callable[[], Rows]]:
    """What is fitted to, by name."""
    every = {"25 classes": of_25_classes, "digits": lambda: Rows.of(*load_digits(return_X_y=True))}
    if os.environ.get("SALUTARY_DATA_DIR"):
        every[EMBEDDINGS] = lambda: of_experiment("dataset=cifar10_small", "protocol=standard")
        every |= {
            name: lambda name=name: of_experiment(f"dataset={name}") for name in ("wine", "bank", "musk_v2")
        }
    return every


def objective(W: np.ndarray, rows: Rows, l2: float) -> float:
    """J of the parameters W (K, d + 1), the intercept in the last column."""
    Z = rows.X @ W[:, :-1].T + W[:, -1]
    if len(W) == 1:
        losses = np.logaddexp(0, np.where(rows.y == 1, -Z[:, 0], Z[:, 0]))
    else:
        losses = np.logaddexp.reduce(Z, axis=1) - Z[np.arange(len(Z)), rows.y]
    return float(losses.sum() + 0.5 * l2 * (W[:, :-1] ** 2).sum())


def ours(rows: Rows, l2: float) -> Callable[[], np.ndarray]:
    X, y = torch.as_tensor(rows.X), torch.as_tensor(rows.y)
    return lambda: LogisticRegression(rows.n_classes, l2).fit(X, y).coef_.numpy()


def theirs(
    rows: Rows, l2: float, solver: str, tol: float, max_iter: int = 100_000
) -> Callable[[], np.ndarray]:
    def fit() -> np.ndarray:
        model = ScikitLearn(C=1 / l2, solver=solver, tol=tol, max_iter=max_iter, random_state=0)
        model.fit(rows.X, rows.y)
        return np.c_[model.coef_, model.intercept_]

    return fit


def seconds(call: Callable[[], object]) -> tuple[object, float]:
    started = time.perf_counter()
    result = call()
    return result, time.perf_counter() - started


def loosest(rows: Rows, l2: float, solver: str, goal: float) -> tuple[float, Callable[[], np.ndarray]] | None:
    """The fit of the loosest tolerance that reaches the objective ``goal``."""
    for tol in TOLERANCES:
        fit = theirs(rows, l2, solver, tol)
        W, taken = seconds(fit)
        if objective(W, rows, l2) <= goal:
            return tol, fit
        if taken > TOO_LONG:
            return None
    return None


def stochastic(rows: Rows, l2: float, solver: str, goal: float, limit: float) -> bool:
    """Whether a solver reaches the objective within ``limit`` seconds."""
    epochs = 4
    while True:
        W, taken = seconds(theirs(rows, l2, solver, 1e-12, epochs))
        if objective(W, rows, l2) <= goal:
            return True
        if taken >= limit:
            return False
        epochs *= 2


def solvers(rows: Rows) -> tuple[str, ...]:
    """Those that are tried."""
    few = rows.X.shape[1] * rows.n_classes <= DENSE
    return SOLVERS if few else tuple(solver for solver in SOLVERS if solver != "newton-cholesky")


def fits(names: list[str], repeats: int) -> Iterator[dict]:
    """One fit of each shape and penalty."""
    for name in names:
        rows = shapes()[name]()
        for l2 in PENALTIES:
            fit = ours(rows, l2)
            lowest = objective(fit(), rows, l2)
            goal = lowest + WITHIN * abs(lowest)
            found = {s: at for s in solvers(rows) if (at := loosest(rows, l2, s, goal))}
            times = interleaved({"ours": fit, **{s: call for s, (_, call) in found.items()}}, repeats)
            row = {"shape": f"{name}, {rows.X.shape[0]} x {rows.X.shape[1]} x {rows.n_classes}", "l2": l2}
            row["ours ms"] = 1e3 * times["ours"]
            for solver in SOLVERS:
                row[f"{solver} ms"] = 1e3 * times[solver] if solver in times else "never"
            fastest = min((times[s] for s in found), default=float("nan"))
            reached = [s for s in SLOW_SOLVERS if found and stochastic(rows, l2, s, goal, 10 * fastest)]
            row["sag, saga"] = ", ".join(reached) or "> 10 times"
            row["ours / fastest"] = times["ours"] / fastest
            print(row, flush=True)
            yield row


def tuning(names: list[str], repeats: int) -> Iterator[dict]:
    """Five folds, eight penalties; theirs as precise as ours is while it compares."""
    for name in names:
        rows = shapes()[name]()
        X, y = torch.as_tensor(rows.X), torch.as_tensor(rows.y)
        chosen = LogisticRegression(rows.n_classes, "cv")

        def tune(chosen: LogisticRegression = chosen, X: torch.Tensor = X, y: torch.Tensor = y) -> float:
            return chosen.tune(X, y, np.random.default_rng(0)).l2_

        calls: dict[str, Callable[[], object]] = {"ours": tune}
        for solver in solvers(rows):
            _, taken = seconds(cross_validated(rows, solver, 1e-4))
            if taken < 10:
                calls[solver] = cross_validated(rows, solver, 1e-4)
        times = interleaved(calls, repeats)
        row = {"shape": f"{name}, {rows.X.shape[0]} x {rows.X.shape[1]} x {rows.n_classes}"}
        row |= {f"{s} s": times.get(s, "> 10") for s in ("ours", *SOLVERS)}
        row["ours / fastest"] = times["ours"] / min(times[s] for s in calls if s != "ours")
        row["our l2"] = tune()
        row["theirs"] = ", ".join(sorted({f"{calls[s]():g}" for s in calls if s != "ours"}))
        print(row, flush=True)
        yield row


def cross_validated(rows: Rows, solver: str, tol: float) -> Callable[[], float]:
    """A call that gives the penalty chosen by LogisticRegressionCV."""

    def tune() -> float:
        grid = sorted(1 / l2 for l2 in L2_GRID)
        settings = {"l1_ratios": (0.0,), "use_legacy_attributes": False, "scoring": "neg_log_loss"}
        model = LogisticRegressionCV(Cs=grid, cv=5, solver=solver, tol=tol, max_iter=10_000, **settings)
        return 1 / float(model.fit(rows.X, rows.y).C_)

    return tune


def label(names: list[str], repeats: int) -> Iterator[dict]:
    """``salutary-label``, five labels, as a process of its own, beside one tuning by LogisticRegressionCV."""
    for name in names:
        if name not in ("25 classes", EMBEDDINGS):
            continue
        rows = shapes()[name]()
        with tempfile.TemporaryDirectory() as folder:
            write_parts(rows, Path(folder))
            command = [
                str(Path(sys.executable).with_name("salutary-label")),
                "target=class",
                "rounds=1",
                "budget=5",
            ]
            command += [f"{part}={folder}/{part}.csv" for part in ("labeled", "validation", "pool")]
            times, inner = [], []
            for i in range(repeats):
                run = [*command, f"output={folder}/labels{i}.csv"]
                printed, taken = seconds(
                    lambda run=run: subprocess.run(run, capture_output=True, text=True, check=True)
                )
                times.append(taken)
                inner.append(float(printed.stdout.partition("no human asked; ")[2].split()[0]))
        once = min(seconds(cross_validated(rows, s, 1e-4))[1] for s in ("lbfgs", "newton-cg"))
        yield {
            "shape": f"{name}, {rows.X.shape[0]} x {rows.X.shape[1]} x {rows.n_classes}, pool 2,000",
            "whole process s": float(np.median(times)),
            "labelling s": float(np.median(inner)),
            "LogisticRegressionCV s": once,
        }


def write_parts(rows: Rows, folder: Path) -> None:
    """CSV files of labelled, validation and pool rows."""
    parts = {
        "labeled": (rows.X, rows.y),
        "validation": (rows.X_more[:N_ROWS], rows.y_more[:N_ROWS]),
        "pool": (rows.X_more[N_ROWS : N_ROWS + 2000], None),
    }
    for part, (X, y) in parts.items():
        table = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
        if y is not None:
            table["class"] = [f"c{number}" for number in y]
        table.to_csv(folder / f"{part}.csv", index=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--shapes", default=",".join(shapes()))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    use_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    warnings.filterwarnings("ignore", "The least populated class")
    rows = []
    for part in arguments.only.split(","):
        made = list(
            {"fits": fits, "tuning": tuning, "label": label}[part](
                arguments.shapes.split(","), arguments.repeats
            )
        )
        print_table(made)
        rows += [{"part": part, **row} for row in made]
    print(versions(("torch", "numpy", "scipy", "scikit-learn")))
    if arguments.csv:
        write_csv(rows, arguments.csv)


if __name__ == "__main__":
    main()
