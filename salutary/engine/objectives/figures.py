"""Figures of decisions D (n, C), the probability of each decision (a certain one is one-hot).

They equal those of scikit-learn and fairlearn wherever these are defined; where a group has no row that
counts it drops out, and where too little is left the figure is NaN.
"""

from __future__ import annotations

import torch
from scipy.stats import rankdata
from torch import Tensor


def accuracy_of_rows(D: Tensor, y: Tensor) -> Tensor:
    """Probability that each row's decision is right, (n,)."""
    return D.gather(1, y[:, None])[:, 0]


def sets_of(numbers: Tensor) -> list[Tensor]:
    """The rows (n,) of each number >= 0 that occurs."""
    return [numbers == each for each in numbers.unique() if each >= 0]


def means_over(values: Tensor, sets: list[Tensor]) -> Tensor:
    """Mean of the values (n,) over each of the sets that are not empty."""
    means = [values[each].mean() for each in sets if each.any()]
    return torch.stack(means) if means else values.new_zeros(0)


def least(means: Tensor) -> Tensor:
    return means.min() if len(means) else means.new_tensor(torch.nan)


def largest_gap(means: Tensor) -> Tensor:
    """Between two of them."""
    return means.max() - means.min() if len(means) > 1 else means.new_tensor(torch.nan)


def area_under_roc(scores: Tensor, positive: Tensor) -> Tensor:
    """Share of (positive, other) pairs whose positive row scores higher, half of those that tie."""
    n = int(positive.sum())
    if not 0 < n < len(scores):
        return scores.new_tensor(torch.nan, dtype=torch.float64)
    ranks = torch.as_tensor(rankdata(scores.cpu().numpy()), device=scores.device)
    return (ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n))
