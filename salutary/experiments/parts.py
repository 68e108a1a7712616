"""Rules that deal rows to the training, validation and test parts; splitters draw the initial set from the
first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.model_selection import train_test_split

from salutary.errors import SalutaryError, require_whole

# A class with fewer rows than this cannot be stratified into four parts; its rows are dealt by hand.
RARE = 6


@dataclass(frozen=True)
class Parts:
    """Rows of the training, validation and test part, and rows dealt by hand to the initial set."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    dealt_initial: np.ndarray


class PartsRule(Protocol):
    """Deals rows to the parts."""

    def parts(self, y: np.ndarray) -> Parts:
        """The parts of rows with classes y (n,); raises SalutaryError if they are too few."""


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
        dealt: dict[str, list[int]] = {"test": [], "initial": [], "validation": [], "pool": []}
        for c in np.unique(y[rare]):
            order = ["test", "initial", "validation"] + ["pool"] * RARE
            for row, part in zip(np.flatnonzero(y == c).tolist(), order, strict=False):
                dealt[part].append(row)
        rows = np.flatnonzero(~rare)
        rows, test = draw(rows, y, self.test, self.random_state)
        training, validation = draw(rows, y, self.validation, self.random_state)
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
        training, validation = draw(rows[: -self.test], y, self.validation, self.random_state)
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
        validation, test = draw(rows[-self.held_out :], y, 0.5, self.random_state)
        return Parts(rows[: -self.held_out], validation, test, rows[:0])


def draw(rows: np.ndarray, y: np.ndarray, size: float, state: int) -> tuple[np.ndarray, np.ndarray]:
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
