"""Strategies: which pool points to add next, and with which labels.

The contract is :meth:`Strategy.propose`. Strategies hold settings only: all that changes is in the
arguments, so the same arguments give the same answer. Most strategies are a score per pool point
(:class:`ScoreStrategy`); ``influence`` has the base of the influence family, ``surrogate`` what a network
offers them in place of itself.

Adding one: a class anywhere Python can import it, and a YAML file in ``conf/strategy/`` (or in a
folder given by ``--config-dir``) whose ``_target_`` names the class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from salutary.engine import Objective
from salutary.engine.objectives import Criterion, objective_on
from salutary.engine.selection import top
from salutary.errors import SalutaryError
from salutary.models import Model, Predictor, is_convex, is_network, takes_distributions
from salutary.system import moved, rules

# Settings of what labels alone: whether a network judges trial runs of it first, and the penalties of their
# surrogates.
JUDGE_PENALTIES = (30.0, 100.0, 300.0)
JUDGE_RULES = {
    "judge": rules.Worded(rules.Choice("retrained") | rules.NULL, "retrained or null"),
    "judge_penalties": rules.ListOf(rules.Number(0, excluded=True), "a list of numbers > 0", smallest=1),
}
# What a strategy gets to work with: what predicts, or an optimum if it ``needs_convex``.
M = TypeVar("M", bound=Predictor)


@dataclass(frozen=True)
class PoolView:
    """All that a strategy may look at. Pool labels and test data are not in here.

    ``pool`` (u, d), ``labeled`` (l, d) with ``labels`` (l,), ``validation`` (v, d) with
    ``validation_labels`` (v,): tensors on one device. The first ``n_initial`` labelled rows are
    the initial set, the others were queried, in the order of the queries. ``criterion``: what the model is
    to be good at, None for the mean log-loss; ``validation_groups`` (v,): numbers of the validation rows'
    groups, if there are any. The groups of other rows are not in here. ``soft_labels`` (l, C): the weight of
    each label of each labelled row, where some have distributions, of which ``labels`` are the likeliest.
    ``rows`` (l + u,): numbers in the table, of the labelled rows, then of the pool's, where a run knows them.
    """

    pool: Tensor
    labeled: Tensor
    labels: Tensor
    validation: Tensor
    validation_labels: Tensor
    n_initial: int
    n_classes: int
    validation_groups: Tensor | None = None
    criterion: Criterion | None = None
    soft_labels: Tensor | None = None
    rows: Tensor | None = None

    @property
    def weights(self) -> Tensor | None:
        """Of the labelled rows, (l,); None is 1 for each."""
        return None if self.soft_labels is None else self.soft_labels.sum(1)

    @property
    def objective(self) -> Objective:
        """What is to fall, measured on the validation rows: the mean log-loss, or what the criterion says."""
        rows = self.validation, self.validation_labels, self.validation_groups
        return objective_on(self.criterion, *rows, self.n_classes)


@dataclass(frozen=True)
class Proposal:
    """Points to add, best first.

    ``indices`` (b,): positions in ``view.pool``. ``labels`` (b,): class numbers to assign, or None
    to ask the oracle, which costs human labels. ``distributions`` (b, C): label distributions instead, rows
    that sum to 1, each point weighing ``weight`` where a labelled row weighs 1; ``labels``, if they are not
    given, are then the likeliest classes. ``influence`` (b,): the predicted fall of the objective,
    mostly the mean validation loss, each point was chosen for, or None for strategies that estimate none.
    ``stop``: why fewer points than the budget, if so.
    """

    indices: Tensor
    labels: Tensor | None = None
    influence: Tensor | None = None
    stop: str | None = None
    distributions: Tensor | None = None
    weight: float = 1.0

    @property
    def soft_labels(self) -> Tensor | None:
        """The weight of each label (b, C), None without distributions."""
        return None if self.distributions is None else self.weight * self.distributions

    def __post_init__(self) -> None:
        """Raises SalutaryError for what is not whole numbers, or not a number."""
        if self.distributions is not None:
            object.__setattr__(self, "distributions", _distributions(self.distributions, self.weight))
            if self.labels is None:
                object.__setattr__(self, "labels", self.distributions.argmax(1))
        for name in ("indices", "labels", "influence"):
            value = getattr(self, name)
            if value is None and name != "indices":
                continue
            try:
                tensor = torch.as_tensor(value)
            except (TypeError, ValueError, RuntimeError) as error:
                raise SalutaryError(f"a proposal's {name} are no array of numbers: {error}") from error
            whole = not (tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool)
            if name != "influence" and not whole:
                raise SalutaryError(f"a proposal's {name} must be whole numbers, not {tensor.dtype}")
            if name == "influence" and tensor.isnan().any():
                raise SalutaryError("a proposal's influence is not a number")
            object.__setattr__(self, name, tensor.long() if whole else tensor)


def _distributions(values: object, weight: float) -> Tensor:
    """In float64. Raises SalutaryError for what is none, and for a weight that is not positive."""
    q = (values if isinstance(values, Tensor) else torch.as_tensor(np.asarray(values, float))).double()
    if q.ndim != 2 or not bool((q >= 0).all() & ((q.sum(1) - 1).abs() < 1e-5).all()):
        raise SalutaryError("a proposal's distributions must be rows of probabilities that sum to 1")
    if not 0 < weight < float("inf"):
        raise SalutaryError(f"a proposal's weight must be a number > 0, not {weight}")
    return q / q.sum(1, keepdim=True)


class Strategy(ABC, Generic[M]):
    """The contract. ``budget`` is at most the number of pool points.

    ``RULES``: what its settings may be.

    ``is_baseline``: whether ``baselines_use_validation=true`` adds the validation set to its
    training data. ``needs_convex``: whether it can only work with the optimum of a convex model; of a network
    it gets a surrogate. ``labels_alone``: whether it gives each point a label and an influence over the
    labelled set, and asks nobody: what ``salutary-label`` takes. ``gives_distributions``: whether its labels
    are distributions, so that the model has to take them. ``rerank``: candidates that the model is
    refitted with before one is picked. ``judge``: ``retrained`` if trial runs come first, one for each of the
    ``judge_penalties`` of the surrogate, and the networks that they end with say which is used.
    ``same_on_two_classes``: names of the strategies that it cannot differ from there.
    """

    is_baseline = True
    needs_convex = False
    labels_alone = False
    gives_distributions = False
    samples = 0
    rerank = 0
    judge: str | None = None
    judge_penalties: Sequence[float] = JUDGE_PENALTIES
    same_on_two_classes: tuple[str, ...] = ()
    RULES: Mapping[str, rules.Rule] = {}

    @abstractmethod
    def propose(self, model: M, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        """Choose at most ``budget`` distinct pool points; none at all ends the run.

        ``model``: fitted; of a network its classifier, or a surrogate. ``rng``: the only source of chance.
        """

    def check(self, model: Model) -> None:
        """Raise SalutaryError for settings that make no sense, or a model the strategy cannot use.

        Called once, before anything is done.
        """
        if self.needs_convex and not is_network(model):
            check_convex(self, model)
        rules.check(self, self.RULES, "strategy.")
        if self.gives_distributions and not takes_distributions(model):
            name, of = type(self).__name__, type(model).__name__
            raise SalutaryError(
                f"{name} gives label distributions, which {of} cannot learn: model=logistic does"
            )
        if self.judge and not self.labels_alone:
            raise SalutaryError("strategy.judge is for strategies that ask nobody, such as strategy=salutary")
        if self.judge and not is_network(model):
            raise SalutaryError(
                "strategy.judge is for networks, such as model=cnn: set strategy.rerank instead"
            )

    def for_validation(self, n: int) -> Strategy:
        """The strategy as it chooses by ``n`` validation rows, also where a fold of them is kept from it."""
        return self

    def n_sampled(self, budget: int) -> int:
        """How many pool rows, drawn at random, it looks at; 0 for all."""
        return 0

    def standard_errors(self, n_validation: int) -> float:
        """How many of its standard errors an influence has to exceed, for a point to be picked."""
        return 0


class ScoreStrategy(Strategy[M]):
    """Chooses the highest scores; the true labels are bought."""

    @abstractmethod
    def scores(self, model: M, view: PoolView, rng: np.random.Generator) -> Tensor | np.ndarray:
        """One score per pool point, (u,), higher is better."""

    def propose(self, model: M, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        scores = torch.as_tensor(self.scores(model, view, rng))
        if scores.shape != (len(view.pool),):
            shape = tuple(scores.shape)
            raise SalutaryError(f"a strategy must return {len(view.pool)} scores, not the shape {shape}")
        return Proposal(top(scores, budget))


def check_convex(strategy: object, model: object) -> None:
    """Raises SalutaryError unless the model is at the optimum of a convex objective."""
    if not is_convex(model):
        name = type(strategy).__name__
        raise SalutaryError(f"{name} needs the optimum of a convex model: use model=logistic")


def check_proposal(proposal: Proposal, n_pool: int, budget: int, n_classes: int) -> None:
    """Raises SalutaryError unless these are at most ``budget`` distinct pool points with valid labels."""
    if not isinstance(proposal, Proposal):
        raise SalutaryError(f"the strategy returned a {type(proposal).__name__}, not a Proposal")
    indices, labels = proposal.indices, proposal.labels
    n = len(indices) if indices.ndim == 1 else -1
    if not 0 <= n <= budget or len(indices.unique()) != n:
        raise SalutaryError(f"the strategy must propose at most {budget} distinct points, in one dimension")
    if ((indices < 0) | (indices >= n_pool)).any():
        raise SalutaryError(f"the strategy proposed a point outside the pool of {n_pool} rows")
    if labels is not None and (labels.shape != (n,) or ((labels < 0) | (labels >= n_classes)).any()):
        raise SalutaryError(f"the strategy must give each point a class number below {n_classes}")
    if proposal.distributions is not None and proposal.distributions.shape != (n, n_classes):
        raise SalutaryError(f"the strategy must give each point a distribution over the {n_classes} classes")
    if proposal.influence is not None and proposal.influence.shape != (n,):
        raise SalutaryError("the strategy must give each point one influence, or none to all")


__getattr__ = moved.names(
    __name__,
    {
        **dict.fromkeys(("InfluenceStrategy", "influence_rows", "real_fall"), "strategies.influence"),
        **dict.fromkeys(("top_by_bound", "top_confident"), "engine.selection"),
    },
)
