"""L's labels as noisy observations of the true ones, which V's rows have.

A noise matrix N (C, C) has the probability of each given label in the columns, by the true one in the rows.
With a model p of the true label, a label j given to x is of the distribution q_c ~ p_c(x) N_cj; expectation
maximisation alternates that with fits to V's labels and q, and with N from the counts of q.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salutary.engine.soft_regression import ROUGHLY, SoftRegression, logits, of_classes
from salutary.remedies import LabelledData, Remedy, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled

ITERATIONS = 10
STEPS = 6
# Where a source's matrix begins, and what is added to its counts, in rows: 2 right, 0.7 wrong ones of each
# kind.
RIGHT, PRIOR_RIGHT, PRIOR_WRONG = 0.7, 2.0, 0.7


@dataclass(frozen=True)
class NoiseEstimate:
    """What EM found: the model W (K, D), noise matrices (S, C, C) of the sources, q (n_L, C) of L's
    labels.
    """

    W: np.ndarray
    matrices: np.ndarray
    q: np.ndarray

    def right(self, sources: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Share of each source's labels y (n_L,) that are the true ones, (S,), as q has it."""
        of_given = self.q[np.arange(len(y)), y]
        n = np.bincount(sources, minlength=len(self.matrices))
        return np.bincount(sources, of_given, len(self.matrices)) / np.maximum(n, 1)


def prior_counts(n_classes: int) -> np.ndarray:
    """(C, C)."""
    counts = np.full((n_classes, n_classes), PRIOR_WRONG)
    np.fill_diagonal(counts, PRIOR_RIGHT)
    return counts


def first_matrices(n_sources: int, n_classes: int) -> np.ndarray:
    """Where nothing is known yet, (S, C, C)."""
    matrix = np.full((n_classes, n_classes), (1 - RIGHT) / (n_classes - 1))
    np.fill_diagonal(matrix, RIGHT)
    return np.repeat(matrix[None], n_sources, 0)


def expectation_maximisation(
    data: LabelledData,
    l2: float,
    sources: np.ndarray,
    matrices: np.ndarray,
    learns: bool = True,
    iterations: int = ITERATIONS,
    start: np.ndarray | None = None,
) -> NoiseEstimate:
    """The model and the noise matrices (S, C, C), from those given on, by ``iterations``.

    ``sources`` (n_L,): numbers of who gave L's labels. ``learns``: whether the matrices change. ``start``:
    parameters to begin with; by default those of V's rows.
    """
    L, V = data.labeled, data.validation
    given = np.eye(data.n_classes)[L.y]
    both = np.concatenate([V.X, L.X])
    W = _of_validation(data, l2) if start is None else start
    prior = prior_counts(data.n_classes)
    for _ in range(iterations):
        q = posterior(W, L.X, L.y, sources, matrices)
        if learns:
            matrices = np.stack(
                [q[sources == s].T @ given[sources == s] + prior for s in range(len(matrices))]
            )
            matrices /= matrices.sum(2, keepdims=True)
        rows = SoftRegression(
            both, np.concatenate([data.one_hot(V.y), q]), np.ones(len(both)), data.intercept
        )
        W = rows.fit(rows.penalty(l2), W, steps=STEPS, last=ROUGHLY)
    return NoiseEstimate(W, matrices, posterior(W, L.X, L.y, sources, matrices))


def _of_validation(data: LabelledData, l2: float) -> np.ndarray:
    V = data.validation
    rows = SoftRegression(V.X, data.one_hot(V.y), np.ones(len(V)), data.intercept)
    return rows.fit(rows.penalty(l2))


def posterior(
    W: np.ndarray, X: np.ndarray, y: np.ndarray, sources: np.ndarray, matrices: np.ndarray
) -> np.ndarray:
    """q (n, C), q_c ~ p_c(x) N_cj: of the true labels of rows X (n, d), which ``sources`` (n,) gave y."""
    q = of_classes(logits(X, W)) * matrices[sources, :, y]
    return q / q.sum(1, keepdims=True)


class NoiseModel(Remedy):
    """One noise matrix for all of L, by EM, V's labels being true.

    The noise layer of Bekker & Goldberger, "Training deep neural-networks based on unreliable labels", ICASSP
    2016, on a convex model; its penalty ``l2`` is given, since rows left out would be judged by labels that
    they have helped to find.
    """

    def __init__(self, l2: int):
        self.l2 = l2
        self.name = f"noise_model_{l2}"
        self.about = f"a noise matrix of the labels, validation rows being right (penalty {l2})"
        self.suits_all = l2 == 10

    def estimate(self, data: LabelledData) -> NoiseEstimate:
        """Model, matrix and distributions."""
        everyone = np.zeros(len(data.labeled), np.int64)
        return expectation_maximisation(data, self.l2, everyone, first_matrices(1, data.n_classes))

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, labels=self.estimate(data).q, l2=self.l2)


class NoisePerSource(Remedy):
    """A noise matrix for each source of L's labels, by EM, V's labels being true.

    Dawid & Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm", Applied
    Statistics 1979, with a model: Raykar et al., "Learning from crowds", JMLR 2010.
    """

    name = "noise_per_source"
    about = "a noise matrix of each source, validation rows being right"
    suits_all = True
    l2 = 10

    def applies(self, data: LabelledData) -> bool:
        return data.n_sources > 1

    def estimate(self, data: LabelledData) -> NoiseEstimate:
        """Model, matrices and distributions."""
        assert data.sources is not None
        first = first_matrices(data.n_sources, data.n_classes)
        return expectation_maximisation(data, self.l2, data.sources, first)

    def rows(self, data: LabelledData) -> TrainingRows:
        return TrainingRows.of(data, labels=self.estimate(data).q, l2=self.l2)


class GoldLossCorrection(Remedy):
    """The noise matrix that V shows of a model of L, and L's labels seen through it.

    Hendrycks et al., "Using trusted data to train deep networks on labels corrupted by severe noise", NeurIPS
    2018. The corrected loss is lowered by EM with the matrix as it is, whose fixed points are its own.
    """

    def __init__(self, l2: int):
        self.l2 = l2
        self.name = f"gold_loss_correction_{l2}"
        self.about = (
            f"the noise matrix that validation rows show of the model of labelled rows (penalty {l2})"
        )

    def matrix(self, data: LabelledData) -> np.ndarray:
        """Mean prediction of L's model for V's rows of each true class (C, C), and one right row of each."""
        V = data.validation
        predicted = Logistic().fit(Labeled().rows(data), data).probabilities(V.X)
        counts = data.one_hot(V.y).T @ predicted + np.eye(data.n_classes)
        return counts / counts.sum(1, keepdims=True)

    def rows(self, data: LabelledData) -> TrainingRows:
        everyone = np.zeros(len(data.labeled), np.int64)
        found = expectation_maximisation(
            data, self.l2, everyone, self.matrix(data)[None], learns=False, iterations=2 * ITERATIONS
        )
        return TrainingRows.of(data, labels=found.q, l2=self.l2)
