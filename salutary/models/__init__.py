"""Models: what is fitted to labelled rows, and predicts.

:class:`Model` is the contract: any object with its three methods is one. It may be more, and then says so:

- ``is_convex = True``: it is a :class:`ConvexModel`, which influences need,
- ``features``: it is a :class:`NetworkModel`, whose features and classifier strategies work with instead of
  the model and its rows (:mod:`salutary.strategies.surrogate`),
- ``states_``: several fitted states over whose metrics evaluations take the mean,
- ``takes_distributions = True``: y of ``fit`` and ``update`` may be (n, C), the weight of each label,
- ``fit_intercept``: whether it has an intercept, as far as it is linear,
- ``l2_``: the penalty in use, and ``n_iter_``: steps of the last fit's optimiser, a number each: records of
  rounds have them,
- ``checkpoint``: a path that the run sets, where a long training may keep its state.

X is (n, d), y holds class numbers; both are tensors, as is the answer. For networks of images X is
(n, channels, height, width), bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Protocol, Self, TypeGuard

from salutary.errors import SalutaryError

if TYPE_CHECKING:  # readers of records need no torch
    from pathlib import Path

    import numpy as np
    from torch import Tensor


class Predictor(Protocol):
    """What predicts: a model, or a network's classifier."""

    def predict_proba(self, X: Tensor) -> Tensor:
        """Class probabilities (n, C) over *all* C classes, even those the labelled set lacks."""


class Model(Predictor, Protocol):
    """The contract."""

    def tune(
        self,
        X: Tensor,
        y: Tensor,
        rng: np.random.Generator,
        validation: tuple[Tensor, Tensor] | None = None,
    ) -> Self:
        """Settle what the configuration leaves open, once, on the initial set and the validation set (X, y).

        Raises SalutaryError for a setting that makes no sense.
        """

    def fit(self, X: Tensor, y: Tensor, unlabeled: Tensor | None = None) -> Self:
        """Fit, forgetting the past; ``unlabeled`` (u, d) is for semi-supervised models, others ignore it."""


class ConvexModel(Model, Protocol):
    """A model that ``fit`` leaves at the optimum of J (:mod:`salutary.engine`).

    ``coef_`` (K, D): its parameters. ``penalty_`` (K, D): the penalty of each.
    """

    n_classes: int
    coef_: Tensor
    penalty_: Tensor

    def update(self, X: Tensor, y: Tensor) -> Self:
        """Follow a small change of the fitted set (X, y).

        Where ``update_is_exact`` is True, to the optimum: a run then uses it from round to round.
        """


class NetworkModel(Model, Protocol):
    """A model that makes features and predicts from them.

    ``surrogate_l2``: penalty of the convex surrogate that influences are taken of, or ``auto``.
    """

    n_classes: int
    surrogate_l2: float | str

    def features(self, X: Tensor) -> Tensor:
        """What strategies see of rows, (n, d)."""

    @property
    def classifier(self) -> Predictor:
        """What predicts from :meth:`features`."""


class KeepsCheckpoint(Protocol):
    """A model whose training can go on where it was interrupted."""

    checkpoint: Path | None


def is_convex(model: object) -> TypeGuard[ConvexModel]:
    """Whether the model says that it is convex."""
    return getattr(model, "is_convex", False)


def warm_starts(model: object) -> TypeGuard[ConvexModel]:
    """Whether the model says that its ``update`` ends where ``fit`` does."""
    return is_convex(model) and getattr(model, "update_is_exact", False)


def takes_distributions(model: object) -> bool:
    """Whether the model says that it can be fitted to label distributions."""
    return bool(getattr(model, "takes_distributions", False))


def is_network(model: object) -> TypeGuard[NetworkModel]:
    """Whether the model offers features in place of its rows."""
    return hasattr(model, "features")


def keeps_checkpoint(model: object) -> TypeGuard[KeepsCheckpoint]:
    """Whether the model wants to be told where to keep its state."""
    return hasattr(model, "checkpoint")


def penalty_of(model: object) -> float | None:
    """The penalty that the model says it uses."""
    l2 = getattr(model, "l2_", None)
    return float(l2) if isinstance(l2, Real) else None


def iterations_of(model: object) -> int | None:
    """Steps that the model says its last fit took."""
    steps = getattr(model, "n_iter_", None)
    return int(steps) if isinstance(steps, Integral) else None


def has_intercept(model: object) -> bool:
    """Whether the model says that it has one."""
    return bool(getattr(model, "fit_intercept", False))


def states_of(model: Predictor) -> Sequence[Predictor]:
    """The fitted states over whose metrics evaluations take the mean: mostly the model alone."""
    return getattr(model, "states_", (model,))


def require_features(X: Tensor, name: str) -> None:
    """Raises SalutaryError for images, which ``model=<name>`` cannot use."""
    if X.ndim != 2:
        raise SalutaryError(f"model={name} needs features, not images: leave inputs=features")
