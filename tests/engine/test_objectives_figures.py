"""Hard figures, against scikit-learn and fairlearn; settings that make no sense."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score

from salutary.engine.objectives import (
    AreaUnderROC,
    Balanced,
    Cost,
    DemographicParity,
    EqualizedOdds,
    EqualOpportunity,
    MeanLogLoss,
    WorstGroup,
)
from salutary.errors import SalutaryError

NAMES = ["no", "yes"]
GAPS = (DemographicParity, EqualOpportunity, EqualizedOdds)
CRITERIA = [
    *(MeanLogLoss(), Balanced(), Cost([1, 5]).resolved(NAMES), WorstGroup(), AreaUnderROC()),
    *(kind("yes").resolved(NAMES) for kind in GAPS),
]


@pytest.fixture(params=[2, 3, 5])
def predicted(request):
    """Probabilities, some of them equal, labels and four groups."""
    rng = np.random.default_rng(0)
    y, groups = rng.integers(request.param, size=300), rng.integers(4, size=300)
    P = np.round(rng.dirichlet(np.ones(request.param), 300) + 0.5 * np.eye(request.param)[y], 1)
    return P / P.sum(1, keepdims=True), y, groups


def test_figures_of_classes_are_those_of_sklearn(predicted):
    P, y, _ = predicted
    hat, C = P.argmax(1), P.shape[1]
    assert MeanLogLoss().figure(P, y) == pytest.approx(accuracy_score(y, hat))
    assert Balanced().figure(P, y) == pytest.approx(balanced_accuracy_score(y, hat))
    auc = roc_auc_score(y, P[:, 1]) if C == 2 else roc_auc_score(y, P, multi_class="ovr")
    assert AreaUnderROC().figure(P, y) == pytest.approx(auc)
    costs = np.arange(1, C + 1)
    matrix = np.random.default_rng(1).integers(1, 9, (C, C)) * (1 - np.eye(C))
    for cost, expected in ((costs, costs[y] * (hat != y)), (matrix, matrix[y, hat])):
        criterion = Cost(cost.tolist()).resolved(range(C))
        assert criterion.figure(P, y) == pytest.approx(expected.mean())
        assert criterion.figure(torch.as_tensor(hat), torch.as_tensor(y)) == pytest.approx(expected.mean())


def test_figures_of_groups_are_those_of_fairlearn(predicted):
    metrics = pytest.importorskip("fairlearn.metrics")
    P, y, groups = predicted
    hat = P.argmax(1)
    frame = metrics.MetricFrame(metrics=accuracy_score, y_true=y, y_pred=hat, sensitive_features=groups)
    assert WorstGroup().figure(P, y, groups) == pytest.approx(frame.group_min())
    for c in range(P.shape[1]):
        for kind in GAPS:
            criterion = kind(positive_class=c)
            expected = getattr(metrics, criterion.figure_name)(y == c, hat == c, sensitive_features=groups)
            assert criterion.figure(P, y, groups) == pytest.approx(expected)
            assert criterion.figure(hat, y, groups) == pytest.approx(expected)


@pytest.mark.parametrize("criterion", [each for each in CRITERIA if each.name != "auc"], ids=lambda c: c.name)
def test_rates_of_randomised_decisions_are_exact(criterion):
    """Rows decided one way in a share of copies: what a randomised classifier does in the long run."""
    rng = np.random.default_rng(0)
    y, groups, times = rng.integers(2, size=60), rng.integers(3, size=60), rng.integers(11, size=60)
    D = np.column_stack([1 - times / 10, times / 10])
    decisions = np.concatenate([np.arange(10) < each for each in times]).astype(int)
    expected = criterion.figure(decisions, y.repeat(10), groups.repeat(10))
    assert criterion.expected_figure(D, y, groups) == pytest.approx(expected)


def test_groups_that_are_unknown_or_without_such_rows_drop_out():
    y = np.array([1, 1, 0, 1, 1, 0, 0])
    hat = np.array([1, 0, 0, 1, 1, 1, 0])
    groups = np.array([0, 0, 0, 1, 1, 2, -1])
    opportunity, parity, odds = (kind(positive_class=1) for kind in (EqualOpportunity, *GAPS[::2]))
    assert opportunity.figure(hat, y, groups) == pytest.approx(0.5)  # 1/2 and 1; group 2 has no such row
    assert parity.figure(hat, y, groups) == pytest.approx(2 / 3)
    assert odds.figure(hat, y, groups) == pytest.approx(1.0)  # group 0 never, group 2 always
    assert WorstGroup().figure(hat, y, groups) == 0.0
    one = np.zeros(7, int)
    assert all(np.isnan(kind(positive_class=1).figure(hat, y, one)) for kind in GAPS)
    assert np.isnan(WorstGroup().figure(hat, y, one - 1))
    assert np.isnan(odds.figure(hat[:5], y[:5], groups[:5]))  # one group with rows that are not positive
    assert np.isnan(AreaUnderROC().figure(np.eye(2)[hat][:2], y[:2]))
    with pytest.raises(ValueError, match="needs groups"):
        WorstGroup().figure(hat, y)


# -- settings ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "positive, names, number",
    [
        ("yes", NAMES, 1),
        (1, ["1", "2"], 0),
        (1, ["0.0", "1.0"], 1),
        (1.0, ["0", "1"], 1),
        (True, ["True", "False"], 0),
        (True, ["false", "true"], 1),
        ("0", [0, 1], 0),
        (1, ["1.0", "1"], 1),
    ],
)
def test_a_positive_class_by_name(positive, names, number):
    resolved = EqualOpportunity(positive).resolved(names)
    assert resolved.number == number
    assert resolved.resolved(names) == resolved
    assert hash(resolved) == hash(EqualOpportunity(positive).resolved(names))


@pytest.mark.parametrize(
    "criterion, line",
    [
        (EqualOpportunity(), "set objective.positive: objective=equal_opportunity needs the name of a class"),
        (DemographicParity("maybe"), "objective.positive=maybe is not among the classes: these are no, yes"),
        (DemographicParity("1"), "objective.positive=1 is not among the classes: these are no, yes"),
        (DemographicParity(["yes"]), "objective.positive must be the name of a class, not ['yes']"),
        (DemographicParity("yes", weight=-1), "objective.weight must be a number in [0, inf], not -1"),
        (WorstGroup(sharpness=0), "objective.sharpness must be a number in (0, inf], not 0"),
        (Cost(), "set objective.cost: a cost for each class, or a matrix"),
        (Cost("5"), "objective.cost must be a cost for each class, or a matrix, not '5'"),
        (Cost(5), "objective.cost must be a cost for each class, or a matrix, not 5"),
        (Cost([]), "objective.cost must be a cost for each class, or a matrix, not []"),
        (Cost([1]), "objective.cost must have 2 numbers, one for each class, not 1"),
        (Cost([1, -1]), "objective.cost must have numbers >= 0, not -1"),
        (Cost([1, "x"]), "objective.cost must have numbers >= 0, not 'x'"),
        (Cost([0, 0]), "objective.cost must have a cost above 0"),
        (Cost({"yes": 5}), "objective.cost does not name the class no"),
        (Cost({"yes": 5, "nö": 1}), "objective.cost names nö, not among the classes: these are no, yes"),
        (Cost([[0, 1]]), "objective.cost must be a matrix of 2 x 2 numbers"),
        (Cost([[0, 1], 5]), "objective.cost must be a matrix of 2 x 2 numbers"),
        (Cost([[0, 1], [5]]), "row 2 of objective.cost must have 2 numbers, one for each class, not 1"),
        (Cost([[0, -1], [5, 0]]), "row 1 of objective.cost must have numbers >= 0, not -1"),
        (
            Cost([[0, 1], [5, 2]]),
            "objective.cost must have zeros on its diagonal, where decisions are right, not 2",
        ),
        (Cost([[0, 0], [0, 0]]), "objective.cost must have a cost above 0"),
    ],
)
def test_settings_that_make_no_sense(criterion, line):
    with pytest.raises(SalutaryError) as error:
        criterion.resolved(NAMES)
    assert str(error.value) == line


def test_costs_by_name_stand_in_the_order_of_the_classes():
    assert Cost({"yes": 5, "no": 1}).resolved(NAMES).cost == (1.0, 5.0)
    assert Cost([[0, 1], [5, 0]]).resolved(NAMES).resolved(NAMES).cost == ((0.0, 1.0), (5.0, 0.0))


X, Y = torch.zeros(4, 2).double(), torch.tensor([0, 1, 1, 0])


@pytest.mark.parametrize(
    "criterion, y, groups, line",
    [
        (WorstGroup(), Y, None, "objective=worst_group needs the group of each validation row"),
        (WorstGroup(), Y, [-1] * 4, "objective=worst_group needs two groups among the validation rows"),
        (
            EqualOpportunity("yes").resolved(NAMES),
            Y,
            [0, 0, 0, 1],
            "objective=equal_opportunity needs two groups with rows of class yes among the validation rows",
        ),
        (
            EqualizedOdds("yes").resolved(NAMES),
            Y,
            [0, 0, 1, -1],
            "objective=equalized_odds needs two groups with rows not of class yes among the validation rows",
        ),
        (
            DemographicParity(positive_class=1),
            Y,
            [3, 3, -1, 3],
            "objective=demographic_parity needs two groups with rows among the validation rows",
        ),
        (AreaUnderROC(), 0 * Y, None, "objective=auc needs rows of two classes among the validation rows"),
        (Cost([1, 2, 3]).resolved("abc"), Y, None, "objective.cost is for 3 classes, not for 2"),
        (DemographicParity(positive_class=2), Y, [0, 1, 0, 1], "objective.positive is class number 2 of 2"),
    ],
)
def test_rows_that_do_not_determine_it(criterion, y, groups, line):
    groups = None if groups is None else torch.tensor(groups)
    with pytest.raises(SalutaryError) as error:
        criterion.on(X, y, groups, n_classes=2)
    assert str(error.value).startswith(line)
