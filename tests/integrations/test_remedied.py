"""SalutaryClassifier(remedies=...): the judged average as scikit-learn's estimators are, and what it says."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from salutary import SalutaryClassifier, Uncut
from salutary.errors import SalutaryError
from salutary.integrations.remedied import FITTED, numbered
from salutary.remedies import LabelledData, Part
from salutary.remedies.base_models import Logistic
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of
from salutary.remedies.plain import LabeledAndValidation

LINEAR = {"candidates": ("logistic",), "random_state": 0}
PLAIN = ["labeled", "labeled_and_validation", "validation"]


def parts(names: bool = False) -> dict:
    """Breast cancer: source b of three labels half of its rows of X wrong."""
    frame = load_breast_cancer(as_frame=True)
    X = pd.DataFrame(StandardScaler().fit_transform(frame.data), columns=frame.data.columns)
    X = X if names else X.to_numpy()
    y = frame.target.map({0: "malignant", 1: "benign"}).to_numpy(str)
    rng = np.random.default_rng(0)
    source = rng.choice(["a", "b", "c"], 150)
    wrong = (source == "b") & (rng.random(150) < 0.5)
    given = np.where(wrong, np.where(y[:150] == "benign", "malignant", "benign"), y[:150])
    fit = {"X": X[:150], "y": given, "X_val": X[150:250], "y_val": y[150:250], "source": source}
    return fit | {"X_pool": X[250:350], "X_test": X[350:], "y_test": y[350:], "true": y[:150]}


PARTS = parts()
FIT = {name: PARTS[name] for name in ("X", "y", "X_val", "y_val", "source")}
TEST = PARTS["X_test"], PARTS["y_test"]


def fitted(pool=False, source=True, **settings) -> SalutaryClassifier:
    arguments = FIT | ({"X_pool": PARTS["X_pool"]} if pool else {})
    if not source:
        arguments.pop("source")
    return SalutaryClassifier(**{"remedies": True} | LINEAR | settings).fit(**arguments)


@pytest.fixture(scope="module")
def linear() -> SalutaryClassifier:
    return fitted(pool=True, C="validation", rounds=2)


@pytest.fixture(scope="module")
def vote() -> SalutaryClassifier:
    candidates = ["logistic", GaussianNB()]
    return fitted(
        C="validation", remedies=["labeled_and_validation"], candidates=candidates, combine="plain_vote"
    )


def test_the_remedied_model_is_better_than_plain_training_and_says_why(linear):
    plain = SalutaryClassifier(C="cv", random_state=0).fit(
        np.r_[FIT["X"], FIT["X_val"]], np.r_[FIT["y"], FIT["y_val"]]
    )
    assert linear.score(*TEST) > plain.score(*TEST)
    assert "of source b's" in linear.diagnosis_.sentence and "source a" not in linear.diagnosis_.sentence
    gap = linear.handed_["minus_labeled_and_validation"]
    assert gap["loss"] < -2 * gap["standard_error"]
    assert linear.handed_["verdict"].startswith("The model is the average of ")


def test_a_linear_model_is_scikit_learns_with_its_parameters(linear):
    assert isinstance(linear.model_, LogisticRegression)
    assert linear.coef_ is linear.model_.coef_ and linear.coef_.shape == (1, 30)
    z = TEST[0] @ linear.coef_[0] + linear.intercept_[0]
    np.testing.assert_allclose(linear.decision_function(TEST[0]), z)
    np.testing.assert_allclose(linear.predict_proba(TEST[0])[:, 1], 1 / (1 + np.exp(-z)))
    np.testing.assert_allclose(linear.judgement_.handed.probabilities(TEST[0])[:, 1], 1 / (1 + np.exp(-z)))


def test_the_table_of_remedies(linear):
    table, judgement = linear.remedies_, linear.judgement_
    columns = ["name", "about", "weight", "held_out_loss", "standard_error", "held_out_accuracy"]
    assert list(table.columns) == columns and table["name"].tolist() == judgement.names
    assert {"noise_per_source", "chosen_sources", "salutary", "salutary_and_validation"} <= {*table["name"]}
    assert table["weight"].sum() == pytest.approx(1)
    for name, loss, error in zip(
        *(table[c] for c in ("name", "held_out_loss", "standard_error")), strict=True
    ):
        losses = judgement.losses[name]
        assert loss == pytest.approx(losses.mean())
        assert error == pytest.approx(losses.std(ddof=1) / len(losses) ** 0.5)
    assert table["held_out_accuracy"].between(0.5, 1).all()


def test_the_labels_of_the_pool_are_those_of_a_fit_without_remedies(linear):
    arguments = {name: value for name, value in FIT.items() if name != "source"}
    plain = SalutaryClassifier(C="validation", rounds=2, random_state=0)
    plain.fit(**arguments, X_pool=PARTS["X_pool"])
    for name in ("indices_", "labels_", "influence_", "rounds_", "validation_loss_", "held_out_loss_"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(linear, name))
    assert plain.stop_ == linear.stop_ and len(plain.labels_) > 0


def test_cleaned_labels_find_the_wrong_ones(linear):
    assert linear.cleaned_weights_.shape == (150,) and (linear.cleaned_weights_ >= 0).all()
    np.testing.assert_allclose(linear.cleaned_proba_.sum(1), 1)
    of_given = linear.cleaned_proba_[np.arange(150), np.searchsorted(linear.classes_, FIT["y"])]
    kept, wrong = linear.cleaned_weights_ * of_given, FIT["y"] != PARTS["true"]
    assert roc_auc_score(wrong, -kept) > 0.95


def test_without_a_pool_there_are_no_salutary_remedies_and_without_sources_none_of_theirs():
    names = set(fitted(source=False).remedies_["name"])
    assert {*PLAIN, "noise_model_3"} <= names
    assert not names & {"salutary", "salutary_and_validation", "noise_per_source", "chosen_sources"}
    assert fitted(remedies=PLAIN).stop_ == "there is no pool"


def test_a_vote_has_probabilities_and_neither_logits_nor_coefficients(vote):
    assert isinstance(vote.model_, VotingClassifier) and vote.classes_.tolist() == ["benign", "malignant"]
    np.testing.assert_allclose(
        vote.predict_proba(TEST[0]), vote.judgement_.handed.probabilities(TEST[0]), rtol=1e-12
    )
    assert (vote.predict(TEST[0]) == vote.classes_[vote.predict_proba(TEST[0]).argmax(1)]).all()
    assert not any(hasattr(vote, name) for name in ("coef_", "intercept_", "decision_function"))
    with pytest.raises(AttributeError, match="has no attribute 'decision_function'") as error:
        _ = vote.decision_function
    assert "take predict_proba" in str(error.value.__cause__)


def test_what_an_earlier_fit_left_is_gone(vote):
    model = clone(vote).fit(**FIT)
    assert all(hasattr(model, name) for name in FITTED)
    model.set_params(remedies=None).fit(**FIT)
    assert not any(hasattr(model, name) for name in FITTED) and hasattr(model, "decision_function")
    assert isinstance(model.model_, LogisticRegression) and model.coef_.shape == (1, 30)
    model.set_params(**vote.get_params(deep=False))
    assert not hasattr(model.fit(**FIT), "coef_")


@pytest.mark.parametrize("remedies", [None, False, []])
def test_without_remedies_nothing_else_is_looked_at(remedies):
    arguments = {name: value for name, value in FIT.items() if name != "source"}
    expected = SalutaryClassifier().fit(**arguments)
    found = SalutaryClassifier(remedies=remedies, candidates="none", combine=3).fit(**FIT)
    np.testing.assert_array_equal(found.coef_, expected.coef_)


@pytest.mark.parametrize(("C", "l2"), [(0.1, 10.0), (1.0, 1.0)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_a_number_fixes_the_penalty_of_linear_members(C, l2, fit_intercept):
    model = fitted(C=C, remedies=PLAIN, combine="labeled_and_validation", fit_intercept=fit_intercept)
    both = np.r_[FIT["X"], FIT["X_val"]], np.r_[FIT["y"], FIT["y_val"]]
    expected = LogisticRegression(C=C, fit_intercept=fit_intercept, tol=1e-10, max_iter=10_000).fit(*both)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-5)
    assert {member.fitted.l2 for member in model.judgement_.members} == {l2}
    assert model.remedies_.set_index("name")["weight"]["labeled_and_validation"] == 1


@pytest.mark.parametrize("C", ["cv", "validation"])
def test_without_a_number_each_is_tuned(C):
    """As the judge alone does, from the same seed."""
    model = fitted(C=C, remedies=PLAIN, combine="labeled_and_validation")
    number = {name: np.searchsorted(model.classes_, FIT[name]) for name in ("y", "y_val")}
    data = LabelledData(Part(FIT["X"], number["y"]), Part(FIT["X_val"], number["y_val"]), 2)
    expected = Logistic().fit(LabeledAndValidation().rows(data), data)
    np.testing.assert_allclose(np.r_[model.coef_[0], model.intercept_], expected.W[0])
    assert len({member.fitted.l2 for member in model.judgement_.members}) > 1


def test_it_is_the_judge_of_the_wing():
    """On the same data, folds and seed, without the pool."""
    model = fitted(C="validation", remedies=PLAIN, source=False)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    number = {name: np.searchsorted(model.classes_, FIT[name]) for name in ("y", "y_val")}
    data = LabelledData(Part(FIT["X"], number["y"]), Part(FIT["X_val"], number["y_val"]), 2, seed=seed)
    expected = Judge(named(PLAIN), [Logistic()]).judge(data, folds_of(number["y_val"], 5, seed))
    assert expected.weights == model.judgement_.weights
    np.testing.assert_array_equal(expected.handed_losses, model.judgement_.handed_losses)


def test_copies_pickles_and_one_seed_one_answer(vote, linear):
    for model in (vote, linear):
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict_proba(TEST[0]), model.predict_proba(TEST[0]))
        assert clone(model).get_params().keys() == model.get_params().keys()
    settings = {"remedies": PLAIN, "candidates": ["random_forest"], "combine": "best", "folds": 2}
    first, second = (fitted(**settings).predict_proba(TEST[0]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    other = fitted(**settings | {"random_state": 1}).predict_proba(TEST[0])
    assert not np.array_equal(first, other)


def test_columns_are_named_in_the_test_of_shift():
    rows = parts(names=True)
    X_val = rows["X_val"].copy()
    X_val["worst area"] += 3
    model = SalutaryClassifier(remedies=PLAIN, rounds=1, folds=2, **LINEAR)
    model.fit(rows["X"], rows["y"], X_val=X_val, y_val=rows["y_val"], X_pool=rows["X_pool"])
    assert "worst area" in model.diagnosis_.sentence
    pairs = [test.names for test in model.diagnosis_.shifts]
    assert pairs[0] == ("labelled rows", "validation rows") and len(pairs) == 3
    differing = {test.names: [each.name for each in test.differing] for test in model.diagnosis_.shifts}
    assert "worst area" in differing["validation rows", "pool rows"]
    assert "worst area" not in differing["labelled rows", "pool rows"]
    X_val = X_val.to_numpy()
    unnamed = SalutaryClassifier(remedies=PLAIN, folds=2, **LINEAR)
    unnamed.fit(rows["X"].to_numpy(), rows["y"], X_val=X_val, y_val=rows["y_val"])
    assert "x23" in unnamed.diagnosis_.sentence  # worst area is the 24th


def test_more_classes():
    X, y = load_wine(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    model = SalutaryClassifier(remedies=True, rounds=1, folds=2, **LINEAR)
    model.fit(X[::2], y[::2], X_val=X[1::4], y_val=y[1::4], X_pool=X[3::4])
    assert model.coef_.shape == (3, 13) and model.score(X[3::4], y[3::4]) > 0.9
    assert model.cleaned_proba_.shape == (89, 3) and model.decision_function(X).shape == (178, 3)


def test_time_that_is_up_leaves_plain_training():
    for candidates in (["logistic"], [GaussianNB()], ["logistic", GaussianNB()]):
        model = fitted(pool=True, max_seconds=1e-6, candidates=candidates)
        (left,) = model.judgement_.names
        assert left.endswith("labeled_and_validation") and len(model.labels_) == 0
        assert model.handed_["members"] == {left: 1.0} and "labeled" in left
        assert len(model.handed_["dropped"]) > 3 and left not in model.handed_["dropped"]


def test_seconds_of_labelling_are_gone_for_the_judge(monkeypatch):
    """A clock that goes only when it is looked at, but for an hour that the labelling takes."""
    from salutary.labeling.labeler import Labeler

    now, rounds = [0.0], Labeler.rounds

    def slow(*arguments):
        yield from rounds(*arguments)
        now[0] += 3600

    def clock():
        now[0] += 1e-6
        return now[0]

    monkeypatch.setattr(time, "perf_counter", clock)
    monkeypatch.setattr(Labeler, "rounds", slow)
    assert fitted(pool=True, rounds=1, max_seconds=3601, remedies=PLAIN).handed_["dropped"] == []
    assert fitted(pool=True, rounds=1, max_seconds=3599, remedies=PLAIN).handed_["dropped"] != []


def test_a_candidate_without_weights_gets_plain_rows_only():
    model = fitted(candidates=["logistic", KNeighborsClassifier()], remedies=True)
    of_neighbours = [name for name in model.judgement_.names if name.startswith("KNeighbors")]
    assert "KNeighborsClassifier-labeled_and_validation" in of_neighbours
    assert not any("noise" in name or "weighted" in name for name in of_neighbours)


def test_a_search_cuts_the_sources_with_the_rows_and_not_v():
    """Each fold of the search sees the sources of its rows: a label is wrong only where source b gave it."""
    search = GridSearchCV(
        SalutaryClassifier(remedies=["noise_per_source"], folds=2, **LINEAR),
        {"combine": ["average", "best"]},
        cv=2,
    )
    kept = {name: Uncut(FIT[name]) for name in ("X_val", "y_val")}
    search.fit(FIT["X"], FIT["y"], **kept, source=FIT["source"])
    assert "of source b's" in search.best_estimator_.diagnosis_.sentence
    assert "noise_per_source" in set(search.best_estimator_.remedies_["name"])
    cut = SalutaryClassifier(remedies=PLAIN, folds=2, **LINEAR)
    with sklearn.config_context(enable_metadata_routing=True):
        cut.set_fit_request(X_val=True, y_val=True, source=True)
        search = GridSearchCV(cut, {"C": [1.0]}, cv=2).fit(FIT["X"], FIT["y"], **kept, source=FIT["source"])
    assert len(search.best_estimator_.diagnosis_.sources) == 3


def test_sources_by_name():
    numbers, names = numbered(["b", None, 3, "b", float("nan"), ("x", 1)], 6)
    assert names == ("('x', 1)", "3", "b", "(none)") and numbers.tolist() == [2, 3, 1, 2, 3, 0]
    numbers, names = numbered(pd.Series([7, 7, 9], index=[4, 2, 0]), 3)
    assert names == ("7", "9") and numbers.tolist() == [0, 0, 1]


ONE = {"X_val": FIT["X_val"], "y_val": ["benign"] * 100}
MISTAKES = {
    "remedies need X_val and y_val": ({}, {"X_val": None, "y_val": None}),
    "y_val holds 1 class only, benign": ({}, ONE),
    "remedies must be None, True, False or a list": ({"remedies": "labeled"}, {}),
    "remedies must be None, True": ({"remedies": 3}, {}),
    "remedies: 'nothing' is none of labeled, labeled_and_validation": ({"remedies": ["nothing"]}, {}),
    "candidates: 'tree' is none of logistic, .*; others are given as classifiers": (
        {"candidates": ["tree"]},
        {},
    ),
    "candidates must be a list of names and classifiers, not 'logistic'": ({"candidates": "logistic"}, {}),
    "candidates: 3 is neither a name nor a classifier": ({"candidates": [3]}, {}),
    "candidates: <class .*GaussianNB'> is neither": ({"candidates": [GaussianNB]}, {}),
    "candidates: GaussianNB is there twice": (
        {"candidates": [GaussianNB(), GaussianNB(priors=[0.5, 0.5])]},
        {},
    ),
    "^candidates: at least one is needed": ({"candidates": []}, {}),
    "combine=nobody is none of average, best, labeled": ({"combine": "nobody"}, {}),
    "combine=salutary needs X_pool": ({"combine": "salutary"}, {}),
    "combine=noise_per_source needs source$": ({"combine": "noise_per_source"}, {"source": None}),
    "combine must be average, best": ({"combine": 3}, {}),
    "folds must be 0, for no judging": ({"folds": 1}, {}),
    "max_seconds must be a number": ({"max_seconds": "long"}, {}),
    "X has 150 rows, source 3": ({}, {"source": ["a", "b", "c"]}),
    "source must be a name for each row of X: .*unhashable": ({}, {"source": [["a"]] * 150}),
    "source must be a name for each row of X: .*not iterable": ({}, {"source": 3}),
    "candidates: LogisticRegression cannot be fitted to": ({"candidates": [LogisticRegression(C=-1)]}, {}),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_mistakes(message):
    settings, arguments = MISTAKES[message]
    classifier = SalutaryClassifier(**{"remedies": True} | LINEAR | settings)
    with pytest.raises(SalutaryError, match=message):
        classifier.fit(**FIT | arguments)


def test_few_validation_rows_judge_nothing():
    few = {"X_val": FIT["X_val"][:3], "y_val": ["benign", "malignant", "benign"]}
    model = SalutaryClassifier(remedies=PLAIN, **LINEAR).fit(FIT["X"], FIT["y"], **few)
    assert model.handed_["members"] == {"labeled_and_validation": 1.0}
    assert "how good it is, is not known" in model.handed_["verdict"]
    assert model.remedies_["held_out_loss"].isna().all()


class WithValidation(SalutaryClassifier):
    """Validates on its own rows, as scikit-learn's checks give no others."""

    def __init__(self, C=1.0, remedies=("labeled",), candidates=("logistic",), random_state=0):
        super().__init__(C, remedies=remedies, candidates=candidates, random_state=random_state)

    def fit(self, X, y):
        return super().fit(X, y, X_val=X, y_val=np.ravel(np.asarray(y)))


@pytest.mark.slow
def test_what_scikit_learn_asks_of_a_classifier():
    skipped = ("check_array_api_input",)
    for estimator, check in estimator_checks_generator(WithValidation()):
        if check.func.__name__ not in skipped:
            check(estimator)
