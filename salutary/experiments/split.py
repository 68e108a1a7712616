"""Who may see which rows: the split, the strategies' view of the pool, and the oracle.

A splitter is an object with ``split(y, n_init, seed) -> Split``; protocols choose one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from salutary.datasets import ROLES, Table
from salutary.errors import SalutaryError, require_bool
from salutary.experiments.parts import OfficialParts, Parts, PartsRule, StratifiedParts, draw
from salutary.system.seeding import stream
from salutary.tables import UNLABELED


@dataclass(frozen=True)
class Split:
    """Row numbers (int64) of each part. A splitter makes initial, pool, validation and test disjoint.

    ``training``: the rows that the fully supervised reference line is trained on.
    ``scaling``: the rows that the standard scaler is fitted on; empty means raw features.
    """

    initial: np.ndarray
    pool: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    training: np.ndarray
    scaling: np.ndarray

    def with_validation_as_labels(self) -> Split:
        """The same split, with the validation rows also in the initial set (after the others)."""
        return dataclasses.replace(self, initial=np.concatenate([self.initial, self.validation]))

    @property
    def validation_is_labeled(self) -> bool:
        """Whether validation rows are in the initial set, too."""
        return bool(np.isin(self.validation, self.initial).any())

    def with_fewer_validation_rows(self, y: np.ndarray, n: int, seed: int) -> Split:
        """The same split with ``n`` of the validation rows, a stratified draw; the others are put aside.

        A class with a single validation row is among the others. Raises SalutaryError if there are fewer
        rows, or too few of either kind for every class.
        """
        return dataclasses.replace(self, validation=_fewer("validation", self.validation, y, n, seed))

    def with_fewer_pool_rows(self, y: np.ndarray, n: int, seed: int) -> Split:
        """The same split with ``n`` of the pool rows, drawn and refused as the validation rows are."""
        return dataclasses.replace(self, pool=_fewer("pool", self.pool, y, n, seed))


class Splitter(Protocol):
    """Deals the rows of a table."""

    def split(self, y: np.ndarray, n_init: int, seed: int) -> Split:
        """The split of rows with classes y (n,); raises SalutaryError for impossible sizes."""


def split_table(table: Table, splitter: Splitter, n_init: int, seed: int) -> Split:
    """What ``splitter`` makes of the table's rows; rows without a label are the pool, if there are any.

    All labelled rows of the training part then are the initial set, and ``n_init`` is not used. Parts that
    the table itself gives its rows to stay as they are.
    """
    if table.roles is not None:
        return _given_split(table, n_init, seed)
    labelled = np.flatnonzero(table.y != UNLABELED)
    if len(labelled) == len(table.y):
        return splitter.split(table.y, n_init, seed)
    y = table.y[labelled]
    split = splitter.split(y, len(np.unique(y)), seed)
    initial = np.concatenate([split.initial, split.pool])
    parts = {
        "initial": initial,
        **{name: getattr(split, name) for name in ("validation", "test", "training", "scaling")},
    }
    pool = np.flatnonzero(table.y == UNLABELED)
    return Split(pool=pool, **{name: labelled[rows] for name, rows in parts.items()})


def _given_split(table: Table, n_init: int, seed: int) -> Split:
    """The parts that the rows are given to; where no row is the pool's, an initial set drawn per seed."""
    rows = {role: np.flatnonzero(table.roles == role) for role in ROLES}
    for role in ("train", "validation", "test"):
        if not len(rows[role]):
            raise SalutaryError(f"no row is given to the {role} part, but others are")
    labelled = table.y != UNLABELED
    initial = rows["train"][labelled[rows["train"]]]
    pool = np.sort(np.concatenate([rows["pool"], rows["train"][~labelled[rows["train"]]]]))
    training = np.sort(np.concatenate([initial, rows["pool"][labelled[rows["pool"]]]]))
    if not len(pool):
        state = int(stream(seed, "initial").integers(2**31))
        parts = Parts(initial, rows["validation"], rows["test"], initial[:0])
        pool, initial = draw_initial(parts, table.y, n_init, state)
    return Split(initial, pool, rows["validation"], rows["test"], training, training)


class PaperSplit:
    """What the authors ran: test part and initial set fixed, validation and pool redrawn per seed.

    The initial set is drawn with ``random_state=1``, stratified. Then validation and pool are
    redrawn from their union, stratified, same sizes, with ``random_state=seed`` (the published
    bank notebook is ``seed=2026``). The fully supervised line uses the training part as it was
    before the redraw, and so does not depend on the seed.

    ``parts``: how test, validation and training rows come about (default StratifiedParts).
    ``scale_on``: the rows that the scaler is fitted on: ``training``, ``initial``, ``none`` for raw
    features, or a number for that leading share of the training rows.
    ``redraw``: false where the source's own rows validate: those stay, and the initial set is drawn with
    ``random_state=seed`` instead, or all seeds would be one.
    """

    INITIAL_STATE = 1

    def __init__(
        self,
        parts: PartsRule | None = None,
        scale_on: str | float = "training",
        redraw: bool = True,
    ):
        self.parts = parts
        self.scale_on = scale_on
        self.redraw = redraw

    def split(self, y: np.ndarray, n_init: int, seed: int) -> Split:
        """The split of rows with classes y (n,); raises SalutaryError for impossible sizes."""
        rule = StratifiedParts() if self.parts is None else self.parts
        if not hasattr(rule, "parts"):
            raise SalutaryError(f"recipe.parts must name a class with _target_, not {rule!r}")
        require_bool("recipe.redraw", self.redraw)
        parts = rule.parts(y)
        pool, initial = draw_initial(parts, y, n_init, self.INITIAL_STATE if self.redraw else seed)
        validation = parts.validation
        if self.redraw:
            union = np.concatenate([validation, pool])
            pool, validation = draw(union, y, len(validation), seed)
        scaling = self._scaling(parts.training, initial)
        return Split(initial, pool, validation, parts.test, parts.training, scaling)

    def _scaling(self, training: np.ndarray, initial: np.ndarray) -> np.ndarray:
        named = {"training": training, "initial": initial, "none": training[:0]}
        if self.scale_on in named:
            return named[self.scale_on]
        if not isinstance(self.scale_on, float) or not 0 < self.scale_on <= 1:
            raise SalutaryError(
                f"recipe.scale_on must be {', '.join(named)} or a share in (0, 1], not {self.scale_on!r}"
            )
        n = len(training)
        # n - round(.25 n), not round(.75 n): the rows that the authors' code fits the scaler on.
        return training[: n - round((1 - self.scale_on) * n)]


class StandardSplit:
    """What a careful user would run: test and validation fixed, initial set drawn per seed.

    All draws are stratified; features are standardised on the training part. ``official_test``: so many last
    rows are the source's own test part, and ``test`` is not used.
    """

    FIXED_STATE = 0

    def __init__(self, test: float = 0.2, validation: float = 0.2, official_test: int | None = None):
        self.test = test
        self.validation = validation
        self.official_test = official_test

    def split(self, y: np.ndarray, n_init: int, seed: int) -> Split:
        """The split of rows with classes y (n,); raises SalutaryError for impossible sizes."""
        for name in ("test", "validation"):
            value = getattr(self, name)
            if not isinstance(value, float) or not 0 < value < 0.5:
                raise SalutaryError(f"protocol.splitter.{name} must be a share in (0, 0.5), not {value!r}")
        share = self.validation / (1 - self.test)
        rule: PartsRule = StratifiedParts(self.test, share, self.FIXED_STATE)
        if self.official_test:
            rule = OfficialParts(self.official_test, self.validation, self.FIXED_STATE)
        parts = rule.parts(y)
        state = int(stream(seed, "initial").integers(2**31))
        pool, initial = draw_initial(parts, y, n_init, state)
        return Split(initial, pool, parts.validation, parts.test, parts.training, parts.training)


def draw_initial(parts: Parts, y: np.ndarray, n_init: int, state: int) -> tuple[np.ndarray, np.ndarray]:
    """(pool, initial): the rows dealt to the initial set, and a stratified draw of the other classes.

    Raises SalutaryError unless the initial set fits the training part and the classes.
    """
    n_classes = len(np.unique(y))
    if n_init < n_classes:
        raise SalutaryError(f"n_init={n_init} is smaller than the number of classes, {n_classes}")
    if n_init >= len(parts.training):
        raise SalutaryError(
            f"n_init={n_init} leaves no pool: the training part has {len(parts.training)} rows"
        )
    rare = np.isin(y[parts.training], y[parts.dealt_initial])
    common, others = parts.training[~rare], parts.training[rare]
    pool, drawn = draw(common, y, n_init - len(parts.dealt_initial), state)
    others = others[~np.isin(others, parts.dealt_initial)]
    return np.concatenate([pool, others]), np.concatenate([drawn, parts.dealt_initial])


def _fewer(part: str, rows: np.ndarray, y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """``n`` of the rows of a part, which is also the name of the random stream."""
    if n > len(rows):
        raise SalutaryError(f"n_{part}={n} is more than the {part} part, {len(rows)} rows")
    if n == len(rows):
        return rows
    state = int(stream(seed, part).integers(2**31))
    try:
        return draw(rows, y, n, state)[1]
    except SalutaryError:
        raise SalutaryError(
            f"n_{part}={n}: {n} of {len(rows)} rows cannot be drawn with every class in both parts"
        ) from None
