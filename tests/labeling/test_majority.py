"""The majority class of the labelled rows beside the models, and what is said of those no better than it."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.metrics import log_loss

from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, MAJORITY, ModelComparison
from salutary.labeling.kept import three_models
from salutary.labeling.majority import majority
from salutary.labeling.measured import row_losses
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression

from .labelings import make, parts, rows


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_it_is_scikit_learns_dummy(n_classes, fit_intercept):
    labeled, validation, _ = parts(n_classes)
    model = LogisticRegression(n_classes, fit_intercept=fit_intercept)
    losses, hits = row_losses(majority(rows(*labeled), model), rows(*validation))
    dummy = DummyClassifier(strategy="prior").fit(*labeled)
    assert hits.mean() == dummy.score(*validation)
    assert losses.mean() == pytest.approx(log_loss(validation[1], dummy.predict_proba(validation[0])))
    assert model.fit_intercept == fit_intercept and not hasattr(model, "coef_")


def test_of_equals_it_is_the_first_class():
    labeled = rows(np.zeros((4, 1)), np.array([1, 1, 0, 0]))
    model = majority(labeled, LogisticRegression(2))
    assert model.predict_proba(torch.zeros(1, 1)).tolist() == [[0.5, 0.5]]
    assert row_losses(model, labeled)[1].tolist() == [False, False, True, True]


@pytest.mark.parametrize("folds", [0, 3])
def test_it_stands_beside_the_three_models(folds):
    found, stopping = make(folds=folds), Stopping(rounds=1)
    models, held_out = three_models(found, tuple(found.rounds(stopping)), stopping)
    assert [*models] == [INITIAL, LABELED, ALTERNATIVE, MAJORITY]
    assert (held_out is None) == (folds == 0)
    if held_out:
        expected = row_losses(models[MAJORITY], found.validation)
        np.testing.assert_array_equal(held_out[MAJORITY][0], expected[0])


def comparison(salutary, alternative, share=0.5):
    """Accuracy and loss of both models on 10 rows; the majority class has ``share`` and 0.6."""

    def measured(accuracy, loss):
        return np.full(10, loss), np.arange(10) < 10 * accuracy

    each = {INITIAL: measured(0.9, 0.55), LABELED: measured(*salutary), ALTERNATIVE: measured(*alternative)}
    return ModelComparison.of("test rows", {**each, MAJORITY: measured(share, 0.6)})


WARNINGS = {
    "salutary labelling (in accuracy).": ((0.5, 0.5), (0.6, 0.5)),
    "salutary labelling (in loss).": ((0.6, 0.6), (0.6, 0.5)),
    "salutary labelling (in accuracy and loss), trained on labelled + validation rows (in accuracy).": (
        (0.4, 0.7),
        (0.5, 0.5),
    ),
    "trained on labelled + validation rows (in accuracy and loss).": ((0.6, 0.5), (0.5, 0.6)),
}


@pytest.mark.parametrize("models", WARNINGS)
def test_models_that_are_not_better_are_named(models):
    start = "Not better than always answering the majority class of the labelled rows: "
    assert comparison(*WARNINGS[models]).warning() == start + models


def test_better_models_need_no_warning():
    found = comparison((0.6, 0.59), (0.6, 0.59))
    assert found.warning() is None and found.facts()["majority_warning"] is None


def test_it_is_never_the_best_model():
    found = comparison((0.4, 0.9), (0.4, 0.9))
    assert found.best == INITIAL and MAJORITY not in found.unclear
    low = ModelComparison.of("test rows", {name: (np.full(9, 0.7), np.ones(9)) for name in found.models})
    with_it = ModelComparison.of(
        "",
        dict(zip(low.losses, zip(low.losses.values(), low.hits.values(), strict=True), strict=True))
        | {MAJORITY: (np.full(9, 0.1), np.ones(9))},
    )
    assert with_it.best == low.best == INITIAL and with_it.unclear == low.unclear
    assert with_it.facts()["differences"]["salutary_minus_majority"]["loss"] == pytest.approx(0.6)


def noise(n, seed, signal):
    """An eighth of the rows say yes, and nothing else in them does, but for ``signal``."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 8 == 0
    X = rng.normal(size=(n, 3)) + signal * y[:, None]
    return pd.DataFrame(X, columns=["a", "b", "c"]).assign(y=np.where(y, "yes", "no"))


@pytest.mark.parametrize(("signal", "warned"), [(0.0, True), (4.0, False)])
def test_terminal_page_card_and_facts_say_so(salutary_label, tmp_path, signal, warned):
    for seed, (name, n) in enumerate({"l": 48, "v": 80, "p": 80, "t": 80}.items()):
        noise(n, seed, signal).to_csv(tmp_path / f"{name}.csv", index=False)
    files = ("labeled=l.csv", "validation=v.csv", "pool=p.csv", "test=t.csv", "target=y", "remedies=false")
    status, out, err = salutary_label(*files, "output=out.csv", "rounds=1", "folds=2")
    assert status == 0, err
    facts = json.loads((tmp_path / "out" / "facts.json").read_text())
    assert [each["rows"] for each in facts["comparisons"]] == [
        "test rows",
        "validation rows held out from choosing",
    ]
    for each in facts["comparisons"]:
        line = each["models"]["majority"]
        assert line["accuracy"] == 0.875
        assert line["loss"] == pytest.approx(-(np.log(7 / 8) * 7 + np.log(1 / 8)) / 8)
        gap = each["models"]["salutary"]["loss"] - line["loss"]
        assert each["differences"]["salutary_minus_majority"]["loss"] == pytest.approx(gap)
    warning = facts["comparisons"][0]["majority_warning"]
    assert bool(warning) == warned
    for text in (
        out,
        (tmp_path / "out" / "audit.html").read_text(),
        (tmp_path / "out" / "MODEL_CARD.md").read_text(),
    ):
        assert "majority class of the labelled rows" in text and "87.50%" in text
        assert ("Not better than always answering" in text) == warned
        assert not warned or warning in text
