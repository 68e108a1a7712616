"""V as the judge: every remedy, with every base model, refitted in folds of V and measured on what was held out."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from sklearn.model_selection import StratifiedKFold

from salutary.errors import SalutaryError
from salutary.remedies import Assigned, BaseModel, LabelledData, Predictor, Remedy, TrainingRows
from salutary.remedies.average import Average, mean_prediction, weights_of
from salutary.remedies.base_models import Linear
from salutary.remedies.plain import LabeledAndValidation
from salutary.system.seeding import stream

# The soft vote of the plain models, one for each base model.
VOTE = "plain_vote"
AVERAGE, BEST = "average", "best"
Fold = tuple[np.ndarray, np.ndarray]


def folds_of(y: np.ndarray, n_folds: int, seed: int) -> list[Fold]:
    """Numbers of the rows that are seen, and of those held out, in each fold; stratified by y (n,).

    None where a fold would have less than two rows, or no class has a row for each.
    """
    n_folds = min(n_folds, len(y) // 2)
    if n_folds < 2 or np.bincount(y).max() < n_folds:
        return []
    state = int(stream(seed, "validation").integers(2**31))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # some folds then lack it
        return list(StratifiedKFold(n_folds, shuffle=True, random_state=state).split(y, y))


@dataclass(frozen=True)
class Member:
    """A remedy with a base model: ``fitted`` with all of V, and what its fold models say of the rows held out.

    ``P`` (n_V, C): probabilities; ``Z`` (n_V, K): logits of a linear one. ``losses`` (n_V,). ``use`` (n_L,) and
    ``labels`` (n_L, C): what it made of L's rows. ``seconds``: of the fit with all of V.
    """

    name: str
    about: str
    remedy: str
    base: str
    is_plain: bool
    fitted: Predictor
    use: np.ndarray
    labels: np.ndarray
    seconds: float
    P: np.ndarray
    Z: np.ndarray | None
    losses: np.ndarray

    @property
    def loss(self) -> float:
        return float(self.losses.mean())


@dataclass(frozen=True)
class Judgement:
    """What V says. ``y`` (n_V,), ``folds``: those of V. ``dropped``: names of members that took too long.

    ``combine``: average, best, or the name of a member. Without folds nothing is judged: then the linear model of
    L + V is handed over, unless another is named.
    """

    members: tuple[Member, ...]
    y: np.ndarray
    folds: tuple[Fold, ...]
    combine: str = AVERAGE
    dropped: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """Of all that have a weight: the members, then the vote of the plain ones if there are several."""
        return [member.name for member in self.members] + [VOTE] * self.has_vote

    @property
    def plain(self) -> list[Member]:
        return [member for member in self.members if member.is_plain]

    @property
    def has_vote(self) -> bool:
        return len(self.plain) > 1

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    @cached_property
    def losses(self) -> dict[str, np.ndarray]:
        """(n_V,) of each of ``names``, each row by models that did not see it."""
        losses = {member.name: member.losses for member in self.members}
        if self.has_vote:
            losses[VOTE] = losses_of(self._predicted({VOTE: 1.0}), self.y)
        return losses

    @cached_property
    def hits(self) -> dict[str, np.ndarray]:
        """Whether the likeliest class is the true one, as ``losses``."""
        return {name: self._predicted({name: 1.0}).argmax(1) == self.y for name in self.names}

    @cached_property
    def weights(self) -> dict[str, float]:
        """Of ``names``, above 0, by all of V."""
        return self._weights(np.ones(len(self.y), bool))

    @cached_property
    def handed(self) -> Average:
        """The model that is handed over."""
        models = {member.name: member.fitted for member in self.members}
        return Average.of(models, self._resolved(self.weights))

    @cached_property
    def handed_probabilities(self) -> np.ndarray:
        """What would have been handed over, chosen and fitted without the fold, says of its rows, (n_V, C)."""
        P = np.empty((len(self.y), self.members[0].P.shape[1]))
        for _, held_out in self.folds:
            seen = np.ones(len(self.y), bool)
            seen[held_out] = False
            P[held_out] = self._predicted(self._weights(seen))[held_out]
        return P

    @property
    def handed_losses(self) -> np.ndarray:
        return losses_of(self.handed_probabilities, self.y)

    def model(self, name: str) -> Average:
        """Of a member, or the vote."""
        return replace(self, combine=name).handed

    def of_labeled(self) -> tuple[np.ndarray, np.ndarray]:
        """L as the handed model uses it: weights (n_L,), relative to V's rows, and distributions (n_L, C)."""
        parts = self._resolved(self.weights)
        use = sum(weight * self[name].use for name, weight in parts.items())
        labels = sum(w * (self[name].use[:, None] + 1e-12) * self[name].labels for name, w in parts.items())
        return np.asarray(use), np.asarray(labels) / np.sum(labels, 1, keepdims=True)

    def _weights(self, rows: np.ndarray) -> dict[str, float]:
        """By these rows (n_V,) of V."""
        if self.combine not in (AVERAGE, BEST):
            return {self.combine: 1.0}
        if not self.folds:
            return {self.plain[0].name: 1.0}
        losses = np.stack([self.losses[name][rows] for name in self.names])
        if self.combine == BEST:
            return {self.names[int(losses.sum(1).argmin())]: 1.0}
        plain = {member.name for member in self.plain} | {VOTE}
        weights = weights_of(losses, np.array([name in plain for name in self.names]))
        return {name: float(weight) for name, weight in zip(self.names, weights, strict=True) if weight}

    def _resolved(self, weights: dict[str, float]) -> dict[str, float]:
        """Weights of members: the vote's goes to those who vote."""
        resolved = {name: weight for name, weight in weights.items() if name != VOTE}
        for member in self.plain if VOTE in weights else ():
            resolved[member.name] = resolved.get(member.name, 0.0) + weights[VOTE] / len(self.plain)
        return resolved

    def _predicted(self, weights: dict[str, float]) -> np.ndarray:
        Z = {member.name: member.Z for member in self.members if member.Z is not None}
        P = {member.name: member.P for member in self.members}
        return mean_prediction(Z, P, self._resolved(weights))


def losses_of(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) of probabilities P (n, C)."""
    return -np.log(P[np.arange(len(y)), y])


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


class _Folds:
    """The data of each fold, with the numbers of the rows of V that it does not see; and the training sets that
    remedies made of them, for all base models.
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
    except (ValueError, TypeError, np.linalg.LinAlgError) as error:
        if base.is_linear:
            raise
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        raise SalutaryError(
            f"model.candidates: {base.name} cannot be fitted to {remedy.name}: {what}"
        ) from error


class Judge:
    """Fits and measures ``remedies`` with ``bases``; plain training on L + V in any case.

    ``started``: called with the name of each fit before it is made. ``max_seconds``: what is slowest is left
    out if all takes longer, but for plain training.
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

        def is_late(seconds: float) -> bool:
            return self.max_seconds is not None and time.perf_counter() - begun + seconds > self.max_seconds

        of_all, *of_folds = assigned or [None] * (len(folds) + 1)
        whole = replace(data, assigned=of_all)
        pairs = self._pairs(whole)
        if not folds:  # nothing can be judged
            pairs = [pair for pair in pairs if pair[0].is_plain or name_of(*pair) == combine]
        always = name_of(*next(pair for pair in pairs if pair[0].is_plain))
        fits, dropped = self._fits(whole, pairs, always, is_late)
        seen = _Folds(data, folds, of_folds)
        members = {}
        for fit in sorted(fits, key=lambda fit: (not fit.remedy.is_plain, fit.seconds)):
            if is_late(fit.seconds * len(folds)) and fit.name != always:
                dropped.append(fit.name)
            else:
                members[fit.name] = self._member(fit, seen)
        ordered = tuple(members[fit.name] for fit in fits if fit.name in members)
        result = Judgement(ordered, data.validation.y, tuple(folds), combine, tuple(dropped))
        if combine not in (AVERAGE, BEST, *result.names):
            raise SalutaryError(f"combine={combine} is none of average, best, {', '.join(result.names)}")
        return result

    def names(self, data: LabelledData, has_assigned: bool) -> list[str]:
        """Of what would be fitted, and the vote if there is one."""
        pool = Assigned(data.labeled.X[:0], data.labeled.y[:0], 1.0) if has_assigned else None
        pairs = self._pairs(replace(data, assigned=pool))
        has_vote = sum(remedy.is_plain for remedy, _ in pairs) > 1
        return [name_of(*pair) for pair in pairs] + [VOTE] * has_vote

    def _pairs(self, data: LabelledData) -> list[tuple[Remedy, BaseModel]]:
        """What applies, with the linear model first."""
        bases = sorted(self.bases, key=lambda base: not base.is_linear)
        applying = [remedy for remedy in self.remedies if remedy.applies(data)]
        pairs = [(remedy, base) for base in bases for remedy in applying]
        return [(remedy, base) for remedy, base in pairs if base.is_linear or remedy.suits_all]

    def _fits(
        self,
        data: LabelledData,
        pairs: list[tuple[Remedy, BaseModel]],
        always: str,
        is_late: Callable[[float], bool],
    ) -> tuple[list[_Fit], list[str]]:
        """Those that the base models take; and the names of those there was no time for, never ``always``."""
        fits: list[_Fit] = []
        dropped: list[str] = []
        rows: dict[str, TrainingRows] = {}
        for remedy, base in pairs:
            if is_late(0) and name_of(remedy, base) != always:
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
        P, Z = np.full((len(V), fit.rows.q.shape[1]), np.nan), None
        for number, (data, held_out) in enumerate(seen):
            self.started(fit.name)
            model = _fitted(fit.remedy, fit.base, data, seen.rows(fit.remedy, number))
            P[held_out] = model.probabilities(V.X[held_out])
            if isinstance(model, Linear):
                Z = np.empty((len(V), len(model.W))) if Z is None else Z
                Z[held_out] = model.logits(V.X[held_out])
        losses = losses_of(P, V.y)
        about = fit.remedy.about if fit.base.is_linear else f"{fit.base.name}: {fit.remedy.about}"
        uses = fit.remedy.is_plain, fit.fitted, fit.rows.use, fit.rows.labels, fit.seconds
        return Member(fit.name, about, fit.remedy.name, fit.base.name, *uses, P, Z, losses)
