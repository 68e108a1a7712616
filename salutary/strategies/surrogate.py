"""What a strategy works with: the model itself, or a network's features and what predicts from them."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from salutary.engine import linear
from salutary.models import Model, NetworkModel, Predictor, is_network
from salutary.models.logistic import L2_GRID, LogisticRegression
from salutary.strategies import PoolView


@dataclass(frozen=True)
class Guide:
    """What a strategy works with: a model, and the view in the features of that model.

    If the model is a convex surrogate of a network: ``agreement``, the share of the pool on which it
    predicts what the network does, and its penalty ``l2``.
    """

    model: Predictor
    view: PoolView
    agreement: float | None = None
    l2: float | None = None


def guide_of(model: Model, view: PoolView, convex: bool) -> Guide:
    """The model itself, or what a network offers in its place; ``convex``: the strategy needs that."""
    if not is_network(model):
        return Guide(model, view)
    view = in_features(model, view)
    if convex:
        return surrogate_of(model.classifier, view, model.surrogate_l2)
    return Guide(model.classifier, view)


def in_features(model: NetworkModel, view: PoolView) -> PoolView:
    """The view in the features of a network."""
    return dataclasses.replace(
        view,
        pool=model.features(view.pool),
        labeled=model.features(view.labeled),
        validation=model.features(view.validation),
    )


def surrogate_of(network: Predictor, view: PoolView, l2: float | str) -> Guide:
    """Softmax regression on a network's features, fitted to its predictions.

    It is fitted to the labelled rows with the labels that the network predicts for them, which the guide's
    view has in place of the given ones, so that the surrogate is at its optimum there. ``l2`` is its penalty,
    or ``auto``: the one of 10^-3 .. 10^4 that predicts as the network does on most of the pool (of equals,
    the one of the lowest cross-entropy to the network's probabilities), for which no label is needed.
    ``view`` is in the network's features; ``network`` predicts from those. Paper, appendices E and F.
    """
    predicted = network.predict_proba(view.labeled).argmax(1)
    target = network.predict_proba(view.pool)
    n_classes = target.shape[1]
    candidates = L2_GRID if l2 == "auto" else (float(l2),)
    fitted = _fits(view.labeled, predicted, n_classes, candidates)
    agreements = _agreements(fitted, view.pool, target)
    nearest = [each for each, share in zip(fitted, agreements, strict=True) if share == max(agreements)]
    best = nearest[_closest(nearest, view.pool, target)] if len(nearest) > 1 else nearest[0]
    return Guide(best, dataclasses.replace(view, labels=predicted), max(agreements), best.l2_)


def _fits(X: Tensor, y: Tensor, n_classes: int, penalties: Sequence[float]) -> list[LogisticRegression]:
    """A fit for each penalty, in their order; each starts at that of the next stronger one."""
    fitted: dict[float, LogisticRegression] = {}
    model = LogisticRegression(n_classes, fit_intercept=True)
    for model.l2 in sorted(penalties, reverse=True):
        model.l2_ = model._given_l2()
        (model.update if fitted else model.fit)(X, y)
        fitted[model.l2] = copy.copy(model)
    return [fitted[l2] for l2 in penalties]


def _agreements(models: Sequence[LogisticRegression], X: Tensor, target: Tensor) -> list[float]:
    """Shares of the rows on which each model predicts the class that is likeliest in ``target``."""
    likeliest = target.argmax(1)
    agreed = [(each.predict_proba(X).argmax(1) == likeliest).double().mean() for each in models]
    return torch.stack(agreed).tolist()  # the host waits once


def _closest(models: Sequence[LogisticRegression], X: Tensor, target: Tensor) -> int:
    """Which model's predictions have the least cross-entropy to the ``target`` ones."""
    distances = torch.stack([_distance(each, X, target) for each in models]).tolist()
    return distances.index(min(distances))


def _distance(model: LogisticRegression, X: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of the model's predictions to the ``target`` ones."""
    Z = linear(X, model.coef_)
    if target.shape[1] == 2:
        Z = torch.cat([torch.zeros_like(Z), Z], 1)
    return -(target * Z.log_softmax(1)).sum(1).mean()
