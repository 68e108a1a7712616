"""What V says of the models that were fitted and refitted: losses, weights and the model that is handed
over.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold

from salutary.engine.objectives import Criterion
from salutary.errors import SalutaryError
from salutary.remedies import Part, Predictor
from salutary.remedies.average import Average, mean_prediction, weights_of
from salutary.remedies.decisions import Told
from salutary.remedies.figures import Figure, figure_of
from salutary.system.seeding import stream
from salutary.tables.groups import strata

# The soft vote of the plain models, one for each base model.
VOTE = "plain_vote"
AVERAGE, BEST = "average", "best"
Fold = tuple[np.ndarray, np.ndarray]


def folds_of(y: np.ndarray, n_folds: int, seed: int, groups: np.ndarray | None = None) -> list[Fold]:
    """Numbers of the rows that are seen, and of those held out, in each fold; stratified by y (n,), and by
    ``groups`` (n,) within the classes.

    Of at least two rows each, and no more than the commonest class has rows; none if that leaves one.
    """
    kinds = strata(y, groups)
    n_folds = min(n_folds, len(y) // 2, int(np.bincount(kinds).max(initial=0)))
    if n_folds < 2:
        return []
    state = int(stream(seed, "validation").integers(2**31))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # some folds then lack it
        return list(StratifiedKFold(n_folds, shuffle=True, random_state=state).split(y, kinds))


def check_folds(folds: Sequence[Fold], validation: Part, criterion: Criterion | None, n_classes: int) -> None:
    """Raises SalutaryError if the rows that some fold sees do not determine the criterion, though all do."""
    if criterion is None:
        return
    for seen, _ in folds:
        part = validation[seen]
        groups = None if part.groups is None else torch.from_numpy(part.groups)
        try:
            criterion.on(torch.empty(len(part), 0), torch.from_numpy(part.y), groups, n_classes=n_classes)
        except SalutaryError as error:
            raise SalutaryError(
                f"{error}: without one of {len(folds)} folds there are none, set other folds, or 0 for none"
            ) from error


@dataclass(frozen=True)
class Member:
    """A remedy with a base model: ``fitted`` with all of V, and what its fold models say of the rows held
    out.

    ``P`` (n_V, C): probabilities; ``Z`` (n_V, K): logits of a linear one. ``use`` (n_L,) and ``labels``
    (n_L, C): what it made of L's rows. ``D`` (n_V, C): the probability of each decision, of one that draws
    them at random; ``P`` then is clipped D. ``group_in``, ``compared_only``: see
    :class:`salutary.remedies.Remedy`.
    """

    name: str
    about: str
    remedy: str
    base: str
    is_plain: bool
    fitted: Predictor
    use: np.ndarray
    labels: np.ndarray
    P: np.ndarray
    Z: np.ndarray | None
    D: np.ndarray | None = None
    group_in: str = ""
    compared_only: str = ""

    @property
    def told(self) -> Told:
        """Of the rows of V that it did not see."""
        return Told.of_probabilities(self.P) if self.D is None else Told(self.P, self.D, True)


@dataclass(frozen=True)
class Judgement:
    """What V says. ``validation``: its rows, ``folds``: those of V. ``criterion``: what models are to be good
    at; None: their mean log-loss. ``dropped``: names of members that took too long, ``refused``: of those
    whose base model takes no weights, which they have; ``absent``: by the names of remedies, what they lack.

    ``combine``: average, best, or the name of a member. Without folds nothing is judged: then the linear
    model of L + V is handed over, unless another is named. ``at_most``: bound of the criterion's figure that
    chooses instead, see :meth:`bounded`.
    """

    members: tuple[Member, ...]
    validation: Part
    folds: tuple[Fold, ...]
    combine: str = AVERAGE
    dropped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    criterion: Criterion | None = None
    at_most: float | None = None
    seed: int = 0
    absent: Mapping[str, str] = field(default_factory=dict)

    @property
    def y(self) -> np.ndarray:
        """Class numbers of the rows of V, (n_V,)."""
        return self.validation.y

    @property
    def names(self) -> list[str]:
        """Of all that have a weight: the members, then the vote of the plain ones if there are several."""
        return [member.name for member in self.members] + [VOTE] * self.has_vote

    @property
    def can_be_handed(self) -> list[str]:
        """Those of ``names`` that are not only compared."""
        only = {member.name for member in self.members if member.compared_only}
        return [name for name in self.names if name not in only]

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
        """(n_V,) of each of ``names``, each row by models that did not see it: of another objective than the
        mean log-loss values whose mean it is.
        """
        return {name: self._values(self.predicted(name)) for name in self.names}

    @cached_property
    def hits(self) -> dict[str, np.ndarray]:
        """Whether the likeliest class is the true one, as ``losses``; of decisions that are drawn at random
        the probability that they are right.
        """
        return {name: self.told(name).hits(self.y) for name in self.names}

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
        """What would have been handed over, chosen and fitted without the fold, says of its rows, (n_V, C);
        NaN without folds.
        """
        P = np.full((len(self.y), self.members[0].P.shape[1]), np.nan)
        for _, held_out in self.folds:
            seen = np.ones(len(self.y), bool)
            seen[held_out] = False
            P[held_out] = self._predicted(self._weights(seen))[held_out]
        return P

    @property
    def handed_losses(self) -> np.ndarray:
        return self._values(self.handed_probabilities)

    def told(self, name: str, part: Part | None = None) -> Told:
        """What a member, or the vote, says of a part; of V without the rows that are told of."""
        if part is not None:
            is_member = name in {member.name for member in self.members}
            return Told.of(self[name].fitted if is_member else self.model(name), part)
        return Told.of_probabilities(self.predicted(VOTE)) if name == VOTE else self[name].told

    def predicted(self, name: str) -> np.ndarray:
        """What a member, or the vote, says of the rows of V that it did not see, (n_V, C)."""
        return self._predicted({VOTE: 1.0}) if name == VOTE else self[name].P

    def bounded(self, at_most: float) -> Judgement:
        """The same, but that the most accurate member is handed over whose held-out figure, with one standard
        error, is ``at_most`` this.

        Raises SalutaryError, naming the member of the least figure, if there is none.
        """
        everyone = np.arange(len(self.y))
        name, is_below = self._most_accurate(everyone, at_most)
        if not is_below:
            assert self.criterion is not None
            kind, least = self.criterion.figure_name.replace("_", " "), self._figure_on(name, everyone)
            raise SalutaryError(
                f"objective.at_most={at_most:g}: no model has a held-out {kind} that is, with one standard"
                f" error, that low; the least is that of {name}, {least.value:.3f} ± {least.error:.3f}"
            )
        return replace(self, combine=name, at_most=at_most)

    def _most_accurate(self, rows: np.ndarray, at_most: float) -> tuple[str, bool]:
        """The most accurate member on ``rows`` of V whose figure there, with its standard error, is at most
        this; if none's is, the one of which that is least. And whether it is.
        """
        upper, accuracy = {}, {}
        for name in self.can_be_handed:
            figure = self._figure_on(name, rows)
            upper[name] = np.nan_to_num(figure.value + figure.error, nan=np.inf)
            accuracy[name] = self.hits[name][rows].mean()
        below = [name for name in upper if upper[name] <= at_most]
        if below:
            return max(below, key=lambda name: accuracy[name]), True
        return min(upper, key=lambda name: upper[name]), False

    def _figure_on(self, name: str, rows: np.ndarray) -> Figure:
        assert self.criterion is not None
        return figure_of(self.told(name)[rows], self.validation[rows], self.criterion, self.seed)

    def model(self, name: str) -> Average:
        """Of a member, or the vote."""
        return replace(self, combine=name, at_most=None).handed

    def of_labeled(self) -> tuple[np.ndarray, np.ndarray]:
        """L as the handed model uses it: weights (n_L,), relative to V's rows, and distributions (n_L, C)."""
        parts = self._resolved(self.weights)
        use = sum(weight * self[name].use for name, weight in parts.items())
        labels = sum(w * (self[name].use[:, None] + 1e-12) * self[name].labels for name, w in parts.items())
        return np.asarray(use), np.asarray(labels) / np.sum(labels, 1, keepdims=True)

    def _weights(self, rows: np.ndarray) -> dict[str, float]:
        """By these rows (n_V,) of V."""
        if self.at_most is not None:
            return {self._most_accurate(np.flatnonzero(rows), self.at_most)[0]: 1.0}
        if self.combine not in (AVERAGE, BEST):
            return {self.combine: 1.0}
        if not self.folds:
            return {self.plain[0].name: 1.0}
        names = self.can_be_handed
        losses = np.stack([self._values(self.predicted(name)[rows], rows) for name in names])
        if self.combine == BEST:
            return {names[int(losses.sum(1).argmin())]: 1.0}
        plain = {member.name for member in self.plain} | {VOTE}
        weights = weights_of(losses, np.array([name in plain for name in names]))
        return {name: float(weight) for name, weight in zip(names, weights, strict=True) if weight}

    def _values(self, P: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        """:func:`values_of` probabilities P (m, C) of some rows of V, or of all."""
        return values_of(P, self.validation if rows is None else self.validation[rows], self.criterion)

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


def values_of(P: np.ndarray, part: Part, criterion: Criterion | None) -> np.ndarray:
    """(n,) whose mean is the objective of predicting probabilities P (n, C): the losses, or those of a
    criterion (:meth:`salutary.engine.objectives.Criterion.row_values`).
    """
    if criterion is None:
        return losses_of(P, part.y)
    groups = None if part.groups is None else torch.from_numpy(part.groups)
    return criterion.row_values(torch.from_numpy(P), torch.from_numpy(part.y), groups).numpy()


def losses_of(P: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n,) of probabilities P (n, C). One that is too small for a number counts as the smallest."""
    return -np.log(np.maximum(P[np.arange(len(y)), y], np.finfo(float).tiny))
