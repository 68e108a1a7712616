"""Labelled rows that grow, of features and of images, and what a strategy sees of them."""

import numpy as np
import pytest
import torch

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
