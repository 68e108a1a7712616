"""The tests of shift against SciPy's, planted shifts, and their level where there is no shift."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.datasets import load_breast_cancer, load_digits
from statsmodels.stats.multitest import multipletests
from written_tables import some_rows

from salutary.errors import SalutaryError
from salutary.remedies.shift import FEWEST_ROWS, LEVEL, TwoSamples, two_samples
from salutary.tables.features import Features
from salutary.tables.schema import Schema

pytestmark = pytest.mark.whole
SCHEMA = Schema(("age", "wage", "flat"), ("city", "zip"), {})


def rng(seed=0):
    return np.random.default_rng(seed)


def each_its_own(X):
    return {f"x{place}": [place] for place in range(X.shape[1])}


def encoded(*frames):
    """Features of the frames, by a preprocessor fitted to the first."""
    features = Features.fit(SCHEMA, SCHEMA.convert(frames[0], "x"))
    return features, [features.transform(SCHEMA.convert(frame, "x"), "x") for frame in frames]


def halves(X, n_a, n_b, seed):
    rows = rng(seed).permutation(len(X))[: n_a + n_b]
    return X[rows[:n_a]], X[rows[n_a:]]


def test_groups_are_the_features_that_follow_a_column():
    """Also where names clash: column city_c00 and the category c00 of city."""
    frame = some_rows(80, 0).rename(columns={"wage": "city_c00"})
    schema = Schema(("age", "city_c00", "flat"), ("city", "zip"), {})
    features = Features.fit(schema, schema.convert(frame, "x"))
    X, found = features.transform(schema.convert(frame, "x"), "x"), features.column_groups
    assert list(found) == schema.used
    assert sorted(place for places in found.values() for place in places) == [*range(X.shape[1])]
    for name, places in found.items():
        other = frame.copy()
        other[name] = frame[name].to_numpy()[rng().permutation(80)]
        changed = (features.transform(schema.convert(other, "x"), "x") != X).any(0)
        assert set(np.flatnonzero(changed)) == (set(places) if name != "flat" else set())
    assert {name: len(places) for name, places in found.items()} == {
        **{"age": 2, "city_c00": 1, "flat": 1},
        **{"city": 4, "zip": 3},
    }


def test_groups_of_numbers_alone_and_of_categories_alone():
    frame = some_rows(40, 0)
    for numeric, categorical in ((("age",), ()), ((), ("city", "zip"))):
        schema = Schema(numeric, categorical, {})
        features = Features.fit(schema, schema.convert(frame, "x"))
        sizes = [len(places) for places in features.column_groups.values()]
        assert sizes == ([2] if numeric else [4, 3]) and sum(sizes) == len(features.names)


def test_columns_are_tested_as_scipy_does():
    frame, other = some_rows(150, 0), some_rows(120, 1)
    other["age"] += 2
    other.loc[other["city"] == "c01", "city"] = "c02"
    features, (A, B) = encoded(frame, other)
    columns = two_samples(A, B, features.column_groups, rng()).columns
    counts = pd.concat([frame, other], keys=["a", "b"]).groupby(level=0)
    tables = {name: counts[name].value_counts(dropna=False).unstack(fill_value=0) for name in ("city", "zip")}
    median = frame["age"].median()
    ages = [each["age"].fillna(median) for each in (frame, other)]
    gaps = [[each["age"].isna().sum(), each["age"].notna().sum()] for each in (frame, other)]
    p = {
        "age": 2 * min(stats.ks_2samp(*ages, method="asymp").pvalue, stats.fisher_exact(gaps)[1]),
        "wage": stats.ks_2samp(frame["wage"], other["wage"], method="asymp").pvalue,
        "flat": 1.0,
        **{name: stats.chi2_contingency(table)[1] for name, table in tables.items()},
    }
    adjusted = dict(zip(p, multipletests(list(p.values()), method="holm")[1], strict=True))
    assert {column.name: column.p_value for column in columns} == pytest.approx(adjusted)
    assert [column.p_value for column in columns] == sorted(adjusted.values())
    found = {column.name: column for column in columns}
    shares = tables["city"].div(tables["city"].sum(axis=1), axis=0)
    assert found["city"].statistic == pytest.approx((shares.loc["a"] - shares.loc["b"]).abs().sum() / 2)
    assert features.names[found["city"].feature] in ("city_c01", "city_c02")
    assert found["age"].feature == features.column_groups["age"][0]
    assert found["age"].mean_a < found["age"].mean_b == pytest.approx(B[:, 0].mean())


def test_what_is_missing_more_often_is_found():
    frame, other = some_rows(150, 0), some_rows(150, 1)
    other.loc[rng().random(150) < 0.6, "age"] = None
    features, (A, B) = encoded(frame, other)
    first = two_samples(A, B, features.column_groups, rng()).columns[0]
    assert first.name == "age" and first.p_value < 1e-6
    assert first.mean_b > first.mean_a


@pytest.mark.slow
def test_random_halves_are_seldom_told_apart(n_draws=30, level=0.1):
    """At most as often as the level says, but for chance; by the classifier, and by any column."""
    X = load_breast_cancer().data
    found = [two_samples(*halves(X, 90, 30, seed), each_its_own(X), rng(seed)) for seed in range(n_draws)]
    for p in ([each.p_value for each in found], [each.columns[0].p_value for each in found]):
        n_called = int(np.sum(np.array(p) < level))
        assert stats.binomtest(n_called, n_draws, level, "greater").pvalue > 0.001
    aucs = [each.auc for each in found]
    assert abs(np.mean(aucs) - 0.5) < 4 * np.std(aucs) / n_draws**0.5


def test_rows_that_were_kept_in_less_digits_are_the_same_rows():
    rows = rng().normal(size=(300, 1)) * [1, 0, 0] + [0, 1, 0] * rng(1).integers(1, 4, (300, 1)) / 0.7
    rows[:, 2] = (rng(2).random(300) < 0.1) / np.sqrt(0.09)  # a gap, standardised
    found = two_samples(rows, rows[rng(3).permutation(300)].astype(np.float32), each_its_own(rows), rng())
    assert [(column.statistic, column.p_value) for column in found.columns] == [(0, 1)] * 3


def test_a_shift_is_found_where_it_is():
    X, y = load_breast_cancer(return_X_y=True)
    found = two_samples(X[y == 0][:150], X[y == 1][:150], each_its_own(X), rng(), ("L", "V"))
    assert found.auc > 0.95 and found.p_value < 1e-10
    assert found.sentence().startswith("V differs from L in: x")
    assert "AUC .9" in found.sentence() and "p < .001)" in found.sentence()
    shuffled = rng(1).permutation(300)
    both = np.concatenate([X[y == 0][:150], X[y == 1][:150]])[shuffled]
    assert two_samples(both[:150], both[150:], each_its_own(X), rng()).sentence() == ""


def test_columns_that_only_go_together_otherwise():
    A, B = rng(0).normal(size=(2, 400, 4))
    B[:, 1] = B[:, 0] + 0.1 * B[:, 1]
    found = two_samples(A, B / B.std(0) * A.std(0), each_its_own(A), rng())
    assert found.p_value < LEVEL and not found.differing
    assert "in how columns go together" in found.sentence()


def test_one_column_of_many():
    """Too little for the classifier, which the sentence says."""
    A, B = rng(0).normal(size=(2, 300, 200))
    B[:, 7] += 0.6
    found = two_samples(A, B, each_its_own(A), rng())
    assert [column.name for column in found.differing] == ["x7"]
    assert found.columns[0].mean_b - found.columns[0].mean_a == pytest.approx(0.6, abs=0.2)
    assert found.sentence().startswith("B differs from A in: x7 (a classifier ")


def test_the_same_generator_gives_the_same_test():
    X = load_digits().data
    assert len(X) > 1700
    parts = halves(np.repeat(X[:, :8], 3, axis=0), 2500, 600, 0)  # the first of more rows than are looked at
    first, second, other = (two_samples(*parts, {"x2": [2]}, rng(seed)) for seed in (0, 0, 1))
    assert first == second != other


@pytest.mark.parametrize("n", [FEWEST_ROWS, 10, 20])
def test_few_rows_constant_columns_and_one_feature(n):
    for X in (np.zeros((2 * n, 3)), rng().normal(size=(2 * n, 1))):
        found = two_samples(X[:n], X[n:], each_its_own(X), rng())
        assert 0 < found.p_value <= 1 and 0 <= found.auc <= 1
        assert all(0 < column.p_value <= 1 for column in found.columns)
    constant = two_samples(np.zeros((n, 3)), np.zeros((n, 3)), each_its_own(X), rng())
    assert constant.auc == 0.5 and constant.sentence() == ""


def test_too_few_rows_tell_nothing():
    X = rng().normal(size=(50, 2))
    found = two_samples(X[: FEWEST_ROWS - 1], X + 9, each_its_own(X), rng())
    assert found == TwoSamples(0.5, 1.0, (), ("A", "B")) and found.sentence() == ""


def test_features_of_a_network():
    A, B = rng(0).normal(size=(2, 100, 1280))
    assert two_samples(A, B, {"picture": range(1280)}, rng()).sentence() == ""
    B[:, :100] += 1
    found = two_samples(A, B, {"picture": range(1280)}, rng(), ("V", "the pool"))
    assert found.sentence().startswith("the pool differs from V in: picture (a classifier tells them apart")
    assert found.columns[0].feature < 100


def test_features_that_do_not_fit():
    X = np.zeros((20, 2))
    with pytest.raises(SalutaryError, match=r"features \(20, 2\) of A and \(20, 1\) of B"):
        two_samples(X, X[:, :1], {}, rng())
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(SalutaryError, match=r"a feature of V is not finite \(row 3"):
        two_samples(X, bad, {}, rng(), ("L", "V"))
