"""A model is what has the contract's methods; what it is besides, it says."""

import numpy as np
import pytest
import torch
from oracles import blobs
from situations import problem

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.experiments.metrics import evaluate
from salutary.models import has_intercept, is_convex, is_network, keeps_checkpoint, states_of
from salutary.models.fixmatch import FixMatch
from salutary.models.head import TwoLayerHead
from salutary.models.logistic import LogisticRegression
from salutary.models.network import Network
from salutary.strategies.badge import Badge
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy


class Shares:
    """A user's own model: it predicts the shares of the classes, and has no more than three methods."""

    __slots__ = ("n_classes", "shares")

    def __init__(self, n_classes):
        self.n_classes = n_classes

    def tune(self, X, y, rng, validation=None):
        return self

    def fit(self, X, y, unlabeled=None):
        self.shares = torch.bincount(y, minlength=self.n_classes).double() / len(y)
        return self

    def predict_proba(self, X):
        return self.shares.expand(len(X), -1)


class OwnConvex(Shares):
    """Not of our class, but at the optimum of J all the same."""

    __slots__ = ("coef_", "model", "penalty_")
    is_convex = True

    def fit(self, X, y, unlabeled=None):
        self.model = LogisticRegression(self.n_classes).fit(X, y)
        self.coef_, self.penalty_ = self.model.coef_, self.model.penalty_
        return self

    def update(self, X, y):
        return self.fit(X, y)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


def queries(records):
    return [(query.sample_id, query.assigned_label) for record in records for query in record.queries]


def test_three_methods_are_enough():
    records = list(loop.run(problem(), Shares(3), Badge(), 2, 5, 0))
    assert [record.n_labeled for record in records] == [40, 45, 50]
    with pytest.raises(SalutaryError, match="Salutary needs the optimum of a convex model"):
        next(loop.run(problem(), Shares(3), Salutary(), 2, 5, 0))


@pytest.mark.parametrize("strategy", [Salutary(), SalutaryGreedy(0, exact=True)])
def test_a_convex_model_of_ones_own_is_taken_at_its_word(strategy):
    own, ours = (loop.run(problem(), kind(3), strategy, 2, 5, 0) for kind in (OwnConvex, LogisticRegression))
    assert queries(own) == queries(ours)


def test_what_models_say_of_themselves():
    network = Network(3, TwoLayerHead())
    models = [Shares(3), LogisticRegression(3), FixMatch(3, None), network]
    assert [is_convex(each) for each in models] == [False, True, False, False]
    assert [is_network(each) for each in models] == [False, False, False, True]
    assert [keeps_checkpoint(each) for each in models] == [False, False, False, True]
    assert [has_intercept(each) for each in models] == [False, True, True, False]


def test_metrics_are_the_mean_over_the_states():
    X, y = blobs(30, 2, 3)
    model = LogisticRegression(3).fit(X, y)
    assert list(states_of(model)) == [model]
    other = LogisticRegression(3, 100.0).fit(X, y)
    losses = [evaluate(each, X, y).loss for each in (model, other)]
    model.states_ = [model, other]
    assert evaluate(model, X, y).loss == pytest.approx(np.mean(losses))
