"""Objectives of :class:`salutary.SalutaryClassifier` and :func:`salutary.influence`."""

import numpy as np
import pytest
import torch
from people import people
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from salutary import SalutaryClassifier, influence
from salutary.engine.objectives import Balanced, EqualOpportunity, MeanLogLoss, WorstGroup
from salutary.errors import SalutaryError


@pytest.fixture(scope="module")
def parts():
    """X, y and groups of labelled, validation, pool and test rows."""
    rng = np.random.default_rng(5)
    frames = [people(n, rng) for n in (150, 200, 300, 2000)]
    return [
        (each[["skill", "proxy", "noise"]].to_numpy(), each["outcome"].to_numpy(), each["sex"].to_numpy())
        for each in frames
    ]


GAP = EqualOpportunity(positive="yes")


def gap(model, part):
    X, y, sex = part
    decided = model.predict(X) == "yes"
    return abs(decided[(y == "yes") & (sex == "f")].mean() - decided[(y == "yes") & (sex == "m")].mean())


def test_labels_by_an_objective_close_a_gap(parts):
    (X, y, _), (X_val, y_val, groups), (X_pool, _, _), test = parts
    arguments = {"X_pool": X_pool, "X_val": X_val, "y_val": y_val}
    few = {"random_state": 0, "rounds": 4, "folds": 2}
    plain = SalutaryClassifier(**few).fit(X, y, **arguments)
    fair = SalutaryClassifier(objective=GAP, **few).fit(X, y, groups_val=groups, **arguments)
    assert gap(fair, test) < gap(plain, test) / 2
    assert fair.held_out_loss_[-1] < fair.held_out_loss_[0]
    again = clone(fair).fit(X, y, groups_val=groups, **arguments)
    np.testing.assert_array_equal(again.indices_, fair.indices_)


def test_soft_labels_are_shown_and_are_what_the_model_was_fitted_to(parts):
    """By scikit-learn: each pool row once with each class, of the weight of that label."""
    (X, y, _), (X_val, y_val, groups), (X_pool, _, _), test = parts
    arguments = {"X_pool": X_pool, "X_val": X_val, "y_val": y_val, "groups_val": groups}
    soft = SalutaryClassifier(objective=GAP, strategy="salutary_soft", random_state=0, rounds=2, folds=2)
    soft.fit(X, y, **arguments)
    q, weights = soft.label_distributions_, soft.label_weights_
    assert q.shape == (len(soft.indices_), 2) and q.min() > 0 and (weights == 1).all()
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-12)
    np.testing.assert_array_equal(soft.classes_[q.argmax(1)], soft.labels_)
    picked = X_pool[soft.indices_]
    rows, labels = np.concatenate([X, picked, picked]), np.concatenate([y, np.repeat(["no", "yes"], len(q))])
    reference = LogisticRegression(C=1, tol=1e-10).fit(
        rows, labels, sample_weight=np.concatenate([np.ones(len(y)), q[:, 0], q[:, 1]])
    )
    np.testing.assert_allclose(soft.predict_proba(test[0]), reference.predict_proba(test[0]), atol=1e-6)
    plain = SalutaryClassifier(random_state=0).fit(X, y)
    assert gap(soft, test) < gap(plain, test)
    assert len(plain.label_distributions_) == 0 and plain.label_distributions_.shape == (0, 2)
    greedy = SalutaryClassifier(objective=GAP, random_state=0, rounds=1).fit(X, y, **arguments)
    np.testing.assert_array_equal(greedy.label_distributions_.max(1), 1)
    with pytest.raises(SalutaryError, match="strategy must be salutary_greedy or salutary_soft"):
        SalutaryClassifier(strategy="soft").fit(X, y)


def test_remedies_are_judged_by_it(parts):
    (X, y, _), (X_val, y_val, groups), (X_pool, _, _), _ = parts
    names = ["labeled", "salutary"]
    model = SalutaryClassifier(
        objective=GAP, remedies=names, candidates=["logistic"], random_state=0, rounds=4, folds=2
    ).fit(X, y, X_pool=X_pool, X_val=X_val, y_val=y_val, groups_val=groups)
    table = model.remedies_.set_index("name")
    assert table["held_out_loss"].idxmin() == "salutary"
    assert "Held-out equal opportunity difference" in model.handed_["verdict"]


@pytest.mark.parametrize("objective", [GAP, WorstGroup(), Balanced(), MeanLogLoss(), None])
def test_influence_is_the_slope_of_the_objective(parts, objective):
    """Of a refit with a small weight on the added row."""
    (X, y, _), (X_val, y_val, groups), (X_pool, _, _), _ = parts
    model = LogisticRegression(tol=1e-10, max_iter=1000).fit(X, y)
    grouped = {"groups_val": groups} if objective in (GAP, WorstGroup()) else {}
    found = influence(
        model,
        X_train=X,
        y_train=y,
        X_pool=X_pool[:4],
        X_val=X_val,
        y_val=y_val,
        objective=objective,
        **grouped,
    )
    numbers, sexes = torch.tensor(y_val == "yes").long(), torch.tensor(groups == "m").long()
    criterion = (objective or MeanLogLoss()).resolved(["no", "yes"])

    def value(fitted):
        P = torch.tensor(fitted.predict_proba(X_val))
        return float(criterion.row_values(P, numbers, sexes).mean())

    weight = 1e-4
    for row in range(4):
        for number, label in enumerate(["no", "yes"]):
            more = LogisticRegression(tol=1e-10, max_iter=1000).fit(
                np.vstack([X, X_pool[row]]), np.append(y, label), np.append(np.ones(len(X)), weight)
            )
            assert (value(model) - value(more)) / weight == pytest.approx(
                found[row, number], rel=0.02, abs=1e-5
            )


MISTAKES = {
    "no groups": ({"objective": GAP}, {}, "objective=equal_opportunity needs groups_val"),
    "groups for nothing": ({}, {"groups_val": "all"}, "groups_val: objective=loss looks at no groups"),
    "too few groups": (
        {"objective": GAP},
        {"groups_val": ["a"]},
        "groups_val must have a group",
    ),
    "no positive": ({"objective": EqualOpportunity()}, {"groups_val": "all"}, "objective.positive"),
    "a name": ({"objective": "equal_opportunity"}, {}, "objective must be a Criterion, not a str"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes(mistake, parts):
    (X, y, _), (X_val, y_val, groups), (X_pool, _, _), _ = parts
    parameters, arguments, message = MISTAKES[mistake]
    arguments = {name: groups if value == "all" else value for name, value in arguments.items()}
    with pytest.raises(SalutaryError, match=message):
        SalutaryClassifier(**parameters).fit(X, y, X_pool=X_pool, X_val=X_val, y_val=y_val, **arguments)


def test_an_objective_needs_validation_rows(parts):
    (X, y, _), *_ = parts
    with pytest.raises(SalutaryError, match="objective needs X_val and y_val"):
        SalutaryClassifier(objective=Balanced()).fit(X, y)
