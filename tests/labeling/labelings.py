"""Labellings of small tables of scikit-learn's, and settings that name the files of fixture ``files``."""

import numpy as np
import torch
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from salutary.labeling.labeler import Labeler
from salutary.labeling.pool import ArrayPool
from salutary.labeling.settings import LabelSettings
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows

LOADERS = {2: load_breast_cancer, 3: load_wine}


def table(n_classes=2):
    X, y = LOADERS[n_classes](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return StandardScaler().fit_transform(X[order]), y[order]


def parts(n_classes=2, n=30, n_validation=60):
    """Labelled rows, validation rows and the pool, (X, y) each."""
    X, y = table(n_classes)
    ends = (slice(n), slice(n, n + n_validation), slice(n + n_validation, None))
    return [(X[rows], y[rows]) for rows in ends]


def rows(X, y):
    return Rows(torch.tensor(X), torch.tensor(y))


def make(n_classes=2, strategy=None, l2=1.0, n=30, n_validation=60, **settings):
    labeled, validation, pool = parts(n_classes, n, n_validation)
    return Labeler(
        rows(*labeled),
        rows(*validation),
        ArrayPool(pool[0]),
        n_classes,
        LogisticRegression(n_classes, l2),
        strategy or SalutaryGreedy(1.0),
        **{"budget": 5, "folds": 3, **settings},
    )


def picked(rounds, track=0):
    return [(r.picks[track].rows.tolist(), r.picks[track].labels.tolist()) for r in rounds[1:]]


FILES = (
    "labeled=train.csv",
    "validation=val.csv",
    "pool=pool.parquet",
    "target=kind",
    "remedies=false",
    "folds=2",
)


def label_settings(folder, **changes):
    values = {
        "labeled": str(folder / "train.csv"), "validation": str(folder / "val.csv"), "pool": "pool",
        "target": "y", "id": "key", "source": None, "remedies": True, "combine": "average",
        "features": "linear", "group_edges": [], "export": [],
        "numeric": [], "categorical": ["count"], "ignore": [], "separator": ",", "decimal": ".",
        "text": [], "pair": [], "images": [], "image_encoder": "efficientnet_lite0", "skip_bad": False,
        "encoder": "auto", "max_length": 128,
        "missing": [], "units": [], "audit": False, "budget": 1,
        "backend": "local", "encode": "auto",
        "rounds": 1, "patience": 1, "min_influence": 0, "folds": 0, "shortlist": 1, "seed": 0, "force": False,
    }  # fmt: skip
    return LabelSettings.of(values | changes)
