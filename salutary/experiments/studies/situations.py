"""Labelled rows with which something is wrong, drawn from a table whose labels are right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from salutary.errors import SalutaryError

SITUATIONS = ("clean", "shift", "symmetric", "class_dependent", "sources")
# Share of labels that are wrong, in either kind of noise.
WRONG = 0.3
N_SOURCES = 10
# Share of the rows that a class needs: some hundred labelled rows would have none of a rarer one.
RARE = 0.01


@dataclass(frozen=True)
class Draw:
    """Numbers of rows of a table: ``labeled`` with the labels ``given`` (n_L,), ``validation``, ``pool`` and
    ``test``. ``sources`` (n_L,): who gave the labels, None if it was one.
    """

    labeled: np.ndarray
    given: np.ndarray
    validation: np.ndarray
    pool: np.ndarray
    test: np.ndarray
    sources: np.ndarray | None


@dataclass(frozen=True)
class Sizes:
    """Rows of each part, at most. Sources have ``labeled_by_sources`` rows together."""

    labeled: int = 400
    labeled_by_sources: int = 600
    validation: int = 300
    pool: int = 1000
    test: int = 5000

    @classmethod
    def of(cls, n: int, n_validation: int) -> Sizes:
        """For a table of ``n`` rows, a third of which at most are set apart for V, but ``n_validation``."""
        return cls(validation=max(min(cls.validation, n // 3), n_validation))


def draw(
    X: np.ndarray, y: np.ndarray, situation: str, n_validation: int, rng: np.random.Generator, sizes: Sizes
) -> Draw:
    """One of SITUATIONS from rows X (n, d) with class numbers y (n,).

    ``clean``: nothing is wrong. ``shift``: labelled rows are of the lower half of the rows along their first
    principal component, all others of the upper one. ``symmetric``: 30% of L's labels are some other class.
    ``class_dependent``: every second class is labelled as the next in 60%. ``sources``: of ten, four are
    right, two wrong in 30%, two label at random, and two as the next class in 80%.

    The first ``n_validation`` of ``sizes.validation`` rows are V, so that more of them are the same and
    others. Raises SalutaryError for too few rows.
    """
    everyone = np.arange(len(y))
    source, target = halves(X) if situation == "shift" else (everyone, everyone)
    n = sizes.labeled_by_sources if situation == "sources" else sizes.labeled
    n = min(n, len(source) - 2 * sizes.validation if source is target else len(source))
    if n < 1 or len(target) < sizes.validation + 2:
        raise SalutaryError(
            f"study: the table has {len(y)} rows, too few for study.n_validation={n_validation}"
        )
    labeled = rng.permutation(source)[:n]
    rest = rng.permutation(np.setdiff1d(target, labeled))
    validation, rest = rest[: sizes.validation], rest[sizes.validation :]
    n_pool = min(sizes.pool, len(rest) // 2)
    pool, test = rest[:n_pool], rest[n_pool : n_pool + sizes.test]
    given, sources = labels(y[labeled], int(y.max()) + 1, situation, rng)
    return Draw(labeled, given, validation[:n_validation], pool, test, sources)


def frequent(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows X (n, ..) and y (n,) of classes with ``RARE`` of them or more, numbered anew."""
    classes = np.flatnonzero(np.bincount(y) >= RARE * len(y))
    kept = np.isin(y, classes)
    return X[kept], np.searchsorted(classes, y[kept])


def halves(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows below and above the median of the first principal component of X (n, d), its largest weight
    positive.
    """
    centred = X - X.mean(0)
    component = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    scores = centred @ component * np.sign(component[abs(component).argmax()])
    below = scores < np.median(scores)
    return np.flatnonzero(below), np.flatnonzero(~below)


def labels(
    y: np.ndarray, n_classes: int, situation: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels (n,) as they are given instead of y (n,), and the sources (n,) that give them."""
    if situation == "symmetric":
        return _symmetric(y, n_classes, rng), None
    if situation == "class_dependent":
        return _next(y, n_classes, (y % 2 == 1) & (rng.random(len(y)) < 2 * WRONG)), None
    if situation != "sources":
        return y, None
    sources, given = np.arange(len(y)) % N_SOURCES, y.copy()
    for source in range(4, N_SOURCES):
        rows = np.flatnonzero(sources == source)
        if source < 6:
            given[rows] = _symmetric(y[rows], n_classes, rng)
        elif source < 8:
            given[rows] = rng.permutation(y[rows])
        else:
            given[rows] = _next(y[rows], n_classes, rng.random(len(rows)) < 0.8)
    return given, sources


def _symmetric(y: np.ndarray, n_classes: int, rng: np.random.Generator) -> np.ndarray:
    wrong = rng.random(len(y)) < WRONG
    return np.where(wrong, (y + rng.integers(1, n_classes, len(y))) % n_classes, y)


def _next(y: np.ndarray, n_classes: int, wrong: np.ndarray) -> np.ndarray:
    return np.where(wrong, (y + 1) % n_classes, y)
