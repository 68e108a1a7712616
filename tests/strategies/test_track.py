"""Labelled rows that grow, of features and of images, and what a strategy sees of them."""

import numpy as np
import pytest
import torch

from salutary.errors import SalutaryError
from salutary.strategies import Proposal, check_proposal
from salutary.strategies.track import Rows, Track


def rows(n, shape, start=0):
    X = torch.arange(start, start + n * int(np.prod(shape)), dtype=torch.float32).reshape(n, *shape)
    return Rows(X, torch.arange(n) % 3)


@pytest.mark.parametrize("shape", [(4,), (3, 8, 8)])
def test_a_track_grows_in_order_and_leaves_the_earlier_one_as_it_was(shape):
    start = Track.start(rows(5, shape), rows(2, shape), 3)
    pool = rows(6, shape, start=1000)
    added = np.array([4, 1])
    grown = start.add(added, pool.X[added].double(), torch.tensor([2, 0], dtype=torch.int32))
    grown = grown.add(np.array([0]), pool.X[:1], torch.tensor([1]))
    assert (len(start.labeled), len(grown.labeled), grown.n_initial) == (5, 8, 5)
    assert len(start.taken) == 0 and grown.taken.tolist() == [4, 1, 0]
    assert torch.equal(grown.labeled.X, torch.cat([start.labeled.X, pool.X[[4, 1, 0]]]))
    assert grown.labeled.X.dtype == torch.float32 and grown.labeled.y.dtype == torch.int64
    assert grown.labeled.y.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]


def test_a_strategy_cannot_change_what_the_model_trains_on():
    track = Track.start(rows(5, (4,)), rows(2, (4,)), 3)
    X, y = track.labeled.X.clone(), track.labeled.y.clone()
    view = track.view(torch.zeros(7, 4))
    assert (view.n_initial, view.n_classes, len(view.pool), len(view.validation)) == (5, 3, 7, 2)
    view.labeled.zero_()
    view.labels.zero_()
    assert torch.equal(track.labeled.X, X) and torch.equal(track.labeled.y, y)


def test_rows_with_distributions_join_those_with_classes():
    start = Track.start(rows(3, (4,)), rows(2, (4,)), 3)
    q = torch.tensor([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]], dtype=torch.float64)
    soft = start.add(np.array([4, 1]), torch.zeros(2, 4), torch.tensor([2, 0]), 1.5 * q)
    grown = soft.add(np.array([0]), torch.ones(1, 4), torch.tensor([1]))
    expected = torch.cat([torch.eye(3), 1.5 * q, torch.eye(3)[[1]]])
    assert torch.equal(grown.labeled.soft_labels, expected)
    assert torch.equal(grown.labeled.targets, expected) and grown.labeled.y.tolist() == [0, 1, 2, 2, 0, 1]
    assert torch.equal(start.labeled.targets, start.labeled.y)
    view = grown.view(torch.zeros(2, 4))
    assert torch.allclose(view.weights, torch.tensor([1, 1, 1, 1.5, 1.5, 1], dtype=torch.float64))
    view.soft_labels.zero_()
    assert torch.equal(grown.labeled.soft_labels, expected)


def test_labels_are_the_likeliest_classes_of_distributions():
    found = Proposal(torch.tensor([3, 1]), distributions=[[0.2, 0.8], [0.7, 0.3]], weight=2)
    assert found.labels.tolist() == [1, 0]
    np.testing.assert_allclose(found.soft_labels, [[0.4, 1.6], [1.4, 0.6]], rtol=1e-15)
    check_proposal(found, 5, 2, 2)
    with pytest.raises(SalutaryError, match="a distribution over the 3 classes"):
        check_proposal(found, 5, 2, 3)


@pytest.mark.parametrize("q", [[[0.5, 0.4]], [[1.5, -0.5]], [0.5, 0.5], [[float("nan"), 1.0]]])
def test_what_is_no_distribution_is_refused(q):
    with pytest.raises(SalutaryError, match="rows of probabilities that sum to 1"):
        Proposal(torch.tensor([0]), distributions=q)


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan")])
def test_a_weight_must_be_positive(weight):
    with pytest.raises(SalutaryError, match="weight must be a number > 0"):
        Proposal(torch.tensor([0]), distributions=[[0.5, 0.5]], weight=weight)
