"""Objectives by name: what labels are chosen for, and what is reported of it.

A :class:`Criterion` holds settings; ``criterion.on(X, y, groups, n_classes=C)`` is the
:class:`~salutary.engine.Objective` on validation rows, and ``criterion.figure(P, y, groups)`` the hard figure
that people report. Groups are needed in the validation rows only.
"""

from salutary.engine.objectives.auc import AreaUnderROC
from salutary.engine.objectives.balanced import Balanced
from salutary.engine.objectives.cost import Cost
from salutary.engine.objectives.criterion import Criterion, objective_on
from salutary.engine.objectives.demographic_parity import DemographicParity
from salutary.engine.objectives.equal_opportunity import EqualOpportunity
from salutary.engine.objectives.equalized_odds import EqualizedOdds
from salutary.engine.objectives.loss import MeanLogLoss
from salutary.engine.objectives.of_means import OfMeans
from salutary.engine.objectives.worst_group import WorstGroup

__all__ = [
    "AreaUnderROC",
    "Balanced",
    "Cost",
    "Criterion",
    "DemographicParity",
    "EqualOpportunity",
    "EqualizedOdds",
    "MeanLogLoss",
    "OfMeans",
    "WorstGroup",
    "objective_on",
]
