"""V as the judge: every remedy, with every base model, refitted in folds of V and measured on what was
held out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from salutary.errors import SalutaryError
from salutary.remedies import Assigned, BaseModel, LabelledData, Part, Predictor, Remedy, TrainingRows
from salutary.remedies.base_models import Linear
from salutary.remedies.decisions import Decider, Told
from salutary.remedies.judgement import AVERAGE, BEST, VOTE, Fold, Judgement, Member, check_folds
from salutary.remedies.plain import LabeledAndValidation


@dataclass(frozen=True)
class _Fit:
    """A remedy with a base model, fitted with all of V."""

    remedy: Remedy
    base: BaseModel
    rows: TrainingRows
    fitted: Predictor
    seconds: float

    @property
    def name(self) -> str:
        return name_of(self.remedy, self.base)


def name_of(remedy: Remedy, base: BaseModel) -> str:
    """The remedy's, with that of a base model other than the linear one before it."""
    return remedy.name if base.is_linear else f"{base.name}-{remedy.name}"


def _name(pair: tuple[Remedy, BaseModel]) -> str:
    return name_of(*pair)


def _names(pairs: list[tuple[Remedy, BaseModel]]) -> list[str]:
    """Of what is fitted, and the vote if several are plain."""
    has_vote = sum(remedy.is_plain for remedy, _ in pairs) > 1
    return [*map(_name, pairs)] + [VOTE] * has_vote


class _Folds:
    """The data of each fold, with the numbers of the rows of V that it does not see; and the training sets
    that remedies made of them, for all base models.
    """

    def __init__(self, data: LabelledData, folds: Sequence[Fold], assigned: Sequence[Assigned | None]):
        self.validation = data.validation
        self._parts = [
            (replace(data, validation=data.validation[seen], assigned=each), held_out)
            for (seen, held_out), each in zip(folds, assigned, strict=True)
        ]
        self._rows: dict[tuple[str, int], TrainingRows] = {}

    def __iter__(self) -> Iterator[tuple[LabelledData, np.ndarray]]:
        return iter(self._parts)

    def rows(self, remedy: Remedy, number: int) -> TrainingRows:
        """Of a fold."""
        key = remedy.name, number
        if key not in self._rows:
            self._rows[key] = remedy.rows(self._parts[number][0])
        return self._rows[key]


def _fitted(remedy: Remedy, base: BaseModel, data: LabelledData, rows: TrainingRows) -> Predictor:
    """Raises SalutaryError for whatever a classifier of the user's raises."""
    try:
        return remedy.fit(data, base, rows)
    except Exception as error:
        if base.is_linear:
            raise
        raise _refusal(base, f"be fitted to {remedy.name}", error) from error


def _told(base: BaseModel, model: Predictor, part: Part, n_classes: int) -> Told:
    """What it says of the rows. Raises SalutaryError for a classifier of the user's that gives no
    probabilities.
    """
    try:
        told = Told.of(model, part)
    except Exception as error:
        if base.is_linear:
            raise
        raise _refusal(base, "predict", error) from error
    if told.P.shape != (len(part), n_classes) or not (told.P >= 0).all():
        shape = told.P.shape
        raise SalutaryError(
            f"model.candidates: {base.name} gives no probabilities of {n_classes} classes (shape {shape})"
        )
    return told


def _refusal(base: BaseModel, what: str, error: Exception) -> SalutaryError:
    first = f"{type(error).__name__}: {error}".splitlines()[0]
    return SalutaryError(f"model.candidates: {base.name} cannot {what}: {first}")


class Judge:
    """Fits and measures ``remedies`` with ``bases``; plain training on L + V in any case.

    ``started``: called with the name of each fit before it is made. ``max_seconds``: what is slowest is left
    out if all takes longer, the first plain model never.
    """

    def __init__(
        self,
        remedies: Sequence[Remedy],
        bases: Sequence[BaseModel],
        started: Callable[[str], None] = lambda name: None,
        max_seconds: float | None = None,
    ):
        always = [] if any(remedy.is_plain for remedy in remedies) else [LabeledAndValidation()]
        self.remedies, self.bases = [*always, *remedies], bases
        self.started, self.max_seconds = started, max_seconds

    def judge(
        self,
        data: LabelledData,
        folds: Sequence[Fold],
        assigned: Sequence[Assigned | None] | None = None,
        combine: str = AVERAGE,
    ) -> Judgement:
        """``assigned``: of all of V, then of the seen rows of each fold; that of ``data`` is not looked at.

        Raises SalutaryError for a ``combine`` that is no member, and for a base model that cannot be fitted.
        """
        begun = time.perf_counter()
        check_folds(folds, data.validation, data.criterion, data.n_classes)

        def is_late(seconds: float) -> bool:
            return self.max_seconds is not None and time.perf_counter() - begun + seconds > self.max_seconds

        of_all, *of_folds = assigned or [None] * (len(folds) + 1)
        whole = replace(data, assigned=of_all)
        pairs = self._pairs(whole)
        if not folds:  # nothing can be judged
            pairs = [pair for pair in pairs if pair[0].is_plain or name_of(*pair) == combine]
        fits, dropped = self._fits(whole, pairs, is_late)
        seen = _Folds(data, folds, of_folds)
        members = {}
        for fit in sorted(fits, key=lambda fit: (not fit.remedy.is_plain, fit.seconds)):
            if is_late(fit.seconds * len(folds)) and fit is not fits[0]:
                dropped.append(fit.name)
            else:
                members[fit.name] = self._member(fit, seen)
        ordered = tuple(members[name_of(*pair)] for pair in pairs if name_of(*pair) in members)
        refused = [name for name in map(_name, pairs) if name not in members and name not in dropped]
        told = tuple(dropped), tuple(refused)
        result = Judgement(
            ordered,
            data.validation,
            tuple(folds),
            combine,
            *told,
            criterion=data.criterion,
            seed=data.seed,
            absent=self._absent(whole),
        )
        _check_combine(result)
        return result

    def _absent(self, data: LabelledData) -> dict[str, str]:
        """What remedies lack, by name, as far as there are words for it."""
        lacking = {remedy.name: remedy.lacks(data) for remedy in self.remedies}
        return {name: words for name, words in lacking.items() if words}

    def names(self, data: LabelledData, has_assigned: bool) -> list[str]:
        """Of what would be fitted, and the vote if there is one. ``has_assigned``: whether there will be a
        pool with labels."""
        if not has_assigned:
            return _names(self._pairs(replace(data, assigned=None)))
        X = data.labeled.X[:0]
        pool = X if data.pool is None else data.pool
        return _names(self._pairs(replace(data, assigned=Assigned(X, data.labeled.y[:0], 1.0), pool=pool)))

    @property
    def all_names(self) -> list[str]:
        """:meth:`names` where all that a remedy may need is there."""
        return _names(self._suited(self.remedies))

    def _pairs(self, data: LabelledData) -> list[tuple[Remedy, BaseModel]]:
        """What applies, with the linear model first."""
        return self._suited([remedy for remedy in self.remedies if remedy.applies(data)])

    def _suited(self, remedies: Sequence[Remedy]) -> list[tuple[Remedy, BaseModel]]:
        bases = sorted(self.bases, key=lambda base: not base.is_linear)
        pairs = [(remedy, base) for base in bases for remedy in remedies]
        return [(remedy, base) for remedy, base in pairs if base.is_linear or remedy.suits_all]

    def _fits(
        self,
        data: LabelledData,
        pairs: list[tuple[Remedy, BaseModel]],
        is_late: Callable[[float], bool],
    ) -> tuple[list[_Fit], list[str]]:
        """Those that the base models take, plain ones first, of which one is fitted in any case; and the
        names of those there was no time for.
        """
        fits: list[_Fit] = []
        dropped: list[str] = []
        rows: dict[str, TrainingRows] = {}
        for remedy, base in sorted(pairs, key=lambda pair: not pair[0].is_plain):
            if fits and is_late(0):
                dropped.append(name_of(remedy, base))
                continue
            self.started(name_of(remedy, base))
            begun = time.perf_counter()
            of = rows[remedy.name] = rows[remedy.name] if remedy.name in rows else remedy.rows(data)
            if base.takes(of):
                fitted = _fitted(remedy, base, data, of)
                fits.append(_Fit(remedy, base, of, fitted, time.perf_counter() - begun))
        return fits, dropped

    def _member(self, fit: _Fit, seen: _Folds) -> Member:
        """The fit, and what the same makes of each fold."""
        V = seen.validation
        P, Z, D = np.full((len(V), fit.rows.q.shape[1]), np.nan), None, None
        for number, (data, held_out) in enumerate(seen):
            self.started(fit.name)
            model = _fitted(fit.remedy, fit.base, data, seen.rows(fit.remedy, number))
            told = _told(fit.base, model, V[held_out], P.shape[1])
            P[held_out] = told.P
            if isinstance(model, Decider):
                D = np.full(P.shape, np.nan) if D is None else D
                D[held_out] = told.D
            if isinstance(model, Linear):
                Z = np.empty((len(V), len(model.W))) if Z is None else Z
                Z[held_out] = model.logits(V.X[held_out])
        about = fit.remedy.about if fit.base.is_linear else f"{fit.base.name}: {fit.remedy.about}"
        made = fit.fitted, fit.rows.use, fit.rows.labels
        of = fit.remedy.name, fit.base.name, fit.remedy.is_plain
        told_of = fit.remedy.group_in, fit.remedy.compared_only
        return Member(fit.name, about, *of, *made, P, Z, D, *told_of)


def _check_combine(found: Judgement) -> None:
    """Raises SalutaryError where ``combine`` names no member that can be handed over."""
    if found.combine in (AVERAGE, BEST, *found.can_be_handed):
        return
    if found.combine in found.names:
        raise SalutaryError(f"combine={found.combine}: {found[found.combine].compared_only}")
    names = ", ".join(found.can_be_handed)
    raise SalutaryError(f"combine={found.combine} is none of average, best, {names}")
