"""The features made of columns, against a plain computation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from written_tables import some_rows

from salutary.errors import SalutaryError
from salutary.tables.columns import Columns
from salutary.tables.features import MAX_CATEGORIES, Features
from salutary.tables.schema import Schema

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


def test_features_are_what_they_say():
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame, other = some_rows(60, 0), some_rows(30, 1)
    other.loc[[2, 5], "city"] = "new"
    other.loc[3, "wage"] = None
    training = np.arange(0, 60, 2)
    found = Features.fit(schema, schema.convert(frame.iloc[training], "x"))
    for rows in (frame, other):
        expected = []
        filled = {name: rows[name].fillna(frame[name].iloc[training].median()) for name in schema.numeric}
        indicators = {"age": rows["age"].isna()}  # no other is missing in the training rows
        for source, columns in (("values", filled), ("indicators", indicators)):
            for name, values in columns.items():
                fitted = frame[name].iloc[training]
                fitted = fitted.isna() if source == "indicators" else fitted.fillna(fitted.median())
                deviation = np.std(fitted.to_numpy(float))
                expected.append((values - np.mean(fitted)) / (deviation or 1))
        for name in schema.categorical:
            texts, known = rows[name].fillna("(missing)"), frame[name].iloc[training].fillna("(missing)")
            expected += [texts == each for each in sorted(known.unique())]
        X = found.transform(schema.convert(rows, "x"), "x")
        np.testing.assert_allclose(X, np.array(expected, float).T, atol=1e-12)
    assert found.unseen == {"city": 2}
    assert found.names[:5] == ["age", "wage", "flat", "missingindicator_age", "city_c00"]


def test_rare_categories_share_a_feature():
    n = MAX_CATEGORIES + 20
    texts = [f"c{number:03}" for number in range(n) for _ in range(1 + number)]  # the first are the rarest
    frame = pd.DataFrame({"city": texts})
    schema = Schema((), ("city",), {})
    found = Features.fit(schema, frame)
    X = found.transform(pd.DataFrame({"city": ["c000", "c020", "c021", f"c{n - 1:03}", "new", None]}), "x")
    kept = MAX_CATEGORIES - 1
    assert X.shape[1] == MAX_CATEGORIES and (X.sum(1) == 1).all()
    assert X.argmax(1).tolist() == [kept, kept, 0, kept - 1, kept, kept]
    assert found.unseen == {"city": 1}  # what is missing is no category that is not known


def test_unseen_categories_are_none_where_there_are_no_rare_ones():
    schema = Schema((), ("city",), {})
    found = Features.fit(schema, pd.DataFrame({"city": ["a", "b", "a"]}))
    X = found.transform(pd.DataFrame({"city": ["c", "b", np.nan]}, dtype=object), "x")
    assert X.tolist() == [[0, 0], [0, 1], [0, 0]]
    assert found.unseen == {"city": 1} and found.values == {"city": 2}


def test_only_the_training_rows_count():
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame = some_rows(60, 0)
    changed = frame.copy()
    changed.loc[30:, "wage"] *= 1e6
    changed.loc[30:, "city"] = "elsewhere"
    parts = [Columns(schema, [(Path("x"), schema.convert(each, "x"))]) for each in (frame, changed)]
    (X, _), (X_changed, features) = (each.features(np.arange(30)) for each in parts)
    np.testing.assert_array_equal(X[:30], X_changed[:30])
    assert features.unseen["city"] == 30


def test_constants_are_not_scaled_up_by_rounding():
    schema = Schema(("time", "gone"), (), {})
    frame = pd.DataFrame({"time": [1.7e18, np.nan, 1.7e18] * 7, "gone": np.nan})
    X = Features.fit(schema, frame).transform(frame, "x")
    assert np.abs(X[:, :2]).max() < 1e-5 and X[:, 2].std() == pytest.approx(1)


def test_values_too_large_to_standardise_are_named():
    schema = Schema(("a", "b"), (), {})
    found = Features.fit(schema, pd.DataFrame({"a": [0, 1e-9], "b": [0.0, 1.0]}))
    frame = pd.DataFrame({"a": [0.0, 1e30], "b": [0.0, 1.0]}, index=[7, 8])
    with pytest.raises(SalutaryError, match=r"x, column a, row 9: the value is too large"):
        found.transform(frame, "x")


def test_columns_of_several_files(tmp_path):
    schema = Schema(("age", "wage", "flat"), ("city", "zip"), {})
    frame = some_rows(60, 0)
    converted = schema.convert(frame, "x")
    whole = Columns(schema, [(Path("x"), converted)])
    apart = Columns(schema, [(Path("a"), converted[:40]), (Path("b"), converted[40:].reset_index(drop=True))])
    training = np.arange(5, 50)
    np.testing.assert_array_equal(whole.features(training)[0], apart.features(training)[0])
    np.testing.assert_array_equal(whole.codes(), apart.codes())
    codes = whole.codes()
    np.testing.assert_array_equal(codes[:, 0], frame["age"])
    assert codes[:, 3].tolist() == frame["city"].str[1:].astype(float).tolist()
    assert np.isnan(codes[:, 4]).tolist() == frame["zip"].isna().tolist()
    apart.parts[1][1].loc[3, "wage"] = 1e38
    apart.parts[0][1].loc[:, "wage"] = np.arange(40) % 2 * 1e-9
    fresh = Columns(schema, apart.parts)
    with pytest.raises(SalutaryError, match=r"b, column wage, row 4: the value is too large"):
        fresh.features(np.arange(40))
