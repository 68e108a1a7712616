"""``salutary-label objective=... group=...``: groups known in the validation rows only."""

import json

import numpy as np
import pandas as pd
import pytest
from people import people
from sklearn.linear_model import LogisticRegression

from salutary import load_model
from salutary.engine.objectives import EqualOpportunity
from salutary.remedies import Part
from salutary.remedies.decisions import Told
from salutary.remedies.figures import figure_of

LINEAR = ("model.candidates=[logistic]", "output=l.csv", "target=outcome")
GAP = ("objective=equal_opportunity", "objective.positive=yes", "group=sex")
FILES = ("labeled=train.csv", "validation=val.csv", "pool=pool.csv")
ONE = ("rounds=1", "budget=2")


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files of which only validation and test rows name the groups."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    people(150, rng).drop(columns="sex").to_csv("train.csv", index=False)
    people(200, rng).to_csv("val.csv", index=False)
    people(2000, rng).to_csv("test.csv", index=False)
    people(300, rng).drop(columns=["sex", "outcome"]).to_csv("pool.csv", index=False)
    return tmp_path


@pytest.fixture
def label(salutary_label, files):
    """A function from overrides to facts.json."""

    def run(*overrides):
        status, out, err = salutary_label(*FILES, *LINEAR, "force=true", "folds=2", *overrides)
        assert status == 0, err
        return json.loads((files / "l" / "facts.json").read_text()), out

    return run


def gap(P, frame):
    yes, is_f = (frame["outcome"] == "yes").to_numpy(), (frame["sex"] == "f").to_numpy()
    decided = P[:, 1] > 0.5
    return abs(decided[yes & is_f].mean() - decided[yes & ~is_f].mean())


def test_labels_close_a_gap_that_the_pool_and_the_model_know_nothing_of(label, files):
    facts, out = label(*GAP, "test=test.csv", "remedies=[labeled,salutary]", "rounds=6", "budget=10")
    test = pd.read_csv("test.csv")
    models = {each["name"]: each for each in facts["remedies"]}
    for name, each in models.items():
        saved = load_model(files / "l" / "models" / f"{name}.skops")
        assert saved.columns == ["skill", "proxy", "noise"]
        assert each["test_figure"] == pytest.approx(gap(saved.predict_proba(test), test))
    assert models["labeled"]["test_figure"] > 0.15
    assert models["salutary"]["test_figure"] < models["labeled"]["test_figure"] / 2
    assert models["salutary"]["held_out_loss"] < models["labeled"]["held_out_loss"]
    assert "equal opportunity" in out and "difference" in out
    assert facts["groups"] == ["f", "m"] and facts["objective"]["name"] == "equal_opportunity"
    page = (files / "l" / "audit.html").read_text()
    assert "Accuracy against the equal opportunity difference" in page
    assert "the pool does not say which group a row is of" in page


@pytest.mark.slow
def test_groups_that_are_shuffled_close_nothing(label, files):
    settings = (*GAP, "test=test.csv", "remedies=[labeled,salutary]", "rounds=6", "budget=10")
    right = label(*settings)[0]
    frame = pd.read_csv("val.csv")
    frame["sex"] = np.random.default_rng(0).permutation(frame["sex"])
    frame.to_csv("val.csv", index=False)
    shuffled = label(*settings)[0]
    after, other = (
        next(each["test_figure"] for each in facts["remedies"] if each["name"] == "salutary")
        for facts in (right, shuffled)
    )
    assert other > after + 0.05


def test_a_group_that_all_files_name_is_a_feature_unless_it_is_ignored(label, files):
    rng = np.random.default_rng(6)
    people(150, rng).to_csv("train.csv", index=False)
    people(60, rng).drop(columns="outcome").to_csv("pool.csv", index=False)
    seen, _ = label(*GAP, "remedies=[labeled]", *ONE)
    assert seen["columns"]["categorical"] == ["sex"]
    ignored, _ = label(*GAP, "remedies=[labeled]", *ONE, "ignore=[sex]")
    assert ignored["columns"]["categorical"] == [] and ignored["columns"]["left_out"] == {"sex": "as asked"}
    page = (files / "l" / "audit.html").read_text()
    assert ("listed, by group" in page) == ("labels are not what the model itself" in page)


def test_a_bound_chooses_the_most_accurate_model_below_it(label, files):
    names = "remedies=[labeled,labeled_and_validation,salutary]"
    facts, _ = label(*GAP, "objective.at_most=0.25", names, "rounds=4")
    below = [
        each for each in facts["remedies"] if each["held_out_figure"] + each["held_out_figure_error"] <= 0.25
    ]
    assert below and len(below) < len(facts["remedies"])
    best = max(each["held_out_accuracy"] for each in below)
    (chosen,) = facts["handed"]["members"]
    assert next(each for each in below if each["name"] == chosen)["held_out_accuracy"] == best
    assert "the most accurate one with a figure of at most 0.25" in facts["handed"]["verdict"]


def test_without_a_model_below_the_bound_nothing_is_written(salutary_label, files):
    bound = ("objective.at_most=0.001", "remedies=[labeled]", *ONE)
    status, _, err = salutary_label(*FILES, *LINEAR, *GAP, *bound)
    assert status == 1 and err.count("\n") <= 1
    assert "objective.at_most=0.001: no model has a held-out equal opportunity difference" in err
    assert "the least is that of" in err and not (files / "l").exists() and not (files / "l.csv").exists()


def test_resuming_is_of_the_same_objective(label, files):
    """Labels of one objective are not those of another."""
    label(*GAP, "remedies=[labeled]", "rounds=2")
    fair = pd.read_csv("l.csv")
    label("remedies=[labeled]", "rounds=2")
    plain = pd.read_csv("l.csv")
    assert not fair["row"].equals(plain["row"])


def test_the_error_of_a_figure_is_that_of_other_samples():
    """Of fresh rows of the same kind, to a fifth."""
    rng = np.random.default_rng(1)
    train = people(2000, rng)
    model = LogisticRegression().fit(train[["skill", "proxy"]].to_numpy(), train["outcome"] == "yes")
    criterion = EqualOpportunity("yes").resolved(["no", "yes"])

    def figure(seed):
        frame = people(300, np.random.default_rng(seed))
        X = frame[["skill", "proxy"]].to_numpy()
        y, groups = (frame["outcome"] == "yes").to_numpy(int), (frame["sex"] == "m").to_numpy(int)
        return figure_of(
            Told.of_probabilities(model.predict_proba(X)), Part(X, y, groups=groups), criterion, seed
        )

    found = [figure(seed) for seed in range(60)]
    assert np.mean([each.error for each in found]) == pytest.approx(
        np.std([each.value for each in found]), rel=0.2
    )


def test_a_fold_that_lacks_a_group_is_one_line(salutary_label, files):
    """And a bound that is met by none of what is left."""
    frame = pd.read_csv("val.csv")
    rare = frame[(frame["sex"] == "f") & (frame["outcome"] == "yes")].index[1:]
    frame.drop(rare).to_csv("val.csv", index=False)
    for pool in (FILES, FILES[:2]):
        status, _, err = salutary_label(*pool, *LINEAR, *GAP)
        assert status == 1 and err.count("\n") <= 1 and "without one of 5 folds there are none" in err
    assert salutary_label(*FILES, *LINEAR, *GAP, "folds=0", "remedies=[labeled]", *ONE)[0] == 0


def test_the_card_says_what_it_was_trained_on(label, files):
    label(*GAP, "remedies=[labeled,salutary_soft_late]", "combine=salutary_soft_late", *ONE)
    card = (files / "l" / "MODEL_CARD.md").read_text()
    assert (
        "- **Trained on** 150 labelled rows, rows of `pool.csv` with distributions over the classes" in card
    )
    assert (
        "held-out objective" in card
        and "equal opportunity difference" in card
        and "held-out loss" not in card
    )
    assert "**Objective**: equal_opportunity, positive decision `yes`, groups of `sex`: `f`, `m`" in card


MISTAKES = {
    "edges without a group": (("group_edges=[30]",), "group_edges needs group"),
    "audit": (("audit=true", "pool=null", *GAP), "audit=true is of the mean loss"),
    "two choices": ((*GAP, "objective.at_most=0.2", "combine=labeled"), "both choose"),
    "compared only": (
        (*GAP, "combine=threshold_optimizer"),
        "combine=threshold_optimizer cannot be handed over",
    ),
    "no group": (GAP[:2], "objective=equal_opportunity needs group, of the validation rows"),
    "no such column": ((*GAP[:2], "group=age"), "val.csv has no column 'age'"),
    "group without use": (("group=sex",), "objective=loss looks at no groups"),
    "target": ((*GAP[:2], "group=outcome"), "group=outcome has a task of its own"),
    "no positive": ((GAP[0], GAP[2]), "set objective.positive"),
    "unknown positive": ((GAP[0], GAP[2], "objective.positive=maybe"), "is not among the classes"),
    "bound of the loss": (("objective.at_most=0.1",), "objective.at_most is for figures that are to be low"),
    "bound of accuracy": (
        ("objective=worst_group", "group=sex", "objective.at_most=0.1"),
        "objective=worst_group has the worst group accuracy",
    ),
    "bound without a judge": ((*GAP, "objective.at_most=0.1", "remedies=false"), "set remedies=true"),
    "edges of texts": ((*GAP, "group_edges=[30]"), "'m' is no number"),
    "many groups": ((*GAP[:2], "group=skill"), "group_edges=[30,55] cuts numbers"),
    "unknown objective": (("objective=fair",), "there is no objective 'fair'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, salutary_label, files):
    arguments, message = MISTAKES[mistake]
    status, _, err = salutary_label(*FILES, *LINEAR, *arguments)
    assert status == 1 and message in err and err.startswith("salutary-label: ") and err.count("\n") <= 1
    assert not (files / "l.csv").exists()


def test_soft_labels_are_judged_by_the_objective_and_close_the_gap(label, files):
    names = "[labeled,salutary_soft_early,salutary_soft_middle,salutary_soft_late]"
    facts, _ = label(*GAP, "test=test.csv", f"remedies={names}", "rounds=2", "budget=10")
    models = {each["name"]: each for each in facts["remedies"]}
    gaps = {name: each["test_figure"] for name, each in models.items()}
    for stage in ("early", "middle", "late"):
        assert gaps[f"salutary_soft_{stage}"] < gaps["labeled"] / 2
        saved = load_model(files / "l" / "models" / f"salutary_soft_{stage}.skops")
        assert saved.columns == ["skill", "proxy", "noise"]  # a plain linear model that needs no group


def test_soft_labels_need_an_objective_and_a_pool(salutary_label, files):
    asked = ("remedies=[salutary_soft_late]", *LINEAR)
    status, _, err = salutary_label(*FILES, *asked)
    assert status != 0 and "remedies: salutary_soft_late needs objective=" in err
    status, _, err = salutary_label(*FILES[:2], *asked, *GAP)
    assert status != 0 and "remedies: salutary_soft_late needs pool=" in err
