"""The query functions of modAL in our loop: same splits, seeds, records, and labels that are counted.

    strategy=modal strategy.query=expected_error_reduction 'strategy.arguments={loss: log}'

modAL's learner is not taught, since its ``teach`` fails with scikit-learn 1.8 and later: each round makes
one of the model of the run and the labelled rows, and asks the function.

Danka & Horvath, "modAL: A modular active learning framework for Python", 2018.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import Any
from unittest import mock

import numpy as np
import torch
from modAL.models import ActiveLearner, Committee

from salutary.errors import SalutaryError
from salutary.models import Model, Predictor
from salutary.strategies import PoolView, Proposal, Strategy
from salutary.strategies.refitted import Fit, Refitted, committee_of, require_refits
from salutary.system.rules import MAPPING, Text, Whole
from salutary.system.seeding import lent_global

CLASSIFIERS = {
    **dict.fromkeys(("uncertainty_sampling", "margin_sampling", "entropy_sampling"), "uncertainty"),
    "uncertainty_batch_sampling": "batch",
    "expected_error_reduction": "expected_error",
}
COMMITTEES = ("vote_entropy_sampling", "consensus_entropy_sampling", "max_disagreement_sampling")
MODULES = {**CLASSIFIERS, **dict.fromkeys(COMMITTEES, "disagreement")}
NOT_HERE = {
    "max_std_sampling": "is for regression",
    **dict.fromkeys(("max_PI", "max_EI", "max_UCB"), "is for Bayesian optimisation"),
    **dict.fromkeys(
        ("mc_dropout_bald", "mc_dropout_mean_st", "mc_dropout_max_entropy", "mc_dropout_max_variationRatios"),
        "needs a network with dropout in skorch",
    ),
    **dict.fromkeys(
        ("SVM_binary_minimum", "max_loss", "mean_max_loss", "min_confidence", "avg_confidence", "avg_score"),
        "is for several labels of a row",
    ),
    "max_score": "is for several labels of a row",
}


def _arguments(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Its texts interned: modAL 0.4.2.1 asks ``loss is 'log'``, which a text out of a file never is."""
    return {key: sys.intern(value) if type(value) is str else value for key, value in (given or {}).items()}


class Modal(Strategy[Predictor]):
    """``query``: the function's name; ``arguments``: what else it takes, such as ``{metric: cosine}``.

    ``committee``: members, each fitted to a bootstrap sample, where a committee is asked for. Points are in
    modAL's order, which need not be best first. The true labels are bought.
    """

    RULES = {
        "query": Text("the name of a query function of modAL"),
        "arguments": MAPPING,
        "committee": Whole(2),
    }

    def __init__(
        self, query: str = "uncertainty_batch_sampling", arguments: dict | None = None, committee: int = 10
    ):
        self.query = query
        self.arguments = arguments
        self.committee = committee

    def check(self, model: Model) -> None:
        super().check(model)
        known = [name for name, each in inspect.signature(_function(self.query)).parameters.items()][2:]
        known = [name for name in known if name != "n_instances" and not name.endswith("_kwargs")]
        for name in self.arguments or ():
            if name not in known:
                raise SalutaryError(
                    f"strategy.arguments: {self.query} has no argument {name!r} to set;"
                    f" it has {', '.join(known)}"
                )
        if self.query in COMMITTEES or self.query == "expected_error_reduction":
            require_refits(f"strategy.query={self.query}", model)

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        if view.pool.ndim != 2:
            raise SalutaryError("strategy=modal needs features, not images: leave inputs=features")
        function, X_pool = _function(self.query), view.pool.numpy(force=True)
        with lent_global(rng) as seed:
            learner = self._learner(model, view, function, seed)
            try:
                chosen, metrics = function(learner, X_pool, n_instances=budget, **_arguments(self.arguments))
            except Exception as error:
                text = " ".join(str(error).split())
                name = f"strategy.query={self.query}"
                raise SalutaryError(f"{name} fails: {type(error).__name__}: {text}") from error
        if np.isnan(metrics).any():
            raise SalutaryError(f"strategy.query={self.query} chose a row by a measure that is not a number")
        return Proposal(torch.as_tensor(chosen, device=view.pool.device))

    def _learner(self, model: Predictor, view: PoolView, function: Callable, seed: int) -> Any:
        """modAL's learner or committee, fitted to the labelled rows."""
        X, y = view.labeled.numpy(force=True), view.labels.numpy(force=True)
        fit, only_seen = Fit(model, view.labeled, view.labels), self.query == "expected_error_reduction"
        classifier = Refitted(fit, view.n_classes, only_seen)
        if self.query in COMMITTEES:
            members = committee_of(classifier, self.committee, seed).fit(X, y).estimators_
            return Committee([ActiveLearner(each, function) for each in members], function)
        learner = ActiveLearner(classifier.fit(X, y), function)
        learner.X_training, learner.y_training = X, y
        return learner


def _function(name: str) -> Callable[..., Any]:
    """The query function. Raises SalutaryError for one that is not there or cannot run here."""
    if name in NOT_HERE:
        raise SalutaryError(f"strategy.query={name} {NOT_HERE[name]}, which a run does not have")
    if name not in MODULES:
        raise SalutaryError(f"modAL has no query function {name!r}; it has {', '.join(sorted(MODULES))}")
    # modAL.expected_error names np.float, which NumPy has no longer, and compares texts by identity.
    with mock.patch.object(np, "float", float, create=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(importlib.import_module(f"modAL.{MODULES[name]}"), name)
