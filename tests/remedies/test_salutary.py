"""Pool rows with labels, on top of L and of L + V."""

from dataclasses import replace

import numpy as np
from planted import drawn, loss, planted

from salutary.remedies import Assigned
from salutary.remedies.base_models import Logistic
from salutary.remedies.plain import Labeled
from salutary.remedies.salutary import Salutary, SalutaryAndValidation


def with_pool(spoilt=False):
    data, test = planted(n_labeled=12, n_validation=50)
    pool = drawn(150, 4, 2, np.random.default_rng(5))
    y = np.random.default_rng(6).permutation(pool.y) if spoilt else pool.y
    return replace(data, assigned=Assigned(pool.X, y, 3.0)), test


def test_rows_of_v_are_trained_on_only_on_top_of_them():
    data, _ = with_pool()
    L, V, pool = data.labeled, data.validation, data.assigned
    rows = Salutary().rows(data)
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, pool.X]))
    np.testing.assert_array_equal(rows.q.argmax(1), np.concatenate([L.y, pool.y]))
    assert rows.l2 == 3 and rows.is_plain
    rows = SalutaryAndValidation().rows(data)
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, V.X, pool.X]))
    assert rows.l2 is None and rows.tuned_on.tolist() == list(range(62))


def test_right_labels_help_and_wrong_ones_do_not():
    data, test = with_pool()
    alone = loss(Labeled().fit(data, Logistic()), test)
    assert loss(Salutary().fit(data, Logistic()), test) < alone - 0.05
    assert loss(Salutary().fit(with_pool(spoilt=True)[0], Logistic()), test) > alone
