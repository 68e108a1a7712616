"""Points to ask for, against refits by SciPy, one by one."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from salutary.engine.objectives.balanced import Balanced
from salutary.engine.soft_regression import logits, of_classes
from salutary.labeling import asking
from salutary.labeling.asking import Asker, questions, shortlist
from salutary.remedies import LabelledData, Part
from salutary.remedies.base_models import candidates
from salutary.remedies.catalogue import named
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import folds_of

L2 = 1.0


def drawn(n, n_classes, seed):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return Part(rng.normal(size=(n, 3)) + np.eye(3)[y % 3], y)


def situation(n_classes=2, names=("labeled_and_validation",), n_folds=3, criterion=None):
    data = LabelledData(
        drawn(15, n_classes, 1), drawn(24, n_classes, 2), n_classes, l2=L2, criterion=criterion
    )
    folds = folds_of(data.validation.y, n_folds, 0)
    return data, Judge(named(list(names)), candidates(["logistic"])).judge(data, folds)


def fitted(X, q, weights):
    """Softmax parameters (C, d + 1) by BFGS; of two classes, penalised as one vector of logits is."""
    n_classes, ones = q.shape[1], np.column_stack([X, np.ones(len(X))])

    def value(flat):
        W = flat.reshape(-1, ones.shape[1])
        Z = np.column_stack([np.zeros(len(X)), ones @ W.T]) if n_classes == 2 else ones @ W.T
        P = log_softmax(Z, axis=1)
        R = weights[:, None] * (np.exp(P) - q)
        G = (R[:, 1:] if n_classes == 2 else R).T @ ones
        G[:, :-1] += L2 * W[:, :-1]
        return -(weights[:, None] * q * P).sum() + 0.5 * L2 * (W[:, :-1] ** 2).sum(), G.ravel()

    start = np.zeros((1 if n_classes == 2 else n_classes) * ones.shape[1])
    found = minimize(value, start, jac=True, method="BFGS", options={"gtol": 1e-10})
    return found.x.reshape(-1, ones.shape[1])


def slow_scores(data, judgement, X, P, joined=()):
    """Every fold refitted with every row and every class; the mean log-loss of all rows held out."""
    return slow_falls(data, judgement, X, P, joined).mean(1)


def slow_falls(data, judgement, X, P, joined=()):
    """The same of each row held out, (m, n_V)."""
    use, labels = judgement.of_labeled()
    V = data.validation

    def loss(extra):
        losses = np.empty(len(V))
        for seen, held_out in judgement.folds:
            rows = [*joined, *extra]
            more = np.array([x for x, _ in rows]).reshape(len(rows), -1 if rows else data.labeled.X.shape[1])
            q = np.array([each for _, each in rows]).reshape(len(rows), data.n_classes)
            W = fitted(
                np.concatenate([data.labeled.X, V.X[seen], more]),
                np.concatenate([labels, data.one_hot(V.y[seen]), q]),
                np.concatenate([use, np.ones(len(seen) + len(rows))]),
            )
            told = of_classes(logits(V.X[held_out], W))
            losses[held_out] = -np.log(told[np.arange(len(held_out)), V.y[held_out]])
        return losses

    before, classes = loss([]), np.eye(data.n_classes)
    return np.array(
        [
            sum(p * (before - loss([(x, c)])) for p, c in zip(of_x, classes, strict=True))
            for x, of_x in zip(X, P, strict=True)
        ]
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("names", [["labeled_and_validation"], ["labeled_and_validation", "cleaned"]])
def test_scores_are_falls_by_refits(n_classes, names):
    data, judgement = situation(n_classes, names)
    X = drawn(4, n_classes, 3).X
    P = np.random.default_rng(0).dirichlet(np.full(n_classes, 5), 4)
    assert (P > 0.05).all()
    found = Asker.of(data, judgement).scores(X, P)
    np.testing.assert_allclose(found, slow_scores(data, judgement, X, P), rtol=1e-4, atol=1e-8)


def test_a_pick_joins_with_its_probabilities():
    data, judgement = situation()
    X, P = drawn(4, 2, 3).X, np.array([[0.3, 0.7], [0.5, 0.5], [0.6, 0.4], [0.1, 0.9]])
    rows, falls, errors = Asker.of(data, judgement).ask(X, P, 2)
    first = slow_falls(data, judgement, X, P)
    assert rows[0] == np.argmax(first.mean(1))
    then = slow_falls(data, judgement, X, P, [(X[rows[0]], P[rows[0]])])
    left = [row for row in range(4) if row != rows[0]]
    assert rows[1] == max(left, key=lambda row: then[row].mean())
    picked = np.array([first[rows[0]], then[rows[1]]])
    np.testing.assert_allclose(falls, picked.mean(1), rtol=1e-4, atol=1e-8)
    expected = picked.std(1, ddof=1) / len(data.validation) ** 0.5
    np.testing.assert_allclose(errors, expected, rtol=1e-4, atol=1e-8)


def test_standard_errors_are_of_the_labels_that_are_tried():
    data, judgement = situation(3)
    asker, (x,) = Asker.of(data, judgement), drawn(1, 3, 3).X
    p = np.array([0.6, 0.38, 0.02])
    falls = slow_falls(data, judgement, [x], [np.array([0.6, 0.38, 0]) / 0.98])[0]
    (found,) = asker.scores_and_errors(x[None], p[None])[1]
    assert found == pytest.approx(falls.std(ddof=1) / len(falls) ** 0.5, rel=1e-4)


def test_the_next_is_one_that_was_scored_anew(monkeypatch):
    """Scores of before the last pick, which are too high, are not mistaken for those of now."""
    data, judgement = situation()
    monkeypatch.setattr(Asker, "n_refitted", 20)
    first, *later = np.array([9.0, 8, 7, 6, 5]), np.array([1.0, 2.0]), np.array([0.5, 0.1])
    told = iter([first.copy(), *later])
    monkeypatch.setattr(Asker, "scores_and_errors", lambda self, X, P: (found := next(told), found / 2))
    X, P = drawn(5, 2, 3).X, np.full((5, 2), 0.5)
    rows, falls, errors = Asker.of(data, judgement).ask(X, P, 3)
    assert (rows.tolist(), falls.tolist()) == ([0, 2, 3], [9, 2, 0.5])
    assert errors.tolist() == [4.5, 1, 0.25]


def test_the_balanced_objective():
    criterion = Balanced()
    data, judgement = situation(criterion=criterion)
    asker = Asker.of(data, judgement)
    X, y = drawn(3, 2, 3).X, np.array([0, 1, 0])
    values = []
    for extra in [None, *zip(X, y, strict=True)]:
        P = np.empty((len(data.validation), 2))
        for model in asker.models:
            refitted = model if extra is None else model.joined(extra[0], np.eye(2)[extra[1]])
            P[model.place] = of_classes(logits(model.held_out.X, refitted.W))
        losses = -np.log(P[np.arange(len(P)), data.validation.y])
        values.append(np.mean([losses[data.validation.y == c].mean() for c in (0, 1)]))
    np.testing.assert_allclose(asker.falls(X, y), values[0] - np.array(values[1:]), rtol=1e-4, atol=1e-9)


def test_by_the_models_own_probabilities_influence_tells_nothing():
    data, judgement = situation(n_folds=0)
    assert judgement.folds == ()
    asker, X = Asker.of(data, judgement), drawn(10, 2, 3).X
    own = of_classes(logits(X, asker.models[0].W))
    assert np.abs(asker.expected_influence(X, own)).max() < 1e-12
    assert np.abs(asker.expected_influence(X, own[:, ::-1])).min() > 1e-6


def test_expected_influence_is_the_score_of_a_point_of_little_weight():
    data, judgement = situation()
    asker, X, y, little = Asker.of(data, judgement), drawn(5, 2, 3).X, np.array([0, 1, 0, 1, 0]), 1e-4
    V = data.validation

    def loss(models):
        losses = np.empty(len(V))
        for model in models:
            P = of_classes(logits(model.held_out.X, model.W))
            losses[model.place] = -np.log(P[np.arange(len(P)), model.held_out.y])
        return losses.mean()

    rates = []
    for x, c in zip(X, y, strict=True):
        both = []
        for weight in (little, 0.0):
            models = [model.joined(x, np.eye(2)[c]) for model in asker.models]
            models = [replace(m, weights=np.append(m.weights[:-1], weight)).fitted() for m in models]
            both.append(loss(models))
        rates.append((both[1] - both[0]) / little)
    np.testing.assert_allclose(asker.expected_influence(X, np.eye(2)[y]), rates, rtol=2e-3, atol=1e-6)


def test_copies_are_not_asked_for_again_and_again():
    data, judgement = situation()
    others = drawn(60, 2, 5).X
    P = judgement.handed.probabilities(others)
    best = others[Asker.of(data, judgement).scores(others, P).argmax()]
    X = np.concatenate([others, best + 1e-3 * np.random.default_rng(0).normal(size=(20, 3))])
    P = judgement.handed.probabilities(X)
    at_once = np.argsort(-Asker.of(data, judgement).scores(X, P))[:10]
    found = questions(data, judgement, X, 10, np.random.default_rng(0))
    assert len(set(found.rows)) == 10
    is_copy = np.linalg.norm(X - best, axis=1) < 0.1
    assert is_copy[at_once].sum() == 10 > is_copy[found.rows].sum()


def test_fewer_refits_of_larger_models(monkeypatch):
    data, judgement = situation()
    asker = Asker.of(data, judgement)
    assert asker.n_refitted == 300
    monkeypatch.setattr(asking, "WORK", 31 * 4 * 2 / 4)
    assert asker.n_refitted == 150
    monkeypatch.setattr(asking, "WORK", 1.0)
    assert asker.n_refitted == 40


def test_all_are_asked_for_if_they_are_few():
    data, judgement = situation()
    X = drawn(5, 2, 3).X
    found = questions(data, judgement, X, 20, np.random.default_rng(0))
    assert sorted(found.rows) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(found.probabilities, judgement.handed.probabilities(X[found.rows]))


def test_shortlist():
    P = np.linspace(0.5, 1, 100)
    P = np.column_stack([P, 1 - P])
    influence = np.arange(100.0)
    found = shortlist(P, influence, 30, np.random.default_rng(0))
    assert len(set(found)) == 30
    assert {*range(10), *range(90, 100)} <= {*found.tolist()}
    assert shortlist(P, influence, 100, np.random.default_rng(0)).tolist() == [*range(100)]
