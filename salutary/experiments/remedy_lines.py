"""Remedies as reference lines: what else could be made of the rows that a run starts with."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from salutary.engine.soft_labels import POOL_ROWS
from salutary.errors import SalutaryError
from salutary.experiments.held_out import repeated
from salutary.experiments.loop import Plan
from salutary.experiments.metrics import Metrics, score
from salutary.experiments.problem import Problem
from salutary.experiments.rounds import Round
from salutary.experiments.soft_queries import soft_labels_of
from salutary.experiments.terminal import Told, steps
from salutary.models import Model
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, LabelledData, Part, Predictor, Remedy
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import Fold, folds_of
from salutary.remedies.salutary import Salutary
from salutary.remedies.soft import SalutarySoft
from salutary.system.progress import naming_bar
from salutary.system.rules import check
from salutary.system.seeding import stream

# A remedy's line is called by its name after this: some have the name of a strategy, or of another line.
PREFIX = "remedy_"
AVERAGE_LINE = "remedies_average"
FOLDS = 5


@dataclass(frozen=True)
class RemedyLines:
    """The lines of the setting ``reference``, with linear models.

    ``remedy_<name>``: the remedy fitted to the initial set, with the labels that it came with, and the
    validation set. ``remedies_average``: what the validation set hands over of these and plain training on
    both (:class:`salutary.remedies.judge.Judge`); without folds of it there is none. Remedies of salutary
    labels take those of the run itself; in folds the labelling is repeated. ``left_out``: names of those that
    do not apply, with what they need.
    """

    remedies: tuple[Remedy, ...]
    folds: Sequence[Fold]
    left_out: Mapping[str, str]

    @classmethod
    def of(cls, names: Sequence[str], plan: Plan) -> RemedyLines:
        """Raises SalutaryError for a name of none, and for what no remedy can be applied to."""
        chosen = named(names, "reference")
        if not names:
            return cls((), (), {})
        _check(plan.problem, plan.model)
        data = data_of(plan.problem, plan.model, plan.seed)
        labels_alone = getattr(plan.strategy, "labels_alone", False) and plan.rounds > 0
        left_out = {}
        for remedy in chosen:
            if isinstance(remedy, Salutary) and not labels_alone:
                left_out[remedy.name] = "rounds of a strategy that asks nobody, such as salutary_greedy"
            elif not isinstance(remedy, Salutary) and not remedy.applies(data):
                left_out[remedy.name] = _needs(remedy)
        V = data.validation
        applying = tuple(each for each in chosen if each.name not in left_out)
        return cls(applying, folds_of(V.y, FOLDS, plan.seed, V.groups), left_out)

    @property
    def told(self) -> list[str]:
        """A line for each that is left out."""
        return [f"reference: {name} is left out, it needs {what}" for name, what in self.left_out.items()]

    @property
    def names(self) -> list[str]:
        """Of the lines."""
        if not self.remedies:
            return []
        return [*(PREFIX + each.name for each in self.remedies), *([AVERAGE_LINE] if self.folds else [])]

    @property
    def take_labels(self) -> bool:
        """Whether some depend on the labels that the run has assigned."""
        return any(isinstance(remedy, Salutary) for remedy in self.remedies)

    def lines(self, plan: Plan, rounds: Sequence[Round], told: Told | None = None) -> dict[str, Metrics]:
        """Test metrics by the names of the lines. ``rounds``: those of the run, from round 0 on."""
        if not self.remedies:
            return {}
        data = data_of(plan.problem, plan.model, plan.seed)
        given = _assigned(plan, rounds, self.folds, told) if self.take_labels else None
        judge = Judge(self.remedies, [Logistic()])
        n_fits = (len(self.folds) + 1) * len(judge.names(data, bool(given)))
        models: dict[str, Predictor]
        with naming_bar("reference lines", n_fits, told is None) as judge.started:
            if self.folds:
                found = judge.judge(data, self.folds, given)
                models = {PREFIX + each.name: found[each.name].fitted for each in self.remedies}
                models[AVERAGE_LINE] = found.handed
            else:
                whole = replace(data, assigned=given[0] if given else None)
                models = {PREFIX + each.name: each.fit(whole, Logistic()) for each in self.remedies}
        test, criterion = plan.problem.rows("test"), plan.problem.criterion
        X = _numbers(test.X)
        predicted = {name: torch.from_numpy(model.probabilities(X)) for name, model in models.items()}
        return {name: score(P, test.y, test.groups, criterion) for name, P in predicted.items()}


def _needs(remedy: Remedy) -> str:
    if isinstance(remedy, SalutarySoft):
        return "an objective other than the mean loss"
    return "labels of several sources, and a run knows of none"


def _check(problem: Problem, model: Model) -> None:
    """Raises SalutaryError for what no remedy can be applied to."""
    if not isinstance(model, LogisticRegression):
        raise SalutaryError("reference= needs model=logistic: remedies are linear models here")
    check(model, model.RULES, "model.")
    if problem.split.validation_is_labeled:
        raise SalutaryError(
            "reference= needs validation rows that are not trained on: baselines_use_validation=false"
        )
    if len(problem.given[problem.split.initial].unique()) < problem.n_classes:
        raise SalutaryError("reference= needs an initial row of every class: raise n_init")


def data_of(problem: Problem, model: Model, seed: int) -> LabelledData:
    """The initial and the validation set as remedies take them. A ``model`` with a given penalty gives it to
    all.
    """
    assert isinstance(model, LogisticRegression)
    initial, validation = problem.split.initial, problem.rows("validation")
    groups = None if validation.groups is None else validation.groups.numpy(force=True)
    L = Part(_numbers(problem.X[initial]), problem.given[initial].numpy(force=True))
    V = Part(_numbers(validation.X), validation.y.numpy(force=True), groups=groups)
    l2 = None if isinstance(model.l2, str) else float(model.l2)
    pool = None
    if problem.criterion:  # only remedies for an objective look at it
        rows = stream(seed, "soft_labels").permutation(problem.split.pool)[:POOL_ROWS]
        pool = _numbers(problem.X[np.sort(rows)])
    of = problem.n_classes, None, None, l2, model.fit_intercept, seed, problem.criterion
    return LabelledData(L, V, *of, pool=pool)


def _numbers(X: Tensor) -> np.ndarray:
    return X.double().numpy(force=True)


def _assigned(
    plan: Plan, rounds: Sequence[Round], folds: Sequence[Fold], told: Told | None
) -> list[Assigned]:
    """What the run labelled, and what it labels in each fold by the validation rows that this sees."""
    found = [_labelled(plan, rounds, np.arange(len(plan.problem.split.validation)))]
    description = "labelling in folds for reference lines, rounds"
    with steps(description, "round", len(folds) * plan.rounds, told) as one_more:
        for seen, held_out in folds:
            found.append(_labelled(plan, repeated(plan, seen, held_out, one_more).rounds, seen))
    return found


def _labelled(plan: Plan, rounds: Sequence[Round], seen: np.ndarray) -> Assigned:
    """The labels of the rounds, which the validation rows ``seen`` chose; they tune the penalty, too."""
    problem = plan.problem
    queries = [query for record in rounds for query in record.queries]
    numbers = {name: number for number, name in enumerate(problem.class_names)}
    rows = np.array([query.sample_id for query in queries], np.int64)
    y = np.array([numbers[query.assigned_label] for query in queries], np.int64)
    initial, validation = problem.split.initial, problem.split.validation[seen]
    model = copy.copy(plan.model)
    assert isinstance(model, LogisticRegression)
    parts = problem.X[initial], problem.given[initial], stream(plan.seed, "model")
    model.tune(*parts, (problem.X[validation], problem.y[validation]))
    soft = soft_labels_of(queries, problem.class_names)
    return Assigned(_numbers(problem.X[rows]), y, model.l2_, None if soft is None else soft.numpy())
