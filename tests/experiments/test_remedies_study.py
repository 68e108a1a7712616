"""study=remedies: situations as they are described, and a table that says what the judge says."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from salutary.errors import SalutaryError
from salutary.experiments.studies import situations
from salutary.experiments.studies.remedies import Remedies, assigned, principal, right
from salutary.experiments.studies.rivals import rivals
from salutary.experiments.studies.situations import SITUATIONS, Sizes, draw, halves, labels
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, LabelledData, Part
from salutary.remedies.average import LEAST_WEIGHT
from salutary.remedies.base_models import candidates
from salutary.remedies.catalogue import all_remedies
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of
from salutary.strategies.salutary_greedy import SalutaryGreedy


def table(n: int, n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 4)) @ rng.normal(size=(4, 4)) + 5
    return X, rng.choice(n_classes, n, p=np.array([5, 3, 2])[:n_classes] / sum([5, 3, 2][:n_classes]))


def drawn(situation: str, n_validation: int = 100, n: int = 3000, seed: int = 0, sizes: Sizes = Sizes()):  # noqa: B008
    return draw(*table(n), situation, n_validation, np.random.default_rng(seed), sizes)


# -- situations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", SITUATIONS)
def test_parts_are_disjoint_and_as_large_as_they_are_to_be(situation):
    found = drawn(situation)
    parts = found.labeled, found.validation, found.pool, found.test
    rows = np.concatenate(parts)
    assert len(np.unique(rows)) == len(rows) and rows.min() >= 0 and rows.max() < 3000
    n_labeled = 600 if situation == "sources" else 400
    rest = (1500 if situation == "shift" else 3000 - n_labeled) - 300
    n_pool = min(1000, rest // 2)
    assert [*map(len, parts)] == [n_labeled, 100, n_pool, rest - n_pool]
    assert len(found.given) == n_labeled and (found.sources is None) == (situation != "sources")


@pytest.mark.parametrize("situation", ["clean", "shift"])
def test_labels_are_right_where_nothing_is_said_of_them(situation):
    found = drawn(situation)
    np.testing.assert_array_equal(found.given, table(3000)[1][found.labeled])


@pytest.mark.parametrize("situation", SITUATIONS)
def test_fewer_validation_rows_are_the_first_of_more(situation):
    few, many = (drawn(situation, n, seed=7) for n in (40, 250))
    for part in ("labeled", "given", "pool", "test"):
        np.testing.assert_array_equal(getattr(few, part), getattr(many, part))
    np.testing.assert_array_equal(few.validation, many.validation[:40])
    assert not np.array_equal(few.labeled, drawn(situation, 40, seed=8).labeled)


def test_a_shift_is_along_the_first_principal_component():
    X, _ = table(3000)
    pca = PCA(1).fit(X)
    (component,) = pca.components_
    scores = pca.transform(X)[:, 0] * np.sign(component[np.abs(component).argmax()])
    found, median = drawn("shift"), np.median(scores)
    assert (scores[found.labeled] < median).all()
    others = np.concatenate([found.validation, found.pool, found.test])
    assert (scores[others] >= median).all() and len(others) == 1500 - 200
    for half in halves(X):
        assert len(half) == 1500


def wrong_of(situation: str, n_classes: int = 3, n: int = 60_000):
    y = table(n, n_classes)[1]
    given, sources = labels(y, n_classes, situation, np.random.default_rng(1))
    assert given.min() == 0 and given.max() == n_classes - 1
    return y, given, sources


def near(share: float, n: int) -> object:
    return pytest.approx(share, abs=4 * (share * (1 - share) / n) ** 0.5 + 1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_symmetric_noise(n_classes):
    y, given, sources = wrong_of("symmetric", n_classes)
    assert sources is None
    for c in range(n_classes):
        of_class = given[y == c]
        for other in range(n_classes):
            share = 0.7 if other == c else 0.3 / (n_classes - 1)
            assert (of_class == other).mean() == near(share, len(of_class))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_noise_by_class(n_classes):
    y, given, _ = wrong_of("class_dependent", n_classes)
    assert (given[y % 2 == 0] == y[y % 2 == 0]).all()
    odd = given[y == 1]
    assert (odd == 2 % n_classes).mean() == near(0.6, len(odd)) and set(odd) == {1, 2 % n_classes}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_sources(n_classes):
    y, given, sources = wrong_of("sources", n_classes)
    assert np.bincount(sources).tolist() == [6000] * 10
    chance = (np.bincount(y) / len(y)) @ (np.bincount(y) / len(y))
    for source, share in enumerate([0, 0, 0, 0, 0.3, 0.3, 1 - chance, 1 - chance, 0.8, 0.8]):
        rows = sources == source
        wrong = (given != y)[rows]
        assert wrong.mean() == near(share, 6000)
        if source in (6, 7):
            np.testing.assert_array_equal(np.bincount(given[rows]), np.bincount(y[rows]))
        if source in (8, 9):
            assert (given[rows][wrong] == (y[rows][wrong] + 1) % n_classes).all()


def test_sizes_of_small_tables():
    assert Sizes.of(10_000, 100) == Sizes.of(900, 300) == Sizes() and Sizes().validation == 300
    assert Sizes.of(569, 100).validation == 189 and Sizes.of(569, 200).validation == 200
    found = draw(*table(569), "clean", 100, np.random.default_rng(0), Sizes.of(569, 100))
    assert [*map(len, (found.labeled, found.validation, found.pool, found.test))] == [191, 100, 94, 95]
    for situation, n_validation in (("clean", 300), ("shift", 284), ("sources", 285)):
        with pytest.raises(
            SalutaryError, match=f"has 569 rows, too few for study.n_validation={n_validation}"
        ):
            sizes = Sizes.of(569, n_validation)
            draw(*table(569), situation, n_validation, np.random.default_rng(0), sizes)


# -- the study -------------------------------------------------------------------------------------------


def test_principal_components_are_those_of_scikit_learn():
    X = load_breast_cancer().data
    expected = PCA(5, svd_solver="full").fit_transform(X)
    found = principal(X, 5)
    signs = np.sign((found * expected).sum(0))
    np.testing.assert_allclose(found, signs * expected / expected.std(), atol=1e-6)
    assert found.std() == pytest.approx(1)


COLUMNS = ["situation", "n_validation", "n_test", "model", "test_loss", "test_accuracy", "held_out_loss"]
STUDY = (
    *("dataset=breast_cancer", "strategy=salutary_greedy", "rounds=0", "study=remedies"),
    *("study.candidates=[logistic]", "study.rivals=false"),
)


def test_labels_that_are_right_are_counted():
    data, pool = case()
    folds = folds_of(data.validation.y, 3, 0)
    (first, *_), rows = assigned(data, pool, folds, LogisticRegression(2), SalutaryGreedy(confidence=0), 2)
    np.testing.assert_array_equal(first.X, pool[rows])
    truth = load_breast_cancer().target[160:360][rows]
    found = Judge(all_remedies(), candidates(["logistic"])).judge(data, folds, [first] * 4)
    table = right(first, truth, found)
    assert table["n_given"] == 20
    assert table["right_salutary"] == sum(a == b for a, b in zip(first.y, truth, strict=True)) / 20
    said = found.model("labeled").probabilities(pool[rows]).argmax(1)
    assert table["right_labeled"] == (said == truth).mean()
    assert set(table) == {
        "n_given",
        *(f"right_{n}" for n in ("salutary", "labeled", "labeled_and_validation")),
    }
    nothing = right(Assigned(first.X[:0], first.y[:0], 1.0), truth[:0], found)
    assert nothing["n_given"] == 0 and np.isnan(nothing["right_salutary"])


@pytest.fixture
def study(salutary_run, tmp_path):
    """A function from overrides to the table."""

    def run(*overrides):
        status, out, err = salutary_run(*STUDY, *overrides, "force=true")
        assert (status, err) == (0, ""), out
        (file,) = tmp_path.glob("outputs/*/remedies.csv")
        found = pd.read_csv(file)
        file.parent.joinpath("run.json").unlink()
        file.unlink()
        return found.set_index("model")

    return run


def test_the_table_says_what_the_judge_says(study):
    found = study("study.situation=sources", "study.n_validation=60")
    assert [*found.columns] == [*(c for c in COLUMNS if c != "model"), "weight", "seconds"]
    assert (found["n_validation"] == 60).all() and (found["situation"] == "sources").all()
    assert found["n_test"].nunique() == 1 and found["test_accuracy"].between(0, 1).all()
    average, best, members = found.iloc[0], found.iloc[1], found.iloc[2:]
    assert [*found.index[:2]] == ["average", "best"] and average["weight"] == 1
    assert {"noise_per_source", "chosen_sources", "salutary", "labeled_and_validation"} <= {*members.index}
    least = members["held_out_loss"].idxmin()
    assert best["test_loss"] == members.loc[least, "test_loss"]
    scores = -60 * members["held_out_loss"] / 2 + 2 * (members.index == "labeled_and_validation")
    weights = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
    weights[weights < LEAST_WEIGHT] = 0
    np.testing.assert_allclose(members["weight"], weights / weights.sum(), rtol=1e-8)
    again = study("study.situation=sources", "study.n_validation=60")
    pd.testing.assert_frame_equal(again.drop(columns="seconds"), found.drop(columns="seconds"))


def test_settings_make_a_difference(study):
    plain = study("study.situation=clean", "study.n_validation=60")
    assert not {"noise_per_source", "chosen_sources"} & {*plain.index}
    other = study("study.situation=symmetric", "study.n_validation=60")
    assert other.loc["labeled", "test_loss"] > plain.loc["labeled", "test_loss"]
    few = study("study.situation=clean", "study.n_validation=60", "study.components=2")
    assert few.loc["labeled", "test_loss"] != plain.loc["labeled", "test_loss"]


def case(flipped: np.ndarray | None = None):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    validation = Part(X[100:160], y[100:160].copy())
    if flipped is not None:
        validation.y[flipped] = 1 - validation.y[flipped]
    return LabelledData(Part(X[:100], y[:100]), validation, 2), X[160:360]


def test_labels_of_a_fold_do_not_know_the_rows_that_it_holds_out():
    """Whatever their labels are."""
    data, pool = case()
    folds = folds_of(data.validation.y, 3, 0)
    settings = LogisticRegression(2), SalutaryGreedy(confidence=0), 2
    (of_all, *of_folds), _ = assigned(data, pool, folds, *settings)
    assert len(of_all) == 20
    for number, (_, held_out) in enumerate(folds):
        changed, _ = case(held_out)
        other, _ = assigned(changed, pool, folds, *settings)
        np.testing.assert_array_equal(other[number + 1].X, of_folds[number].X)
        np.testing.assert_array_equal(other[number + 1].y, of_folds[number].y)
        assert other[number + 1].l2 == of_folds[number].l2
        assert not np.array_equal(other[0].X, of_all.X) or not np.array_equal(other[0].y, of_all.y)


def test_rivals_are_fitted_to_labelled_and_validation_rows():
    data, X = case()
    found = dict(rivals(data, 1.0))
    assert [*found] == ["hist_gradient_boosting, tuned", "random_forest, tuned", "CleanLearning"]
    y = load_breast_cancer().target[160:360]
    for rival in found.values():
        P = rival.predict_proba(X)
        assert P.shape == (200, 2) and np.allclose(P.sum(1), 1) and (P.argmax(1) == y).mean() > 0.9
    assert {found[f"{name}, tuned"].n_splits_ for name in ("hist_gradient_boosting", "random_forest")} == {3}


def test_rivals_are_in_the_table(study, monkeypatch):
    from sklearn.dummy import DummyClassifier

    def constant(data, penalty):
        yield "a rival", DummyClassifier(strategy="prior").fit(data.labeled.X, data.labeled.y)

    monkeypatch.setattr("salutary.experiments.studies.remedies.rivals", constant)
    found = study("study.rivals=true", "study.n_validation=60", "study.candidates=[random_forest]")
    assert found.loc["a rival", "test_loss"] > 2 * found.loc["average", "test_loss"]
    assert np.isnan(found.loc["a rival", "held_out_loss"]) and found.loc["a rival", "weight"] == 0
    assert "random_forest-labeled_and_validation" in found.index


MISTAKES = {
    "no such situation": (["study.situation=odd"], "study.situation must be clean, shift, symmetric,"),
    "no validation rows": (["study.n_validation=3"], "study.n_validation must be a whole number >= 4, not 3"),
    "no flag": (["study.rivals=some"], "study.rivals must be true or false, not 'some'"),
    "components of what": (["study.components=-1"], "study.components must be a whole number >= 0"),
    "no list": (["study.candidates=logistic"], "study.candidates must be a list of base models such as"),
    "no such candidate": (["study.candidates=[tree]"], "candidates: 'tree' is none of logistic,"),
    "no candidate": (["study.candidates=[]"], "candidates: at least one is needed"),
    "a network": (["model=head"], "study=remedies needs model=logistic and a strategy that asks no human"),
    "one who asks": (["strategy=margin"], "study=remedies needs model=logistic and a strategy that asks no"),
    "few rows": (["study.n_validation=300"], "the table has 569 rows, too few for study.n_validation=300"),
    "few in a half": (
        ["study.n_validation=290", "study.situation=shift"],
        "the table has 569 rows, too few for study.n_validation=290",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, salutary_run, tmp_path):
    arguments, message = MISTAKES[mistake]
    status, _, err = salutary_run(*STUDY, *arguments)
    assert status == 1 and err.startswith("salutary-run: ") and message in err and err.count("\n") <= 1
    assert not list(tmp_path.glob("outputs/*/run.json"))


def test_a_class_that_no_labelled_row_has(prepared, monkeypatch):
    monkeypatch.setattr(situations, "RARE", 0)
    problem, model, strategy, _ = prepared("dataset=breast_cancer", "strategy=salutary_greedy")
    y = problem.y.clone()
    y[:] = 0
    y[5] = 1
    one = type(problem)(problem.X, y, problem.split, problem.class_names)
    study = Remedies(n_validation=60, candidates=["logistic"], rivals=False)
    with pytest.raises(SalutaryError, match="study=remedies: a class has no labelled row"):
        for seed in range(3):  # row 5 is among the labelled ones in a third of the draws
            study.measure(one, model, strategy, 1, seed)


def test_labels_are_of_the_classes_that_are_frequent_enough():
    """Though the model has one more, which the study leaves out."""
    data, pool = case()
    folds = folds_of(data.validation.y, 3, 0)
    (first, *_), _ = assigned(data, pool, folds, LogisticRegression(3), SalutaryGreedy(confidence=0), 2)
    (expected, *_), _ = assigned(data, pool, folds, LogisticRegression(2), SalutaryGreedy(confidence=0), 2)
    np.testing.assert_array_equal(first.X, expected.X)
    np.testing.assert_array_equal(first.y, expected.y)
