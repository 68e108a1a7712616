"""Label distributions of queried points, between strategies and records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from salutary.experiments.rounds import Query
from salutary.strategies import Proposal


def with_distributions(
    queries: tuple[Query, ...], proposal: Proposal, class_names: Sequence[str]
) -> tuple[Query, ...]:
    """The queries of a proposal with its distributions, if it has some."""
    if proposal.distributions is None:
        return queries
    rows = [dict(zip(class_names, row, strict=True)) for row in proposal.distributions.tolist()]
    weight = float(proposal.weight)
    return tuple(
        replace(query, soft_weight=weight, soft_label=row) for query, row in zip(queries, rows, strict=True)
    )


def soft_labels_of(
    queries: Sequence[Query], class_names: Sequence[str], device: torch.device | str = "cpu"
) -> Tensor | None:
    """The weight of each label (q, C) as the model was fitted to it; None where all points have classes."""
    if not any(query.soft_label for query in queries):
        return None
    rows = [
        [query.soft_label.get(name, 0.0) for name in class_names]
        if query.soft_label
        else [float(name == query.assigned_label) for name in class_names]
        for query in queries
    ]
    weights = [1.0 if query.soft_weight is None else query.soft_weight for query in queries]
    weight = torch.tensor(weights, dtype=torch.float64, device=device)
    return weight[:, None] * torch.tensor(rows, dtype=torch.float64, device=device)
