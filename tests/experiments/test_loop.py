"""The loop: what it counts, what it measures, what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from situations import problem
from sklearn import metrics as scikit_learn

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.experiments.metrics import evaluate, score
from salutary.experiments.references import reference_lines
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Proposal, Strategy
from salutary.strategies.salutary import Salutary
from salutary.strategies.uncertainty import Margin


def records(strategy, rounds=3, budget=10, seed=0):
    return list(loop.run(problem(), LogisticRegression(3, 1.0), strategy, rounds, budget, seed))


class Scripted(Strategy):
    """Proposes what it is told."""

    def __init__(self, indices, labels=None):
        self.proposal = Proposal(torch.tensor(indices), None if labels is None else torch.tensor(labels))

    def propose(self, model, view, budget, rng):
        return self.proposal


def test_round_zero_is_the_initial_model():
    data, model = problem(), LogisticRegression(3, 1.0)
    first = records(Margin(), rounds=0)
    assert len(first) == 1
    X, y = data.part("initial")
    model.fit(X, y)
    assert first[0].test == evaluate(model, *data.part("test"))
    assert first[0].validation == evaluate(model, *data.part("validation"), full=False)
    assert first[0].validation != first[0].test
    assert (first[0].n_labeled, first[0].n_human_labels, first[0].queries) == (40, 0, ())
    assert first[0].label_agreement is None


def test_queries_name_rows_of_the_table_and_their_labels():
    data = problem()
    record = records(Scripted([5, 0, 99], [0, 1, 2]), rounds=1, budget=3)[1]
    truth = [data.class_names[data.y[40 + i]] for i in (5, 0, 99)]
    assert [q.sample_id for q in record.queries] == [45, 40, 139]
    assert [q.assigned_label for q in record.queries] == ["a", "b", "c"]
    assert [q.true_label for q in record.queries] == truth
    assert record.label_agreement == sum(a == t for a, t in zip("abc", truth, strict=True)) / 3
    assert [q.rank for q in record.queries] == [0, 1, 2]


class Watching(Strategy):
    """The first points, and notes whether the rows that it sees are those of the table with these numbers."""

    def __init__(self, X):
        self.X, self.seen = X, []

    def propose(self, model, view, budget, rng):
        self.seen.append(torch.equal(self.X[view.rows], torch.cat([view.labeled, view.pool])))
        return Proposal(torch.arange(budget) * 2)


@pytest.mark.parametrize("fair", [False, True])
def test_a_view_has_the_numbers_of_its_rows(fair):
    """Also where the validation rows are labelled ones, and after an interruption."""
    data = problem()
    split = data.split.with_validation_as_labels() if fair else data.split
    data, watching = replace(data, split=split), Watching(data.X.clone())
    whole = list(loop.run(data, LogisticRegression(3, 1.0), watching, 4, 10, 0))
    list(loop.run(data, LogisticRegression(3, 1.0), watching, 4, 10, 0, tuple(whole[:3])))
    assert watching.seen == [True] * 6


def test_added_points_are_trained_on_with_the_assigned_labels():
    data = problem()
    record = records(Scripted([5, 0, 99], [0, 1, 2]), rounds=1, budget=3)[1]
    rows = np.concatenate([data.split.initial, [45, 40, 139]])
    y = torch.cat([data.part("initial")[1], torch.tensor([0, 1, 2])])
    fitted = LogisticRegression(3, 1.0).fit(*data.part("initial")).update(data.X[rows], y)
    X_test, y_test = data.part("test")
    assert record.test == evaluate(fitted, X_test, y_test)


@pytest.mark.parametrize(
    "indices, labels, message",
    [
        ([0, 0, 1], None, "at most 3 distinct points"),
        ([0, 1, 2, 3], None, "at most 3 distinct points"),
        ([[0, 1]], None, "at most 3 distinct points"),
        ([0, 1, 100], None, "outside the pool"),
        ([0, 1, -1], None, "outside the pool"),
        ([0, 1, 2], [0, 1, 3], "class number below 3"),
        ([0, 1, 2], [0, 1], "class number below 3"),
    ],
)
def test_broken_proposals_are_refused(indices, labels, message):
    with pytest.raises(SalutaryError, match=message):
        records(Scripted(indices, labels), rounds=1, budget=3)


def test_first_budget_larger_than_the_pool_is_refused():
    with pytest.raises(SalutaryError, match="budget=101 is larger than the pool, 100 rows"):
        records(Margin(), budget=101)


def test_same_seed_same_records():
    timeless = [[(r.test, r.validation, r.queries) for r in records(Salutary())] for _ in range(2)]
    assert timeless[0] == timeless[1]


class Noted(Strategy):
    """Keeps what it was given."""

    def __init__(self):
        self.draws, self.views = [], []

    def propose(self, model, view, budget, rng):
        self.draws.append(rng.random())
        self.views.append(view)
        view.labels.zero_()
        return Proposal(torch.arange(budget))


def test_every_round_has_a_random_stream_of_its_own():
    one, two, other = Noted(), Noted(), Noted()
    records(one)
    records(two)
    records(other, seed=1)
    assert len(set(one.draws)) == 3
    assert one.draws == two.draws
    assert set(one.draws).isdisjoint(other.draws)


def test_strategy_cannot_change_the_training_labels():
    strategy = Noted()
    after = records(strategy)
    data = problem()
    rows = data.split.initial
    fitted = LogisticRegression(3, 1.0).fit(data.X[rows], data.y[rows])
    for record in after[1:]:
        rows = np.concatenate([rows, [query.sample_id for query in record.queries]])
        fitted.update(data.X[rows], data.y[rows])
    assert after[-1].test == evaluate(fitted, *data.part("test"))


def test_view_holds_the_validation_part_and_not_the_test_part():
    strategy = Noted()
    records(strategy, rounds=1)
    X, y = problem().part("validation")
    assert torch.equal(strategy.views[0].validation, X)
    assert torch.equal(strategy.views[0].validation_labels, y)


@pytest.mark.parametrize(
    "fields, message",
    [
        ({"indices": [0.5, 1.0]}, "indices must be whole numbers"),
        ({"indices": [True, False]}, "indices must be whole numbers"),
        ({"indices": None}, "indices are no array"),
        ({"indices": ["a"]}, "indices are no array"),
        ({"indices": [0, 1], "labels": [0.0, 1.0]}, "labels must be whole numbers"),
        ({"indices": [0, 1], "influence": [0.1, float("nan")]}, "influence is not a number"),
    ],
)
def test_proposals_that_are_no_numbers_are_refused(fields, message):
    with pytest.raises(SalutaryError, match=message):
        Proposal(**fields)


def test_proposals_may_be_lists_or_arrays():
    proposal = Proposal(np.array([2, 0], dtype=np.int32), [1, 0], np.array([0.2, 0.1]))
    assert (proposal.indices.tolist(), proposal.labels.tolist()) == ([2, 0], [1, 0])
    with pytest.raises(SalutaryError, match="one influence"):
        loop.check_proposal(Proposal([0, 1], influence=[0.1]), 10, 2, 3)
    with pytest.raises(SalutaryError, match="returned a NoneType"):
        loop.check_proposal(None, 10, 2, 3)


@pytest.mark.parametrize("gone", [[0], [9], [3, 4, 8], list(range(10)), [7, 0, 2]])
def test_rows_are_removed_in_place_and_in_order(gone, monkeypatch):
    monkeypatch.setattr(loop, "CLOSE_UP_ROWS", 2)
    X = torch.arange(20.0).reshape(10, 2)
    left, rows = loop.without_rows(X.clone(), torch.arange(100, 110), torch.tensor(gone))
    kept = [row for row in range(10) if row not in gone]
    assert torch.equal(left, X[kept])
    assert rows.tolist() == [100 + row for row in kept]


def test_metrics_equal_scikit_learn():
    p = np.random.default_rng(0).dirichlet(np.ones(4), size=200)
    y = np.random.default_rng(1).integers(3, size=200)  # class 3 never occurs
    ours = score(torch.as_tensor(p), torch.as_tensor(y))
    predicted = p.argmax(1)
    assert ours.loss == pytest.approx(scikit_learn.log_loss(y, p, labels=range(4)))
    assert ours.accuracy == scikit_learn.accuracy_score(y, predicted)
    assert ours.macro_f1 == pytest.approx(
        np.mean([scikit_learn.f1_score(y == c, predicted == c) for c in range(3)])
    )
    recalls = [(predicted[y == c] == c).mean() for c in range(3)]
    assert ours.balanced_accuracy == pytest.approx(np.mean(recalls))
    areas = [scikit_learn.roc_auc_score(y == c, p[:, c]) for c in range(3)]
    assert ours.auroc == pytest.approx(np.mean(areas))
    assert ours.kappa == pytest.approx(scikit_learn.cohen_kappa_score(y, predicted))


def test_certain_and_wrong_is_a_large_finite_loss():
    assert np.isfinite(score(torch.tensor([[0.0, 1.0]]), torch.tensor([0])).loss)


def test_reference_lines():
    data, model = problem(), LogisticRegression(3, 1.0)
    (first,) = loop.run(data, model, Margin(), 0, 1, 0)
    lines = reference_lines(data, model, first.test)
    X_test, y_test = data.part("test")
    commonest = data.part("training")[1].bincount().argmax()
    assert lines["majority"].accuracy == float((y_test == commonest).double().mean())
    assert lines["initial"] == first.test
    rows = np.concatenate([data.split.initial, data.split.validation])
    both = LogisticRegression(3, 1.0).fit(data.X[rows], data.y[rows])
    assert lines["labeled_and_validation"] == evaluate(both, X_test, y_test)
    full = LogisticRegression(3, 1.0).fit(*data.part("training"))
    assert lines["fully_supervised"] == evaluate(full, X_test, y_test)


@pytest.mark.parametrize("exact", [True, False])
def test_only_an_exact_update_is_used_from_round_to_round(exact, monkeypatch):
    calls = []

    class Noting(LogisticRegression):
        update_is_exact = exact

        def fit(self, X, y, unlabeled=None):
            calls.append("fit")
            return super().fit(X, y)

        def update(self, X, y):
            calls.append("update")
            return super().update(X, y)

    list(loop.run(problem(), Noting(3, 1.0), Scripted([5, 0, 99], [0, 1, 2]), rounds=1, budget=3, seed=0))
    assert calls == ["fit", "update" if exact else "fit"]
