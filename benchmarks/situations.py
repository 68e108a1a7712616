"""Fitted models and their rows, of the sizes of the paper's tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from torch import Tensor

from salutary.experiments.problem import Problem
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.influence import optimum_of
from salutary.system.commands import build
from salutary.system.conf import config_dir
from salutary.system.device import Device

# Rows of the pool, features, classes, rows of the validation set: like bank, wine and MNIST's features.
SHAPES = {"B": (18_000, 51, 2, 6_098), "W": (3_600, 11, 7, 1_300), "M": (54_000, 512, 10, 5_000)}
N_LABELED = 300
BUDGET = 10


@dataclass(frozen=True)
class Situation:
    """A fitted model and its rows."""

    model: LogisticRegression
    l2: float
    X: Tensor
    y: Tensor
    X_validation: Tensor
    y_validation: Tensor
    X_pool: Tensor

    @classmethod
    def make(cls, n: int, d: int, n_classes: int, n_validation: int, l2: float = 1.0) -> Situation:
        """Gaussian classes: a pool of n rows of d features, and a model fitted to 300 others."""
        rng = np.random.default_rng(0)
        centres = 0.3 * rng.standard_normal((n_classes, d))
        y = rng.integers(n_classes, size=N_LABELED + n_validation + n)
        X = torch.as_tensor(centres[y] + rng.standard_normal((len(y), d)))
        sizes = N_LABELED, n_validation, n
        (X, X_validation, X_pool), (y, y_validation, _) = X.split(sizes), torch.as_tensor(y).split(sizes)
        model = LogisticRegression(n_classes, l2, fit_intercept=False).fit(X, y)
        return cls(model, l2, X, y, X_validation, y_validation, X_pool)

    def to(self, dtype: torch.dtype, device: str) -> Situation:
        rows = (x.to(device, dtype) for x in (self.X, self.X_validation, self.X_pool))
        X, X_validation, X_pool = rows
        y, y_validation = self.y.to(device), self.y_validation.to(device)
        model = LogisticRegression(self.model.n_classes, self.l2, fit_intercept=False).fit(X, y)
        return Situation(model, self.l2, X, y, X_validation, y_validation, X_pool)

    @property
    def view(self) -> PoolView:
        """What a strategy sees of it."""
        return PoolView(
            pool=self.X_pool,
            labeled=self.X,
            labels=self.y,
            validation=self.X_validation,
            validation_labels=self.y_validation,
            n_initial=N_LABELED,
            n_classes=self.model.n_classes,
        )

    def direction(self, solver: str = "auto") -> Tensor:
        """H^-1 g with the Hessian of the labelled rows."""
        return optimum_of(self.model, self.view).direction(solver)


def bank(l2: float, device: str) -> Situation:
    """The bank table as the authors' notebook splits it."""
    with initialize_config_dir(config_dir(), version_base="1.3"):
        cfg = compose("config", ["dataset=bank", "seed=2026"])
    table = build(cfg, "dataset").load()
    split = build(cfg, "protocol.splitter").split(table.y, N_LABELED, cfg.seed)
    problem = Problem.prepare(table, split, Device(device))
    (X, y), validation = problem.part("initial"), problem.part("validation")
    model = LogisticRegression(2, l2, fit_intercept=False).fit(X, y)
    return Situation(model, l2, X, y, *validation, problem.part("pool")[0])
