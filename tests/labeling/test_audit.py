"""The audit against refits, and its command."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score

from salutary.engine.soft_regression import logits, of_classes
from salutary.labeling.audit import audit, out_of_fold
from salutary.labeling.audit_scores import FOLDS, L2, by_source, true_labels
from salutary.labeling.measured import row_losses
from salutary.labeling.sources import Sources
from salutary.models.logistic import LogisticRegression
from salutary.remedies import LabelledData, Part
from salutary.remedies.noise import NoiseModel, NoisePerSource
from salutary.strategies.track import Rows
from salutary.tables.labels import Classes

from .labelings import FILES, parts, rows


def clean_and_flipped(n_classes, l2):
    (X, y), (X_val, y_val), _ = parts(n_classes, n=60)
    y = y.copy()
    y[:6] = (y[:6] + 1) % n_classes
    return rows(X, y), rows(X_val, y_val), LogisticRegression(n_classes, l2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_harm_and_gain_are_what_refits_say(n_classes):
    labeled, validation, model = clean_and_flipped(
        n_classes, 2000.0
    )  # where a row moves the model little, but
    model.fit_intercept = False  # for an intercept, which has no penalty
    classes = Classes(tuple(map(str, range(n_classes))))
    found = audit(labeled, validation, model, classes, 0).sort_values("row")
    base = row_losses(model.fit(labeled.X, labeled.y), validation)[0].mean()
    harm, gain = [], []
    for row, suggested in zip(found["row"], found["suggested_label"], strict=True):
        others = np.delete(np.arange(len(labeled)), row)
        refit = model.fit(labeled.X[others], labeled.y[others])
        harm.append(base - row_losses(refit, validation)[0].mean())
        y = labeled.y.clone()
        y[row] = int(suggested)
        gain.append(base - row_losses(model.fit(labeled.X, y), validation)[0].mean())
    for name, real in {"harm": harm, "gain": gain}.items():
        error = np.abs(found[name] - real).mean() / np.abs(real).mean()
        assert error < 0.02, (name, error)
        assert np.corrcoef(found[name], real)[0, 1] > 0.999


def test_probabilities_are_of_models_that_did_not_see_the_row():
    labeled, validation, model = clean_and_flipped(2, 1.0)
    P = out_of_fold(labeled, validation, model, 0)
    y = labeled.y.clone()
    y[7] = 1 - y[7]
    other = out_of_fold(Rows(labeled.X, y), validation, model, 0)
    np.testing.assert_allclose(P[7], other[7], rtol=1e-12)
    assert not np.allclose(P, other)


def noisy(share_by_source, n=240, seed=0):
    """Rows of three sources, the labels of one class given wrongly by each as often as it is said."""
    (X, y), (X_val, y_val), _ = parts(2, n, 120)
    rng = np.random.default_rng(seed)
    numbers = rng.integers(len(share_by_source), size=n)
    wrong = (y == 1) & (rng.random(n) < np.array(share_by_source)[numbers])
    sources = Sources(tuple("abc"[: len(share_by_source)]), torch.tensor(numbers))
    return rows(X, np.where(wrong, 0, y)), rows(X_val, y_val), sources, wrong


def average_precision(wrong, table, column, sign=1):
    return average_precision_score(wrong[table["row"]], sign * table[column])


CLASSES = Classes(("no", "yes"))


def test_wrong_labels_come_first():
    """Also those of a class most of which is labelled wrongly: validation rows are not."""
    labeled, validation, _, wrong = noisy([0.8], seed=1)
    model = LogisticRegression(2, 1.0)
    found = audit(labeled, validation, model, CLASSES, 0)
    ours = average_precision(wrong, found, "wrong_probability")
    assert ours > 0.95 and average_precision(wrong, found, "probability", -1) < 0.8
    assert found["wrong_probability"].sum() == pytest.approx(wrong.sum(), rel=0.1)
    likely = found["wrong_probability"] > 0.5
    assert (likely == (found["likely_label"] != found["label"])).all()
    true = CLASSES.values[(labeled.y.numpy() + wrong)[found["row"]]]
    assert (found["likely_label"] == true).mean() > 0.95


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("part", ["labeled", "validation"])
def test_shuffled_labels_find_no_wrong_ones(part, seed):
    rows_of = dict(zip(("labeled", "validation"), noisy([0.8], seed=seed)[:2], strict=True))
    wrong, y = noisy([0.8], seed=seed)[3], rows_of[part].y
    order = np.random.default_rng(seed).permutation(len(y))
    rows_of[part] = Rows(rows_of[part].X, y[order])
    found = audit(**rows_of, model=LogisticRegression(2, 1.0), classes=CLASSES, seed=0)
    assert average_precision(wrong, found, "wrong_probability") < 0.75


def test_wrong_probabilities_are_the_posterior_of_the_noise_model():
    labeled, validation, sources, _ = noisy([0.1, 0.6, 0.1])
    y, n = labeled.y.numpy(), np.arange(len(labeled))
    L, V = (Part(part.X.numpy(), part.y.numpy()) for part in (labeled, validation))
    for given, remedy in ((None, NoiseModel(L2)), (sources, NoisePerSource())):
        numbers = None if given is None else given.numbers.numpy()
        found = remedy.estimate(LabelledData(L, V, 2, numbers))
        p = of_classes(logits(L.X, found.W))
        places = np.zeros(len(n), int) if given is None else numbers
        q = np.array([p[i] * found.matrices[places[i]][:, y[i]] for i in n])
        q /= q.sum(1, keepdims=True)
        audited = true_labels(labeled, validation, 2, 0, given)
        np.testing.assert_allclose(audited.wrong, 1 - q[n, y], atol=1e-12)
        np.testing.assert_array_equal(audited.likeliest, q.argmax(1))


def test_many_features_do_not_learn_labels_by_heart():
    """More parameters than rows: a row's own label does not change the model that it is measured by."""
    labeled, validation, sources, wrong = noisy([0.1, 0.6, 0.1], n=100)
    generator = torch.Generator().manual_seed(0)
    L, V = (
        Rows(torch.cat([0.3 * part.X, torch.randn(len(part), 400, generator=generator)], 1), part.y)
        for part in (labeled, validation)
    )
    y = L.y.clone()
    y[3] = 1 - y[3]
    for given in (None, sources):
        found, other = (true_labels(Rows(L.X, labels), V, 2, 0, given).wrong for labels in (L.y, y))
        assert (found == other).sum() == 100 / FOLDS - 1  # the others of its fold
        assert average_precision_score(wrong, found) > 2 * wrong.mean()
    data = LabelledData(*(Part(part.X.numpy(), part.y.numpy()) for part in (L, V)), 2)
    by_heart = 1 - NoiseModel(L2).estimate(data).q[np.arange(100), L.y]
    assert true_labels(L, V, 2, 0).wrong.sum() > 10 * by_heart.sum()


def test_the_bad_source_is_told():
    labeled, validation, sources, wrong = noisy([0.0, 0.7, 0.0])
    model = LogisticRegression(2, 1.0)
    found = audit(labeled, validation, model, CLASSES, 0, sources)
    names = np.array(sources.names)[sources.numbers]
    assert (found["source"] == names[found["row"]]).all()
    plain = audit(labeled, validation, model, CLASSES, 0)
    assert list(found.drop(columns="source")) == list(plain)
    ours, without = (average_precision(wrong, each, "wrong_probability") for each in (found, plain))
    assert ours > without
    each = by_source(found).set_index("source")
    assert each.index[0] == "b" and each["rows"].to_dict() == pd.Series(names).value_counts().to_dict()
    assert each["wrong"]["b"] == pytest.approx(wrong[names == "b"].mean(), abs=0.1)
    assert (each["wrong"].drop("b") < 0.1).all()
    for name, part in found.groupby("source"):
        assert each["harm"][name] == pytest.approx(part["harm"].sum())
        assert each["doubted"][name] == pytest.approx((part["label"] != part["prediction"]).mean())
        assert each["probability"][name] == pytest.approx(part["probability"].mean())
    assert each["harm"].idxmax() == "b"


def test_audit_command(salutary_label, files, tmp_path):
    train = pd.read_csv(tmp_path / "train.csv")
    flipped = [3, 17, 40]
    train.loc[flipped, "kind"] = train.loc[flipped, "kind"].map(
        {"benign": "malignant", "malignant": "benign"}
    )
    train.to_csv(tmp_path / "train.csv", index=False)
    status, out, err = salutary_label(*FILES[:2], FILES[3], "id=patient", "audit=true")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "audit.csv")
    expected = ["harm", "standard_error", "suggested_label", "gain", "probability", "prediction"]
    assert list(found) == ["patient", "row", "label", "wrong_probability", "likely_label", *expected]
    assert len(found) == 60 and found["wrong_probability"].is_monotonic_decreasing
    assert len(set(found["row"][:5]) & set(flipped)) >= 2
    by_harm = found.sort_values("harm", ascending=False)
    assert len(set(by_harm["row"][:10]) & set(flipped)) >= 2
    assert (found["patient"] == [f"p{row}" for row in found["row"]]).all()
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "Rows that hurt most" in page and "60 labelled rows" in out
    assert "Labels that are likely wrong" in page and "Who gave the labels" not in page
    facts = json.loads((tmp_path / "audit" / "facts.json").read_text())
    assert facts["likely_wrong"] == (found["wrong_probability"] > 0.5).sum() > 0
    assert facts["expected_wrong"] == pytest.approx(found["wrong_probability"].sum())
    assert facts["sources"] == []


def test_audit_command_with_sources(salutary_label, files, tmp_path):
    train = pd.read_csv(tmp_path / "train.csv")
    train["who"] = ["<b>ann</b>", "bob", "bob"] * 20
    anns = np.flatnonzero(train["who"] != "bob")[:8]
    train.loc[anns, "kind"] = train.loc[anns, "kind"].map({"benign": "malignant", "malignant": "benign"})
    train.to_csv(tmp_path / "train.csv", index=False)
    status, _, err = salutary_label(*FILES[:2], FILES[3], "id=patient", "source=who", "audit=true")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "audit.csv").set_index("row")
    assert (found["source"] == train["who"][found.index]).all()
    facts = json.loads((tmp_path / "audit" / "facts.json").read_text())
    assert [(each["source"], each["rows"]) for each in facts["sources"]] == [("<b>ann</b>", 20), ("bob", 40)]
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "Who gave the labels" in page and "&lt;b&gt;ann&lt;/b&gt;" in page and "<b>ann" not in page
