"""Pool rows with soft labels for an objective, V choosing them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted import drawn, planted

from salutary.engine.objectives import Balanced, DemographicParity, WorstGroup
from salutary.engine.soft_regression import SoftRegression
from salutary.remedies import Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of
from salutary.remedies.plain import Labeled, LabeledAndValidation
from salutary.remedies.soft import SalutarySoft, _objective, left_out_of, soft_remedies

PARITY = DemographicParity(1).resolved([0, 1])
OF_L = [each for each in soft_remedies() if not each.with_validation]
TOO = [each for each in soft_remedies() if each.with_validation]
NAMES = [each.name for each in soft_remedies()]


def with_groups(part):
    """Groups that one feature tells of."""
    return Part(part.X, part.y, groups=(part.X[:, 1] > 0).astype(int))


def with_pool(n_classes=2, criterion=PARITY, shuffled=False, **settings):
    data, test = planted(n_classes, n_labeled=80, n_validation=120, **settings)
    V = with_groups(data.validation)
    if shuffled:
        V = replace(V, groups=np.random.default_rng(3).permutation(V.groups))
    pool = drawn(200, 4, n_classes, np.random.default_rng(5)).X
    return replace(data, validation=V, pool=pool, criterion=criterion), with_groups(test)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("remedy", OF_L, ids=lambda each: each.name)
def test_rows_are_those_of_l_and_a_pool_as_heavy(remedy, n_classes):
    data, _ = with_pool(n_classes, Balanced())
    rows, L = remedy.rows(data), data.labeled
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, data.pool]))
    np.testing.assert_array_equal(rows.q[:80], np.eye(n_classes)[L.y])
    np.testing.assert_allclose(rows.q.sum(1), 1)
    np.testing.assert_array_equal(rows.weights, [1.0] * 80 + [0.4] * 200)
    assert rows.tuned_on.tolist() == list(range(80)) and (rows.use == 1).all()
    assert rows.l2 == Logistic().fit(Labeled().rows(data), data).l2
    assert rows.labels.tolist() == np.eye(n_classes)[L.y].tolist()


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("remedy", TOO, ids=lambda each: each.name)
def test_with_v_the_pool_is_as_heavy_as_both(remedy, n_classes):
    data, _ = with_pool(n_classes, Balanced())
    rows, L, V = remedy.rows(data), data.labeled, data.validation
    np.testing.assert_array_equal(rows.X, np.concatenate([L.X, V.X, data.pool]))
    np.testing.assert_array_equal(rows.q[:200], np.eye(n_classes)[np.concatenate([L.y, V.y])])
    np.testing.assert_array_equal(rows.weights, [1.0] * 400)
    assert rows.l2 == Logistic().fit(LabeledAndValidation().rows(data), data).l2


TRUTH = 1.5 * np.random.default_rng(7).normal(size=(2, 15))  # the parameters of `drawn`


def told(data, test):
    """What V says of the model of L + V at the model's own logits, as where it is trained on, and what rows
    never seen say, (3, 2): the objective, and its slope towards the planted parameters.
    """
    rows = LabeledAndValidation().rows(data)
    model = Logistic().fit(rows, data)
    W = torch.from_numpy(model.W)
    regression = SoftRegression(rows.X, rows.q, rows.weights)
    own = _objective(data)
    fair = left_out_of(regression, model.W, regression.penalty(model.l2), own, len(data.labeled))
    fresh = _objective(replace(data, validation=Part(test.X, test.y, groups=test.groups)))
    values = own.value(W), own.value_at(fair.Z), fresh.value(W)
    slopes = (each.gradient(W).numpy()[0, :15] @ (TRUTH[0] - TRUTH[1]) for each in (own, fair, fresh))
    return [*zip(map(float, values), slopes, strict=True)]


def test_where_v_is_trained_on_it_says_what_rows_never_seen_say():
    """Many features, few rows: at its own logits the model looks better, and hard to make better."""
    found = []
    for seed in range(40):
        data, test = planted(2, n_labeled=60, n_validation=60, d=15, seed=seed, n_test=5000, l2=1.0)
        found.append(told(replace(data, criterion=Balanced()), test))
    own, fair, fresh = np.mean(found, 0)
    assert (own < 0.85 * fresh).all() and (abs(fair - fresh) < 0.1 * fresh).all(), (own, fair, fresh)


def test_a_given_penalty_is_kept():
    assert soft_remedies()[0].rows(with_pool(l2=7.0)[0]).l2 == 7


def figures(shuffled):
    """Of the model of L and of each remedy, in the mean of three draws."""
    found = []
    for seed in range(3):
        data, test = with_pool(shuffled=shuffled, seed=seed)
        models = [remedy.fit(data, Logistic()) for remedy in (Labeled(), *soft_remedies())]
        found.append([PARITY.figure(model.probabilities(test.X), test.y, test.groups) for model in models])
    return np.mean(found, 0)


def test_the_gap_closes_if_v_knows_the_groups_and_only_then():
    alone, *others = figures(shuffled=False)
    assert alone > 0.3 and max(others) < alone / 2
    alone, *others = figures(shuffled=True)
    assert min(others) > 0.8 * alone


def test_where_v_does_not_say_what_to_aim_for_it_is_l_alone():
    """As a fold that lacks a group."""
    data, _ = with_pool()
    one_group = replace(data, validation=replace(data.validation, groups=np.zeros(120, int)))
    for unclear in (one_group, replace(data, pool=data.pool[:0])):
        rows = SalutarySoft("late", 0.3, beyond=True).rows(unclear)
        np.testing.assert_array_equal(rows.X, data.labeled.X)
        assert rows.is_plain


def test_v_judges_them():
    data, _ = with_pool(criterion=WorstGroup())
    folds = folds_of(data.validation.y, 5, 0, data.validation.groups)
    judgement = Judge(named([*NAMES, "labeled"]), [Logistic()]).judge(data, folds)
    assert {*NAMES} < {*judgement.names}
    for name in NAMES:
        assert np.isfinite(judgement.losses[name]).all()
