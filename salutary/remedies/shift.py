"""Whether two sets of rows are of one distribution, and the columns in which they differ most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedKFold
from statsmodels.stats.multitest import multipletests

from salutary.errors import SalutaryError
from salutary.tables.messages import listed

# Rows of each set that are looked at, and below which nothing can be told.
MOST_ROWS = 2000
FEWEST_ROWS = 5
# Trees of each forest, and rows that each of them learns from.
TREES = 50
TREE_ROWS = 500
# P values from here on say nothing.
LEVEL = 0.01
# Categories expected less often than this in a set are taken together, as is usual for chi-squared.
EXPECTED = 5
# Columns that are named in a sentence.
NAMED = 5


@dataclass(frozen=True)
class ColumnShift:
    """How one column differs between the rows A and B.

    ``statistic``: the largest difference of the two distributions, in [0, 1]: the distance of Kolmogorov
    and Smirnov for numbers, the total variation distance for categories. ``p_value``: of the hypothesis
    that they are one, corrected by Holm over the columns. ``feature``: that of the column which differs
    most, and its means in A and B: for a category the shares of rows that have it.
    """

    name: str
    statistic: float
    p_value: float
    feature: int
    mean_a: float
    mean_b: float


@dataclass(frozen=True)
class TwoSamples:
    """A test of whether A and B, two sets of rows called ``names``, are of one distribution.

    ``auc``: area under the ROC curve of a classifier that tells B's rows from A's, on rows that it was
    not trained on; .5 if it cannot. ``p_value``: of one distribution, one-sided. ``columns``: the least p
    value first.
    """

    auc: float
    p_value: float
    columns: tuple[ColumnShift, ...]
    names: tuple[str, str]

    @property
    def differing(self) -> list[ColumnShift]:
        """The columns that surely differ, those of the least p value first."""
        return [column for column in self.columns if column.p_value < LEVEL]

    @property
    def is_sure(self) -> bool:
        """Whether the classifier, or the test of a column, says so. A classifier of many features may not
        see a shift of one.
        """
        return self.p_value < LEVEL or bool(self.differing)

    def sentence(self) -> str:
        """How B differs from A; empty unless that is sure."""
        if not self.is_sure:
            return ""
        (a, b), differing = self.names, [column.name for column in self.differing]
        where = f"in: {listed(differing, NAMED)}" if differing else "in how columns go together"
        told = "tells" if self.p_value < LEVEL else "does not surely tell"
        how_sure = "p < .001" if self.p_value < 0.001 else f"p = {_decimals(self.p_value, 3)}"
        auc = _decimals(self.auc, 2)
        differ = "differ" if b.endswith("rows") else "differs"
        return f"{b} {differ} from {a} {where} (a classifier {told} them apart with AUC {auc}, {how_sure})"


def two_samples(
    A: np.ndarray,
    B: np.ndarray,
    groups: Mapping[str, Sequence[int]],
    rng: np.random.Generator,
    names: tuple[str, str] = ("A", "B"),
) -> TwoSamples:
    """Classifier two-sample test of the features A (n_a, d) and B (n_b, d), and a test of every column.

    A random forest learns of one half of the rows to tell B's from A's, both sets weighing the same; its
    votes on the other half are compared by the rank test of Mann and Whitney; and the other way round.
    ``groups``: the features of each column, as :attr:`Features.column_groups` has them; those of two
    values are taken for categories (chi-squared), others for numbers (Kolmogorov-Smirnov). Of more than
    2,000 rows so many are drawn by ``rng``. Fewer than five rows on a side, or no features, tell nothing: the
    p value is 1.

    Lopez-Paz and Oquab, "Revisiting classifier two-sample tests", ICLR 2017. Out-of-bag votes would depend
    on each other: 8% of random splits of the bank table were called different at a level of 5%.

    Raises SalutaryError for features that are not of one table, or not finite.
    """
    if A.ndim != 2 or B.ndim != 2 or A.shape[1] != B.shape[1]:
        raise SalutaryError(
            f"features {A.shape} of {names[0]} and {B.shape} of {names[1]} are not one table's"
        )
    for X, name in ((A, names[0]), (B, names[1])):
        if not np.isfinite(X).all():
            raise SalutaryError(f"a feature of {name} is not finite (row {_first_bad(X)}, counted from 0)")
    if min(len(A), len(B)) < FEWEST_ROWS or not A.shape[1]:
        return TwoSamples(0.5, 1.0, (), names)
    A, B = _rounded(_some(A, rng)), _rounded(_some(B, rng))
    auc, p_value = _told_apart(A, B, rng)
    return TwoSamples(auc, p_value, _columns(A, B, groups), names)


def _first_bad(X: np.ndarray) -> int:
    return int(np.argmin(np.isfinite(X).all(1)))


def _some(X: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return X[rng.permutation(len(X))[:MOST_ROWS]] if len(X) > MOST_ROWS else X


def _rounded(X: np.ndarray) -> np.ndarray:
    """To float32, as which pools are kept: of one value in both sets there would else be two."""
    return X.astype(np.float32).astype(np.float64)


def _told_apart(A: np.ndarray, B: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Area under the curve, and p value.

    Given what a forest learned of one half, the ranks of the other are as Mann and Whitney say. Of the
    two halves, which depend on each other, Bonferroni's p value.
    """
    X, is_b = np.concatenate([A, B]), np.repeat([False, True], [len(A), len(B)])
    halves = StratifiedKFold(2, shuffle=True, random_state=_state(rng)).split(X, is_b)
    tests = [_half(X, is_b, learned, told, rng) for learned, told in halves]
    return float(np.mean([auc for auc, _ in tests])), min(1.0, 2 * min(p for _, p in tests))


def _half(
    X: np.ndarray, is_b: np.ndarray, learned: np.ndarray, told: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    forest = RandomForestClassifier(
        TREES,
        class_weight="balanced",
        max_samples=min(TREE_ROWS, len(learned)),
        random_state=_state(rng),
    )
    votes = forest.fit(X[learned], is_b[learned]).predict_proba(X[told])[:, 1]
    of_a, of_b = votes[~is_b[told]], votes[is_b[told]]
    test = stats.mannwhitneyu(of_b, of_a, alternative="greater")
    return float(test.statistic) / (len(of_a) * len(of_b)), float(test.pvalue)


def _state(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))


def _columns(A: np.ndarray, B: np.ndarray, groups: Mapping[str, Sequence[int]]) -> tuple[ColumnShift, ...]:
    """Each column's test, the p values adjusted together."""
    if not groups:
        return ()
    features = _Features.of(A, B)
    tests = [features.test(np.array(places, int)) for places in groups.values()]
    adjusted = multipletests([p for _, p, _ in tests], method="holm")[1]
    found = [
        ColumnShift(name, statistic, float(p), k, float(A[:, k].mean()), float(B[:, k].mean()))
        for name, (statistic, _, k), p in zip(groups, tests, adjusted, strict=True)
    ]
    return tuple(sorted(found, key=lambda column: (column.p_value, -column.statistic)))


@dataclass(frozen=True)
class _Features:
    """Features (n, d) of both sets. ``few`` (d,): those of two values at most; ``distances`` and
    ``p_values`` (d,): of Kolmogorov and Smirnov, for the others; ``gaps`` (d,): of the means, in standard
    deviations.
    """

    A: np.ndarray
    B: np.ndarray
    few: np.ndarray
    distances: np.ndarray
    p_values: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, A: np.ndarray, B: np.ndarray) -> _Features:
        X = np.concatenate([A, B])
        few = np.array([len(np.unique(values)) <= 2 for values in X.T])
        distances, p_values = np.zeros(len(few)), np.ones(len(few))
        if not few.all():
            test = stats.ks_2samp(A[:, ~few], B[:, ~few], method="asymp", axis=0)
            distances[~few], p_values[~few] = test.statistic, test.pvalue
        deviation = X.std(0)
        gaps = np.abs(A.mean(0) - B.mean(0)) / np.where(deviation > 0, deviation, 1)
        return cls(A, B, few, distances, p_values, gaps)

    def test(self, places: np.ndarray) -> tuple[float, float, int]:
        """Statistic, p value and the feature that differs most, of the column of these features.

        A number that may be missing has two tests, of its values and of its gaps: Bonferroni's p value.
        """
        tests = [(self.distances[k], self.p_values[k], k) for k in places if not self.few[k]]
        categories = places[self.few[places]]
        if len(categories):
            X = np.concatenate([self.A[:, categories], self.B[:, categories]])
            codes = np.unique(X, axis=0, return_inverse=True)[1].ravel()
            differs_most = categories[self.gaps[categories].argmax()]
            tests.append((*_categories(codes[: len(self.A)], codes[len(self.A) :]), differs_most))
        statistic, p, k = min(tests, key=lambda test: (test[1], -test[0]))
        return float(statistic), min(1.0, len(tests) * float(p)), int(k)


def _categories(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Total variation distance of the category numbers a (n_a,) and b (n_b,), and the p value of
    chi-squared, of Fisher's exact test where there are two categories.
    """
    k = max(a.max(), b.max()) + 1
    counts = np.stack([np.bincount(a, minlength=k), np.bincount(b, minlength=k)])
    distance = np.abs(counts[0] / len(a) - counts[1] / len(b)).sum() / 2
    counts = _without_rare(counts)
    if counts.shape[1] < 2:
        return distance, 1.0
    test = stats.fisher_exact if counts.shape[1] == 2 else stats.chi2_contingency
    return distance, test(counts)[1]


def _without_rare(counts: np.ndarray) -> np.ndarray:
    """The counts (2, k), rare categories taken together until none is or two are left."""
    counts = counts[:, np.argsort(-counts.sum(0), kind="stable")]
    share = counts.sum(1).min() / counts.sum()
    while counts.shape[1] > 2 and counts[:, -1].sum() * share < EXPECTED:
        counts = np.column_stack([counts[:, :-2], counts[:, -2:].sum(1)])
        counts = counts[:, np.argsort(-counts.sum(0), kind="stable")]
    return counts


def _decimals(value: float, digits: int) -> str:
    """``.83`` of 0.83."""
    return f"{value:.{digits}f}".removeprefix("0")
