"""Training rows of L and V, plain and weighted."""

import numpy as np
import pytest
from planted import drawn, loss, planted, shuffled

from salutary.remedies import Assigned, LabelledData, Part, TrainingRows
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled, LabeledAndValidation, Validation, Weighted

L = Part(np.arange(6.0).reshape(3, 2), np.array([0, 1, 2]))
V = Part(10 + np.arange(4.0).reshape(2, 2), np.array([2, 0]))
POOL = Assigned(100 + np.arange(2.0).reshape(1, 2), np.array([1]), 7.0)
DATA = LabelledData(L, V, 3)


def test_all_rows_by_default():
    rows = TrainingRows.of(DATA)
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, V.X]))
    np.testing.assert_array_equal(rows.q, np.eye(3)[[0, 1, 2, 2, 0]])
    assert rows.weights.tolist() == [1] * 5 and rows.tuned_on.tolist() == [3, 4]
    assert rows.use.tolist() == [1] * 3 and rows.labels.tolist() == np.eye(3).tolist()
    assert rows.is_plain and rows.l2 is None


def test_weights_labels_and_rows_left_out():
    q = np.array([[0.5, 0.5, 0], [0, 1, 0], [0.2, 0.3, 0.5]])
    rows = TrainingRows.of(DATA, use=np.array([2.0, 0, 1]), labels=q, validation=4, l2=5.0)
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X[[0, 2]], V.X]))
    np.testing.assert_array_equal(rows.q, np.concatenate([q[[0, 2]], np.eye(3)[[2, 0]]]))
    assert rows.weights.tolist() == [2, 1, 4, 4] and rows.tuned_on.tolist() == [2, 3]
    assert rows.use.tolist() == [0.5, 0, 0.25] and rows.labels.tolist() == q.tolist()  # relative to V's
    assert not rows.is_plain and rows.l2 == 5


def test_what_a_penalty_is_tuned_on():
    use = np.array([1.0, 0, 1])
    assert TrainingRows.of(DATA, use, tuned_on="labeled").tuned_on.tolist() == [0, 1]
    assert TrainingRows.of(DATA, use, tuned_on="all").tuned_on.tolist() == [0, 1, 2, 3]
    given = LabelledData(L, V, 3, l2=2.0)
    assert TrainingRows.of(given, l2=5.0).l2 == 2  # one penalty for all


def test_pool_rows_only_if_asked():
    data = LabelledData(L, V, 3, assigned=POOL)
    assert len(TrainingRows.of(data).X) == 5
    rows = TrainingRows.of(data, validation=0, assigned=True, tuned_on="labeled")
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, POOL.X]))
    np.testing.assert_array_equal(rows.q, np.eye(3)[[0, 1, 2, 1]])
    assert rows.tuned_on.tolist() == [0, 1, 2] and rows.use.tolist() == [1, 1, 1]
    assert len(TrainingRows.of(DATA, assigned=True).X) == 5  # there are none


def test_is_plain():
    assert TrainingRows.of(DATA, use=np.array([1.0, 0, 1])).is_plain  # fewer rows, all alike
    assert not TrainingRows.of(DATA, validation=4).is_plain
    assert not TrainingRows.of(DATA, labels=np.full((3, 3), 1 / 3)).is_plain
    assert not TrainingRows.of(DATA, use=0.5).is_plain


@pytest.mark.parametrize(
    ("remedy", "weights", "tuned_on"),
    [
        (Labeled(), [1] * 3, [0, 1, 2]),
        (Validation(), [1] * 2, [0, 1]),
        (LabeledAndValidation(), [1] * 5, [0, 1, 2, 3, 4]),
        (Weighted(4), [1] * 3 + [4] * 2, [3, 4]),
    ],
)
def test_rows_of_each(remedy, weights, tuned_on):
    rows = remedy.rows(DATA)
    assert rows.weights.tolist() == weights and rows.tuned_on.tolist() == tuned_on
    expected = {"labeled": L.X, "validation": V.X}.get(remedy.name, np.concatenate([L.X, V.X]))
    np.testing.assert_array_equal(rows.X, expected)
    assert remedy.is_plain == (remedy.name == "labeled_and_validation")


def test_use_is_relative_to_rows_of_v():
    assert Weighted(4).rows(DATA).use.tolist() == [0.25] * 3
    assert Validation().rows(DATA).use.tolist() == [0] * 3
    assert Labeled().rows(DATA).use.tolist() == [1] * 3


def another_concept(seed):
    """L, in which the first column means the contrary of what it means in V."""
    data, test = planted(seed=seed, n_validation=100)
    part = drawn(300, 4, 2, np.random.default_rng(seed + 50), strength=0.8)
    return LabelledData(Part(part.X * [-1, 1, 1, 1], part.y), data.validation, 2), test


@pytest.mark.parametrize("remedy", [Weighted(4), Weighted(16), Validation()], ids=lambda one: one.name)
def test_v_weighs_more_where_l_is_of_another_concept(remedy):
    gains, spoilt = [], []
    for seed in range(3):
        data, test = another_concept(seed)
        plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
        gains.append(plain - loss(remedy.fit(data, Logistic()), test))
        spoilt.append(plain - loss(remedy.fit(shuffled(data, seed), Logistic()), test))
    assert np.mean(gains) > 0.02 and max(spoilt) < -0.05
