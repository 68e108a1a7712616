"""Models. A model is an object with

- ``fit(X, y, unlabeled)``, which forgets the past and returns the model; ``unlabeled`` (u, d) or None
  is for semi-supervised models, others ignore it,
- ``predict_proba(X) -> (n, C)`` over *all* C classes, even those the labelled set lacks,
- ``tune(X, y, rng, validation)``, called once with the initial set and the validation set (X, y), to
  settle what its configuration leaves open,
- optionally ``states_``, several fitted states over whose metrics evaluations take the mean,
- optionally ``features(X) -> (n, d)`` and ``classifier``, a fitted model of such features: a network offers
  both, and strategies work with them instead of the model and its rows (:mod:`salutary.strategies.guide`),
- optionally ``checkpoint``, a path that the run sets, where a long training may keep its state.

X is (n, d), y holds class numbers; both are tensors, as is the answer. For networks of images X is
(n, channels, height, width), bytes.
"""

from __future__ import annotations

from torch import Tensor

from salutary.errors import SalutaryError


def require_features(X: Tensor, name: str) -> None:
    """Raises SalutaryError for images, which ``model=<name>`` cannot use."""
    if X.ndim != 2:
        raise SalutaryError(f"model={name} needs features, not images: leave inputs=features")
