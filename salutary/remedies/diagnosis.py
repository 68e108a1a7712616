"""What is wrong with L: labels that contradict V's, sources that do, and rows unlike V's and the pool's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from salutary.remedies import LabelledData
from salutary.remedies.noise import NoiseEstimate, NoiseModel, NoisePerSource, expectation_maximisation
from salutary.remedies.shift import MOST_ROWS, TwoSamples, two_samples
from salutary.system.seeding import stream
from salutary.tables.messages import listed

# Penalty of the model that the noise is told with: a weak one, since a strong one takes wrong labels for
# right.
L2 = 3
# Draws of the bootstrap, and iterations of each; of models with many parameters, which take long, fewer.
# (After 5 iterations draws are still so near to where they began that their spread is a third too small.)
DRAWS, ITERATIONS = 20, 20
FEW_DRAWS, FEW_ITERATIONS, MANY_PARAMETERS = 8, 5, 200
# What a clean L is found to have wrong: up to 4% on the tables of the study. Less than this is not told.
CLEAN = 0.05
SURE = 2.0
# Of a source of fewer rows nothing is said.
FEWEST_ROWS = 5
NAMED = 5


@dataclass(frozen=True)
class Noise:
    """Share of L's labels that are ``wrong``, and the noise ``matrix`` (C, C): given labels in columns, true
    ones in rows. Each with its bootstrapped standard error.
    """

    wrong: float
    wrong_error: float
    matrix: np.ndarray
    matrix_error: np.ndarray

    @property
    def is_found(self) -> bool:
        return self.wrong - SURE * self.wrong_error > CLEAN


@dataclass(frozen=True)
class Source:
    """A source of labels: ``n`` rows, and the share of them that is ``wrong``, with its bootstrapped
    error.
    """

    name: str
    n: int
    wrong: float
    error: float

    @property
    def is_bad(self) -> bool:
        return self.n >= FEWEST_ROWS and self.wrong - SURE * self.error > CLEAN


def noise_of(data: LabelledData) -> Noise:
    """One noise matrix for all of L's labels (:class:`salutary.remedies.noise.NoiseModel`)."""
    everyone, y = np.zeros(len(data.labeled), np.int64), data.labeled.y
    found = NoiseModel(L2).estimate(data)
    drawn = _bootstrapped(data, found, L2, everyone)
    wrong = [_wrong(estimate, sources, given)[0] for estimate, sources, given in drawn]
    matrices = np.stack([estimate.matrices[0] for estimate, _, _ in drawn])
    here = float(_wrong(found, everyone, y)[0])
    return Noise(here, float(np.std(wrong, ddof=1)), found.matrices[0], matrices.std(0, ddof=1))


def sources_of(data: LabelledData, names: Sequence[str]) -> list[Source]:
    """Each source's share of wrong labels (:class:`salutary.remedies.noise.NoisePerSource`), the worst first;
    none of a source without a row.
    """
    assert data.sources is not None
    found = NoisePerSource().estimate(data)
    wrong = _wrong(found, data.sources, data.labeled.y)
    drawn = _bootstrapped(data, found, NoisePerSource.l2, data.sources)
    errors = np.std([_wrong(*each) for each in drawn], axis=0, ddof=1)
    n = np.bincount(data.sources)
    used = np.flatnonzero(n).tolist()
    each = [Source(names[s], int(n[s]), float(wrong[s]), float(errors[s])) for s in used]
    return sorted(each, key=lambda source: -source.wrong)


def _wrong(estimate: NoiseEstimate, sources: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1 - estimate.right(sources, y)


def _bootstrapped(
    data: LabelledData, found: NoiseEstimate, l2: float, sources: np.ndarray
) -> list[tuple[NoiseEstimate, np.ndarray, np.ndarray]]:
    """Estimates on rows of L and V drawn with replacement, each with the sources and labels of its rows.

    Of L within each source, so that each keeps its rows. They go on from what was ``found``.
    """
    rng = stream(data.seed, "remedies")
    by_source = [np.flatnonzero(sources == number) for number in range(len(found.matrices))]
    is_large, drawn = found.W.size > MANY_PARAMETERS, []
    for _ in range(FEW_DRAWS if is_large else DRAWS):
        rows = np.concatenate([rng.choice(each, len(each)) for each in by_source if len(each)])
        seen = rng.integers(len(data.validation), size=len(data.validation))
        part = replace(data, labeled=data.labeled[rows], validation=data.validation[seen])
        iterations = FEW_ITERATIONS if is_large else ITERATIONS
        estimate = expectation_maximisation(
            part, l2, sources[rows], found.matrices, iterations=iterations, start=found.W
        )
        drawn.append((estimate, sources[rows], part.labeled.y))
    return drawn


def noise_sentence(noise: Noise, classes: Sequence[str]) -> str:
    """Empty if none is found."""
    if not noise.is_found:
        return ""
    text = f"about {noise.wrong:.0%} of the labels are wrong (± {100 * noise.wrong_error:.0f} points)"
    off = noise.matrix - np.diag(np.diag(noise.matrix))
    true, given = np.unravel_index(off.argmax(), off.shape)
    if off[true, given] > 2 * off[given, true]:  # one direction, and not any label for any other
        text += f", above all {classes[true]!r} labelled {classes[given]!r} ({off[true, given]:.0%} of them)"
    return text


def sources_sentence(sources: Sequence[Source]) -> str:
    """Empty if none is bad."""
    bad = [source for source in sources if source.is_bad]
    if not bad:
        return ""
    each = [f"{source.wrong:.0%} of source {source.name}'s" for source in bad[:NAMED]]
    more = f" and of {len(bad) - NAMED} more" if len(bad) > NAMED else ""
    return f"labels are wrong, about {', '.join(each)}{more}"


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with L, and the evidence. ``sources``: the worst first, none if they are not known.
    ``shifts``: of V against L, and of the pool against either. ``unseen``: classes without a row of V: where
    there are any, a true label may look like a wrong one, and nothing is said of the labels.
    """

    classes: tuple[str, ...]
    noise: Noise
    sources: tuple[Source, ...]
    shifts: tuple[TwoSamples, ...]
    unseen: tuple[str, ...] = ()

    @property
    def problems(self) -> list[str]:
        """What is found, the most telling first; empty for an L with nothing wrong."""
        of_labels = sources_sentence(self.sources) or noise_sentence(self.noise, self.classes)
        return [text for text in ("" if self.unseen else of_labels, self.shifts[0].sentence()) if text]

    @property
    def sentence(self) -> str:
        wrong = f"What is wrong with the labelled rows: {'; '.join(self.problems)}." if self.problems else ""
        if self.unseen:
            return f"{wrong or 'No test tells the labelled rows from the validation rows.'} {self.untold}"
        if wrong:
            return wrong
        unsure = f" (± {100 * self.noise.wrong_error:.0f} points)" if self.noise.wrong > CLEAN else ""
        agree = f"their labels agree with the validation rows' but for about {self.noise.wrong:.0%}{unsure}"
        return f"Nothing is found wrong with the labelled rows: {agree}, and no test tells the rows apart."

    @property
    def untold(self) -> str:
        """Why nothing is said of the labels; empty if something is."""
        if not self.unseen:
            return ""
        names = listed([repr(name) for name in self.unseen], NAMED)
        return f"Whether labels are wrong is not told: no validation row is of class {names}."


def diagnose(
    data: LabelledData,
    source_names: Sequence[str],
    classes: Sequence[str],
    columns: Mapping[str, Sequence[int]],
    sample: Callable[[int, np.random.Generator], np.ndarray] | None = None,
    n_comparable: int | None = None,
) -> Diagnosis:
    """``columns``: the features of each. ``sample``: gives so many rows of the pool, None without one.
    ``n_comparable``: of the features, the first ones, which rows that are alike have alike; None: all.
    """
    n_tested = data.n_plain if n_comparable is None else n_comparable
    rng, plain = stream(data.seed, "remedies", 1), slice(n_tested)
    rows = {"labelled rows": data.labeled.X[:, plain], "validation rows": data.validation.X[:, plain]}
    if sample:
        rows["pool rows"] = sample(MOST_ROWS, rng)[:, plain]
    shifts = [two_samples(A, B, columns, rng, (a, b)) for (a, A), (b, B) in combinations(rows.items(), 2)]
    sources = sources_of(data, source_names) if data.n_sources > 1 else []
    seen = np.bincount(data.validation.y, minlength=data.n_classes)
    unseen = tuple(name for name, n in zip(classes, seen, strict=True) if not n)
    return Diagnosis(tuple(classes), noise_of(data), tuple(sources), tuple(shifts), unseen)
