"""Query times side by side with scikit-activeml, in one process, on one BLAS thread.

    pip install -c constraints.txt -e ".[bench]"
    python benchmarks/strategies.py [--rows 44700] [--features 512] [--classes 10] [--repeats 3] [--csv FILE]

Synthetic features (Gaussian classes) of the size of the paper's image tables; a batch of ten from
44,700 rows, 300 labelled. Runs are interleaved, times are medians; memory is the highest resident size
during one query above that before it (Linux).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch
from measure import interleaved, print_table, use_threads, versions, write_csv
from skactiveml.base import SkactivemlClassifier
from skactiveml.classifier import SklearnClassifier
from skactiveml.pool import Badge as PeerBadge
from skactiveml.pool import BatchBALD as PeerBatchBald
from skactiveml.pool import CoreSet as PeerCoreSet
from skactiveml.pool import UncertaintySampling as PeerUncertainty
from sklearn.linear_model import LogisticRegression as ScikitLearn

from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.badge import Badge
from salutary.strategies.batchbald import BatchBald
from salutary.strategies.coreset import CoreSet
from salutary.strategies.uncertainty import Entropy, Margin, Uncertainty
from salutary.system import memory

BATCH = 10
DRAWS = 100
PACKAGES = ("torch", "numpy", "scikit-learn", "scikit-activeml", "modAL-python")


class Draws(SkactivemlClassifier):
    """The posterior draws that salutary uses, handed to scikit-activeml: the same K for both."""

    def __init__(self, W=None, classes=None, missing_label=np.nan, cost_matrix=None, random_state=None):
        super().__init__(
            classes=classes,
            missing_label=missing_label,
            cost_matrix=cost_matrix,
            random_state=random_state,
        )
        self.W = W

    def fit(self, X, y, sample_weight=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return self.sample(X).mean(0)

    def sample(self, X):
        Z = (X @ self.W.reshape(-1, self.W.shape[2]).T).reshape(len(X), *self.W.shape[:2])
        Z = np.exp(Z - Z.max(2, keepdims=True))
        return (Z / Z.sum(2, keepdims=True)).swapaxes(0, 1)


def situation(n: int, d: int, n_classes: int, n_labeled: int = 300):
    """A fitted model, the view of its pool, and the same as scikit-activeml takes it."""
    rng = np.random.default_rng(0)
    centres = 0.3 * rng.standard_normal((n_classes, d))
    y = rng.integers(n_classes, size=n + 2 * n_labeled)
    X = centres[y] + rng.standard_normal((len(y), d))
    pool, labeled, validation = np.split(X, [n, n + n_labeled])
    labels, validation_labels = np.split(y[n:], [n_labeled])
    view = PoolView(
        *map(torch.as_tensor, (pool, labeled, labels, validation, validation_labels)),
        n_initial=n_labeled,
        n_classes=n_classes,
    )
    model = LogisticRegression(n_classes, 1.0, fit_intercept=False).fit(view.labeled, view.labels)
    everything = np.concatenate([labeled, pool])
    known = np.concatenate([labels.astype(float), np.full(n, np.nan)])
    return model, view, everything, known


def contestants(model, view: PoolView, X: np.ndarray, y: np.ndarray) -> dict[str, dict[str, Callable]]:
    """For each strategy the two calls to time: ours and scikit-activeml's."""
    classes = np.arange(view.n_classes)
    peer = SklearnClassifier(ScikitLearn(fit_intercept=False, max_iter=1000), classes=classes)
    peer.fit(X[~np.isnan(y)], y[~np.isnan(y)])
    batchbald = BatchBald(draws=DRAWS)
    W = batchbald.sample_posterior(model, view, np.random.default_rng(0)).numpy()
    draws = Draws(W, classes=classes)
    sampled = {"sample_predictions_method_name": "sample", "random_state": 0}

    def ours(strategy) -> Callable:
        return lambda: strategy.propose(model, view, BATCH, np.random.default_rng(0))

    def theirs(strategy, **arguments) -> Callable:
        return lambda: strategy.query(X, y, batch_size=BATCH, **arguments)

    fitted = {"clf": peer, "fit_clf": False}
    return {
        "bare predict_proba": {"salutary": lambda: model.predict_proba(view.pool).numpy()},
        "entropy": {
            "salutary": ours(Entropy()),
            "scikit-activeml": theirs(PeerUncertainty(method="entropy", random_state=0), **fitted),
        },
        "margin": {
            "salutary": ours(Margin()),
            "scikit-activeml": theirs(PeerUncertainty(method="margin_sampling", random_state=0), **fitted),
        },
        "uncertainty": {
            "salutary": ours(Uncertainty()),
            "scikit-activeml": theirs(PeerUncertainty(method="least_confident", random_state=0), **fitted),
        },
        "coreset": {"salutary": ours(CoreSet()), "scikit-activeml": theirs(PeerCoreSet(random_state=0))},
        "badge": {
            "salutary": ours(Badge()),
            "scikit-activeml": theirs(PeerBadge(random_state=0), **fitted),
        },
        f"batchbald, {DRAWS} draws": {
            "salutary": ours(batchbald),
            "scikit-activeml": theirs(PeerBatchBald(**sampled), ensemble=draws, fit_ensemble=False),
        },
    }


def measure(calls: dict[str, dict[str, Callable]], repeats: int) -> list[dict]:
    """A row per strategy: times and memory of both, and how many times faster ours is."""
    flat = {(name, who): call for name, each in calls.items() for who, call in each.items()}
    megabytes = {key: memory.peak(call) for key, call in flat.items()}  # warms up, too
    median = interleaved(flat, repeats)
    bare = median["bare predict_proba", "salutary"]
    rows = []
    for name, each in calls.items():
        ours = median[name, "salutary"]
        row = {"strategy": name, "salutary s": ours, "/ bare": ours / bare}
        row["salutary MB"] = megabytes[name, "salutary"]
        if "scikit-activeml" in each:
            theirs = name, "scikit-activeml"
            row["scikit-activeml s"] = median[theirs]
            row["scikit-activeml MB"] = megabytes[theirs]
            row["times faster"] = median[theirs] / ours
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in {"rows": 44_700, "features": 512, "classes": 10, "repeats": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--csv", help="also write the table to this file")
    options = parser.parse_args()
    use_threads(1)
    calls = contestants(*situation(options.rows, options.features, options.classes))
    rows = measure(calls, options.repeats)
    print(f"{options.rows:,} x {options.features}, {options.classes} classes, batch {BATCH}")
    print(versions(PACKAGES))
    print_table(rows)
    if options.csv:
        write_csv(rows, options.csv)


if __name__ == "__main__":
    main()
