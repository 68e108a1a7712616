"""``salutary-label`` with remedies: what is written, handed over, told of the labelled rows, and refused."""

import json
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from salutary import load_model
from salutary.labeling import judging, pipeline, state
from salutary.remedies.judgement import folds_of
from salutary.remedies.plain import Weighted
from salutary.system.files import files_in

LINEAR = "model.candidates=[logistic]"
FEW = "remedies=[labeled_and_validation,noise_model_10,weighted_4]"
ROWS = ("labeled=train.csv", "validation=val.csv", "target=kind")
POOL = ("pool=pool.parquet", "rounds=1", "budget=3", "strategy.rerank=0")


@pytest.fixture
def label(salutary_label, files, tmp_path, monkeypatch):
    """Settings to (facts, what is printed, Judged); the command goes well, and leaves only what it should."""
    seen = []
    monkeypatch.setattr(pipeline, "judged", lambda *each: seen.append(judging.judged(*each)) or seen[-1])

    def run(*settings):
        status, out, err = salutary_label(*ROWS, *settings, "output=labels.csv", "force=true")
        assert status == 0, err
        assert not [*tmp_path.glob("*.partial"), *tmp_path.glob(".*")]
        text = (tmp_path / "labels" / "facts.json").read_text()
        assert "NaN" not in text and "Infinity" not in text
        return json.loads(text), out, seen[-1]

    return run


def page_of(tmp_path):
    """What the page shows: beside that there are its styles and its script."""
    return (tmp_path / "labels" / "audit.html").read_text().partition("<body>")[2]


def losses(model, frame):
    """Of rows of the class in column kind, by what is predicted of them (n, 2)."""
    truth = (frame["kind"] == "malignant").to_numpy(int)
    return -np.log(model.predict_proba(frame)[np.arange(len(truth)), truth])


def test_everything_is_written_and_labels_are_those_without_remedies(label, salutary_label, tmp_path):
    without = (*ROWS, *POOL, "id=patient", "remedies=false", "output=without.csv")
    assert salutary_label(*without)[0] == 0
    settings = (LINEAR, *POOL, "id=patient", "test=test.csv", "predictions=predicted.csv")
    facts, out, _ = label(*settings)
    assert (tmp_path / "labels.csv").read_bytes() == (tmp_path / "without.csv").read_bytes()
    names = [each["name"] for each in facts["remedies"]]
    assert len(names) == 16 and "salutary_and_validation" in names and "noise_per_source" not in names
    found = {path.relative_to(tmp_path / "labels").as_posix() for path in files_in(tmp_path / "labels")}
    written = {"model.skops", "alternative.skops", "MODEL_CARD.md", "audit.html", "curves.csv"}
    models = {f"models/{name}.skops" for name in names}
    assert found == written | {"facts.json", "cleaned.csv"} | models
    page, test = page_of(tmp_path), pd.read_csv(tmp_path / "test.csv")
    for each in facts["remedies"]:
        shown = f"{each['held_out_loss']:.4f} ± {each['held_out_standard_error']:.4f}"
        assert re.search(rf"{each['name']} +{re.escape(shown)}", out)
        row = f"{each['name']}</th><td>{each['about']}</td><td>{shown}</td>"
        assert row in page.replace(' class="long"', "")
        measured = losses(load_model(tmp_path / "labels" / "models" / f"{each['name']}.skops"), test)
        assert measured.mean() == pytest.approx(each["test_loss"], rel=1e-6)
    assert not re.search(r"\b(nan|None|inf)\b", re.sub(r'src="[^"]+"', "", page))
    handed = load_model(tmp_path / "labels" / "model.skops")
    assert losses(handed, test).mean() == pytest.approx(facts["handed"]["test_loss"], rel=1e-6)
    predicted = pd.read_csv(tmp_path / "predicted.csv")
    pool = pd.read_parquet(tmp_path / "pool.parquet")
    of_pool = predicted[["probability_benign", "probability_malignant"]].to_numpy()
    np.testing.assert_allclose(of_pool, handed.predict_proba(pool), atol=1e-5)
    assert (predicted["patient"] == pool["patient"]).all()
    cleaned = pd.read_csv(tmp_path / "labels" / "cleaned.csv")
    pd.testing.assert_frame_equal(cleaned.iloc[:, :8], pd.read_csv(tmp_path / "train.csv"))
    assert np.allclose(cleaned["probability_benign"] + cleaned["probability_malignant"], 1)


def test_losses_and_weights_are_what_they_say(label, tmp_path):
    """Plain training is that of scikit-learn in each fold; all else follows from what each fold says."""
    facts, _, found = label(LINEAR, FEW, "model.l2=2", "folds=4", "seed=3")
    train, val = (pd.read_csv(tmp_path / name) for name in ("train.csv", "val.csv"))
    features = load_model(tmp_path / "labels" / "model.skops").pipeline[:-1]
    X, V = features.transform(train), features.transform(val)
    y, truth = ((frame["kind"] == "malignant").to_numpy(int) for frame in (train, val))
    plain = np.empty(100)
    for seen, held_out in folds_of(truth, 4, 3):
        model = LogisticRegression(C=1 / 2, tol=1e-10, max_iter=1000)
        model.fit(np.concatenate([X, V[seen]]), np.concatenate([y, truth[seen]]))
        plain[held_out] = -model.predict_log_proba(V[held_out])[np.arange(len(held_out)), truth[held_out]]
    remedies = {each["name"]: each for each in facts["remedies"]}
    of_plain = remedies["labeled_and_validation"]
    assert of_plain["held_out_loss"] == pytest.approx(plain.mean(), rel=1e-5)
    assert of_plain["held_out_standard_error"] == pytest.approx(plain.std(ddof=1) / 10, rel=1e-5)
    of = {name: found.judgement.losses[name] for name in remedies}

    def weights(rows):
        scores = {name: 2 * (name == "labeled_and_validation") - of[name][rows].sum() / 2 for name in of}
        each = np.exp(np.array([*scores.values()]) - max(scores.values()))
        each = np.where(each / each.sum() < 0.01, 0, each)
        return each / each.sum()

    told = [each["weight"] for each in facts["remedies"]]
    np.testing.assert_allclose(told, weights(np.arange(100)), rtol=1e-9)
    assert sum(facts["handed"]["members"].values()) == pytest.approx(1)
    assert facts["handed"]["members"] == {n: w for n, w in zip(of, told, strict=True) if w}
    handed = np.empty(100)
    logits = np.stack([found.judgement[name].Z[:, 0] for name in of])
    for seen, held_out in found.judgement.folds:
        z = weights(seen) @ logits[:, held_out]
        handed[held_out] = np.logaddexp(0, np.where(truth[held_out] == 1, -z, z))
    assert facts["handed"]["held_out_loss"] == pytest.approx(handed.mean(), rel=1e-9)
    difference = handed - of["labeled_and_validation"]
    gap = facts["handed"]["minus_labeled_and_validation"]
    assert gap["loss"] == pytest.approx(difference.mean(), abs=1e-12)
    assert gap["standard_error"] == pytest.approx(difference.std(ddof=1) / 10, rel=1e-9)


def test_a_vote_with_trees(label, tmp_path):
    import skops.io

    settings = ("remedies=[labeled_and_validation,noise_model_10]", "folds=2", *POOL, "predictions=p.parquet")
    facts, out, _ = label(*settings, "combine=plain_vote")
    members = facts["handed"]["members"]
    assert len(facts["remedies"]) == 7 and np.allclose([*members.values()], 1 / 3) and len(members) == 3
    assert "model.skops is the plain_vote of 3 models (33% " in out
    folder, pool = tmp_path / "labels", pd.read_parquet(tmp_path / "pool.parquet")
    model = load_model(folder / "model.skops", trusted=facts["untrusted"])
    of_pool = pd.read_parquet(tmp_path / "p.parquet").filter(like="probability_").to_numpy()
    np.testing.assert_allclose(of_pool, model.predict_proba(pool), atol=1e-5)
    card = (folder / "MODEL_CARD.md").read_text()
    (told,) = re.findall(r'skops\.io\.load\("model\.skops", trusted=(\[.*?\])\)', card)
    assert "It holds trees" in card and any("Tree" in each for each in json.loads(told))
    assert skops.io.load(folder / "model.skops", trusted=json.loads(told)).classes_.tolist() == [
        "benign",
        "malignant",
    ]
    for each in facts["remedies"]:
        assert (folder / "models" / f"{each['name']}.skops").exists()
        assert f"\n{each['name']} " in out  # whole, since combine= takes it


def test_a_source_that_is_wrong_is_named_and_names_are_text(label, tmp_path):
    """Without a pool there are no table of labels and no curves."""
    train, val = (pd.read_csv(tmp_path / name) for name in ("train.csv", "val.csv"))
    names = {"benign": "<b>a/b</b>", "malignant": "average"}
    train["who"] = np.resize(["ann", "bob <i>", "cy"], 60)
    wrong = train["who"] == "bob <i>"
    train.loc[wrong, "kind"] = train.loc[wrong, "kind"].map({"benign": "malignant", "malignant": "benign"})
    for name, frame in (("train.csv", train), ("val.csv", val)):
        frame.assign(kind=frame["kind"].map(names)).to_csv(tmp_path / name, index=False)
    several = "remedies=[labeled_and_validation,noise_per_source,chosen_sources]"
    facts, out, _ = label(LINEAR, several, "source=who", "ignore=[patient]", "combine=best", "folds=3")
    worst, *others = facts["diagnosis"]["sources"]
    assert worst["name"] == "bob <i>" and worst["wrong"] > 0.7 and max(each["wrong"] for each in others) < 0.2
    assert re.search(r"labels are wrong, about \d+% of source bob <i>'s", facts["diagnosis"]["sentence"])
    assert facts["diagnosis"]["sentence"] in out
    page = page_of(tmp_path)
    assert "bob &lt;i&gt;" in page and "<i>" not in page and "<b>a/b" not in page
    (best,) = facts["handed"]["members"]
    measured = {each["name"]: each["held_out_loss"] for each in facts["remedies"]}
    assert best == min(measured, key=measured.get) != "labeled_and_validation"
    assert f"model.skops is the best one, {best}" in out and "by 0." in facts["handed"]["verdict"]
    assert not (tmp_path / "labels.csv").exists() and facts["labels"] == 0
    inside = {path.name for path in (tmp_path / "labels").iterdir()}
    assert inside == {"model.skops", "models", "MODEL_CARD.md", "audit.html", "facts.json", "cleaned.csv"}
    cleaned = pd.read_csv(tmp_path / "labels" / "cleaned.csv")
    assert cleaned.loc[cleaned["changed"], "who"].eq("bob <i>").mean() > 0.8


@pytest.mark.parametrize("folds, rows", [(0, 100), (5, 3)])
def test_where_nothing_can_be_held_out_plain_training_is_handed_over(label, tmp_path, folds, rows):
    val = pd.read_csv(tmp_path / "val.csv")
    assert val["kind"][:rows].nunique() == 2
    val[:rows].to_csv(tmp_path / "val.csv", index=False)
    facts, out, _ = label(LINEAR, FEW, f"folds={folds}")
    assert facts["handed"]["members"] == {"labeled_and_validation": 1.0}
    assert "held_out_loss" not in facts["handed"] and facts["handed"]["warning"] is None
    line = "Nothing was held out to judge it by: how good it is, is not known."
    assert f"model.skops is labeled_and_validation (labelled + validation rows). {line}" in out
    assert "Nothing was held out: which model is best is not known." in page_of(tmp_path)
    card = (tmp_path / "labels" / "MODEL_CARD.md").read_text()
    assert line in card and "held-out loss |" not in card and "is measured by" not in card


def test_five_validation_rows_are_two_folds(label, tmp_path):
    pd.read_csv(tmp_path / "val.csv")[:5].to_csv(tmp_path / "val.csv", index=False)
    facts, out, found = label(LINEAR, FEW)
    assert len(found.judgement.folds) == 2 and "5 validation rows, held out" in out
    assert facts["handed"]["members"]["labeled_and_validation"] > 0.5


@pytest.mark.parametrize("name", ["noise_model_10", "labeled"])
def test_a_model_that_is_named_is_handed_over(label, tmp_path, name):
    facts, out, _ = label(LINEAR, f"remedies=[{name}]", f"combine={name}", "folds=2")
    assert facts["handed"]["members"] == {name: 1.0} and f"model.skops is {name} (" in out
    models = [tmp_path / "labels" / each for each in ("model.skops", f"models/{name}.skops")]
    handed, saved = (losses(load_model(path), pd.read_csv(tmp_path / "test.csv")) for path in models)
    np.testing.assert_array_equal(handed, saved)
    assert facts["handed"]["held_out_loss"] == facts["remedies"][-1]["held_out_loss"]
    assert {each["name"] for each in facts["remedies"]} == {name, "labeled_and_validation"}


REFUSED = {
    "remedies=[noise]": r"remedies: 'noise' is none of labeled, labeled_and_validation, ",
    "remedies=[]": r"there is nothing to do: set pool, a file of rows to label, or remedies=true",
    "combine=noise": r"combine=noise is none of average, best, labeled, ",
    "combine=hist_gradient_boosting-labeled": r"combine=hist_gradient_boosting-labeled is none of average",
    "combine=noise_per_source": r"combine=noise_per_source needs source=$",
    "combine=noise_per_source source=one": r"combine=noise_per_source needs two sources at least$",
    "combine=salutary": r"combine=salutary needs pool=$",
    "combine=plain_vote model.candidates=[logistic]": r"combine=plain_vote is none of average, best, label",
    "model.candidates=[logistc]": r"model\.candidates: 'logistc' is none of logistic, hist_gradient_boosting",
    "model.candidates=logistic": r"model\.candidates must be a list such as \[logistic\], not 'logistic'",
    "remedies=[labeled,salutary]": r"remedies: salutary needs pool=$",
    "remedies=[chosen_sources]": r"remedies: chosen_sources needs source=$",
    "remedies=[noise_per_source] source=one": r"remedies: noise_per_source needs two sources at least$",
    "remedies=[labeled] model.candidates=[random_forest]": r"labeled needs logistic among model\.candidates$",
    "model.candidates=[3]": r"model\.candidates: 3 is neither a name nor has it a _target_$",
    "model.candidates=[{target: a}]": r"model\.candidates: \{'target': 'a'\} is neither a name nor has it",
    "model.candidates=[]": r"model\.candidates: at least one is needed",
    "model.candidates=[{_target_: sklearn.svm.LinearSVC}]": r"candidates: LinearSVC has no predict_proba",
    "model.candidates=[{_target_: sklearn.svm.Nothing}]": r"sklearn\.svm\.Nothing",
}


@pytest.mark.parametrize("setting", REFUSED)
def test_names_of_none_are_one_line(salutary_label, files, tmp_path, setting):
    pd.read_csv(tmp_path / "train.csv").assign(one="x").to_csv(tmp_path / "train.csv", index=False)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    each = setting.split(" ") if "target" not in setting else [setting]
    status, out, err = salutary_label(*ROWS, *each, "output=labels.csv")
    assert status == 1 and not out and len(err.strip().splitlines()) == 1
    assert re.search(REFUSED[setting], err.strip()), err
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_what_there_is_no_time_for_is_dropped_and_told(label, tmp_path):
    facts, out, _ = label(LINEAR, *POOL, "max_seconds=0.01")
    assert [each["name"] for each in facts["remedies"]] == ["labeled_and_validation"]
    assert len(facts["dropped"]) == 15 and {"salutary", "cleaned_4"} <= {*facts["dropped"]}
    assert f"max_seconds: not judged for lack of time: {', '.join(facts['dropped'])}" in out
    assert ", ".join(facts["dropped"]) in page_of(tmp_path)
    assert "model.skops is labeled_and_validation (labelled + validation rows)." in out


def test_an_interrupted_judging_goes_on_after_the_rounds(salutary_label, label, tmp_path, monkeypatch):
    label(LINEAR, FEW, *POOL)
    written = tmp_path / "labels.csv", tmp_path / "labels" / "cleaned.csv"
    expected = [path.read_bytes() for path in written]
    (tmp_path / "labels.csv").unlink()
    with monkeypatch.context() as patch:

        def interrupted(self, data):
            raise KeyboardInterrupt

        patch.setattr(Weighted, "rows", interrupted)
        settings = (*ROWS, LINEAR, FEW, *POOL, "output=labels.csv", "force=true")
        assert salutary_label(*settings)[0] == 130
    assert not (tmp_path / "labels.csv").exists() and (tmp_path / "labels.partial").is_dir()
    added = []
    add = state.State.add
    monkeypatch.setattr(state.State, "add", lambda self, record: added.append(record) or add(self, record))
    facts, _, _ = label(LINEAR, FEW, *POOL)
    assert not added and facts["rounds"] == 1
    assert [path.read_bytes() for path in written] == expected


def test_of_a_class_that_validation_rows_lack_nothing_is_said(label, tmp_path):
    """A class of three: its labels look wrong to whoever has never seen it."""
    frame = load_iris(as_frame=True).frame.sample(frac=1, random_state=1, ignore_index=True)
    frame["kind"] = frame.pop("target").map({0: "setosa", 1: "versicolor", 2: "virginica"})
    frame[:80].to_csv(tmp_path / "train.csv", index=False)
    frame[80:][frame["kind"][80:] != "virginica"].to_csv(tmp_path / "val.csv", index=False)
    facts, out, found = label(LINEAR, FEW, "folds=2")
    assert found.diagnosis.noise.wrong > 0.1  # what would be said
    line = "Whether labels are wrong is not told: no validation row is of class 'virginica'."
    assert line in out and unescape(page_of(tmp_path)).count(line) == 2
    assert facts["diagnosis"]["sentence"].endswith(line)
    assert "labels are wrong (" not in out and "of the labels are found wrong" not in page_of(tmp_path)
    classes = load_model(tmp_path / "labels" / "model.skops").classes_
    assert classes.tolist() == ["setosa", "versicolor", "virginica"]


def test_classifiers_of_others_by_target(label, tmp_path):
    """One that takes no weights has only the remedies without."""
    bayes, nearest = "sklearn.naive_bayes.GaussianNB", "sklearn.neighbors.KNeighborsClassifier"
    others = f"model.candidates=[logistic,{{_target_: {bayes}}},{{_target_: {nearest},n_neighbors: 7}}]"
    facts, out, found = label(others, FEW, "folds=2")
    names = {each["name"] for each in facts["remedies"]}
    several = {"labeled_and_validation", "noise_model_10", "weighted_4"}
    plain = {"KNeighborsClassifier-labeled_and_validation", "plain_vote"}
    assert names == several | {f"GaussianNB-{name}" for name in several} | plain
    refused = [f"KNeighborsClassifier-{name}" for name in ("weighted_4", "noise_model_10")]
    assert facts["refused"] == refused
    line = f"ot fitted, since these base models take no weights: {', '.join(refused)}"
    assert line in out and line in page_of(tmp_path)
    estimator = found.judgement["KNeighborsClassifier-labeled_and_validation"].fitted.estimator
    assert estimator.n_neighbors == 7


def test_one_test_row_has_no_standard_error(label, tmp_path):
    pd.read_csv(tmp_path / "test.csv")[:1].to_csv(tmp_path / "test.csv", index=False)
    facts, _, _ = label(LINEAR, FEW, "folds=2", "test=test.csv")
    assert facts["handed"]["test_standard_error"] is None and facts["handed"]["folds"] == 2
    page = page_of(tmp_path)
    assert f"<td>{facts['handed']['test_loss']:.4f}</td>" in page and not re.search(r"\bnan\b", page)
    assert "refitted in 2 folds" in page and "newly labelled" not in page


def test_without_a_linear_model_the_first_plain_one_is_compared_with(label):
    facts, out, found = label("model.candidates=[random_forest]", "remedies=[weighted_4]", "folds=2")
    plain = found.judgement.losses["random_forest-labeled_and_validation"]
    gap = (found.judgement.handed_losses - plain).mean()
    assert facts["handed"]["minus_labeled_and_validation"]["loss"] == pytest.approx(gap)
    assert "Nothing was held out" not in out and "than that of training on labelled" in out


def test_an_audit_tells_what_validation_rows_lack(salutary_label, files, tmp_path):
    frame = load_iris(as_frame=True).frame.sample(frac=1, random_state=1, ignore_index=True)
    frame = frame.rename(columns={"target": "kind"})
    frame[:80].to_csv(tmp_path / "train.csv", index=False)
    frame[80:][frame["kind"][80:] != 2].to_csv(tmp_path / "val.csv", index=False)
    status, out, _ = salutary_label(*ROWS, "audit=true", "output=audit.csv")
    line = "val.csv, column kind: no row of class 2: true labels of that class may look wrong"
    assert status == 0 and line in out and line in (tmp_path / "audit" / "audit.html").read_text()


TRAINED = {"labeled": "60 labelled rows.", "validation": "100 validation rows."}


@pytest.mark.parametrize("name", [*TRAINED, "salutary", "salutary_and_validation", "weighted_4"])
def test_the_card_says_what_the_model_has_seen(label, tmp_path, name):
    label(LINEAR, f"remedies=[{name}]", f"combine={name}", "folds=0", *POOL)
    (line,) = re.findall(r"\*\*Trained on\*\* (.*)", (tmp_path / "labels" / "MODEL_CARD.md").read_text())
    both = "60 labelled rows, 100 validation rows"
    pool = ", and 3 rows of `pool.parquet` with labels of no human: `labels.csv`."
    with_pool = {"salutary": f"60 labelled rows{pool}", "salutary_and_validation": f"{both}{pool}"}
    assert line == {**TRAINED, **with_pool}.get(name, f"{both}.")
