"""The judge against refits by hand, and what it does with bad classifiers, odd data and no time."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from planted import noisy, planted, symmetric
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from salutary.errors import SalutaryError
from salutary.remedies import Assigned, LabelledData, Part, judge
from salutary.remedies.average import LEAST_WEIGHT
from salutary.remedies.base_models import Estimator, Linear, Logistic, candidates
from salutary.remedies.catalogue import all_remedies, named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import VOTE, Judgement, folds_of
from salutary.remedies.plain import Labeled, LabeledAndValidation, Validation, Weighted

REMEDIES = [Labeled(), LabeledAndValidation(), Validation(), Weighted(4)]


def bases():
    return [Logistic(), Estimator("GaussianNB", GaussianNB()), Estimator("knn", KNeighborsClassifier())]


def case(n_classes=2, seed=0, **settings):
    data, test = planted(n_classes, n_labeled=90, n_validation=40, seed=seed, **settings)
    return noisy(data, symmetric(n_classes, 0.3), seed), test


def judged(data, remedies=REMEDIES, n_folds=4, **settings) -> Judgement:
    made_by = Judge(remedies, settings.pop("bases", None) or bases(), **settings.pop("judge", {}))
    return made_by.judge(data, folds_of(data.validation.y, n_folds, data.seed), **settings)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_out_of_fold_are_those_of_refits_by_hand(n_classes):
    data, _ = case(n_classes)
    judgement = judged(data)
    V, remedies = data.validation, {remedy.name: remedy for remedy in REMEDIES}
    for member in judgement.members:
        base = next(base for base in bases() if base.name == member.base)
        for seen, held_out in judgement.folds:
            assert not set(seen) & set(held_out) and len(seen) + len(held_out) == 40
            fold = LabelledData(data.labeled, Part(V.X[seen], V.y[seen]), n_classes)
            model = base.fit(remedies[member.remedy].rows(fold), fold)
            np.testing.assert_array_equal(member.P[held_out], model.probabilities(V.X[held_out]))
            if base.is_linear:
                np.testing.assert_array_equal(member.Z[held_out], model.logits(V.X[held_out]))
        own = [-np.log(member.P[row, V.y[row]]) for row in range(40)]
        np.testing.assert_allclose(judgement.losses[member.name], own)
        assert (member.Z is None) == (member.base != "logistic")
        whole = base.fit(remedies[member.remedy].rows(data), data)
        np.testing.assert_array_equal(member.fitted.probabilities(V.X), whole.probabilities(V.X))
    held = np.sort(np.concatenate([held_out for _, held_out in judgement.folds]))
    np.testing.assert_array_equal(held, np.arange(40))


def test_which_members():
    """Of others than the linear model only those that suit it, and that it can be fitted to."""
    data, _ = case()
    of_linear = ["labeled", "labeled_and_validation", "validation", "weighted_4"]
    of_nb = ["GaussianNB-labeled_and_validation", "GaussianNB-weighted_4"]
    of_knn = ["knn-labeled_and_validation"]
    judgement = judged(data, bases=bases()[::-1])
    assert judgement.names == [*of_linear, *of_knn, *of_nb, VOTE]
    assert [member.name for member in judgement.plain] == [of_linear[1], of_knn[0], of_nb[0]]
    assert judgement["weighted_4"].about.endswith("4-fold") and judgement[of_nb[1]].base == "GaussianNB"


def test_the_vote_is_the_mean_of_plain_members():
    data, test = case()
    judgement = judged(data)
    mean = np.mean([member.P for member in judgement.plain], 0)
    np.testing.assert_allclose(judgement.losses[VOTE], -np.log(mean[np.arange(40), data.validation.y]))
    np.testing.assert_array_equal(judgement.hits[VOTE], mean.argmax(1) == data.validation.y)
    expected = np.mean([member.fitted.probabilities(test.X) for member in judgement.plain], 0)
    np.testing.assert_allclose(judgement.model(VOTE).probabilities(test.X), expected)
    assert not judged(data, bases=[Logistic()]).has_vote


@pytest.mark.parametrize("seed", range(3))
def test_what_is_handed_over_is_chosen_without_the_fold(seed):
    """By hand: the formula on the other folds' rows, then the mean by it."""
    data, _ = case(seed=seed)
    judgement = judged(data)
    names = judgement.names
    losses = np.stack([judgement.losses[name] for name in names])
    ahead = np.array([2.0 * (name.endswith("labeled_and_validation") or name == VOTE) for name in names])
    for _, held_out in judgement.folds:
        others = np.setdiff1d(np.arange(40), held_out)
        raw = np.exp(ahead - losses[:, others].sum(1) / 2)
        weights = np.where(raw / raw.sum() < LEAST_WEIGHT, 0, raw)
        weights = dict(zip(names, weights / weights.sum(), strict=True))
        share = weights.pop(VOTE) / 3
        of = {m.name: weights[m.name] + share * m.is_plain for m in judgement.members}
        linear = {n: w for n, w in of.items() if judgement[n].Z is not None}
        z = sum(w * judgement[n].Z[held_out, 0] for n, w in linear.items()) / sum(linear.values())
        p = sum(linear.values()) / (1 + np.exp(-z))
        p += sum(w * judgement[n].P[held_out, 1] for n, w in of.items() if n not in linear)
        np.testing.assert_allclose(judgement.handed_probabilities[held_out, 1], p)
    y = data.validation.y
    own = -np.log(judgement.handed_probabilities[np.arange(40), y])
    np.testing.assert_allclose(judgement.handed_losses, own)


def test_a_member_that_only_fits_one_fold_is_not_chosen_for_it():
    """The labels of a fold decide nothing about what is said of its rows."""
    data, _ = case()
    judgement = judged(data)
    held_out = judgement.folds[0][1]
    P = judgement["labeled"].P.copy()
    P[held_out, data.validation.y[held_out]] = 1e100  # as if it had guessed them, and more than that
    members = [replace(m, P=P) if m.name == "labeled" else m for m in judgement.members]
    cheated = replace(judgement, members=tuple(members))
    assert cheated.weights == {"labeled": 1.0}
    of_fold = cheated.handed_probabilities[held_out]
    np.testing.assert_array_equal(of_fold, judgement.handed_probabilities[held_out])


def test_combine():
    data, test = case()
    judgement = judged(data)
    best = min(judgement.losses, key=lambda name: judgement.losses[name].sum())
    assert judged(data, combine="best").weights == {best: 1.0}
    named_one = judged(data, combine="validation")
    assert named_one.weights == {"validation": 1.0} and isinstance(named_one.handed.linear, Linear)
    np.testing.assert_array_equal(named_one.handed_probabilities, named_one["validation"].P)
    expected = judgement["validation"].fitted.probabilities(test.X)
    np.testing.assert_allclose(named_one.handed.probabilities(test.X), expected)
    np.testing.assert_allclose(judgement.model("validation").probabilities(test.X), expected)
    assert sum(judgement.weights.values()) == pytest.approx(1)
    assert sum(judgement.handed.weights.values()) == pytest.approx(1)
    with pytest.raises(SalutaryError, match=r"combine=mean is none of average, best, labeled, .*plain_vote"):
        judged(data, combine="mean")


def test_rows_of_l_as_the_handed_model_uses_them():
    data, _ = case(sources=np.arange(90) % 2)
    remedies = named(["labeled_and_validation", "weighted_4", "noise_model_10", "validation"])
    judgement = judged(data, remedies, bases=[Logistic()])
    use, labels = judgement.of_labeled()
    expected = np.sum([w * judgement[n].use for n, w in judgement.weights.items()], 0)
    np.testing.assert_allclose(use, expected)
    mixed = sum(w * judgement[n].use[:, None] * judgement[n].labels for n, w in judgement.weights.items())
    np.testing.assert_allclose(labels, mixed / mixed.sum(1, keepdims=True), atol=1e-9)
    use, labels = replace(judgement, combine="validation").of_labeled()
    assert (use == 0).all() and (labels == data.one_hot(data.labeled.y)).all()


@pytest.mark.parametrize("y", [[0, 1, 0], [0, 1], [1]])
def test_without_folds_plain_training_is_handed_over(y):
    data, test = planted(n_labeled=40)
    data = replace(data, validation=Part(data.validation.X[: len(y)], np.array(y)))
    assert folds_of(data.validation.y, 5, 0) == []
    judgement = judged(data, all_remedies())
    assert {member.remedy for member in judgement.members} == {"labeled_and_validation"}
    assert judgement.weights == {"labeled_and_validation": 1.0}
    expected = Logistic().fit(LabeledAndValidation().rows(data), data).probabilities(test.X)
    np.testing.assert_allclose(judgement.handed.probabilities(test.X), expected)
    assert np.isnan(judgement.handed_probabilities).all()
    other = judged(data, all_remedies(), combine="weighted_16")
    assert other.handed.weights == {"weighted_16": 1.0}


def test_folds():
    y = np.array([0] * 9 + [1])
    folds = folds_of(y, 5, 0)
    assert len(folds) == 5 and sum((y[seen] == 1).any() for seen, _ in folds) == 4
    assert len(folds_of(np.arange(20) % 10, 5, 0)) == 2  # no class has a row for more
    assert len(folds_of(np.zeros(20, int), 5, 0)) == 5
    assert [held.tolist() for _, held in folds_of(y, 5, 0)] == [held.tolist() for _, held in folds]
    stratified = folds_of(np.arange(40) % 2, 5, 1)
    assert all((np.bincount(np.arange(40)[held] % 2) == 4).all() for _, held in stratified)


class Slow(GaussianNB):
    """Takes .05 s a fit, by a clock of its own."""

    clock = 0.0

    def fit(self, X, y, sample_weight=None):
        Slow.clock += 0.05
        return super().fit(X, y, sample_weight)


def test_what_is_slowest_is_dropped(monkeypatch):
    monkeypatch.setattr(judge, "time", SimpleNamespace(perf_counter=lambda: Slow.clock))
    data, _ = case()
    slow = Estimator("slow", Slow())
    settings = {"remedies": all_remedies()[:4], "n_folds": 5, "bases": [Logistic(), slow]}
    # Its two fits with all of V take .1 s; in folds each would take .25 s more.
    for seconds, dropped in ((0.45, ["weighted_4"]), (0.3, ["labeled_and_validation", "weighted_4"])):
        judgement = judged(data, judge={"max_seconds": seconds}, **settings)
        assert judgement.dropped == tuple(f"slow-{name}" for name in dropped)
        assert {remedy.name for remedy in settings["remedies"]} <= {*judgement.names}
    everything = judged(data, judge={"max_seconds": 1000}, **settings)
    assert everything.dropped == () and "slow-labeled_and_validation" in everything.names


@pytest.mark.parametrize("made_of", [[Logistic()], [Estimator("nb", GaussianNB())]])
def test_without_any_time_plain_training_is_left(made_of):
    data, _ = case()
    judgement = judged(data, all_remedies(), bases=made_of, judge={"max_seconds": 0})
    (member,) = judgement.members
    assert member.is_plain and judgement.weights == {member.name: 1.0}
    assert np.isfinite(judgement.losses[member.name]).all() and len(judgement.dropped) >= 3


def test_plain_training_is_there_in_any_case():
    data, _ = case()
    assert judged(data, [Validation()], bases=[Logistic()]).names == ["labeled_and_validation", "validation"]


def test_names_are_those_of_the_judgement():
    data, _ = case(sources=np.arange(90) % 3)
    judge = Judge(REMEDIES, bases())
    folds = folds_of(data.validation.y, 2, 0)
    fitted = judge.judge(data, folds).names
    assert [name for name in judge.names(data, False) if name != "knn-weighted_4"] == fitted
    started = []
    Judge([Labeled(), LabeledAndValidation()], [Logistic()], started.append).judge(data, folds)
    assert sorted(started) == ["labeled"] * 3 + ["labeled_and_validation"] * 3
    pool = Judge(named(["salutary"]), [Logistic()])
    assert pool.names(data, True) == ["labeled_and_validation", "salutary"]
    assert pool.names(data, False) == ["labeled_and_validation"]


def test_the_pool_rows_of_a_fold_were_labelled_without_it():
    data, _ = case()
    folds = folds_of(data.validation.y, 2, 0)
    pools = [Assigned(np.full((5, 4), float(k)), np.full(5, k % 2), 2.0) for k in range(3)]
    judgement = Judge(named(["salutary"]), [Logistic()]).judge(data, folds, pools)
    for pool, (_, held_out) in zip(pools[1:], folds, strict=True):
        fold = replace(data, assigned=pool)
        model = Logistic().fit(named(["salutary"])[0].rows(fold), fold)
        expected = model.probabilities(data.validation.X[held_out])
        np.testing.assert_array_equal(judgement["salutary"].P[held_out], expected)


class Broken(ClassifierMixin, BaseEstimator):
    """Fails ``where``."""

    def __init__(self, where="fit"):
        self.where = where

    def fit(self, X, y):
        if self.where == "fit":
            raise RuntimeError("no such luck\nand more")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        if self.where == "predict":
            raise KeyError("gone")
        return np.full((len(X), 3 if self.where == "shape" else 2), np.nan if self.where == "nan" else 1 / 3)


@pytest.mark.parametrize(
    ("where", "what"),
    [
        ("fit", "Broken cannot be fitted to labeled_and_validation: RuntimeError: no such luck$"),
        ("predict", "Broken cannot predict: KeyError: 'gone'"),
        ("shape", "Broken cannot predict: ValueError: .*"),
        ("nan", r"Broken gives no probabilities of 2 classes \(shape \(\d+, 2\)\)"),
    ],
)
def test_a_classifier_that_fails_is_named(where, what):
    data, _ = case()
    with pytest.raises(SalutaryError, match="model.candidates: " + what):
        judged(data, bases=[Logistic(), *candidates([Broken(where)])])


def test_classifiers_of_one_kind_are_told_apart():
    data, _ = case()
    two = candidates([RandomForestClassifier(3), RandomForestClassifier(3, max_depth=1)])
    names = judged(data, [LabeledAndValidation()], bases=[Logistic(), *two], n_folds=2).names
    plain = "labeled_and_validation"
    assert names == [plain, f"RandomForestClassifier-{plain}", f"RandomForestClassifier_2-{plain}", VOTE]
