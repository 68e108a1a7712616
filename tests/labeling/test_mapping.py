"""Feature maps before the linear models of ``salutary-label``: as asked, or chosen by the validation rows."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import average_precision_score, log_loss

from salutary import load_model
from salutary.labeling import state
from salutary.labeling.mapping import Mapping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.track import Rows
from salutary.tables import table_file
from salutary.tables.feature_maps import KINDS, LINEAR, NYSTROEM, SPLINES

SIGNALS = {
    SPLINES: lambda X: 3 * np.cos(2 * X[:, 0]) + 3 * (np.abs(X[:, 1]) - 0.8) + 2 * np.sin(2 * X[:, 2]),
    LINEAR: lambda X: X @ [2.0, -1.5, 1, 1, -1, 0, 0, 0],
    NYSTROEM: lambda X: 3 * X[:, 0] * X[:, 1] + 2 * X[:, 2] * X[:, 3],
}
LINEAR_MODEL = "model.candidates=[logistic]"
FEW = "remedies=[labeled_and_validation,weighted_4,noise_model_10]"


def drawn(kind, n, seed):
    """Rows of eight standard normal columns, and labels of two classes with a signal that fits the map."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 8))
    return X, (rng.random(n) < 1 / (1 + np.exp(-SIGNALS[kind](X)))).astype(int)


def written(kind, folder):
    """A file for each part; the pool with its labels, which nothing looks at."""
    for seed, (name, n) in enumerate({"train": 200, "val": 150, "pool": 150, "test": 400}.items()):
        X, y = drawn(kind, n, seed)
        frame = pd.DataFrame(X, columns=[f"x{k}" for k in range(8)]).assign(
            city=np.where(X[:, 7] > 0, "Graz", "Linz"), kind=np.where(y, "yes", "no")
        )
        frame.to_csv(folder / f"{name}.csv", index=False)


@pytest.fixture
def label(salutary_label, tmp_path):
    """Settings to (facts, what is printed); the command goes well."""

    def run(*settings, output="labels.csv"):
        files = ("labeled=train.csv", "validation=val.csv", "target=kind", f"output={output}")
        status, out, err = salutary_label(*files, "force=true", "folds=2", *settings)
        assert status == 0, err
        return json.loads((tmp_path / output).with_suffix("").joinpath("facts.json").read_text()), out

    return run


def rows(X, y):
    return Rows(torch.as_tensor(X), torch.as_tensor(y))


@pytest.mark.parametrize("kind", KINDS)
def test_the_validation_rows_find_the_map_that_fits(kind):
    labeled, validation, test = (drawn(kind, n, seed) for seed, n in enumerate((300, 300, 3000)))
    model = LogisticRegression(2, "validation")
    found = Mapping.of("auto", rows(*labeled), rows(*validation), model, 0)
    assert found.kind == kind and list(found.losses) == list(KINDS)
    measured = {}
    for (
        each
    ) in KINDS:  # the loss is that of scikit-learn with the same features, its best penalty of the grid
        mapping = Mapping.of(each, rows(*labeled), rows(*validation), model, 0)
        X, V, T = (mapping.features(part[0]) for part in (labeled, validation, test))
        fits = [Theirs(C=10.0**-k, max_iter=5000, tol=1e-8).fit(X, labeled[1]) for k in range(-3, 5)]
        losses = [log_loss(validation[1], fit.predict_proba(V)) for fit in fits]
        assert found.losses[each] == pytest.approx(min(losses), abs=1e-3)
        measured[each] = log_loss(test[1], fits[int(np.argmin(losses))].predict_proba(T))
    assert min(measured, key=measured.get) == kind


def test_a_penalty_that_is_given_is_kept():
    labeled, validation = drawn(SPLINES, 200, 0), drawn(SPLINES, 200, 1)
    found = Mapping.of("auto", rows(*labeled), rows(*validation), LogisticRegression(2, 3.0), 0)
    for kind, loss in found.losses.items():
        mapping = Mapping.of(kind, rows(*labeled), rows(*validation), LogisticRegression(2, 3.0), 0)
        theirs = Theirs(C=1 / 3, max_iter=5000, tol=1e-10).fit(mapping.features(labeled[0]), labeled[1])
        expected = log_loss(validation[1], theirs.predict_proba(mapping.features(validation[0])))
        assert loss == pytest.approx(expected, rel=1e-5)


def test_linear_changes_nothing():
    part = rows(*drawn(LINEAR, 50, 0))
    mapping = Mapping.of(LINEAR, part, part, LogisticRegression(2), 0)
    assert mapping.fitted is None and mapping.rows(part) is part and not mapping.sentences


@pytest.mark.parametrize("kind", [SPLINES, NYSTROEM])
def test_every_model_that_is_written_has_the_map(kind, label, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 37)
    written(kind, tmp_path)
    settings = ("pool=pool.csv", "test=test.csv", "rounds=1", "budget=3", "predictions=predicted.csv")
    facts, _ = label(f"features={kind}", LINEAR_MODEL, FEW, *settings)
    test, pool = pd.read_csv(tmp_path / "test.csv"), pd.read_csv(tmp_path / "pool.csv")
    folder = tmp_path / "labels"
    losses = {each["name"]: each["test_loss"] for each in facts["remedies"]}
    names = {"model": facts["handed"]["test_loss"]}
    names |= {f"models/{name}": loss for name, loss in losses.items()}
    for name, loss in names.items():
        model = load_model(folder / f"{name}.skops")
        assert len(model.pipeline) == 3
        assert log_loss(test["kind"], model.predict_proba(test)) == pytest.approx(loss, rel=1e-6)
    alternative = load_model(folder / "alternative.skops")
    assert log_loss(test["kind"], alternative.predict_proba(test)) < 0.9 * log_loss(
        test["kind"], np.full(400, (test["kind"] == "yes").mean())
    )
    handed = load_model(folder / "model.skops")
    of_pool = pd.read_csv(tmp_path / "predicted.csv")[["probability_no", "probability_yes"]]
    np.testing.assert_allclose(of_pool, handed.predict_proba(pool), atol=1e-5)
    assert len(pd.read_csv(folder / "cleaned.csv")) == 200
    page, card = ((folder / name).read_text() for name in ("audit.html", "MODEL_CARD.md"))
    assert f"made of them, <code>{kind}</code>" in page and "trees" not in card
    assert facts["columns"]["map"] == {"kind": kind, "validation_losses": {}, "sentences": []}


def test_what_is_chosen_is_said(label, tmp_path):
    written(SPLINES, tmp_path)
    facts, out = label("features=auto", LINEAR_MODEL, FEW)
    (sentence,) = facts["columns"]["map"]["sentences"]
    losses = facts["columns"]["map"]["validation_losses"]
    assert sentence.startswith("features=auto: splines, by the validation loss") and sentence in out
    assert all(f"{kind} {losses[kind]:.4f}" in sentence for kind in KINDS)
    assert min(losses, key=losses.get) == SPLINES == facts["columns"]["map"]["kind"]
    assert sentence in (tmp_path / "labels" / "audit.html").read_text()
    asked, _ = label("features=splines", LINEAR_MODEL, FEW, output="asked.csv")
    assert asked["remedies"] == facts["remedies"] and asked["diagnosis"] == facts["diagnosis"]


def test_maps_are_for_linear_models_and_not_for_the_test_of_shift(label, tmp_path):
    """Trees see what they saw, and so does what tells the parts' rows apart."""
    written(SPLINES, tmp_path)
    settings = ("model.candidates=[random_forest,logistic]", "remedies=[labeled_and_validation]", "folds=2")
    found = {kind: label(f"features={kind}", *settings)[0] for kind in (LINEAR, SPLINES)}
    of = {kind: {each["name"]: each for each in facts["remedies"]} for kind, facts in found.items()}
    name = "random_forest-labeled_and_validation"
    assert of[SPLINES][name]["held_out_loss"] == of[LINEAR][name]["held_out_loss"]
    plain = "labeled_and_validation"
    assert of[SPLINES][plain]["held_out_loss"] < 0.8 * of[LINEAR][plain]["held_out_loss"]
    assert found[SPLINES]["diagnosis"]["shifts"] == found[LINEAR]["diagnosis"]["shifts"]
    test = pd.read_csv(tmp_path / "val.csv")
    vote = load_model(tmp_path / "labels" / "models" / "plain_vote.skops")
    members = [load_model(tmp_path / "labels" / "models" / f"{each}.skops") for each in (name, plain)]
    mean = np.mean([member.predict_proba(test) for member in members], 0)
    np.testing.assert_allclose(vote.predict_proba(test), mean, rtol=1e-6)


def test_an_interrupted_labelling_goes_on_with_its_map(salutary_label, label, tmp_path, monkeypatch):
    written(NYSTROEM, tmp_path)
    settings = ("pool=pool.csv", "remedies=false", "rounds=2", "budget=3", "strategy.confidence=0")
    label("features=auto", *settings, output="expected.csv")
    add, seen = state.State.add, []

    def interrupted(self, record):
        add(self, record)
        seen.append(record.number)
        if seen in ([0, 1], [0, 1, 0, 1]):
            raise KeyboardInterrupt

    monkeypatch.setattr(state.State, "add", interrupted)
    files = ("labeled=train.csv", "validation=val.csv", "target=kind", "output=found.csv", *settings)
    for kind in ("linear", "auto"):  # of other features nothing is kept
        assert salutary_label(*files, f"features={kind}")[0] == 130
    assert salutary_label(*files, "features=auto")[0] == 0
    assert seen == [0, 1, 0, 1, 2]
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_an_audit_of_a_table_that_is_not_linear(label, tmp_path):
    """With the map it finds labels that were made wrong far better than without."""
    written(NYSTROEM, tmp_path)
    frame, wrong = pd.read_csv(tmp_path / "train.csv"), np.arange(200) % 5 == 0
    frame.loc[wrong, "kind"] = frame.loc[wrong, "kind"].map({"yes": "no", "no": "yes"})
    frame.to_csv(tmp_path / "train.csv", index=False)
    precision = {}
    for kind in ("linear", "auto"):
        facts, out = label(f"features={kind}", "audit=true")
        ranked = pd.read_csv(tmp_path / "labels.csv")
        precision[kind] = average_precision_score(wrong[ranked["row"]], ranked["wrong_probability"])
    assert facts["map"]["kind"] == NYSTROEM and facts["map"]["sentences"][0] in out
    assert facts["map"]["sentences"][0] in (tmp_path / "labels" / "audit.html").read_text()
    assert precision["auto"] > 1.4 * precision["linear"]
