"""Between :class:`SalutaryClassifier` and the labelling of its pool."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.pool import ArrayPool, NpyPool
from salutary.labeling.track import soft_labels_of, weights_and_distributions
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Strategy
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.salutary_soft import SalutarySoft
from salutary.strategies.track import Rows
from salutary.system.rules import Choice

if TYPE_CHECKING:
    from salutary.integrations.classifier import SalutaryClassifier

GREEDY, SOFT = "salutary_greedy", "salutary_soft"
STRATEGY = Choice(GREEDY, SOFT)


def labeler_of(
    estimator: SalutaryClassifier,
    labeled: Rows,
    validation: Rows,
    pool: ArrayPool | NpyPool,
    model: LogisticRegression,
    seed: int,
    criterion: Criterion | None,
) -> Labeler:
    """What labels the ``pool``, by the estimator's settings."""
    return Labeler(
        labeled,
        validation,
        pool,
        model.n_classes,
        model,
        _strategy(estimator),
        budget=estimator.budget,
        folds=estimator.folds,
        seed=seed,
        criterion=criterion,
    )


def _strategy(estimator: SalutaryClassifier) -> Strategy:
    if estimator.strategy == SOFT:
        return SalutarySoft()
    return SalutaryGreedy(estimator.confidence, rerank=estimator.rerank)


def attributes(added: Sequence[LabelRound], classes: np.ndarray) -> dict[str, Any]:
    """What a fitted estimator says of the labels that rounds gave."""
    picks = [record.picks[0] for record in added]
    no_rows = np.empty(0, np.int64)
    labels = np.concatenate([no_rows, *(each.labels for each in picks)])
    M = soft_labels_of(picks, len(classes))
    M = np.eye(len(classes))[labels] if M is None else M
    weights, q = weights_and_distributions(M)
    return {
        "indices_": np.concatenate([no_rows, *(each.rows for each in picks)]),
        "labels_": classes[labels],
        "label_distributions_": q,
        "label_weights_": weights,
        "influence_": np.concatenate([np.empty(0), *(each.influence for each in picks)]),
        "rounds_": np.concatenate([no_rows, *(np.full(len(r.picks[0]), r.number) for r in added)]),
    }
