"""A plain function of yours as a strategy."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from salutary.engine.selection import top
from salutary.errors import SalutaryError
from salutary.models import Model, Predictor
from salutary.strategies import PoolView, Proposal, Strategy


class OwnFunction(Strategy[Predictor]):
    """Proposes what ``function(model, view, budget, rng)`` returns: pool positions, or a :class:`Proposal`.

    The arguments are those of :meth:`Strategy.propose`; ``rng`` is to be the only source of chance. Positions
    (b,), best first, are distinct, and at most ``budget``; their true labels are bought. A :class:`Proposal`
    may give labels.

        strategy=callable strategy.function._target_=my_code.my_rule +strategy.function.power=2
    """

    def __init__(self, function: Callable[..., Any]):
        self.function = function

    def check(self, model: Model) -> None:
        super().check(model)
        if not callable(self.function):
            raise SalutaryError(
                "strategy.function must be a function, such as strategy.function._target_=my_code.my_rule,"
                f" not {self.function!r}"
            )
        if problem := _why_not_called(self.function):
            raise SalutaryError(
                f"strategy.function, {_name(self.function)}, cannot be called with (model, view, budget, rng)"
                f" and the arguments given: {problem}"
            )

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        made = self.function(model, view, budget, rng)
        if isinstance(made, Proposal):
            return made
        if made is None:
            raise SalutaryError(
                "strategy.function returned nothing, in place of pool positions or a Proposal"
            )
        try:
            positions = torch.as_tensor(made, device=view.pool.device)
        except (TypeError, ValueError, RuntimeError) as error:
            raise SalutaryError(
                f"strategy.function must return pool positions or a Proposal: {error}"
            ) from error
        return Proposal(positions)


def _parts(function: Callable[..., Any]) -> tuple[Callable[..., Any], tuple, dict[str, Any]]:
    """What a partial object calls, and the arguments that it has; of others none."""
    if isinstance(function, functools.partial):
        return function.func, function.args, function.keywords
    return function, (), {}


def _name(function: Callable[..., Any]) -> str:
    called = _parts(function)[0]
    return getattr(called, "__name__", type(called).__name__)


def _why_not_called(function: Callable[..., Any]) -> str:
    """Python's words on arguments that do not fit; empty if they do, or if it does not know the signature."""
    called, arguments, named = _parts(function)
    try:
        signature = inspect.signature(called)
    except (TypeError, ValueError):
        return ""
    try:
        signature.bind(*arguments, "model", "view", "budget", "rng", **named)
    except TypeError as error:
        return str(error)
    return ""


def least_confident(model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> torch.Tensor:
    """The example: pool points with the lowest probability of the predicted class."""
    return top(-model.predict_proba(view.pool).max(dim=1).values, budget)
