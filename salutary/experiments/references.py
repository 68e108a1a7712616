"""Reference lines: what a result has to be compared with before anything is claimed."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import numpy as np
import torch

from salutary.experiments.metrics import Metrics, evaluate, score
from salutary.experiments.problem import Problem
from salutary.models import Model

# The lines that a model is trained for.
TRAINED = ("labeled_and_validation", "fully_supervised")


def reference_lines(
    problem: Problem, model: Model, initial: Metrics, trained: Mapping[str, Metrics] | None = None
) -> dict[str, Metrics]:
    """Test metrics of four lines; ``model`` is a tuned model of the run, which stays as it is.

    ``majority``: always the commonest class of the training part, with its class shares as
    probabilities. ``initial``: the model of round 0, as given. ``labeled_and_validation``: the
    validation labels used as training data. ``fully_supervised``: the whole training part with
    its true labels. ``trained``: the last two as :func:`trained_lines` gives them, which it is asked else.
    """
    test = problem.rows("test")
    counts = torch.bincount(problem.y[problem.split.training], minlength=problem.n_classes).double()
    shares = (counts / counts.sum()).expand(len(test), -1)
    lines = {"majority": score(shares, test.y, test.groups, problem.criterion), "initial": initial}
    return {**lines, **(trained_lines(problem, model) if trained is None else trained)}


def trained_lines(problem: Problem, model: Model) -> dict[str, Metrics]:
    """The lines of TRAINED: the model, as tuned, fitted to other rows of the problem."""
    test, split = problem.rows("test"), problem.split
    pool = problem.X[split.pool]

    def trained_on(rows: np.ndarray, y: torch.Tensor, unlabeled: torch.Tensor | None) -> Metrics:
        fitted = copy.copy(model).fit(problem.X[rows], y[rows], unlabeled)
        return evaluate(fitted, test.X, test.y, test.groups, problem.criterion)

    return {
        "labeled_and_validation": trained_on(
            np.union1d(split.initial, split.validation), problem.given, pool
        ),
        "fully_supervised": trained_on(split.training, problem.y, None),
    }
