"""Labels judged by what matters: the network, retrained with them.

A convex surrogate estimates what a refit of the surrogate would gain. What the network makes of a label is
another matter: one that its own features deny is memorised, and spoils them. So before labels stay, the
network is trained with such labels, and has to be better on validation rows that did not choose them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine.paired import Difference
from salutary.errors import SalutaryError
from salutary.experiments.metrics import row_losses
from salutary.models import Model, is_network
from salutary.strategies import PoolView, Proposal, Strategy, check_proposal
from salutary.strategies.surrogate import Guide, in_features, surrogate_of
from salutary.strategies.track import Rows
from salutary.system.seeding import stream

NONE_HELPS = "trained with such labels the network is not surely better on the judging validation rows"


@dataclass(frozen=True)
class Tried:
    """Points with labels that a surrogate chose, and what the network makes of them.

    ``rows``, ``labels`` (b,): of the pool, on its device.
    ``losses`` (n,): of the judging rows, by the network trained with them; ``change``: of their mean.
    """

    guide: Guide
    proposal: Proposal
    rows: Tensor
    labels: Tensor
    losses: np.ndarray
    change: Difference

    @property
    def helps(self) -> bool:
        """By more than a standard error."""
        return self.change.mean < -self.change.error


class Judge:
    """One half of the validation rows chooses, the other judges; the seed says which is which, for good.

    For each of the strategy's ``judge_penalties`` of the surrogate it proposes as many points as the whole
    run adds, ``n_points``, and the network is trained with them all: the points of one round change it less
    than any retraining does. (300 labels of MNIST, a small network: ten more change the loss by .01, and so
    does chance; a hundred by .1, with a standard error of .015.) Of the penalties that help, the strongest
    whose loss is within a standard error of the lowest chooses the round's points.
    """

    def __init__(self, strategy: Strategy, validation: Rows, n_points: int, seed: int):
        """Raises SalutaryError for too few validation rows."""
        if len(validation) < 4:
            raise SalutaryError(f"strategy.judge needs 4 validation rows, not {len(validation)}")
        rows = torch.as_tensor(stream(seed, "validation", 0).permutation(len(validation)))
        self.choosing, self.judging = (
            validation[each.to(validation.y.device)] for each in rows.tensor_split(2)
        )
        self.strategy = strategy.for_validation(len(self.choosing))
        self.n_points = n_points

    def losses(self, model: Model) -> np.ndarray:
        """Of each judging row, (n,)."""
        return row_losses(model, self.judging.X, self.judging.y)

    def tried(self, model: Model, view: PoolView, rng: Callable[[], np.random.Generator]) -> list[Tried]:
        """One for each penalty, the strongest first; ``model`` is the network as it is.

        ``rng``: gives the generator of each, in its first state.
        """
        assert is_network(model)  # as Strategy.check asks
        before, seen = self.losses(model), in_features(model, view)
        penalties = sorted(self.strategy.judge_penalties, reverse=True)
        return [
            self._tried(surrogate_of(model.classifier, seen, l2), model, view, before, rng())
            for l2 in penalties
        ]

    def _tried(
        self, guide: Guide, model: Model, view: PoolView, before: np.ndarray, rng: np.random.Generator
    ) -> Tried:
        n = min(self.n_points, len(view.pool))
        proposal = self.strategy.propose(guide.model, guide.view, n, rng)
        check_proposal(proposal, len(view.pool), n, view.n_classes)
        assert proposal.labels is not None  # it labels alone
        rows, labels = (each.to(view.pool.device) for each in (proposal.indices, proposal.labels))
        after = self.losses(_trained(model, view, rows, labels)) if len(rows) else before
        return Tried(guide, proposal, rows, labels, after, Difference.of(after, before))


def chosen(tried: Sequence[Tried]) -> Tried | None:
    """Of those that help, the first whose losses are within a standard error of the lowest; None if none
    does.
    """
    helping = [each for each in tried if each.helps]
    if not helping:
        return None
    best = min(helping, key=lambda each: each.change.mean)
    gaps = ((each, Difference.of(each.losses, best.losses)) for each in helping)
    return next(each for each, gap in gaps if gap.mean <= gap.error)


def first(proposal: Proposal, n: int, stop: str | None = None) -> Proposal:
    """The best ``n`` points of a proposal; ``stop``: why no more."""
    labels, influence = (each if each is None else each[:n] for each in (proposal.labels, proposal.influence))
    return Proposal(proposal.indices[:n], labels, influence, stop)


def _trained(model: Model, view: PoolView, rows: Tensor, labels: Tensor) -> Model:
    """A network of the same settings, trained with pool rows (b,) and labels (b,) too."""
    left = torch.ones(len(view.pool), dtype=torch.bool, device=view.pool.device)
    left[rows] = False
    X, y = torch.cat([view.labeled, view.pool[rows]]), torch.cat([view.labels, labels])
    return copy.copy(model).fit(X, y, view.pool[left])
