"""Strategies: which pool points to add next, and with which labels.

The contract is :meth:`Strategy.propose`. Strategies hold settings only: all that changes is in the
arguments, so the same arguments give the same answer. Most strategies are a score per pool point
(:class:`ScoreStrategy`), and those of the influence family share :class:`InfluenceStrategy`.

Adding one: a class anywhere Python can import it, and a YAML file in ``conf/strategy/`` (or in a
folder given by ``--config-dir``) whose ``_target_`` names the class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from salutary.engine import SOLVERS, best_influence, score_labels, validation_direction
from salutary.engine.confidence import ConfidentInfluence
from salutary.engine.refit import refitted_fall
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.split import PoolView


@dataclass(frozen=True)
class Proposal:
    """Points to add, best first.

    ``indices`` (b,): positions in ``view.pool``. ``labels`` (b,): class numbers to assign, or None
    to ask the oracle, which costs human labels. ``influence`` (b,): the predicted fall of the mean
    validation loss each point was chosen for, or None for strategies that do not estimate it.
    ``stop``: why fewer points than the budget, if so.
    """

    indices: Tensor
    labels: Tensor | None = None
    influence: Tensor | None = None
    stop: str | None = None

    def __post_init__(self) -> None:
        """Raises SalutaryError for what is not whole numbers, or not a number."""
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


class Strategy(ABC):
    """The contract. ``budget`` is at most the number of pool points.

    ``is_baseline``: whether ``baselines_use_validation=true`` adds the validation set to its
    training data. ``needs_convex``: whether it can only work with the optimum of a convex model; of a network
    it gets a surrogate. ``same_on_two_classes``: names of the strategies that it cannot differ from there.
    """

    is_baseline = True
    needs_convex = False
    same_on_two_classes: tuple[str, ...] = ()

    @abstractmethod
    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        """Choose at most ``budget`` distinct pool points; none at all ends the run.

        ``rng`` is the only source of chance.
        """

    def check(self, model) -> None:
        """Raise SalutaryError for settings that make no sense, or a model the strategy cannot use.

        Called once, before anything is done.
        """
        if self.needs_convex and not hasattr(model, "guide"):
            check_convex(self, model)


class ScoreStrategy(Strategy):
    """Chooses the highest scores; the true labels are bought."""

    @abstractmethod
    def scores(self, model, view: PoolView, rng: np.random.Generator) -> Tensor | np.ndarray:
        """One score per pool point, (u,), higher is better."""

    def propose(self, model, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        scores = torch.as_tensor(self.scores(model, view, rng))
        if scores.shape != (len(view.pool),):
            shape = tuple(scores.shape)
            raise SalutaryError(f"a strategy must return {len(view.pool)} scores, not the shape {shape}")
        return Proposal(top(scores, budget))


class InfluenceStrategy(Strategy):
    """Base of the strategies that score by influence.

    ``hessian``: ``labeled`` (the paper's equation) or ``pool`` (the authors' code).
    ``solver``: ``auto``, ``cholesky`` or ``cg``, see :func:`salutary.engine.solve`.
    """

    needs_convex = True
    solvers = SOLVERS

    def __init__(self, hessian: str = "labeled", solver: str = "auto"):
        self.hessian = hessian
        self.solver = solver

    def check(self, model) -> None:
        super().check(model)
        for name, known in {"hessian": ("labeled", "pool"), "solver": self.solvers}.items():
            value = getattr(self, name)
            if value not in known:
                raise SalutaryError(f"strategy.{name} must be {' or '.join(known)}, not {value!r}")

    def influence(self, model, view: PoolView, X: Tensor) -> Tensor:
        """Influence of adding each row of ``X`` (n, d) with each label, (n, C)."""
        return score_labels(model.coef_, self.direction(model, view), X)

    def direction(self, model, view: PoolView) -> Tensor:
        """S = H^-1 g_V, (K, D), from which all influences follow."""
        return validation_direction(model.coef_, model.penalty_, **self.rows(view), solver=self.solver)

    def rows(self, view: PoolView) -> dict[str, Tensor]:
        """The rows that an influence is made of, as the functions of ``salutary.engine`` take them."""
        return influence_rows(view, view.pool if self.hessian == "pool" else view.labeled)


def influence_rows(view: PoolView, X_hessian: Tensor) -> dict[str, Tensor]:
    """Keyword arguments: the rows of the Hessian, and the validation set."""
    return {
        "X_hessian": X_hessian,
        "X_validation": view.validation,
        "y_validation": view.validation_labels,
    }


def real_fall(model, view: PoolView, X: Tensor, y: Tensor) -> Tensor:
    """Fall of the mean validation loss by a refit with each row of X (m, d), labels y (m,), alone: (m,)."""
    return refitted_fall(
        model.coef_,
        model.penalty_,
        X=view.labeled,
        y=view.labels,
        X_new=X,
        y_new=y,
        X_validation=view.validation,
        y_validation=view.validation_labels,
    )


def check_convex(strategy: object, model) -> None:
    """Raises SalutaryError unless the model is at the optimum of a convex objective."""
    if not isinstance(model, LogisticRegression):
        name = type(strategy).__name__
        raise SalutaryError(f"{name} needs the optimum of a convex model: use model=logistic")


def top(scores: Tensor | np.ndarray, budget: int) -> Tensor:
    """Positions of the ``budget`` highest scores, best first; of equals the lower position first.

    Raises SalutaryError for a score that is not a number.
    """
    scores = torch.as_tensor(scores)
    best = torch.topk(scores, budget).values  # a NaN counts as the highest
    if best[0].isnan():
        raise SalutaryError("a strategy returned a score that is not a number")
    if scores.device.type != "cpu":  # sorting all of them is cheaper there than waiting for a count
        return torch.argsort(scores, descending=True, stable=True)[:budget]
    # topk settles ties as it likes: take all that reach its last value, then sort stably.
    candidates = torch.nonzero(scores >= best[-1])[:, 0]
    order = torch.argsort(scores[candidates], descending=True, stable=True)
    return candidates[order[:budget]]


def top_by_bound(bounds: Tensor, scores: Callable[[Tensor], Tensor], budget: int) -> Tensor:
    """:func:`top` of scores that are dear, given an upper bound of each, (u,).

    ``scores`` maps positions (m,) to their scores (m,). The ``budget``-th best of the points with the
    highest bounds is a score that every chosen point reaches, so only bounds above it need a score.
    """

    def reaching(rows: Tensor) -> Tensor:
        reached = torch.topk(scores(rows), budget).values[-1]
        slack = 64 * torch.finfo(bounds.dtype).eps * reached.abs()  # bounds and scores are rounded
        return torch.nonzero(bounds >= reached - slack)[:, 0]

    size = 2 * budget
    rows = reaching(top(bounds, min(max(64, size), len(bounds))))
    if len(rows) > 8 * max(512, size):  # a better threshold is cheaper than so many scores
        rows = reaching(rows[top(bounds[rows], max(512, size))])
    return rows[top(scores(rows), budget)]


def top_confident(
    scorer: ConfidentInfluence, pool: Tensor, confidence: float, n: int, free: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The ``n`` points of the highest lower bound max over c of I(x, c) - confidence * se(x, c).

    Their positions in ``pool`` (u, d), labels, influences and lower bounds, all (n,), best first. The
    influence itself bounds them all, so that few standard errors are needed. ``free`` (u,): points that
    may be taken; those that may not come last.
    """

    def lower_bounds(rows: Tensor) -> Tensor:
        influence, error = scorer.score(pool[rows])
        lower = (influence - confidence * error).amax(1)
        return lower if free is None else lower.where(free[rows], -torch.inf)

    bounds = best_influence(scorer.W, scorer.S, pool)
    indices = top_by_bound(bounds if free is None else bounds.where(free, -torch.inf), lower_bounds, n)
    influence, error = scorer.score(pool[indices])
    lower, labels = (influence - confidence * error).max(1)
    return indices, labels, influence.gather(1, labels[:, None])[:, 0], lower
