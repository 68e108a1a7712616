"""Labels by a path of soft labels: the rule written out, the folds, rounds, and groups that only V knows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from situations import rng, situation

from salutary.engine.objectives import DemographicParity, WorstGroup
from salutary.engine.soft_labels import RHOS, SoftLabels
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.strategies import PoolView
from salutary.strategies.salutary_soft import SalutarySoft, _Validation
from salutary.strategies.track import Rows, Track

PARITY = DemographicParity(1).resolved([0, 1])


def on_view(model, view, rows=slice(None)):
    """The path's settings from a view, of a pool's and V's rows."""
    V = replace(view, validation=view.validation[rows], validation_labels=view.validation_labels[rows])
    q = np.eye(view.n_classes)[view.labels.numpy()]
    return SoftLabels(
        view.labeled.numpy(), q, view.pool.numpy(), model.penalty_.numpy(), V.objective, weight=1.0
    )


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_points_are_those_of_the_highest_promise(kind):
    model, view = situation(kind)
    proposal = SalutarySoft(folds=0).propose(model, view, 12, rng())
    labels = on_view(model, view)
    q, p, influence = labels.path(RHOS)[-2].q, labels.start.q, labels.influence(labels.start)
    promise = [sum((q[i, c] - p[i, c]) * influence[i, c] for c in range(view.n_classes)) for i in range(80)]
    best = sorted(range(80), key=lambda i: -promise[i])[:12]
    assert proposal.indices.tolist() == best
    np.testing.assert_allclose(proposal.distributions, q[best], rtol=1e-9)
    assert proposal.labels.tolist() == [int(q[i].argmax()) for i in best]
    np.testing.assert_allclose(proposal.influence, np.array(promise)[best], rtol=1e-9)
    assert (proposal.influence > 0).all()


def test_the_step_is_of_the_least_loss_of_rows_that_were_held_out():
    model, view = situation("multiclass")
    validation = _Validation.of(view)
    folds = validation.folds(5, rng(3))
    losses = np.zeros(len(RHOS))
    for seen, held_out in folds:
        for place, step in enumerate(on_view(model, view, seen).path(RHOS)[1:]):
            W = torch.from_numpy(step.W)
            rows = replace(
                view,
                validation=view.validation[held_out],
                validation_labels=view.validation_labels[held_out],
            )
            losses[place] += len(held_out) * float(rows.objective.value(W))
    chosen = SalutarySoft()._chosen(on_view(model, view), validation, rng(3))
    assert chosen.rho == RHOS[int(losses.argmin())]


def test_folds_are_alike_in_classes_and_groups():
    _, view = situation("binary")
    groups = torch.as_tensor(rng(1).integers(-1, 2, len(view.validation)))
    validation = _Validation.of(replace(view, validation_groups=groups))
    folds = validation.folds(4, rng())
    held_out = np.concatenate([rows for _, rows in folds])
    assert sorted(held_out) == list(range(len(groups)))
    for y in (0, 1):
        for g in (-1, 0, 1):
            cell = ((view.validation_labels == y) & (groups == g)).numpy()
            counts = [int(cell[rows].sum()) for _, rows in folds]
            assert max(counts) - min(counts) <= 1
    assert validation.folds(0, rng()) == [] == validation.folds(70, rng())


def test_without_a_group_in_a_fold_the_path_is_gone_as_without_folds():
    model, view = situation("binary")
    groups = torch.zeros(len(view.validation), dtype=torch.int64)
    groups[3] = 1  # one row: the fold that holds it out has none
    view = replace(view, validation_groups=groups, criterion=PARITY)
    with_folds, without = (SalutarySoft(folds=n).propose(model, view, 5, rng()) for n in (5, 0))
    assert torch.equal(with_folds.indices, without.indices)


def test_a_sample_stands_for_a_large_pool():
    model, view = situation("binary")
    rows = np.sort(rng(4).permutation(80)[:20])
    proposal = SalutarySoft(pool_rows=20, folds=0).propose(model, view, 5, rng(4))
    of_sample = SalutarySoft(folds=0).propose(model, replace(view, pool=view.pool[rows]), 5, rng(4))
    assert proposal.indices.tolist() == rows[of_sample.indices].tolist()
    assert len(SalutarySoft(pool_rows=20).propose(model, view, 40, rng()).indices) == 40


def test_groups_are_followed_where_there_is_an_objective_of_them():
    model, view = situation("binary")
    groups = (view.validation[:, 0] > view.validation[:, 0].median()).long()
    by_groups = replace(view, validation_groups=groups, criterion=WorstGroup())
    plain, fair = (SalutarySoft().propose(model, each, 10, rng()) for each in (view, by_groups))
    assert not torch.equal(plain.indices, fair.indices)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
def test_a_round_starts_from_the_distributions_of_the_ones_before(kind):
    """As from the labelled rows and each soft row as one of each class, with its weight."""
    model, view = situation(kind)
    V = Rows(view.validation, view.validation_labels)
    track = Track.start(Rows(view.labeled, view.labels), V, view.n_classes)
    strategy = SalutarySoft(folds=0, point_weight=2.5)
    first = strategy.propose(model, track.view(view.pool), 6, rng())
    assert first.weight == 2.5
    left = np.setdiff1d(np.arange(80), first.indices)
    track = track.add(first.indices.numpy(), view.pool[first.indices], first.labels, first.soft_labels)
    model.fit(track.labeled.X, track.labeled.targets)
    second = strategy.propose(model, track.view(view.pool[left]), 6, rng())

    C = view.n_classes
    X = np.concatenate([view.labeled, view.pool[first.indices].numpy().repeat(C, 0)])
    weights = np.concatenate([np.ones(len(view.labeled)), 2.5 * first.distributions.numpy().ravel()])
    q = np.eye(C)[np.concatenate([view.labels, np.tile(np.arange(C), 6)])]
    by_copies = SoftLabels(
        X, q, view.pool[left].numpy(), model.penalty_.numpy(), view.objective, weights=weights
    )
    step = by_copies.path(RHOS)[-2]
    promise = ((step.q - by_copies.start.q) * by_copies.influence(by_copies.start)).sum(1)
    best = np.argsort(-promise)[:6]
    assert second.indices.tolist() == best.tolist()
    np.testing.assert_allclose(second.influence, 2.5 * promise[best], rtol=1e-5)
    np.testing.assert_allclose(second.distributions, step.q[best], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["weight", "point_weight"])
@pytest.mark.parametrize("value", [0, -1, "much", None, float("inf")])
def test_a_weight_that_is_none_is_one_line(name, value):
    with pytest.raises(SalutaryError, match=rf"^strategy\.{name} must be a number in \(0, 1e\+06\], not .*$"):
        SalutarySoft(**{name: value}).check(LogisticRegression(2))


def test_models_of_classes_alone_are_refused():
    class Own(LogisticRegression):
        takes_distributions = False

    SalutarySoft().check(LogisticRegression(2))
    with pytest.raises(SalutaryError, match="SalutarySoft gives label distributions, which Own cannot learn"):
        SalutarySoft().check(Own(2))


def grouped(n, generator):
    """A feature tells of the group, which gets the label more often at the same merit."""
    g = generator.integers(0, 2, n)
    merit, tells = generator.normal(size=n), g + 0.5 * generator.normal(size=n)
    y = merit + 1.5 * g - 0.75 + 0.7 * generator.normal(size=n) > 0
    X = np.stack([merit, tells, generator.normal(size=n)], 1)
    return torch.from_numpy(X), torch.from_numpy(y.astype(int)), torch.from_numpy(g)


def gaps(shuffled, seed):
    """Of decisions about fresh rows, before and after 40 points."""
    generator = rng(seed)
    (X, y, _), (V, v, g) = grouped(60, generator), grouped(200, generator)
    pool, (T, t, h) = grouped(400, generator)[0], grouped(4000, generator)
    g = g[generator.permutation(len(g))] if shuffled else g
    model = LogisticRegression(2, 1.0).fit(X, y)
    view = PoolView(pool, X, y, V, v, len(X), 2, g, PARITY)
    proposal = SalutarySoft().propose(model, view, 40, generator)
    before = PARITY.figure(model.predict_proba(T), t, h)
    rows = Rows(X, y).joined(pool[proposal.indices], proposal.labels, proposal.soft_labels)
    model.fit(rows.X, rows.targets)
    return before, PARITY.figure(model.predict_proba(T), t, h)


def test_the_distributions_are_others_if_the_groups_of_v_are_shuffled():
    generator = rng(1)
    (X, y, _), (V, v, g) = grouped(60, generator), grouped(200, generator)
    model, pool = LogisticRegression(2, 1.0).fit(X, y), grouped(100, generator)[0]
    right, shuffled = (
        SalutarySoft(folds=0).propose(model, PoolView(pool, X, y, V, v, 60, 2, h, PARITY), 100, rng())
        for h in (g, g[generator.permutation(len(g))])
    )
    of_row = [each.distributions[each.indices.argsort()] for each in (right, shuffled)]
    assert (of_row[0] - of_row[1]).abs().max() > 0.1


def test_a_gap_closes_by_the_groups_of_v_and_far_less_if_they_are_shuffled():
    before, after = np.mean([gaps(False, seed) for seed in range(6)], 0)
    _, shuffled = np.mean([gaps(True, seed) for seed in range(6)], 0)
    assert before > 0.25 and after < before / 2 and shuffled > 1.5 * after
