"""Remedies for gaps between groups: against the packages called directly, and what they need."""

import sys
from dataclasses import replace

import numpy as np
import pytest
from planted import grouped
from sklearn.linear_model import LogisticRegression

from salutary.engine.objectives import DemographicParity, EqualizedOdds, EqualOpportunity, WorstGroup
from salutary.errors import SalutaryError
from salutary.remedies import Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import all_remedies, fair_remedies, named
from salutary.remedies.decisions import CLIPPED, Decider, Told, clipped
from salutary.remedies.exponentiated_gradient import ExponentiatedGradient
from salutary.remedies.fair import known_rows
from salutary.remedies.fair_weights import Reweighed
from salutary.remedies.inferred_groups import InferredGroups, group_model, hard
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of, values_of
from salutary.remedies.plain import LabeledAndValidation
from salutary.remedies.threshold_optimizer import ThresholdOptimizer

pytest.importorskip("fairlearn")
KINDS = [DemographicParity, EqualOpportunity, EqualizedOdds]
NAMES = {
    DemographicParity: ("DemographicParity", "demographic_parity", "demographic_parity_difference"),
    EqualOpportunity: ("TruePositiveRateParity", "true_positive_rate_parity", "equal_opportunity_difference"),
    EqualizedOdds: ("EqualizedOdds", "equalized_odds", "equalized_odds_difference"),
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pandas about what fairlearn does


def without_groups(part):
    return Part(part.X, part.y)


def positive_target(part, criterion):
    return (part.y == criterion.number).astype(int)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("positive", "on_labeled"), [(0, True), (1, False)])
def test_exponentiated_gradient_is_that_of_fairlearn(kind, positive, on_labeled):
    from fairlearn import metrics, reductions

    criterion = kind(positive_class=positive)
    data, test = grouped(criterion, n_test=500)
    remedy = ExponentiatedGradient(0.05, on_labeled)
    rows = remedy.rows(data)
    part = known_rows(data.labeled, data.validation) if on_labeled else data.validation
    np.testing.assert_array_equal(rows.X, part.X)
    C = 1 / Logistic().fit(rows, data).l2
    estimator = LogisticRegression(C=C, max_iter=1000)
    constraint = getattr(reductions, NAMES[kind][0])(difference_bound=0.05)
    direct = reductions.ExponentiatedGradient(estimator, constraint)
    direct.fit(part.X, positive_target(part, criterion), sensitive_features=part.groups)
    p = direct._pmf_predict(test.X)[:, 1]

    model = remedy.fit(data, Logistic())
    D = model.decisions(test.X)
    np.testing.assert_allclose(D[:, positive], p)
    np.testing.assert_allclose(D.sum(1), 1)
    # fairlearn's figures take decisions: an expectation is that of weighted copies of each row.
    copies = {
        "y_true": np.tile(positive_target(test, criterion), 2),
        "y_pred": np.repeat([0, 1], len(test)),
        "sensitive_features": np.tile(test.groups, 2),
        "sample_weight": np.concatenate([1 - p, p]),
    }
    told = Told.of(model, test)
    figure = getattr(metrics, NAMES[kind][2])(**copies)
    assert told.figure(test, criterion) == pytest.approx(figure)
    hits = np.average(copies["y_true"] == copies["y_pred"], weights=copies["sample_weight"])
    assert told.hits(test.y).mean() == pytest.approx(hits)


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_thresholds_of_groups_are_those_of_fairlearn(kind, positive):
    from fairlearn import postprocessing

    criterion = kind(positive_class=positive)
    data, test = grouped(criterion, n_test=500)
    rows = LabeledAndValidation().rows(data)
    part = known_rows(data.labeled, data.validation)
    target = positive_target(part, criterion)
    estimator = LogisticRegression(C=1 / Logistic().fit(rows, data).l2, tol=1e-10, max_iter=1000)
    direct = postprocessing.ThresholdOptimizer(
        estimator=estimator, constraints=NAMES[kind][1], predict_method="predict_proba"
    )
    direct.fit(part.X, target, sensitive_features=part.groups)
    p = direct._pmf_predict(test.X, sensitive_features=test.groups)[:, 1]
    told = Told.of(ThresholdOptimizer().fit(data, Logistic()), test)
    np.testing.assert_allclose(told.D[:, positive], p, atol=1e-6)


def test_thresholds_of_rows_whose_group_is_not_known_are_the_model_s():
    data, test = grouped(EqualOpportunity(positive_class=1), n_test=300)
    model = ThresholdOptimizer().fit(data, Logistic())
    plain = LabeledAndValidation().fit(data, Logistic()).probabilities(test.X).argmax(1)
    groups = np.where(np.arange(300) < 100, -1, np.where(np.arange(300) < 200, 7, test.groups))
    D = model.decisions(test.X, groups)
    np.testing.assert_array_equal(D[:200].argmax(1), plain[:200])
    np.testing.assert_allclose(D[200:], model.decisions(test.X, test.groups)[200:])
    np.testing.assert_array_equal(model.decisions(test.X).argmax(1), plain)


@pytest.mark.parametrize("positive", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("with_validation", [True, False])
def test_thresholds_of_inferred_groups_are_those_of_oxonfair(kind, positive, with_validation):
    oxonfair = pytest.importorskip("oxonfair")
    criterion = kind(positive_class=positive)
    data, test = grouped(criterion, n_test=500)
    remedy = InferredGroups(0.05, with_validation)
    plain, V = Logistic().fit(remedy.rows(data), data), data.validation
    inferring = group_model(V, data)
    classifier = lambda X: plain.probabilities(X)[:, [1 - positive, positive]]  # noqa: E731
    metric = "equalized_odds_max" if kind is EqualizedOdds else criterion.name
    direct = oxonfair.FairPredictor(
        classifier,
        {"data": V.X, "target": positive_target(V, criterion), "groups": V.groups},
        inferred_groups=inferring.probabilities,
    )
    direct.fit(oxonfair.group_metrics.accuracy, getattr(oxonfair.group_metrics, metric), 0.05)
    decisions = np.asarray(direct.predict({"data": test.X, "target": test.y}))
    model = remedy.fit(data, Logistic())
    P = model.probabilities(test.X)
    np.testing.assert_array_equal(P.argmax(1) == positive, decisions == 1)
    np.testing.assert_array_equal(
        hard(inferring.probabilities(test.X)), direct.infered_to_hard(inferring.probabilities(test.X))
    )
    # Log-odds are those of the model but for a shift by group.
    found = np.log(P[:, 1] / P[:, 0]) - plain.logits(test.X)[:, 0]
    assert len(np.unique(found.round(6))) <= 3 and np.abs(found).max() > 0


def members(data, remedies):
    return Judge(remedies, [Logistic()]).judge(data, folds_of(data.validation.y, 2, 0))


def each_gap_remedy():
    return [
        *(Reweighed(), ThresholdOptimizer(), ExponentiatedGradient(0.01, True)),
        *(ExponentiatedGradient(0.01, False), InferredGroups(0.02, True)),
    ]


@pytest.mark.parametrize("remedy", each_gap_remedy(), ids=lambda remedy: remedy.name)
def test_groups_are_what_closes_the_gap(remedy):
    """On rows not seen the gap is well below the plain model's; and is not where V's (and L's) groups are
    shuffled. Weights alone, which have no bound, do less."""
    pytest.importorskip("oxonfair")
    criterion = DemographicParity(positive_class=1)
    gaps = {"plain": [], "groups": [], "shuffled": []}
    for seed in range(2):
        data, test = grouped(criterion, seed=seed, n_validation=200)
        rng = np.random.default_rng(seed)
        parts = {name: getattr(data, name) for name in ("labeled", "validation")}
        shuffled = {k: replace(part, groups=rng.permutation(part.groups)) for k, part in parts.items()}
        cases = LabeledAndValidation(), data, remedy, data, remedy, replace(data, **shuffled)
        for found, used, of in zip(gaps.values(), cases[::2], cases[1::2], strict=True):
            found.append(Told.of(used.fit(of, Logistic()), test).figure(test, criterion))
    plain, of_groups, of_shuffled = (np.mean(each) for each in gaps.values())
    assert of_groups < (0.75 if isinstance(remedy, Reweighed) else 0.5) * plain
    assert of_shuffled > 0.75 * plain


def test_what_is_told_of_where_the_group_is_needed():
    criterion = DemographicParity(positive_class=1)
    told = {remedy.name: remedy.group_in for remedy in fair_remedies(criterion)}
    assert told["exponentiated_gradient_05"] == "in L and V"
    assert told["exponentiated_gradient_validation_01"] == told["inferred_groups_labeled_02"] == "in V"
    assert told["threshold_optimizer"].endswith("all that is predicted")
    assert all(told.values()) and len(told) == 10
    assert not any(remedy.group_in for remedy in all_remedies())


def absent(data):
    remedies = all_remedies(data.criterion)
    found = Judge(remedies, [Logistic()])._absent(data)
    assert set(found) == {r.name for r in fair_remedies(data.criterion) if not r.applies(data)}
    return found


def test_of_three_classes_they_are_absent_and_named():
    data, _ = grouped(DemographicParity(positive_class=2), n_classes=3)
    found = absent(data)
    assert len(found) == 9 and "reweighed" not in found
    assert set(found.values()) == {"it takes two classes, and there are 3"}


def test_without_groups_they_are_absent_and_named():
    data, _ = grouped(DemographicParity(positive_class=1))
    data = replace(data, labeled=without_groups(data.labeled))
    needing_l = {"exponentiated_gradient_05", "exponentiated_gradient_01"}
    assert {name for name, why in absent(data).items() if "labelled" in why} == needing_l
    nowhere = replace(data, validation=without_groups(data.validation))
    assert set(absent(nowhere).values()) == {"it needs the groups of validation rows"}
    assert absent(replace(data, criterion=None)) == absent(replace(data, criterion=WorstGroup())) == {}


def test_of_many_groups_thresholds_are_absent_and_named():
    pytest.importorskip("oxonfair")
    data, _ = grouped(DemographicParity(positive_class=1), n_groups=6)
    assert set(absent(data).values()) == {"it takes 5 groups, and there are 6"} and len(absent(data)) == 4


@pytest.mark.parametrize(("package", "n"), [("fairlearn", 5), ("oxonfair", 4)])
def test_without_the_package_they_are_absent_and_named(package, n, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    data, _ = grouped(DemographicParity(positive_class=1))
    judgement = members(
        data,
        [
            LabeledAndValidation(),
            *(r for r in fair_remedies(data.criterion) if package == getattr(r, "package", "")),
        ],
    )
    assert judgement.names == ["labeled_and_validation"] and len(judgement.absent) == n
    why = f"{package} is not installed: pip install 'salutary[fair]'"
    assert set(judgement.absent.values()) == {why}


def test_names():
    criterion = EqualizedOdds(positive_class=1)
    every = [remedy.name for remedy in all_remedies(criterion)]
    assert len(every) == len({*every}) == len(all_remedies()) + 10
    assert len({remedy.about for remedy in all_remedies(criterion)}) == len(every)
    (one,) = named(["exponentiated_gradient_01"], criterion=criterion)
    assert one.bound == 0.01 and one.groups_of_labeled
    with pytest.raises(SalutaryError, match="'exponentiated_gradient_01' is none of labeled"):
        named(["exponentiated_gradient_01"])


def test_what_is_only_compared_has_no_weight():
    criterion = DemographicParity(positive_class=1)
    data, test = grouped(criterion)
    remedies = [LabeledAndValidation(), Reweighed(), ExponentiatedGradient(0.05, False), ThresholdOptimizer()]
    judgement = members(data, remedies)
    compared = ["exponentiated_gradient_validation_05", "threshold_optimizer"]
    assert judgement.names == ["labeled_and_validation", "reweighed", *compared]
    assert judgement.can_be_handed == ["labeled_and_validation", "reweighed"]
    without = members(data, remedies[:2])
    assert judgement.weights == without.weights
    np.testing.assert_array_equal(judgement.handed_probabilities, without.handed_probabilities)
    assert replace(judgement, combine="best").weights == replace(without, combine="best").weights
    for name in compared:
        member = judgement[name]
        np.testing.assert_array_equal(member.P, clipped(member.D))
        np.testing.assert_allclose(member.P, np.clip(member.D, CLIPPED, 1 - CLIPPED), atol=CLIPPED)
        np.testing.assert_array_equal(judgement.losses[name], values_of(member.P, data.validation, criterion))
        figure = criterion.expected_figure(member.D, data.validation.y, data.validation.groups)
        assert judgement.told(name).figure(data.validation, criterion) == figure
        np.testing.assert_array_equal(judgement.hits[name], member.D[np.arange(120), data.validation.y])
        assert isinstance(member.fitted, Decider) and member.group_in
        told = judgement.told(name, test)
        np.testing.assert_array_equal(told.D, member.fitted.decisions(test.X, test.groups))
        with pytest.raises(SalutaryError, match=f"combine={name}: it (draws|needs)"):
            Judge(remedies, [Logistic()]).judge(data, judgement.folds, combine=name)
    plain = judgement["labeled_and_validation"]
    V = data.validation
    of_plain = judgement.told("labeled_and_validation").figure(V, criterion)
    assert of_plain == criterion.figure(plain.P, V.y, V.groups)


# V in which groups lack a class, or a class or all but one group is lacking.
Y, GROUPS = np.arange(24) % 2, np.arange(24) // 12
DEGENERATE = {
    "a group of one class": (np.where(GROUPS == 1, 0, Y), GROUPS),
    "a group of the other class": (np.where(GROUPS == 1, 1, Y), GROUPS),
    "one class": (np.zeros(24, int), GROUPS),
    "the other class": (np.ones(24, int), GROUPS),
    "one group": (Y, np.zeros(24, int)),
    "a group of one row": (Y, (np.arange(24) == 0).astype(int)),
    "most of no group": (Y, np.where(np.arange(24) < 20, -1, GROUPS)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", DEGENERATE)
def test_odd_validation_rows(kind, case):
    pytest.importorskip("oxonfair")
    data, test = grouped(kind(positive_class=1), n_validation=24, n_test=50)
    y, groups = DEGENERATE[case]
    data = replace(data, labeled=without_groups(data.labeled))
    data = replace(data, validation=Part(data.validation.X, y, groups=groups))
    for remedy in each_gap_remedy():
        if remedy.applies(data):
            told = Told.of(remedy.fit(data, Logistic()), test)
            np.testing.assert_allclose(told.D.sum(1), 1)
            assert (told.P > 0).all() and (told.D >= 0).all()


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_an_inferred_group_without_rows(missing):
    """OxonFair alone fails where some are of groups that are sure, and none of one."""
    pytest.importorskip("oxonfair")
    data, _ = grouped(DemographicParity(positive_class=1))
    V, remedy = data.validation, InferredGroups(0.05, True)
    kept = hard(group_model(V, data).probabilities(V.X)) != missing
    inferring = group_model(V, data)
    model = Logistic().fit(remedy.rows(data), data)
    thresholds = remedy._thresholds(data, model, inferring, V[kept])
    assert thresholds[missing] == 0.5 and (np.delete(thresholds, missing) != 0.5).all()
