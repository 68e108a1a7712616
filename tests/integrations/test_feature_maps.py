"""``SalutaryClassifier(features=...)``: maps before the linear models."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression as Theirs
from sklearn.metrics import log_loss

from salutary import SalutaryClassifier
from salutary.errors import SalutaryError
from salutary.labeling.labeler import Labeler
from salutary.labeling.mapping import Mapping
from salutary.labeling.pool import ArrayPool
from salutary.labeling.stopping import Stopping
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.strategies.track import Rows


def drawn(n, seed):
    """Rows on circles: no linear model tells the classes apart."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    p = 1 / (1 + np.exp(-3 * (np.hypot(X[:, 0], X[:, 1]) - 1.2)))
    return X, np.where(rng.random(n) < p, "out", "in")


PARTS = [drawn(n, seed) for seed, n in enumerate((150, 120, 200, 2000))]
(X, Y), (V, Y_V), (POOL, _), (TEST, Y_TEST) = PARTS
WITH_V = {"X_val": V, "y_val": Y_V}


@pytest.mark.parametrize("kind", ["splines", "nystroem"])
def test_without_a_pool_it_is_logistic_regression_of_the_mapped_rows(kind):
    found = SalutaryClassifier(C=0.5, features=kind, random_state=0).fit(X, Y)
    mapped = found.map_.features(X)
    theirs = Theirs(C=0.5, tol=1e-12, max_iter=5000).fit(mapped, Y)
    assert mapped.shape[1] > 4 and found.coef_.shape == (1, mapped.shape[1]) and found.n_features_in_ == 4
    np.testing.assert_allclose(found.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_array_equal(found.predict(TEST), theirs.predict(found.map_.features(TEST)))
    linear = SalutaryClassifier(C=0.5).fit(X, Y)
    assert log_loss(Y_TEST, found.predict_proba(TEST)) < 0.85 * log_loss(Y_TEST, linear.predict_proba(TEST))


def test_validation_rows_choose():
    found = SalutaryClassifier("validation", features="auto", random_state=0).fit(X, Y, **WITH_V)
    assert found.map_.kind == min(found.map_.losses, key=found.map_.losses.get) != "linear"
    asked = clone(found).set_params(features=found.map_.kind).fit(X, Y, **WITH_V)
    np.testing.assert_array_equal(asked.coef_, found.coef_)
    with pytest.raises(SalutaryError, match=r'^features="auto" needs X_val and y_val$'):
        clone(found).set_params(C=1.0).fit(X, Y)
    with pytest.raises(
        SalutaryError, match=r"^features must be linear, splines, nystroem or auto, not 'all'$"
    ):
        clone(found).set_params(C=1.0, features="all").fit(X, Y)


def test_a_pool_is_labelled_as_its_mapped_rows_are():
    settings = {"budget": 5, "rounds": 2, "folds": 0, "confidence": 0.5, "rerank": 3}
    found = SalutaryClassifier(features="splines", random_state=0, **settings)
    found.fit(X, Y, X_pool=POOL, **WITH_V)
    L, of_v = (Rows(torch.as_tensor(a), torch.as_tensor((b == "out") + 0)) for a, b in ((X, Y), (V, Y_V)))
    mapping = Mapping.of("splines", L, of_v, LogisticRegression(2), 0)
    labeler = Labeler(
        mapping.rows(L),
        mapping.rows(of_v),
        ArrayPool(mapping.features(POOL)),
        2,
        LogisticRegression(2, 1.0),
        SalutaryGreedy(0.5, rerank=3),
        budget=5,
        folds=0,
    )
    rounds = [*labeler.rounds(Stopping(2, 3, None, 0.0, None))]
    expected = np.concatenate([record.picks[0].rows for record in rounds[1:]])
    assert len(found.indices_) and found.indices_.tolist() == expected[: len(found.indices_)].tolist()
    assert log_loss(Y_TEST, found.predict_proba(TEST)) < 0.55


def test_remedies_and_trees():
    """The forest is that of the plain rows; what is handed over takes rows as they are."""
    settings = {"candidates": ["logistic", "random_forest"], "remedies": ["labeled_and_validation"]}
    found = {}
    for kind in ("linear", "splines"):
        model = SalutaryClassifier("validation", features=kind, random_state=0, folds=3, **settings)
        found[kind] = model.fit(X, Y, **WITH_V)
    losses = {kind: model.remedies_.set_index("name")["held_out_loss"] for kind, model in found.items()}
    forest, plain = "random_forest-labeled_and_validation", "labeled_and_validation"
    assert losses["linear"][forest] == losses["splines"][forest]
    assert losses["splines"][plain] < 0.85 * losses["linear"][plain]
    model = found["splines"]
    handed = model.judgement_.handed.probabilities(model.map_.features(TEST))
    np.testing.assert_allclose(model.predict_proba(TEST), handed, rtol=1e-9)
    assert [shift.names for shift in model.diagnosis_.shifts] == [("labelled rows", "validation rows")]
    assert {column.name for column in model.diagnosis_.shifts[0].columns} == {"x0", "x1", "x2", "x3"}
    for a, b in zip(*(each.diagnosis_.shifts for each in found.values()), strict=True):
        assert a.columns == b.columns and a.auc == b.auc
