"""``salutary-label strategy=salutary_soft``: tables of distributions, models fitted to them, resuming."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from people import people
from sklearn.linear_model import LogisticRegression as Reference

from salutary import load_model
from salutary.labeling import state
from salutary.labeling.judging import assigned
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.remedies import LabelledData, Part
from salutary.remedies.salutary import Salutary, SalutaryAndValidation
from salutary.strategies.salutary_soft import SalutarySoft

from .labelings import make, parts

FILES = ("labeled=train.csv", "validation=val.csv", "pool=pool.csv", "target=outcome", "output=l.csv")
GAP = ("objective=equal_opportunity", "objective.positive=yes", "group=sex")
SETTINGS = (*FILES, *GAP, "strategy=salutary_soft", "model.l2=1", "rounds=3", "folds=2", "force=true")
SOFT = ["soft_label_no", "soft_label_yes"]


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Files of which only validation rows name the groups."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    people(150, rng).drop(columns="sex").to_csv("train.csv", index=False)
    people(200, rng).to_csv("val.csv", index=False)
    people(300, rng).drop(columns=["sex", "outcome"]).to_csv("pool.csv", index=False)
    return tmp_path


@pytest.fixture
def label(salutary_label, files):
    """A function from overrides to facts.json."""

    def run(*overrides):
        status, _, err = salutary_label(*SETTINGS, *overrides)
        assert status == 0, err
        return json.loads((files / "l" / "facts.json").read_text())

    return run


def test_the_model_is_that_of_the_distributions_in_the_table(label, files):
    """L, and each pool row as one of each class with the weight of that label, by scikit-learn."""
    facts = label("remedies=false", "strategy.point_weight=1.5")
    labels, train, pool = (pd.read_csv(name) for name in ("l.csv", "train.csv", "pool.csv"))
    q = labels[SOFT].to_numpy()
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-12)
    np.testing.assert_allclose(labels["soft_weight"], 1.5, rtol=1e-12)
    assert len(labels) == facts["labels"] == 30 and facts["distributions"] is True
    assert labels["label"].tolist() == [("no", "yes")[i] for i in q.argmax(1)]
    pipeline = load_model(files / "l" / "model.skops")
    columns = ["skill", "proxy", "noise"]
    picked = pool.loc[labels["row"], columns]
    rows = pd.concat([train[columns], picked, picked])
    y = [*train["outcome"], *["no"] * 30, *["yes"] * 30]
    weights = np.concatenate([np.ones(150), 1.5 * q.T.ravel()])
    mean, spread = train[columns].mean(), train[columns].std(ddof=0)
    reference = Reference(C=1, tol=1e-10).fit((rows - mean) / spread, y, sample_weight=weights)
    expected = reference.predict_proba((pool[columns] - mean) / spread)
    np.testing.assert_allclose(pipeline.predict_proba(pool), expected, atol=1e-6)


def test_page_and_card_say_that_labels_are_distributions(label, files):
    label("remedies=[labeled,salutary]", "combine=salutary", "model.candidates=[logistic]")
    page, card = (files / "l" / "audit.html").read_text(), (files / "l" / "MODEL_CARD.md").read_text()
    assert "Each is a distribution over the classes" in page and "soft_label_yes" in page
    assert "a distribution over the classes, to which the model was fitted" in card


def test_labels_that_are_classes_have_no_such_columns(label, files):
    facts = label("remedies=false", "strategy=salutary_greedy")
    assert "distributions" not in facts and not {*SOFT} & {*pd.read_csv("l.csv").columns}
    assert "distribution" not in (files / "l" / "audit.html").read_text()


@pytest.mark.slow
def test_a_table_in_parquet_has_the_same(label, files):
    label("remedies=false")
    expected = pd.read_csv("l.csv")
    label("remedies=false", "output=p.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet("p.parquet"), expected, check_dtype=False)


@pytest.mark.slow
@pytest.mark.parametrize("last", [0, 1, 2])
def test_an_interrupted_labelling_ends_as_an_undisturbed_one(label, salutary_label, files, monkeypatch, last):
    label("remedies=false")
    expected = (files / "l.csv").read_bytes()
    curves = pd.read_csv("l/curves.csv").drop(columns="seconds")
    (files / "l.csv").unlink()
    add = state.State.add

    def interrupted(self, record):
        add(self, record)
        if record.number == last:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state.State, "add", interrupted)
        assert salutary_label(*SETTINGS, "remedies=false")[0] == 130
    label("remedies=false")
    assert (files / "l.csv").read_bytes() == expected
    pd.testing.assert_frame_equal(pd.read_csv("l/curves.csv").drop(columns="seconds"), curves)


def test_shuffled_groups_of_v_give_other_distributions(label):
    label("remedies=false", "rounds=1")
    right = pd.read_csv("l.csv").set_index("row")[SOFT]
    frame = pd.read_csv("val.csv")
    frame["sex"] = np.random.default_rng(0).permutation(frame["sex"])
    frame.to_csv("val.csv", index=False)
    label("remedies=false", "rounds=1")
    shuffled = pd.read_csv("l.csv").set_index("row")[SOFT]
    both = right.index.intersection(shuffled.index)
    assert len(both) < 10 or (right.loc[both] - shuffled.loc[both]).abs().to_numpy().max() > 0.01


@pytest.mark.parametrize("n_classes", [2, 3])
def test_remedies_get_the_distributions_and_the_folds_their_own(n_classes):
    labeler = make(n_classes, SalutarySoft(folds=0, point_weight=2.0))
    rounds = tuple(labeler.rounds(Stopping(rounds=2)))
    result, *folds = assigned(labeler, rounds, Stopping(rounds=2))
    track = labeler.kept(rounds, 2)
    np.testing.assert_array_equal(result.soft_labels, track.labeled.soft_labels[30:])
    np.testing.assert_allclose(result.distributions(n_classes).sum(1), 1, atol=1e-12)
    assert any(not np.array_equal(each.soft_labels, result.soft_labels) for each in folds)
    L, V, _ = parts(n_classes)
    data = LabelledData(Part(*L), Part(*V), n_classes, assigned=result)
    rows = Salutary().rows(data)
    np.testing.assert_allclose(rows.weights[30:], 2)
    np.testing.assert_allclose(rows.q[30:], result.distributions(n_classes))
    fitted = LogisticRegression(n_classes, 1.0).fit(
        torch.tensor(rows.X), torch.tensor(rows.weights[:, None] * rows.q)
    )
    np.testing.assert_allclose(fitted.coef_, track.model.coef_, atol=1e-7)
    both = SalutaryAndValidation().rows(data)
    assert len(both.X) == 30 + 60 + len(result) and not both.is_plain


def test_of_a_large_pool_it_looks_at_rows_drawn_at_random():
    labeler = make(2, SalutarySoft(folds=0, pool_rows=20), shortlist=50, folds=0)
    rounds = tuple(labeler.rounds(Stopping(rounds=3)))
    rows = np.concatenate([record.picks[0].rows for record in rounds[1:]])
    assert len(np.unique(rows)) == 15
    by_influence = make(2, SalutarySoft(folds=0), shortlist=479, folds=0)
    assert by_influence.strategy.n_sampled(5) == 1500


def test_a_setting_that_it_does_not_have_is_one_line(salutary_label, files):
    status, _, err = salutary_label(*SETTINGS, "strategy.rerank=5")
    assert status != 0 and "rerank" in err and len(err.splitlines()) == 1
    status, _, err = salutary_label(*SETTINGS, "strategy.point_weight=0")
    assert status != 0 and "strategy.point_weight must be a number" in err and len(err.splitlines()) == 1
