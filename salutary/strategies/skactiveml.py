"""scikit-activeml's pool strategies in our loop: same splits, seeds, records, and labels that are counted.

    strategy=skactiveml strategy.query=TypiClust 'strategy.arguments={k: 10}'

What a strategy needs is read from the signature of its ``query``. Its classifier is the model of the run,
fitted again to the same rows (:class:`salutary.strategies.refitted.Refitted`), its ensemble a committee of
such models. Rows stand in the order of the table, those of the pool without a label: with one
``random_state`` (among the ``arguments``; the committee's too) the picks are those of scikit-activeml's own
loop. Without one it is drawn from the run's seed, in each round anew.

Kottke et al., "scikit-activeml: A library and toolbox for active learning algorithms", 2021.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from salutary.errors import SalutaryError, needs
from salutary.models import Model, Predictor, has_intercept
from salutary.strategies import PoolView, Proposal, Strategy
from salutary.strategies.refitted import Fit, Refitted, committee_of, require_refits
from salutary.system.rules import MAPPING, Text, Whole
from salutary.system.seeding import lent_global

log = logging.getLogger(__name__)

# What the run sets itself.
OWN = ("missing_label", "classes")
# Arguments of ``query`` that are given or may be left out.
GIVEN = ("self", "X", "y", "candidates", "batch_size", "return_utilities", "clf", "estimator", "ensemble")
NOT_HERE = {
    "ExpectedErrorReduction": "is the base of MonteCarloEER and ValueOfInformationEER: take one of them",
    "EpistemicUncertaintySampling": "needs a ParzenWindowClassifier, not the model of the run",
    "FourDs": "needs a MixtureModelClassifier, not the model of the run",
    "ProbabilisticAL": "needs a classifier that counts, such as a ParzenWindowClassifier",
    "ParallelUtilityEstimationWrapper": "only divides the work of another one among processes",
}
ELSEWHERE = {"stream": "is for streams", "pool.multiannotator": "is for several annotators of a row"}


class ScikitActiveml(Strategy[Predictor]):
    """``query``: the class in ``skactiveml.pool``; ``arguments``: of its constructor.

    ``committee``: members of the ensemble, where one is asked for. A row that comes twice in a batch, as
    ``Badge`` and ``TypiClust`` may give it, counts once, and the rest of the batch is asked for among the
    others; the log says so. The true labels are bought.

    ``propose`` raises SalutaryError where the strategy fails, takes a row by a utility that is no number, or
    a row that is not in the pool.
    """

    RULES = {
        "query": Text("the name of a strategy in skactiveml.pool"),
        "arguments": MAPPING,
        "committee": Whole(2),
    }

    def __init__(
        self, query: str = "UncertaintySampling", arguments: dict | None = None, committee: int = 10
    ):
        self.query = query
        self.arguments = arguments
        self.committee = committee

    def check(self, model: Model) -> None:
        super().check(model)
        if _refits(self._made(n_classes=2, seed=0)):
            require_refits(f"strategy.query={self.query}", model)

    def propose(self, model: Predictor, view: PoolView, budget: int, rng: np.random.Generator) -> Proposal:
        rows = _Rows.of(view)
        with lent_global(rng) as seed, self._explained():
            seed = (self.arguments or {}).get("random_state", seed)
            strategy = self._made(view.n_classes, seed)
            classifier = Refitted(rows.fit_of(model, view.pool.device), view.n_classes)
            needed = self._needs(strategy, classifier, seed)
            chosen = self._distinct(strategy, rows, budget, needed)
        return Proposal(torch.as_tensor(rows.place[chosen], device=view.pool.device))

    def _made(self, n_classes: int, seed: int) -> Any:
        """The query strategy. Raises SalutaryError for one that is not there or cannot run here."""
        kind = _kind(self.query)
        known = [name for name in inspect.signature(kind).parameters if name not in OWN]
        for name in self.arguments or ():
            if name not in known:
                raise SalutaryError(
                    f"strategy.arguments: {self.query} has no argument {name!r} to set;"
                    f" it has {', '.join(known)}"
                )
        ours = {"random_state": seed, "classes": [*range(n_classes)], "n_classes": n_classes}
        taken = {name: each for name, each in ours.items() if name in inspect.signature(kind).parameters}
        return kind(**{**taken, **(self.arguments or {})})

    def _needs(self, strategy: Any, classifier: Refitted, seed: int) -> dict[str, Any]:
        """What else its ``query`` takes, by name."""
        from skactiveml.classifier import SklearnClassifier

        classes, asked = [*range(classifier.n_classes)], _asked(strategy)
        wrap = functools.partial(SklearnClassifier, classes=classes, random_state=seed)
        parts = {
            "clf": classifier,
            "estimator": classifier,
            "ensemble": committee_of(classifier, self.committee, seed),
            "discriminator": _discriminator(classifier.of.model),
        }
        return {name: wrap(part) for name, part in parts.items() if name in asked}

    def _distinct(self, strategy: Any, rows: _Rows, budget: int, needed: Mapping[str, Any]) -> list[int]:
        """``budget`` different rows of X, in the order of the choice."""
        chosen: list[int] = []
        while len(chosen) < budget:
            left = budget - len(chosen)
            free = np.setdiff1d(rows.free, chosen) if chosen else None
            picks, utilities = strategy.query(
                X=rows.X, y=rows.y, **needed, candidates=free, batch_size=left, return_utilities=True
            )
            self._require_sense(picks, utilities, rows.free if free is None else free)
            chosen += dict.fromkeys(map(int, picks))
            if len(chosen) < budget:
                log.info(
                    "strategy.query=%s gave rows twice: %d of %d points are asked for again",
                    *(self.query, budget - len(chosen), budget),
                )
        return chosen

    def _require_sense(self, picks: np.ndarray, utilities: np.ndarray, free: np.ndarray) -> None:
        first: dict[int, float] = {}
        for row, values in zip(picks, utilities, strict=True):
            first.setdefault(int(row), float(values[row]))
        if np.isnan([*first.values()]).any():
            raise SalutaryError(f"strategy.query={self.query} chose a row by a utility that is not a number")
        if not first or not np.isin(picks, free).all():
            raise SalutaryError(f"strategy.query={self.query} chose rows that are not in the pool, or none")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """What fails inside is told in one line, and what is warned of once.

        scikit-activeml only warns of a classifier that could not be fitted, and goes on without it.
        """
        name = f"strategy.query={self.query}"
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except SalutaryError:
                raise
            except Exception as error:
                text = " ".join(str(error).split())
                raise SalutaryError(f"{name} fails: {type(error).__name__}: {text}") from error
        for each in caught:
            text = " ".join(str(each.message).split())
            if "could not be fitted" in text:
                why = re.search(r"because of '(.*)'\. Therefore", text)
                raise SalutaryError(f"{name}: its classifier could not be fitted: {why[1] if why else text}")
            _say(f"{name}: {text}")


@dataclass(frozen=True)
class _Rows:
    """X (n, d) in the order of the table, labels y (n,), NaN in the pool, and ``place`` (n,) there or -1."""

    X: np.ndarray
    y: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, view: PoolView) -> _Rows:
        if view.pool.ndim != 2:
            raise SalutaryError("strategy=skactiveml needs features, not images: leave inputs=features")
        n = len(view.pool)
        X = torch.cat([view.labeled, view.pool]).numpy(force=True)
        y = np.concatenate([view.labels.numpy(force=True).astype(float), np.full(n, np.nan)])
        place = np.concatenate([np.full(len(view.labeled), -1), np.arange(n)])
        order = np.arange(len(X)) if view.rows is None else np.argsort(view.rows.numpy(force=True))
        return cls(X[order], y[order], place[order])

    def fit_of(self, model: Predictor, device: torch.device) -> Fit:
        """The model with the labelled rows in the order that they have here."""
        labelled = self.place < 0
        X, y = self.X[labelled], self.y[labelled].astype(np.int64)
        return Fit(model, torch.as_tensor(X, device=device), torch.as_tensor(y, device=device))

    @property
    def free(self) -> np.ndarray:
        """The rows of the pool."""
        return np.flatnonzero(self.place >= 0)


def _kind(name: str) -> type:
    """The class of a strategy. Raises SalutaryError for one that is not there or cannot run here."""
    pool = _module("pool")
    kind: Any = getattr(pool, name, None) if name in pool.__all__ else None
    if not _is_strategy(kind):
        raise SalutaryError(_why_unknown(name))
    if why := _why_not(kind):
        raise SalutaryError(f"strategy.query={name} {why}")
    return kind


def _why_unknown(name: str) -> str:
    for module, why in ELSEWHERE.items():
        if name in _module(module).__all__:
            return f"strategy.query={name} {why}, which a run does not have"
    pool = _module("pool")
    kinds = (getattr(pool, each) for each in sorted(pool.__all__))
    known = [each.__name__ for each in kinds if _is_strategy(each) and not _why_not(each)]
    return f"scikit-activeml has no pool strategy {name!r}; it has {', '.join(known)}"


def _is_strategy(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, _module("base").SingleAnnotatorPoolQueryStrategy)


def _why_not(kind: type) -> str:
    """Why a strategy cannot run here; empty if it can."""
    if kind.__name__ in NOT_HERE:
        return NOT_HERE[kind.__name__]
    parameters = inspect.signature(kind.query).parameters  # type: ignore[attr-defined]
    if "reg" in parameters:
        return "is for regression, and the labels here are classes"
    missing = [
        name
        for name, each in parameters.items()
        if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        if name not in (*GIVEN, "discriminator")
    ]
    return f"needs {', '.join(missing)}, which a run does not have" if missing else ""


def _asked(strategy: Any) -> set[str]:
    """Arguments of its ``query``, with those that it passes on to the strategy inside."""
    inner = getattr(strategy, "query_strategy", None)
    asked = {*inspect.signature(strategy.query).parameters}
    return asked | _asked(inner) if inner is not None else asked


def _refits(strategy: Any) -> bool:
    """Whether it fits the classifier to other rows than the labelled ones."""
    inner = getattr(strategy, "query_strategy", strategy)
    return "ensemble" in _asked(inner) or isinstance(inner, _module("pool").ExpectedErrorReduction)


def _discriminator(model: Predictor) -> LogisticRegression:
    """What tells the labelled rows from the pool's: scikit-learn's model with the run's penalty."""
    return LogisticRegression(C=1 / getattr(model, "l2_", 1.0), fit_intercept=has_intercept(model))


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"skactiveml.{name}")
    except ImportError as error:
        raise needs("scikit-activeml", "activeml") from error


@functools.cache
def _say(text: str) -> None:
    """Once."""
    log.warning(text)
