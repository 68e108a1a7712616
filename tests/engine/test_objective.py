"""What an objective has to offer, and that the estimates need no more of it."""

import numpy as np
import pytest
import torch
from oracles import blobs

from salutary.engine import MeanLoss, Objective, Optimum
from salutary.engine.added_point import AddedPoint
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.objective import Buckets
from salutary.engine.refit import refitted_fall
from salutary.models.logistic import LogisticRegression


class Own(Objective):
    """The mean loss, with no more than the contract asks for."""

    def __init__(self, X, y):
        self.mean = MeanLoss(X, y)

    def __len__(self):
        return len(self.mean)

    def value(self, W):
        return self.mean.value(W)

    def gradient(self, W):
        return self.mean.gradient(W)

    def curvature(self, W):
        return self.mean.curvature(W)

    def row_gradients(self, W):
        return self.mean.row_gradients(W)


@pytest.fixture(params=[2, 4])
def situation(request):
    X, y = blobs(80, 4, request.param, seed=1)
    model = LogisticRegression(request.param, 1.0).fit(X, y)
    pool, labels = blobs(20, 4, request.param, seed=2)
    validation = blobs(60, 4, request.param, seed=3)
    ours, own = (Optimum(model.coef_, model.penalty_, X, kind(*validation), y) for kind in (MeanLoss, Own))
    return ours, own, pool, labels


def close(a, b, tolerance=1e-9):
    torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def test_estimates_of_an_objective_of_ones_own(situation):
    ours, own, pool, labels = situation
    close(own.influence(pool), ours.influence(pool))
    for second_order in (False, True):
        close(*(AddedPoint.at(each, second_order).fall(pool) for each in (own, ours)))
    close(*(refitted_fall(each, pool, labels) for each in (own, ours)))
    scored = [ConfidentInfluence.at(each, np.random.default_rng(0)).score(pool) for each in (own, ours)]
    for each, expected in zip(*scored, strict=True):
        close(each, expected)


def test_sketch_of_an_objective_of_ones_own(situation):
    ours, own, *_ = situation
    buckets = Buckets.draw(60, 16, np.random.default_rng(0), "cpu")
    for a, b in zip(*(each.objective.sketch(each.W, buckets) for each in (own, ours)), strict=True):
        close(a, b)


def test_mean_loss_of_many_models_is_that_of_each(situation):
    ours, *_ = situation
    W = torch.stack([ours.W, ours.W + 0.1, -ours.W])
    close(ours.objective.values(W), torch.stack([ours.objective.value(each) for each in W]))
    close(ours.objective.row_gradients(ours.W).mean(0), ours.gradient.flatten())


def test_refits_need_labels(situation):
    ours, _, pool, labels = situation
    without = Optimum(ours.W, ours.penalty, ours.X, ours.objective)
    with pytest.raises(ValueError, match="refits need the labels of the rows"):
        refitted_fall(without, pool, labels)


def test_weights_of_one_change_no_refit(situation):
    ours, _, pool, labels = situation
    weighted = Optimum(ours.W, ours.penalty, ours.X, ours.objective, ours.y, torch.ones(80).double())
    close(refitted_fall(weighted, pool, labels), refitted_fall(ours, pool, labels))
