"""Weights of classes and groups against their formulas."""

from dataclasses import replace

import numpy as np
import pytest
from planted import grouped
from sklearn.utils.class_weight import compute_class_weight

from salutary.engine.objectives import Balanced, Cost, DemographicParity, EqualizedOdds, WorstGroup
from salutary.remedies import Part
from salutary.remedies.base_models import Estimator, Logistic, boosting
from salutary.remedies.catalogue import fair_remedies
from salutary.remedies.decisions import Told
from salutary.remedies.fair_weights import ClassWeighted, CostWeighted, GroupWeighted, Reweighed
from salutary.remedies.plain import LabeledAndValidation

PARITY = DemographicParity(positive_class=1)


def of(data):
    """Groups and classes of L, then V."""
    parts = data.labeled, data.validation
    return np.concatenate([part.groups for part in parts]), np.concatenate([part.y for part in parts])


@pytest.mark.parametrize("n_groups", [2, 3])
@pytest.mark.parametrize("kind", [DemographicParity, EqualizedOdds])
def test_reweighing_is_its_formula_and_makes_group_and_class_independent(kind, n_groups):
    data, _ = grouped(kind(positive_class=1), n_groups=n_groups)
    rows = Reweighed().rows(data)
    groups, y = of(data)
    n = len(y)
    share = lambda where: where.sum() / n  # noqa: E731
    slow = [share(groups == g) * share(y == c) / share((groups == g) & (y == c)) for g, c in zip(groups, y)]  # noqa: B905
    np.testing.assert_allclose(rows.weights, slow)
    rates = [np.average(y[groups == g], weights=rows.weights[groups == g]) for g in range(n_groups)]
    np.testing.assert_allclose(rates, np.full(n_groups, y.mean()))
    assert np.ptp([y[groups == g].mean() for g in range(n_groups)]) > 0.2
    assert rows.weights.sum() == pytest.approx(n)


def test_of_more_classes_the_positive_one_is_told_from_the_others():
    data, _ = grouped(DemographicParity(positive_class=2), n_classes=3)
    rows, (groups, y) = Reweighed().rows(data), of(data)
    rates = [np.average(y[groups == g] == 2, weights=rows.weights[groups == g]) for g in range(2)]
    np.testing.assert_allclose(rates, np.full(2, (y == 2).mean()))


@pytest.mark.parametrize("remedy", [Reweighed(), GroupWeighted()])
def test_where_l_has_no_groups_v_alone_is_weighted(remedy):
    data, _ = grouped(PARITY)
    data = replace(data, labeled=Part(data.labeled.X, data.labeled.y))
    some = np.where(np.arange(120) < 20, -1, data.validation.groups)
    V = Part(data.validation.X, data.validation.y, groups=some)
    weights = remedy.rows(replace(data, validation=V)).weights
    assert (weights[:220] == 1).all() and (weights[220:] != 1).all()
    alone = replace(data, labeled=V[:0], validation=V[20:])
    np.testing.assert_allclose(weights[220:], remedy.rows(alone).weights)


def test_groups_weigh_the_same():
    data, _ = grouped(WorstGroup(), n_groups=3)
    weights, (groups, y) = GroupWeighted().rows(data).weights, of(data)
    np.testing.assert_allclose(np.bincount(groups, weights), len(y) / 3)
    assert len(np.unique(weights)) == 3


def test_classes_weigh_the_same():
    data, _ = grouped(Balanced(), n_classes=3)
    weights, (_, y) = ClassWeighted().rows(data).weights, of(data)
    np.testing.assert_allclose(weights, compute_class_weight("balanced", classes=np.arange(3), y=y)[y])


@pytest.mark.parametrize("cost", [(1.0, 5.0), ((0.0, 1.0), (5.0, 0.0))])
def test_costs(cost):
    data, _ = grouped(Cost(cost=cost))
    weights, (_, y) = CostWeighted().rows(data).weights, of(data)
    np.testing.assert_allclose(weights / weights[y == 0][0], np.where(y == 1, 5.0, 1.0))
    assert weights.mean() == pytest.approx(1)
    free = replace(data, criterion=Cost(cost=(0.0, 0.0)))
    assert (CostWeighted().rows(free).weights == 1).all()


def test_a_class_without_cost_is_left_out():
    data, _ = grouped(Cost(cost=(0.0, 1.0)))
    rows = CostWeighted().rows(data)
    assert (rows.q[:, 1] == 1).all() and rows.use[data.labeled.y == 0].sum() == 0
    P = Logistic().fit(rows, data).probabilities(data.validation.X)
    assert np.isfinite(P).all() and (P[:, 1] > 0.5).all()


def test_what_is_done_about_l_is_relative_to_v():
    data, _ = grouped(PARITY)
    rows = Reweighed().rows(data)
    of_labeled, of_validation = np.split(rows.weights, [200])
    np.testing.assert_allclose(rows.use, of_labeled / of_validation.mean())


@pytest.mark.parametrize("base", [Logistic(), Estimator("boosting", boosting())])
def test_the_gap_falls_with_any_base_model(base):
    gaps = {Reweighed: [], LabeledAndValidation: []}
    for seed in range(4):
        data, test = grouped(PARITY, seed=seed)
        for remedy, found in gaps.items():
            found.append(Told.of(remedy().fit(data, base), test).figure(test, PARITY))
    assert np.mean(gaps[Reweighed]) < np.mean(gaps[LabeledAndValidation]) - 0.05


def test_which_criterion_which_weights():
    of_criterion = {
        Balanced(): "class_weighted",
        Cost(cost=(1, 2)): "cost_weighted",
        WorstGroup(): "group_weighted",
    }
    for criterion, name in of_criterion.items():
        (remedy,) = fair_remedies(criterion)
        data, _ = grouped(criterion)
        assert remedy.name == name and remedy.applies(data) and not Reweighed().applies(data)
        assert bool(remedy.group_in) == (name == "group_weighted")
        assert not remedy.applies(replace(data, criterion=PARITY))
