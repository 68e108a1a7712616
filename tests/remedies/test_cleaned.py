"""Cleaning L by cleanlab's filter: its own call, rows of few labels, and what it is for."""

from dataclasses import replace

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from planted import loss, noisy, planted, shuffled, symmetric
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from salutary.remedies import Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.cleaned import Cleaned, out_of_fold, suspect
from salutary.remedies.plain import LabeledAndValidation
from salutary.system.seeding import stream


@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_is_cleanlabs_filter_of_the_other_folds(n_classes):
    data, _ = planted(n_classes, n_labeled=100, n_validation=50, l2=2.0, seed=1)
    data = noisy(data, symmetric(n_classes, 0.3))
    L, V = data.labeled, data.validation
    P = np.empty((100, n_classes))
    state = int(stream(0, "validation").integers(2**31))
    for rows, held_out in KFold(5, shuffle=True, random_state=state).split(L.X):
        model = LogisticRegression(C=0.5, tol=1e-10, max_iter=5000)
        model.fit(np.concatenate([L.X[rows], V.X]), np.concatenate([L.y[rows], V.y]))
        P[held_out] = model.predict_proba(L.X[held_out])
    np.testing.assert_allclose(out_of_fold(data), P, atol=1e-3)
    issues = find_label_issues(L.y, P)
    assert 5 < issues.sum() < 60
    rows = Cleaned(4).rows(data)
    np.testing.assert_array_equal(rows.use, ~issues / 4)
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X[~issues], V.X]))
    assert Cleaned().rows(data).is_plain  # a classifier without weights takes it


@pytest.mark.parametrize("y", [[0], [0, 0], [0, 1], [0, 1, 1]])
def test_few_labelled_rows(y):
    data, _ = planted(n_validation=20)
    data = replace(data, labeled=Part(data.labeled.X[: len(y)], np.array(y)))
    P = out_of_fold(data)
    assert P.shape == (len(y), 2) and np.isfinite(P).all()
    assert Cleaned().rows(data).use.shape == (len(y),)


def test_without_a_class_nothing_is_suspect():
    data, _ = planted(3, n_labeled=30)
    data = replace(data, labeled=data.labeled[data.labeled.y != 1])
    assert not suspect(data, np.full((len(data.labeled), 3), 1 / 3)).any()


@pytest.mark.parametrize("remedy", [Cleaned(), Cleaned(4)], ids=lambda one: one.name)
def test_it_helps_where_labels_are_wrong(remedy):
    gains, spoilt = [], []
    for seed in range(3):
        data, test = planted(seed=seed)
        data = noisy(data, [[0.95, 0.05], [0.5, 0.5]], seed)
        plain = loss(LabeledAndValidation().fit(data, Logistic()), test)
        gains.append(plain - loss(remedy.fit(data, Logistic()), test))
        spoilt.append(plain - loss(remedy.fit(shuffled(data, seed), Logistic()), test))
    assert np.mean(gains) > 0.05 and max(spoilt) < 0
