"""Who may see which rows: the split, the strategies' view of the pool, and the oracle.

A splitter is an object with ``split(y, n_init, seed) -> Split``; protocols choose one.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import train_test_split
from torch import Tensor

from salutary.datasets import UNLABELED, Table
from salutary.errors import SalutaryError, require_bool, require_whole
from salutary.seeding import stream

# A class with fewer rows than this cannot be stratified into four parts; its rows are dealt by hand.
RARE = 6


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

    def with_fewer_validation_rows(self, y: np.ndarray, n: int, seed: int) -> Split:
        """The same split with ``n`` of the validation rows, a stratified draw; the others are put aside.

        A class with a single validation row is among the others. Raises SalutaryError if there are fewer
        rows, or too few of either kind for every class.
        """
        return dataclasses.replace(self, validation=_fewer("validation", self.validation, y, n, seed))

    def with_fewer_pool_rows(self, y: np.ndarray, n: int, seed: int) -> Split:
        """The same split with ``n`` of the pool rows, drawn and refused as the validation rows are."""
        return dataclasses.replace(self, pool=_fewer("pool", self.pool, y, n, seed))


def split_table(table: Table, splitter, n_init: int, seed: int) -> Split:
    """What ``splitter`` makes of the table's rows; rows without a label are the pool, if there are any.

    All labelled rows of the training part then are the initial set, and ``n_init`` is not used.
    """
    known = np.flatnonzero(table.y != UNLABELED)
    if len(known) == len(table.y):
        return splitter.split(table.y, n_init, seed)
    y = table.y[known]
    split = splitter.split(y, len(np.unique(y)), seed)
    initial = np.concatenate([split.initial, split.pool])
    parts = {
        "initial": initial,
        **{name: getattr(split, name) for name in ("validation", "test", "training", "scaling")},
    }
    pool = np.flatnonzero(table.y == UNLABELED)
    return Split(pool=pool, **{name: known[rows] for name, rows in parts.items()})


@dataclass(frozen=True)
class PoolView:
    """All that a strategy may look at. Pool labels and test data are not in here.

    ``pool`` (u, d), ``labeled`` (l, d) with ``labels`` (l,), ``validation`` (v, d) with
    ``validation_labels`` (v,): tensors on one device. The first ``n_initial`` labelled rows are
    the initial set, the others were queried, in the order of the queries.
    """

    pool: Tensor
    labeled: Tensor
    labels: Tensor
    validation: Tensor
    validation_labels: Tensor
    n_initial: int
    n_classes: int


class Oracle:
    """The human annotator: sells true labels by row and counts every one."""

    def __init__(self, y: Tensor, n_sold: int = 0):
        self._y = y
        self.n_sold = n_sold

    def label(self, rows: Tensor) -> Tensor:
        """Raises SalutaryError for a row whose label nobody knows."""
        labels = self._y[rows]
        if (labels == UNLABELED).any():
            raise SalutaryError(
                "this strategy buys true labels, but the pool has rows without one:"
                " use strategy=salutary_greedy, salutary or self_training"
            )
        self.n_sold += len(rows)
        return labels


@dataclass(frozen=True)
class Parts:
    """Rows of the training, validation and test part, and rows dealt by hand to the initial set."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    dealt_initial: np.ndarray


class StratifiedParts:
    """Test and validation rows by two stratified draws; for the paper 20%, then 25% of the rest.

    A class with fewer than six rows is dealt by hand, in file order: one row each to test, the
    initial set and validation, the others to the pool (wine's five rows of quality 9 in the paper).
    """

    def __init__(self, test: float = 0.2, validation: float = 0.25, random_state: int = 1):
        self.test = test
        self.validation = validation
        self.random_state = random_state

    def parts(self, y: np.ndarray) -> Parts:
        """The parts of rows with classes y (n,); raises SalutaryError if they are too few."""
        rare = np.bincount(y)[y] < RARE
        dealt = {"test": [], "initial": [], "validation": [], "pool": []}
        for c in np.unique(y[rare]):
            order = ["test", "initial", "validation"] + ["pool"] * RARE
            for row, part in zip(np.flatnonzero(y == c), order, strict=False):
                dealt[part].append(row)
        rows = np.flatnonzero(~rare)
        rows, test = _draw(rows, y, self.test, self.random_state)
        training, validation = _draw(rows, y, self.validation, self.random_state)
        return Parts(
            np.concatenate([training, dealt["pool"], dealt["initial"]]).astype(np.int64),
            np.concatenate([validation, dealt["validation"]]).astype(np.int64),
            np.concatenate([test, dealt["test"]]).astype(np.int64),
            np.array(dealt["initial"], dtype=np.int64),
        )


class HalvedParts:
    """A held-out share of the rows, halved into test and validation, neither of them stratified.

    As Chhabra et al. 2024 (IBDS) split bank and celeba. ``random_state=None`` holds out the
    *last* rows unshuffled (celeba: the rows are sorted, so this is a real covariate shift).
    """

    def __init__(self, held_out: float = 0.4, random_state: int | None = 42, halves_state: int = 42000):
        self.held_out = held_out
        self.random_state = random_state
        self.halves_state = halves_state

    def parts(self, y: np.ndarray) -> Parts:
        """The parts of rows with classes y (n,)."""
        training, held_out = train_test_split(
            np.arange(len(y)),
            test_size=self.held_out,
            random_state=self.random_state,
            shuffle=self.random_state is not None,
        )
        test, validation = train_test_split(held_out, test_size=0.5, random_state=self.halves_state)
        return Parts(training, validation, test, np.empty(0, np.int64))


class OfficialParts:
    """The last ``test`` rows, which the source itself sets aside, and ``validation`` of the others.

    Those are a stratified draw; a whole number counts rows, as does a share of them all below 1.
    """

    def __init__(self, test: int, validation: float, random_state: int = 1):
        self.test = test
        self.validation = validation
        self.random_state = random_state

    def parts(self, y: np.ndarray) -> Parts:
        """The parts of rows with classes y (n,); raises SalutaryError if they are too few."""
        rows = np.arange(len(y))
        training, validation = _draw(rows[: -self.test], y, self.validation, self.random_state)
        return Parts(training, validation, rows[-self.test :], rows[:0])


class OfficialHalves:
    """The last ``held_out`` rows, which the source itself sets aside, halved into validation and test.

    A stratified draw that no seed changes. All other rows are the training part.
    """

    def __init__(self, held_out: int, random_state: int = 1):
        self.held_out = held_out
        self.random_state = random_state

    def parts(self, y: np.ndarray) -> Parts:
        """The parts of rows with classes y (n,); raises SalutaryError if they are too few."""
        require_whole("recipe.parts.held_out", self.held_out, 4)
        rows = np.arange(len(y))
        validation, test = _draw(rows[-self.held_out :], y, 0.5, self.random_state)
        return Parts(rows[: -self.held_out], validation, test, rows[:0])


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
        parts: StratifiedParts | HalvedParts | None = None,
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
            pool, validation = _draw(union, y, len(validation), seed)
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
        rule = StratifiedParts(self.test, share, self.FIXED_STATE)
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
    pool, drawn = _draw(common, y, n_init - len(parts.dealt_initial), state)
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
        return _draw(rows, y, n, state)[1]
    except SalutaryError:
        raise SalutaryError(
            f"n_{part}={n}: {n} of {len(rows)} rows cannot be drawn with every class in both parts"
        ) from None


def _draw(rows: np.ndarray, y: np.ndarray, size: float, state: int) -> tuple[np.ndarray, np.ndarray]:
    """(the others, the drawn): a stratified draw; rows of a class seen once stay with the others."""
    alone = np.bincount(y[rows])[y[rows]] < 2
    rows, kept = rows[~alone], rows[alone]
    try:
        others, drawn = train_test_split(rows, test_size=size, random_state=state, stratify=y[rows])
    except (ValueError, TypeError) as error:
        what = f"{size:.0%}" if isinstance(size, float) and size < 1 else size
        raise SalutaryError(
            f"cannot draw {what} of {len(rows)} rows with every class in both parts: change n_init,"
            " or the sizes in the protocol or recipe"
        ) from error
    return np.concatenate([others, kept]), drawn
