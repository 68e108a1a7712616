"""Salutary labelling in modAL: a query strategy for its ``ActiveLearner``.

    strategy = salutary_sampling(X_val, y_val)
    learner = ActiveLearner(LogisticRegression(), strategy, X_training=X, y_training=y)
    rows, X_new = learner.query(X_pool, n_instances=10)
    labels = strategy.labels_  # nobody was asked

modAL's ``teach`` and ``fit`` break with scikit-learn 1.8 and later (they pass ``force_all_finite``, which
is gone there). Hand the learner its data and fit its estimator yourself:

    learner.X_training = np.concatenate([learner.X_training, X_new])
    learner.y_training = np.concatenate([learner.y_training, labels])
    learner.estimator.fit(learner.X_training, learner.y_training)

modAL itself is not imported here.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from salutary.engine.selection import top
from salutary.errors import SalutaryError
from salutary.integrations.fitted import RowsLike, influence


class SalutarySampling:
    """Query strategy: the rows with the highest influence over all labels; of equals the lower row first.

    score(x) = max over c of I(x, c), see :func:`salutary.integrations.fitted.influence`. The learner's
    estimator is a fitted scikit-learn ``LogisticRegression``, its ``X_training`` and ``y_training`` what it
    was fitted to.

    Attributes
    ----------
    labels_: the labels of the rows of the last query, best row first: argmax over c of I(x, c).
    """

    def __init__(self, X_val: RowsLike, y_val: ArrayLike):
        self.X_val = X_val
        self.y_val = y_val

    def __call__(
        self, learner, X_pool: RowsLike, n_instances: int = 1, sample_weight: ArrayLike | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Positions in ``X_pool`` and influences, both (n_instances,), best first.

        ``sample_weight``: what the estimator was fitted with, if any; ``learner.query`` passes it on.
        Raises SalutaryError as ``influence`` does, and for more rows than there are.
        """
        if learner.X_training is None:
            raise SalutaryError("the learner has no X_training: influences need the rows it was fitted to")
        fall = influence(
            learner.estimator,
            X_train=learner.X_training,
            X_pool=X_pool,
            X_val=self.X_val,
            y_val=self.y_val,
            sample_weight=sample_weight,
            y_train=learner.y_training,
        )
        if n_instances not in range(1, len(fall) + 1):
            raise SalutaryError(
                f"n_instances must be a whole number from 1 to {len(fall)}, not {n_instances}"
            )
        best = fall.max(axis=1)
        rows = top(best, n_instances).numpy()
        self.labels_ = learner.estimator.classes_[fall[rows].argmax(axis=1)]
        return rows, best[rows]


def salutary_sampling(X_val: RowsLike, y_val: ArrayLike) -> SalutarySampling:
    """A query strategy that predicts the fall of the mean log-loss over (``X_val``, ``y_val``)."""
    return SalutarySampling(X_val, y_val)
