"""Reference lines: what a result has to be compared with before anything is claimed."""

from __future__ import annotations

import copy

import numpy as np
import torch

from salutary.experiments.metrics import Metrics, evaluate, score
from salutary.experiments.problem import Problem
from salutary.models import Model


def reference_lines(problem: Problem, model: Model, initial: Metrics) -> dict[str, Metrics]:
    """Test metrics of four lines; ``model`` is a tuned model of the run, which stays as it is.

    ``majority``: always the commonest class of the training part, with its class shares as
    probabilities. ``initial``: the model of round 0, as given. ``labeled_and_validation``: the
    validation labels used as training data. ``fully_supervised``: the whole training part with
    its true labels.
    """
    X_test, y_test = problem.part("test")
    split = problem.split
    pool = problem.X[split.pool]

    def trained_on(rows: np.ndarray, y: torch.Tensor, unlabeled: torch.Tensor | None) -> Metrics:
        fitted = copy.copy(model).fit(problem.X[rows], y[rows], unlabeled)
        return evaluate(fitted, X_test, y_test)

    counts = torch.bincount(problem.y[split.training], minlength=problem.n_classes).double()
    shares = (counts / counts.sum()).expand(len(y_test), -1)
    return {
        "majority": score(shares, y_test),
        "initial": initial,
        "labeled_and_validation": trained_on(
            np.union1d(split.initial, split.validation), problem.given, pool
        ),
        "fully_supervised": trained_on(split.training, problem.y, None),
    }
