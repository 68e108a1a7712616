"""Which labels an audit ranks first, beside cleanlab: how many are wrong, and what acting on them changes.

    pip install -c constraints.txt -e ".[bench]"
    SALUTARY_DATA_DIR=... python benchmarks/label_errors.py [--seeds 5] [--csv FILE]

A tenth of the labels of real tables are flipped to another class at random; validation and test rows keep
theirs. The audit (``salutary-label audit=true``) and cleanlab rank the labelled rows with the same logistic
regression, its penalty cross-validated on the flipped labels. "Precision" is the share of flipped rows among
the tenth ranked first. That tenth is then removed or relabelled, the model fitted again with the same penalty
and measured on test rows that nothing has looked at. "V": the validation rows are added to each training
fold. Means ± standard deviations over the seeds.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from cleanlab.rank import get_label_quality_scores
from hydra import compose, initialize_config_dir
from measure import print_table, use_threads, versions, write_csv
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from salutary import engine
from salutary.datasets import Table
from salutary.labeling.audit import audit, out_of_fold
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.system.commands import build
from salutary.system.conf import config_dir
from salutary.system.seeding import stream
from salutary.tables.labels import Classes

# Labelled and validation rows; all others test. Classes of at most RARE rows are left out.
SIZES = {
    "bank": (1000, 500),
    "celeba": (1000, 500),
    "waveform": (1000, 500),
    "wine": (1000, 500),
    "digits": (600, 300),
    "musk_v2": (1000, 500),
    "electrical": (1000, 500),
    "diabetic": (500, 250),
    "breast_cancer": (250, 100),
}
RARE = 20
BUNDLED = ("digits", "breast_cancer")
SHARE = 0.1
PACKAGES = ("torch", "numpy", "scikit-learn", "cleanlab")

PRECISION = {
    "harm": "harm",
    "gain": "gain",
    "probability": "probability",
    "self": "cleanlab, self-confidence",
    "margin": "cleanlab, margin",
    "self_validation": "cleanlab, self-confidence, V",
    "margin_validation": "cleanlab, margin, V",
    "random": "random",
}
ACTIONS = {
    "all": "all rows",
    "random_removed": "random removed",
    "harm_removed": "harm removed",
    "harm_suggested": "harm relabelled as suggested",
    "harm_predicted": "harm relabelled as predicted",
    "gain_suggested": "gain relabelled as suggested",
    "self_removed": "cleanlab removed",
    "self_validation_removed": "cleanlab, V removed",
    "true_labels": "true labels",
    "validation_added": "V added",
}


@dataclass(frozen=True)
class Parts:
    """Labelled rows with the ``truth`` (n,) of their partly wrong labels, clean validation and test rows."""

    labeled: Rows
    truth: np.ndarray
    validation: Rows
    test: Rows
    n_classes: int

    @property
    def flipped(self) -> np.ndarray:
        return self.labeled.y.numpy() != self.truth

    @property
    def n_first(self) -> int:
        return int(SHARE * len(self.labeled))


def load(name: str) -> Table | None:
    """The table as the project loads it; None where its file is absent."""
    folder = os.environ.get("SALUTARY_DATA_DIR")
    if name not in BUNDLED and not (folder and Path(folder, name).is_dir()):
        print(f"{name}: skipped, there is no folder {name} in SALUTARY_DATA_DIR", flush=True)
        return None
    with initialize_config_dir(config_dir(), version_base="1.3"):
        return build(compose("config", [f"dataset={name}"]), "dataset").load()


def parts_of(table: Table, sizes: tuple[int, int], rng: np.random.Generator) -> Parts:
    """Stratified parts, standardised by the labelled rows, a tenth of whose labels are flipped."""
    common = np.flatnonzero(np.bincount(table.y)[table.y] > RARE)
    classes, y = np.unique(table.y[common], return_inverse=True)
    numbers = np.arange(len(y))
    first, second = rng.integers(2**31, size=2).tolist()
    labeled, others = train_test_split(numbers, train_size=sizes[0], stratify=y, random_state=first)
    validation, test = train_test_split(others, train_size=sizes[1], stratify=y[others], random_state=second)
    X = StandardScaler().fit(table.X[common[labeled]]).transform(table.X[common])
    rows = {"validation": validation, "test": test}
    given = {name: Rows(torch.as_tensor(X[part]), torch.as_tensor(y[part])) for name, part in rows.items()}
    noisy = torch.as_tensor(flipped_labels(y[labeled], len(classes), rng))
    return Parts(Rows(torch.as_tensor(X[labeled]), noisy), y[labeled], **given, n_classes=len(classes))


def flipped_labels(y: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    """A tenth of the labels y (n,) replaced by another class at random."""
    rows = rng.permutation(len(y))[: int(SHARE * len(y))]
    y = y.copy()
    y[rows] = (y[rows] + rng.integers(1, n_classes, len(rows))) % n_classes
    return y


def measured(parts: Parts, seed: int) -> dict[str, float]:
    """All that is reported of one table and seed."""
    model = LogisticRegression(parts.n_classes, l2="cv")
    model.tune(parts.labeled.X, parts.labeled.y, stream(seed, "model"))
    classes = Classes(tuple(map(str, range(parts.n_classes))))
    found = audit(parts.labeled, parts.validation, model, classes, seed).set_index("row").sort_index()
    rankings = _rankings(parts, model, found, seed)
    first = {name: order[: parts.n_first] for name, order in rankings.items()}
    row = {f"precision_{name}": parts.flipped[rows].mean() for name, rows in first.items()}
    row |= _suggestions(parts, found, first["harm"]) | {"l2": model.l2_}
    for name, changed in _actions(parts, first, found).items():
        loss, accuracy = _quality(model, changed, parts.test)
        row |= {f"loss_{name}": loss, f"accuracy_{name}": accuracy}
    return row


def _rankings(
    parts: Parts, model: LogisticRegression, found: pd.DataFrame, seed: int
) -> dict[str, np.ndarray]:
    """Row numbers, the most doubtful first. cleanlab's probabilities come from the audit's own folds."""
    nothing = Rows(parts.validation.X[:0], parts.validation.y[:0])
    given = parts.labeled.y.numpy()
    doubt = {"harm": found["harm"], "gain": found["gain"], "probability": -found["probability"]}
    for ending, rows in {"": nothing, "_validation": parts.validation}.items():
        probabilities = out_of_fold(parts.labeled, rows, model, seed)
        for name, method in {"self": "self_confidence", "margin": "normalized_margin"}.items():
            doubt[name + ending] = -get_label_quality_scores(given, probabilities, method=method)
    doubt["random"] = np.random.default_rng([seed, 1]).random(len(given))
    return {name: np.argsort(-np.asarray(values), kind="stable") for name, values in doubt.items()}


def _suggestions(parts: Parts, found: pd.DataFrame, first: np.ndarray) -> dict[str, float]:
    """How often the suggested and the predicted label are right, of the flipped rows in the first tenth by
    harm; and what the audit's own mark finds, a harm above two standard errors.
    """
    flipped = first[parts.flipped[first]]
    hurting = (found["harm"] > 2 * found["standard_error"]).to_numpy()
    return {
        "suggestion_right": (found["suggested_label"] == parts.truth)[flipped].mean(),
        "prediction_right": (found["prediction"] == parts.truth)[flipped].mean(),
        "hurting": int(hurting.sum()),
        "hurting_flipped": parts.flipped[hurting].mean() if hurting.any() else float("nan"),
    }


def _actions(parts: Parts, first: dict[str, np.ndarray], found: pd.DataFrame) -> dict[str, Rows]:
    """The labelled rows after what can be done about a ranking."""
    rows, everything = parts.labeled, np.arange(len(parts.labeled))
    actions = {"all": rows}
    for name in ("random", "harm", "self", "self_validation"):
        actions[f"{name}_removed"] = rows[np.setdiff1d(everything, first[name])]
    for name, by in (("harm", "suggested"), ("harm", "predicted"), ("gain", "suggested")):
        labels = found["prediction" if by == "predicted" else "suggested_label"].to_numpy()
        y = np.where(np.isin(everything, first[name]), labels, rows.y)
        actions[f"{name}_{by}"] = replace(rows, y=torch.as_tensor(y))
    actions["true_labels"] = replace(rows, y=torch.as_tensor(parts.truth))
    actions["validation_added"] = rows.joined(parts.validation.X, parts.validation.y)
    return {name: actions[name] for name in ACTIONS}


def _quality(model: LogisticRegression, rows: Rows, test: Rows) -> tuple[float, float]:
    """Mean test loss and accuracy of the model fitted to these rows, with the penalty it was tuned to."""
    fitted = copy.copy(model).fit(rows.X, rows.y)
    hits = fitted.predict_proba(test.X).argmax(1) == test.y
    return float(engine.loss(test.X, test.y, fitted.coef_).mean()), float(hits.double().mean())


def summary(rows: list[dict], columns: dict[str, str], prefix: str, scale: float, digits: int) -> list[dict]:
    """A line per table: mean ± standard deviation over the seeds of ``prefix`` with each of the columns."""
    lines = []
    for name in dict.fromkeys(row["table"] for row in rows):
        line = {"table": name}
        for key, title in columns.items():
            values = [scale * row[prefix + key] for row in rows if row["table"] == name]
            values = [value for value in values if value == value]
            line[title] = f"{statistics.fmean(values):.{digits}f}" if values else "-"
            if len(values) > 1:
                line[title] += f" ± {statistics.stdev(values):.{digits}f}"
        lines.append(line)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--csv")
    arguments = parser.parse_args()
    use_threads(1)
    rows = []
    for name, sizes in SIZES.items():
        table = load(name)
        for seed in range(arguments.seeds if table else 0):
            rng = np.random.default_rng([seed, *name.encode()])
            rows.append({"table": name, "seed": seed, **measured(parts_of(table, sizes, rng), seed)})
            print(f"{name}, seed {seed}: harm {rows[-1]['precision_harm']:.2f}", flush=True)
    print("\nPrecision, % of the first tenth\n")
    print_table(summary(rows, PRECISION, "precision_", 100, 0))
    print("\nMarked: harm above two standard errors. Right: of the flipped rows in the first tenth by harm\n")
    print_table(_marks(rows))
    print("\nTest loss after it\n")
    print_table(summary(rows, ACTIONS, "loss_", 1, 3))
    print("\nTest loss with the rows of most harm removed, less that\n")
    print_table(_differences(rows))
    print("\nTest accuracy after it, %\n")
    print_table(summary(rows, ACTIONS, "accuracy_", 100, 1))
    print(f"\n{versions(PACKAGES)}")
    if arguments.csv:
        write_csv(rows, arguments.csv)


def _marks(rows: list[dict]) -> list[dict]:
    counts = summary(rows, {"hurting": "rows marked"}, "", 1, 0)
    shares = {
        "hurting_flipped": "of them flipped, %",
        "suggestion_right": "suggested_label right, %",
        "prediction_right": "prediction right, %",
    }
    return [a | b for a, b in zip(counts, summary(rows, shares, "", 100, 0), strict=True)]


def _differences(rows: list[dict]) -> list[dict]:
    """Of the same seed, so that what the seeds have in common falls out."""
    compared = ("all", "self_removed", "self_validation_removed", "validation_added")
    less = [
        {"table": row["table"], **{name: row["loss_harm_removed"] - row[f"loss_{name}"] for name in compared}}
        for row in rows
    ]
    return summary(less, {name: f"with {ACTIONS[name]}" for name in compared}, "", 1, 3)


if __name__ == "__main__":
    main()
