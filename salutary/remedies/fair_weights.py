"""L and V, rows weighted by their class or group, where the criterion is one of classes or groups."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from salutary.engine.objectives import Balanced, Cost, Criterion, WorstGroup
from salutary.engine.objectives.gaps import GroupGaps
from salutary.remedies import LabelledData, Part, Remedy, TrainingRows

_OF_GROUPS = "in V; in L too where it is known there"


class _Weighted(Remedy):
    """L and V with weights that the criterion asks for; any base model takes them."""

    suits_all = True
    made_for: type[Criterion]

    def applies(self, data: LabelledData) -> bool:
        return isinstance(data.criterion, self.made_for)

    def rows(self, data: LabelledData) -> TrainingRows:
        """Rows of L and of V together have the weights; a row that has none by them weighs 1."""
        y = np.concatenate([data.labeled.y, data.validation.y])
        groups = np.concatenate([_groups_of(data.labeled), _groups_of(data.validation)])
        of_labeled, of_validation = np.split(self.weights(data, y, groups), [len(data.labeled)])
        return TrainingRows.of(data, use=of_labeled, validation=of_validation, tuned_on="all")

    @abstractmethod
    def weights(self, data: LabelledData, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Of rows of class y (n,) and ``groups`` (n,), -1 where unknown: (n,)."""


class Reweighed(_Weighted):
    """L and V, in which group and class are made independent:

        w = P(g) P(y) / P(g, y) = n_g n_y / (n n_gy),

    the counts of the rows whose group is known; others weigh 1. Where L's groups are not known, only V is
    weighted. Of more than two classes y is whether a row is of the positive one.

    Kamiran & Calders, "Data preprocessing techniques for classification without discrimination", Knowledge
    and Information Systems 2012.
    """

    name = "reweighed"
    about = "labelled + validation rows, weighted so that group and class are independent"
    group_in = _OF_GROUPS
    made_for = GroupGaps

    def weights(self, data: LabelledData, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
        assert isinstance(data.criterion, GroupGaps)
        weights, known = np.ones(len(y)), groups >= 0
        weights[known] = independent((y == data.criterion.number)[known].astype(int), groups[known])
        return weights


class ClassWeighted(_Weighted):
    """L and V, every class weighing the same together: n / (C n_y), C the classes present (scikit-learn's
    ``class_weight="balanced"``; King & Zeng, "Logistic regression in rare events data", Political Analysis
    2001).
    """

    name = "class_weighted"
    about = "labelled + validation rows, each class weighing the same"
    made_for = Balanced

    def weights(self, data: LabelledData, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
        return alike(y)


class CostWeighted(_Weighted):
    """L and V, weighted by what a mistake about a row of their class costs, 1 in the mean.

    Of a matrix, the sum of the row of M. (Elkan, "The foundations of cost-sensitive learning", IJCAI 2001,
    for two classes; the sum is that of Breiman et al., "Classification and regression trees", 1984.)
    """

    name = "cost_weighted"
    about = "labelled + validation rows, weighted by what a mistake about them costs"
    made_for = Cost

    def weights(self, data: LabelledData, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
        assert isinstance(data.criterion, Cost)
        costs = np.asarray(data.criterion.cost, float)
        of_rows = (costs if costs.ndim == 1 else costs.sum(1))[y]
        return of_rows / of_rows.mean() if of_rows.any() else np.ones(len(y))


class GroupWeighted(_Weighted):
    """L and V, every group weighing the same together: n / (G n_g), over the rows whose group is known;
    others weigh 1. Where L's groups are not known, only V is weighted.

    Idrissi et al., "Simple data balancing achieves competitive worst-group-accuracy", CLeaR 2022.
    """

    name = "group_weighted"
    about = "labelled + validation rows, each group weighing the same"
    group_in = _OF_GROUPS
    made_for = WorstGroup

    def weights(self, data: LabelledData, y: np.ndarray, groups: np.ndarray) -> np.ndarray:
        weights, known = np.ones(len(y)), groups >= 0
        weights[known] = alike(groups[known])
        return weights


def independent(y: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """n_g n_y / (n n_gy) of rows of y (n,) and ``groups`` (n,), numbers from 0: (n,)."""
    counts = np.zeros((groups.max(initial=0) + 1, y.max(initial=0) + 1))
    np.add.at(counts, (groups, y), 1)
    expected = np.outer(counts.sum(1), counts.sum(0)) / max(len(y), 1)
    return expected[groups, y] / counts[groups, y]


def alike(numbers: np.ndarray) -> np.ndarray:
    """n / (k n_c) of rows of ``numbers`` (n,), k of which are different: (n,)."""
    _, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return len(numbers) / (len(counts) * counts[places])


def _groups_of(part: Part) -> np.ndarray:
    return np.full(len(part), -1) if part.groups is None else part.groups
