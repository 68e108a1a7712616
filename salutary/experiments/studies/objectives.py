"""What lowers an objective of groups or classes: remedies, salutary labelling, and what the field has."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.engine.soft_labels import POOL_ROWS
from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.studies import Study, require_labels
from salutary.experiments.studies.remedies import FOLDS, assigned
from salutary.experiments.studies.situations import Sizes, draw, frequent
from salutary.models import Model
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, LabelledData, Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import fair_remedies, named
from salutary.remedies.decisions import Told
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import AVERAGE, Fold, folds_of, values_of
from salutary.strategies import Strategy
from salutary.system import rules
from salutary.system.rules import Flag, Texts, Whole
from salutary.system.seeding import stream

# Rows of V at most, the first so many of which are it.
MOST_VALIDATION = 1000
PLAIN = (
    "labeled",
    "labeled_and_validation",
    "validation",
    "weighted_4",
    "salutary",
    "salutary_and_validation",
    "salutary_soft_early",
    "salutary_soft_middle",
    "salutary_soft_late",
    "salutary_soft_middle_and_validation",
    "salutary_soft_late_and_validation",
)
# The group is not known of anyone.
NOWHERE = "nowhere"


class Objectives(Study):
    """Objective, figure and accuracy on test rows of models made of L, V and a pool, groups known in V.

    Parts are drawn anew from the whole table: ``n_labeled`` labelled rows, ``n_validation`` validation rows,
    a pool and test rows of 5,000 at most. ``remedies``: besides those of the objective. Of V the groups are
    known; ``groups_of_labeled``: of L too, for what asks for them. ``judged``: whether all are refitted in
    folds of V, for what is held out and for their average; it takes six times as long. Classes of less than
    1% of the rows are left out.
    """

    RULES = {
        "n_labeled": Whole(4),
        "n_validation": Whole(4),
        "remedies": Texts("a list of remedies such as [labeled,salutary]"),
        "groups_of_labeled": Flag(),
        "judged": Flag(),
    }

    def __init__(
        self,
        n_labeled: int = 300,
        n_validation: int = 100,
        remedies: tuple[str, ...] = PLAIN,
        groups_of_labeled: bool = True,
        judged: bool = True,
    ):
        self.n_labeled, self.n_validation = n_labeled, n_validation
        self.remedies = remedies
        self.groups_of_labeled, self.judged = groups_of_labeled, judged

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:
        """Raises SalutaryError for settings out of range, for the mean log-loss, and a model or strategy that
        labels nothing.
        """
        rules.check(self, self.RULES, "study.")
        named(list(self.remedies), "study.remedies")
        require_labels(problem)
        if problem.criterion is None:
            raise SalutaryError("study=objectives needs an objective other than loss, such as worst_group")
        if not isinstance(model, LogisticRegression) or not getattr(strategy, "labels_alone", False):
            raise SalutaryError("study=objectives needs model=logistic and a strategy that asks no human")

    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """``objectives``: a row per model; ``absent``: what could not be fitted, and why.

        Raises SalutaryError for a table of too few rows.
        """
        assert isinstance(model, LogisticRegression)
        data, X_pool, test = self._drawn(problem, seed)
        folds = folds_of(data.validation.y, FOLDS, seed) if self.judged else []
        given, _ = assigned(data, X_pool, folds, model, strategy, budget)
        remedies = [*named(list(self.remedies)), *fair_remedies(data.criterion)]
        whole = replace(data, assigned=given[0])
        absent = [{"model": each.name, "why": each.lacks(whole)} for each in remedies if each.lacks(whole)]
        judge = Judge(remedies, [Logistic()])
        rows = self._judged(judge, data, folds, given, test) if folds else self._fitted(judge, whole, test)
        return {"objectives": rows} | ({"absent": absent} if absent else {})

    def _drawn(self, problem: Problem, seed: int) -> tuple[LabelledData, np.ndarray, Part]:
        """L and V, features of the pool, and test rows."""
        every, criterion = _frequent(problem)
        X, y = every.X, every.y
        most = max(min(MOST_VALIDATION, len(y) // 4), self.n_validation)
        sizes = Sizes(labeled=self.n_labeled, validation=most, pool=5000)
        drawn = draw(X, y, "clean", self.n_validation, stream(seed, "study"), sizes)
        L, V, test = every[drawn.labeled], every[drawn.validation], every[drawn.test]
        L = L if self.groups_of_labeled else Part(L.X, L.y)
        n_classes = int(y.max()) + 1
        if len(np.unique(L.y)) < n_classes:
            raise SalutaryError("study=objectives: a class has no labelled row; too few rows are drawn")
        X_pool = X[drawn.pool]
        of = {"seed": seed, "criterion": criterion, "pool": X_pool[:POOL_ROWS]}
        return LabelledData(L, V, n_classes, **of), X_pool, test

    def _judged(
        self, judge: Judge, data: LabelledData, folds: list[Fold], given: list[Assigned], test: Part
    ) -> list[dict]:
        found, V = judge.judge(data, folds, given), data.validation
        rows = []
        for member in found.members:
            weight = found.weights.get(member.name, 0.0)
            told = Told.of(member.fitted, test)
            rows.append(self._row(member.name, member.group_in, told, test, data, weight))
            rows[-1] |= _held_out(member.told, V, data)
        told = Told.of(found.handed, test)
        own = Told.of_probabilities(found.handed_probabilities)
        average = self._row(AVERAGE, _of_average(data), told, test, data, 1.0)
        return [average | _held_out(own, V, data), *rows]

    def _fitted(self, judge: Judge, data: LabelledData, test: Part) -> list[dict]:
        nothing = {"held_out_objective": np.nan, "held_out_figure": np.nan, "held_out_accuracy": np.nan}
        applying = [remedy for remedy in judge.remedies if remedy.applies(data)]
        return [
            self._row(each.name, each.group_in, Told.of(each.fit(data, Logistic()), test), test, data)
            | nothing
            for each in applying
        ]

    def _row(
        self, name: str, group_in: str, told: Told, test: Part, data: LabelledData, weight: float = np.nan
    ) -> dict:
        """``group_in``: of salutary labelling, V, by which it chooses."""
        by_salutary = name.startswith("salutary") and data.criterion and data.criterion.needs_groups
        assert data.criterion is not None
        return {
            "objective": data.criterion.name,
            "n_validation": self.n_validation,
            "n_test": len(test),
            "model": name,
            "group_in": group_in or ("in V" if by_salutary else NOWHERE),
            "test_objective": float(values_of(told.P, test, data.criterion).mean()),
            "test_figure": told.figure(test, data.criterion),
            "test_accuracy": float(told.hits(test.y).mean()),
            "weight": weight,
        }


def _frequent(problem: Problem) -> tuple[Part, Criterion]:
    """The rows of classes with 1% of them or more, numbered anew, and the criterion for these classes.

    Raises SalutaryError for a criterion that names another class.
    """
    assert problem.criterion is not None
    y = problem.y.numpy(force=True)
    rows, numbers = frequent(np.arange(len(y)), y)
    groups = None if problem.groups is None else problem.groups.numpy(force=True)[rows]
    names = [problem.class_names[number] for number in np.unique(y[rows])]
    part = Part(problem.X.double().numpy(force=True)[rows], numbers, groups=groups)
    return part, problem.criterion.resolved(names)


def _of_average(data: LabelledData) -> str:
    """Where an average of all that applies needs the group: its weights are by V's objective, at least."""
    if data.criterion is None or not data.criterion.needs_groups:
        return NOWHERE
    return "in V" if data.labeled.groups is None else "in L and V"


def _held_out(told: Told, V: Part, data: LabelledData) -> dict[str, float]:
    assert data.criterion is not None
    return {
        "held_out_objective": float(values_of(told.P, V, data.criterion).mean()),
        "held_out_figure": told.figure(V, data.criterion),
        "held_out_accuracy": float(told.hits(V.y).mean()),
    }
