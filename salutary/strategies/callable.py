"""A plain function of yours as a strategy."""

from __future__ import annotations

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


def least_confident(model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> torch.Tensor:
    """The example: pool points with the lowest probability of the predicted class."""
    return top(-model.predict_proba(view.pool).max(dim=1).values, budget)
