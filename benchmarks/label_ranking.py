"""What finds wrong labels where validation rows are right: the audit's rankings and others.

    pip install -c constraints.txt -e ".[bench]"
    SALUTARY_DATA_DIR=... python benchmarks/label_ranking.py [--seeds 5] [--first 0] [--csv FILE]

300 labelled rows of nine tables, 100 or 300 validation rows (250 of breast_cancer), standardised by the
labelled rows. Of the labels 30% or 10% are another class at random ("symmetric"), or 60% of every second
class are the next one ("class-dependent"). Each ranking's average precision and its precision among as many
rows as there are wrong labels. The penalty of logistic regression is the audit's, of least validation loss.

In-sample scores are averages over models of L + V that saw the label: 200 steps of Adam, the penalties 10^4
to 10^-3, 20 bootstrap samples (arXiv 2510.16211 recommends the logit margin of mean probabilities).
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from label_errors import RARE, SIZES, load
from measure import use_threads, versions, write_csv
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from salutary.datasets import Table
from salutary.labeling.audit import audit, out_of_fold
from salutary.models.logistic import STRONGEST_FIRST, LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.seeding import stream
from salutary.tables.labels import Classes

N_LABELED, N_VALIDATION = 300, (100, 300)
NOISES = {"symmetric, 30%": 0.3, "class-dependent": 0.6, "symmetric, 10%": 0.1}
STEPS, RATE, BOOTSTRAPS = 200, 0.02, 20
CLEANLAB = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
PACKAGES = ("torch", "numpy", "scikit-learn", "cleanlab")


def noisy(y: np.ndarray, n_classes: int, noise: str, rng: np.random.Generator) -> np.ndarray:
    """The labels y (n,), some of them wrong."""
    hit, other = rng.random(len(y)) < NOISES[noise], rng.integers(1, n_classes, len(y))
    if noise == "class-dependent":
        hit, other = hit & (y % 2 == 1), np.ones(len(y), np.int64)
    return np.where(hit, (y + other) % n_classes, y)


def parts_of(table: Table, n_validation: int, noise: str, seed: int) -> tuple[Rows, Rows, np.ndarray, int]:
    """Labelled rows and validation rows, which labels are wrong (n,), and the number of classes."""
    common = np.flatnonzero(np.bincount(table.y)[table.y] > RARE)
    classes, y = np.unique(table.y[common], return_inverse=True)
    X, rng = table.X[common], np.random.default_rng([seed, n_validation, *noise.encode()])
    numbers = np.arange(len(y))
    labeled, others = train_test_split(numbers, train_size=N_LABELED, stratify=y, random_state=seed)
    validation = rng.permutation(others)[: min(n_validation, 250 if len(y) < 600 else n_validation)]
    given = noisy(y[labeled], len(classes), noise, rng)
    scaler = StandardScaler().fit(X[labeled])
    L, V = (
        Rows(torch.as_tensor(scaler.transform(X[rows])), torch.as_tensor(labels))
        for rows, labels in ((labeled, given), (validation, y[validation]))
    )
    return L, V, given != y[labeled], len(classes)


def rankings(L: Rows, V: Rows, n_classes: int, seed: int) -> dict[str, np.ndarray]:
    """What is believed of each label (n,) by each ranking, the least suspect the highest."""
    model = LogisticRegression(n_classes, l2="validation")
    model.tune(L.X, L.y, stream(seed, "model"), (V.X, V.y))
    found = audit(L, V, model, Classes(tuple(map(str, range(n_classes)))), seed).sort_values("row")
    y, n, both = L.y.numpy(), np.arange(len(L)), L.joined(V.X, V.y)
    with_v, without = (out_of_fold(L, rows, model, seed) for rows in (V, V[np.arange(0)]))
    alone = LogisticRegression(n_classes, l2="cv").tune(V.X, V.y, stream(seed, "model"))
    believed = {
        "audit, wrong_probability": -found["wrong_probability"].to_numpy(),
        "audit, harm": -found["harm"].to_numpy(),
        "audit, gain": -found["gain"].to_numpy(),
        "audit, probability (out of fold, L + V)": found["probability"].to_numpy(),
        "logit margin, out of fold, L + V": margin(with_v, y),
        "probability, V alone": fitted(alone, V)(L)[n, y],
    }
    for name, models in in_sample(model, both, L, seed).items():
        believed |= {f"in-sample, {name}, mean probability": models[n, y]}
        believed |= {f"in-sample, {name}, margin of it": margin(models, y)}
    for where, P in (("L", without), ("L + V", with_v)):
        each = {
            f"cleanlab, {name}, {where}": get_label_quality_scores(y, P, method=name) for name in CLEANLAB
        }
        believed |= each
    return believed


def margin(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log-odds of the label against the likeliest other class, (n,)."""
    Z, n = np.log(np.clip(P, 1e-12, 1)), np.arange(len(y))
    given = Z[n, y]
    Z[n, y] = -np.inf
    return given - Z.max(1)


def fitted(model: LogisticRegression, rows: Rows, l2: float | None = None) -> Callable[[Rows], np.ndarray]:
    """Probabilities by a model of the rows, of penalty ``l2`` if it is given."""
    trained = copy.copy(model)
    trained.l2_ = trained.l2_ if l2 is None else l2
    trained.fit(rows.X, rows.y)
    return lambda rows: trained.predict_proba(rows.X).numpy()


def in_sample(model: LogisticRegression, both: Rows, L: Rows, seed: int) -> dict[str, np.ndarray]:
    """Mean probabilities (n, C) of L's rows over models that saw them."""
    loose, rng = copy.copy(model), np.random.default_rng([seed, 2])
    loose.tol = 1e-6
    samples = [both[rng.integers(len(both), size=len(both))] for _ in range(BOOTSTRAPS)]
    return {
        "checkpoints": np.mean(checkpoints(both, L, model.n_classes), axis=0),
        "penalties": np.mean([fitted(loose, both, l2)(L) for l2 in STRONGEST_FIRST], axis=0),
        "bootstrap": np.mean([fitted(loose, rows)(L) for rows in samples], axis=0),
    }


def checkpoints(both: Rows, L: Rows, n_classes: int) -> list[np.ndarray]:
    """Probabilities of L's rows after each step of training from zero."""
    layer = torch.nn.Linear(L.X.shape[1], n_classes, dtype=L.X.dtype)
    for parameter in layer.parameters():
        torch.nn.init.zeros_(parameter)
    optimizer, found = torch.optim.Adam(layer.parameters(), lr=RATE), []
    for _ in range(STEPS):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(layer(both.X), both.y).backward()
        optimizer.step()
        with torch.no_grad():
            found.append(layer(L.X).softmax(1).numpy())
    return found


def measured(table: Table, n_validation: int, noise: str, seed: int) -> list[dict]:
    """A row per ranking."""
    L, V, wrong, n_classes = parts_of(table, n_validation, noise, seed)
    rows = []
    for name, believed in rankings(L, V, n_classes, seed).items():
        first = np.argsort(believed, kind="stable")[: wrong.sum()]
        precision = {
            "average_precision": average_precision_score(wrong, -believed),
            "precision": wrong[first].mean(),
        }
        rows.append(
            {"ranking": name, "noise": noise, "n_validation": n_validation, "seed": seed, **precision}
        )
    return rows


def summary(rows: list[dict], value: str) -> pd.DataFrame:
    """Means over tables and seeds, by situation and in all; by table."""
    frame = pd.DataFrame(rows)
    frame["situation"] = frame["noise"] + ", V " + frame["n_validation"].astype(str)
    parts = [frame.pivot_table(value, "ranking", each, sort=False) for each in ("situation", "table")]
    parts.insert(0, parts[0].mean(axis=1).rename("all"))
    return (100 * pd.concat(parts, axis=1)).round(1).sort_values("all", ascending=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    use_threads(1)
    rows = []
    tables = {name: table for name in SIZES if (table := load(name))}
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        for name, table in tables.items():
            for n in N_VALIDATION:
                for noise in NOISES:
                    rows += [{"table": name, **row} for row in measured(table, n, noise, seed)]
            print(f"seed {seed}, {name}", flush=True)
    for value in ("average_precision", "precision"):
        print(f"\n{value}, %\n\n{summary(rows, value).to_markdown()}")
    print(f"\n{versions(PACKAGES)}")
    if arguments.csv:
        write_csv(rows, arguments.csv)


if __name__ == "__main__":
    main()
