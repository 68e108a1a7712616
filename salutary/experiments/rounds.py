"""What the loop tells of a round, and the records keep."""

from __future__ import annotations

from dataclasses import dataclass

from salutary.experiments.metrics import Metrics


@dataclass(frozen=True)
class Query:
    """One queried point. ``sample_id``: row of the loaded table; labels are class names."""

    round: int
    rank: int
    sample_id: int
    assigned_label: str
    true_label: str
    predicted_label: str
    influence: float | None


@dataclass(frozen=True)
class Round:
    """The state after a round; round 0 is the initial model, before any query.

    ``label_agreement``: share of this round's labels that equal the hidden truth, None in round 0.
    ``stop``: why the strategy added fewer points than the budget, if it did. Where a surrogate of a network
    chose: the share of the pool on which both predict the same, and the surrogate's penalty.
    """

    round: int
    n_labeled: int
    n_human_labels: int
    validation: Metrics
    test: Metrics
    label_agreement: float | None
    select_seconds: float
    fit_seconds: float
    queries: tuple[Query, ...]
    stop: str | None = None
    surrogate_agreement: float | None = None
    surrogate_l2: float | None = None
