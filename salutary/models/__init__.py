"""Models. A model is an object with

- ``fit(X, y, unlabeled)``, which forgets the past and returns the model; ``unlabeled`` (u, d) or None
  is for semi-supervised models, others ignore it,
- ``predict_proba(X) -> (n, C)`` over *all* C classes, even those the labelled set lacks,
- ``tune(X, y, rng, validation)``, called once with the initial set and the validation set (X, y), to
  settle what its configuration leaves open,
- optionally ``states_``, several fitted states over whose metrics evaluations take the mean,
- optionally ``guide(view, convex) -> Guide``: what strategies work with instead of the model and its rows,
- optionally ``checkpoint``, a path that the run sets, where a long training may keep its state.

X is (n, d), y holds class numbers; both are tensors, as is the answer. For networks of images X is
(n, channels, height, width), bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from salutary.errors import SalutaryError

if TYPE_CHECKING:
    from salutary.split import PoolView


@dataclass(frozen=True)
class Guide:
    """What a strategy works with: a model, and the view in the features of that model.

    If the model is a convex surrogate of a network: ``agreement``, the share of the pool on which it
    predicts what the network does, and its penalty ``l2``.
    """

    model: object
    view: PoolView
    agreement: float | None = None
    l2: float | None = None


def guide_of(model, view: PoolView, convex: bool) -> Guide:
    """The model itself, or what a network offers in its place; ``convex``: the strategy needs that."""
    return model.guide(view, convex) if hasattr(model, "guide") else Guide(model, view)


def require_features(X: Tensor, name: str) -> None:
    """Raises SalutaryError for images, which ``model=<name>`` cannot use."""
    if X.ndim != 2:
        raise SalutaryError(f"model={name} needs features, not images: leave inputs=features")
