"""A convex surrogate of a network: what influence functions can be taken of."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from salutary.engine import linear
from salutary.errors import SalutaryError
from salutary.models import Guide
from salutary.models.logistic import L2_GRID, LogisticRegression
from salutary.split import PoolView


def surrogate_of(network, view: PoolView, l2: float | str) -> Guide:
    """Softmax regression on a network's features, fitted to its predictions.

    It is fitted to the labelled rows with the labels that the network predicts for them, which the guide's
    view has in place of the given ones, so that the surrogate is at its optimum there. ``l2`` is its penalty,
    or ``auto``: the one of 10^-3 .. 10^4 that predicts as the network does on most of the pool (of equals,
    the one of the lowest cross-entropy to the network's probabilities), for which no label is needed.
    ``view`` is in the network's features; ``network`` predicts from those. Paper, appendices E and F.
    """
    predicted = network.predict_proba(view.labeled).argmax(1)
    wanted = network.predict_proba(view.pool)
    n_classes = wanted.shape[1]
    candidates = L2_GRID if l2 == "auto" else (l2,)
    fitted = [_fit(view.labeled, predicted, n_classes, each) for each in candidates]
    agreements = [_agreement(each, view.pool, wanted) for each in fitted]
    nearest = [each for each, share in zip(fitted, agreements, strict=True) if share == max(agreements)]
    best = min(nearest, key=lambda each: _distance(each, view.pool, wanted))
    return Guide(best, dataclasses.replace(view, labels=predicted), max(agreements), best.l2_)


def check_l2(l2: object) -> None:
    """Raises SalutaryError unless it is a penalty or ``auto``."""
    is_number = isinstance(l2, (int, float)) and not isinstance(l2, bool)
    if l2 != "auto" and not (is_number and 0 < l2 < float("inf")):
        raise SalutaryError(f"model.surrogate_l2 must be auto or a number > 0, not {l2!r}")


def _fit(X: Tensor, y: Tensor, n_classes: int, l2: float) -> LogisticRegression:
    return LogisticRegression(n_classes, l2=l2, fit_intercept=True).fit(X, y)


def _agreement(model: LogisticRegression, X: Tensor, wanted: Tensor) -> float:
    """Share of the rows on which the model predicts the class that is likeliest in ``wanted``."""
    return float((model.predict_proba(X).argmax(1) == wanted.argmax(1)).double().mean())


def _distance(model: LogisticRegression, X: Tensor, wanted: Tensor) -> float:
    """Cross-entropy of the model's predictions to the wanted ones."""
    Z = linear(X, model.coef_)
    if wanted.shape[1] == 2:
        Z = Z.new_zeros(len(Z), 2).index_copy(1, Z.new_tensor([1]).long(), Z)
    return float(-(wanted * Z.log_softmax(1)).sum(1).mean())
