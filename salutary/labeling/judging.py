"""The remedies of :mod:`salutary.remedies` for what was read and labelled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.labeling.aim import LOWEST_LOSS, Aim
from salutary.labeling.comparison import MAJORITY, NAMES
from salutary.labeling.inputs import Inputs
from salutary.labeling.kept import kept_rounds
from salutary.labeling.labeler import Labeler, LabelRound
from salutary.labeling.measured import Measured
from salutary.labeling.settings import LabelSettings
from salutary.labeling.stopping import Stopping
from salutary.labeling.track import soft_labels_of
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, BaseModel, LabelledData, Part, Remedy
from salutary.remedies.catalogue import all_remedies, named
from salutary.remedies.decisions import Told
from salutary.remedies.diagnosis import Diagnosis, diagnose
from salutary.remedies.figures import Figure, figures_of
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import AVERAGE, BEST, Fold, Judgement, values_of
from salutary.strategies.track import Rows
from salutary.system.progress import naming_bar

# What is handed over, among the models that are measured.
HANDED = "handed"


@dataclass(frozen=True)
class Judged:
    """What V says of the remedies, what is wrong with L, the losses and hits of each model on test rows, and
    of the commonest class of L on V.

    ``figures``: what people report of the objective, of held-out rows, by model; ``tested_figures``: of test
    rows. Both are empty where the objective is the mean loss.
    """

    judgement: Judgement
    diagnosis: Diagnosis
    tested: dict[str, Measured]
    majority: Measured
    figures: dict[str, Figure] = field(default_factory=dict)
    tested_figures: dict[str, Figure] = field(default_factory=dict)

    @property
    def warning(self) -> str | None:
        """In what the handed model is not better than always answering the commonest class."""
        if HANDED not in self.held_out:
            return None
        losses, hits = (each.mean() for each in self.held_out[HANDED])
        worse = {"accuracy": hits <= self.majority[1].mean(), "loss": losses >= self.majority[0].mean()}
        if self.judgement.criterion:
            worse = {"objective": worse["loss"]}
        measures = [name for name, is_so in worse.items() if is_so]
        name = NAMES[MAJORITY]
        return (
            f"Not better than always answering the {name} (in {' and '.join(measures)})."
            if measures
            else None
        )

    @cached_property
    def held_out(self) -> dict[str, Measured]:
        """Losses and hits (n_V,) of each model, the handed one first, of each row by models that had not seen
        it.
        """
        found = self.judgement
        if not found.folds:
            return {}
        hits = found.handed_probabilities.argmax(1) == found.y
        each = {name: (found.losses[name], found.hits[name]) for name in found.names}
        return {HANDED: (found.handed_losses, hits), **each}


def part(rows: Rows) -> Part:
    """In NumPy, float64."""
    groups = None if rows.groups is None else rows.groups.numpy(force=True)
    return Part(rows.X.double().numpy(force=True), rows.y.numpy(force=True), groups=groups)


def data_of(
    labeled: Rows,
    validation: Rows,
    sources: np.ndarray | None,
    model: LogisticRegression,
    seed: int,
    criterion: Criterion | None = None,
    n_plain: int | None = None,
) -> LabelledData:
    """L, V and the sources (n_L,) as remedies take them. A ``model`` with a given penalty gives it to all
    linear models. ``n_plain``: of the features, those that are not made by a map; None: all.
    """
    l2 = None if isinstance(model.l2, str) else float(model.l2)
    settings = None, l2, model.fit_intercept, seed, criterion, n_plain
    return LabelledData(part(labeled), part(validation), model.n_classes, sources, *settings)


def assigned(labeler: Labeler, rounds: tuple[LabelRound, ...], stopping: Stopping) -> list[Assigned]:
    """The pool rows that the kept rounds labelled: in the result, then in each fold."""
    found = []
    for place, kept in enumerate(kept_rounds(labeler, rounds, stopping)):
        picks = [record.picks[place] for record in rounds[1 : kept + 1]]
        rows = np.concatenate([np.empty(0, np.int64), *(each.rows for each in picks)])
        labels = np.concatenate([np.empty(0, np.int64), *(each.labels for each in picks)])
        X = np.array(labeler.pool.take(rows), np.float64).reshape(len(rows), labeler.pool.n_features)
        soft = soft_labels_of(picks, labeler.n_classes)
        found.append(Assigned(X, labels, labeler.tracks[place].model.l2_, soft))
    return found


@dataclass(frozen=True)
class Remedying:
    """``remedies``: true for all, or names. ``bases``: the base models. ``combine``, ``max_seconds``: see
    :class:`salutary.remedies.judge.Judge`. ``progress``: whether one is shown. ``aim``: what models are
    judged by.
    """

    remedies: bool | Sequence[str]
    bases: Sequence[BaseModel]
    combine: str
    max_seconds: float | None
    progress: bool = True
    aim: Aim = LOWEST_LOSS

    @classmethod
    def of(cls, settings: LabelSettings, bases: Sequence[BaseModel], aim: Aim) -> Remedying:
        """Raises SalutaryError for names of none, and a bound of what is not judged."""
        remedying = cls(settings.remedies, bases, settings.combine, settings.max_seconds, aim=aim)
        remedying.check_names()
        if aim.at_most is not None and not (remedying.chosen and settings.folds):
            raise SalutaryError(
                "objective.at_most chooses among judged models: set remedies=true and folds=5"
            )
        return remedying

    def data(self, inputs: Inputs, model: LogisticRegression, seed: int) -> LabelledData:
        """:func:`data_of` what was read."""
        sources = inputs.sources.numbers.numpy(force=True) if inputs.sources else None
        rows = inputs.labeled.rows, inputs.validation.rows
        n_plain = len(inputs.features.names) if inputs.features.map else None
        return data_of(*rows, sources, model, seed, self.aim.criterion, n_plain)

    def check_names(self) -> None:
        """Raises SalutaryError for names of none."""
        why = {remedy.name: remedy.compared_only for remedy in self.chosen if remedy.compared_only}
        if self.combine in why:
            raise SalutaryError(f"combine={self.combine} cannot be handed over: {why[self.combine]}")
        known = [name for name in Judge(self.chosen, self.bases).all_names if name not in why]
        if self.chosen and self.combine not in (AVERAGE, BEST, *known):
            raise SalutaryError(f"combine={self.combine} is none of average, best, {', '.join(known)}")
        if self.aim.at_most is not None and self.combine != AVERAGE:
            raise SalutaryError(f"combine={self.combine} and objective.at_most both choose: set one of them")

    @cached_property
    def chosen(self) -> list[Remedy]:
        """Raises SalutaryError for a name of none."""
        criterion = self.aim.criterion
        if self.remedies is True:
            return all_remedies(criterion)
        return named(list(self.remedies or []), criterion=criterion)

    def check(self, data: LabelledData, has_pool: bool) -> None:
        """Raises SalutaryError if ``combine``, or a remedy that is named, needs what is not there."""
        judge = Judge(self.chosen, self.bases)
        names = judge.names(data, has_pool)
        if self.chosen and self.combine not in (AVERAGE, BEST, *names):
            raise SalutaryError(f"combine={self.combine}{self._why(self.combine, data)}")
        fitted, suited = _without_bases(names), _without_bases(judge.all_names)
        asked = [remedy.name for remedy in self.chosen] if self.remedies is not True else []
        for name in asked:
            if name in suited - fitted:
                raise SalutaryError(f"remedies: {name}{self._why(name, data)}")
        if asked and not fitted & {*asked}:
            raise SalutaryError(f"remedies: {asked[0]} needs logistic among model.candidates")

    def _why(self, name: str, data: LabelledData) -> str:
        """Why a model that could be fitted cannot be to these data."""
        lacks = {remedy.name: remedy.lacks(data) for remedy in self.chosen}.get(name.rpartition("-")[2])
        if lacks:
            return f": {lacks}"
        if "source" in name:
            return " needs source=" if data.sources is None else " needs two sources at least"
        return " needs objective=" if "soft" in name and data.criterion is None else " needs pool="

    def judge(
        self, data: LabelledData, folds: Sequence[Fold], given: Sequence[Assigned] | None, seconds: float
    ) -> Judgement:
        """Of all that apply; shows the name of each. ``given``: labels of the pool's rows.

        ``seconds``: that are gone.
        """
        left = None if self.max_seconds is None else max(0.0, self.max_seconds - seconds)
        judge = Judge(self.chosen, self.bases, max_seconds=left)
        n_fits = (len(folds) + 1) * len(judge.names(data, bool(given)))
        with naming_bar("judging", n_fits, self.progress) as judge.started:
            found = judge.judge(data, folds, given, self.combine)
        return found if self.aim.at_most is None else found.bounded(self.aim.at_most)


def _without_bases(names: list[str]) -> set[str]:
    """The remedies of models of these names."""
    return {name.rpartition("-")[2] for name in names}


def judged(
    inputs: Inputs,
    data: LabelledData,
    judgement: Judgement,
    sample: Callable[[int, np.random.Generator], np.ndarray] | None,
) -> Judged:
    """With the diagnosis, and measured on test rows if there are any. ``sample``: gives so many rows of the
    pool.
    """
    names = inputs.sources.names if inputs.sources else ()
    n_comparable = inputs.features.n_comparable
    groups = inputs.features.column_groups.items()
    columns = {name: places for name, places in groups if max(places) < n_comparable}
    tested: dict[str, Measured] = {}
    tested_figures: dict[str, Figure] = {}
    if inputs.test:
        rows = part(inputs.test.rows)
        told = {HANDED: Told.of(judgement.handed, rows)}
        told |= {name: judgement.told(name, rows) for name in judgement.names}
        tested = {name: _measured(each, rows, data.criterion) for name, each in told.items()}
        tested_figures = figures_of(told, rows, data.criterion, data.seed)
    found = diagnose(data, names, inputs.classes.names, columns, sample, n_comparable)
    figures = held_out_figures(judgement, data.seed)
    return Judged(judgement, found, tested, majority_of(data), figures, tested_figures)


def held_out_figures(found: Judgement, seed: int) -> dict[str, Figure]:
    """Of the held-out rows, by model, the handed one first; none where nothing was held out."""
    if not found.folds:
        return {}
    told = {HANDED: Told.of_probabilities(found.handed_probabilities)}
    told |= {name: found.told(name) for name in found.names}
    return figures_of(told, found.validation, found.criterion, seed)


def majority_of(data: LabelledData) -> Measured:
    """What is lost and hit on V by always saying the class shares of L."""
    shares = np.bincount(data.labeled.y, minlength=data.n_classes) / len(data.labeled)
    constant = np.tile(shares, (len(data.validation), 1))
    return _measured(Told.of_probabilities(constant), data.validation, data.criterion)


def _measured(told: Told, rows: Part, criterion: Criterion | None) -> Measured:
    return values_of(told.P, rows, criterion), told.hits(rows.y)
