"""Which remedy makes the best model of labelled rows, validation rows and a pool, if something is wrong."""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import numpy as np
import torch

from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.studies import Study, require_labels
from salutary.experiments.studies.rivals import rivals
from salutary.experiments.studies.situations import SITUATIONS, Sizes, draw, frequent
from salutary.models import Model
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, LabelledData, Part
from salutary.remedies.base_models import MIXED, Logistic, candidates
from salutary.remedies.catalogue import all_remedies
from salutary.remedies.judge import Judge
from salutary.remedies.judgement import AVERAGE, BEST, Fold, Judgement, folds_of, losses_of
from salutary.remedies.plain import LabeledAndValidation
from salutary.strategies import Strategy
from salutary.strategies.track import Rows, Track
from salutary.system import rules
from salutary.system.rules import Choice, Flag, Texts, Whole
from salutary.system.seeding import stream

FOLDS = 5
# Rounds of labelling for the remedies that need a labelled pool, of the run's budget each.
ROUNDS = 10
PLAIN = LabeledAndValidation.name


class Remedies(Study):
    """Test losses of all remedies, of what is handed over, and of what a user would otherwise take.

    Parts are drawn anew from the whole table, in a ``situation`` (:mod:`.situations`), with ``n_validation``
    validation rows; the run's own split is not looked at. ``candidates``: base models. ``rivals``: whether
    tuned trees and CleanLearning are measured too. ``components``: so many principal components stand for the
    features, 0 for all features. Classes of less than 1% of the rows are left out. The true labels of the
    pool say how many of those given are right.
    """

    RULES = {
        "situation": Choice(*SITUATIONS),
        "candidates": Texts("a list of base models such as [logistic,random_forest]"),
        "n_validation": Whole(4),
        "rivals": Flag(),
        "components": Whole(0),
    }

    def __init__(
        self,
        situation: str = "clean",
        n_validation: int = 100,
        candidates: Sequence[str] = ("logistic", "hist_gradient_boosting", "random_forest"),
        rivals: bool = True,
        components: int = 0,
    ):
        self.situation = situation
        self.n_validation = n_validation
        self.candidates = candidates
        self.rivals = rivals
        self.components = components

    def check(self, problem: Problem, model: Model, strategy: Strategy) -> None:
        """Raises SalutaryError for settings out of range, and a model or strategy that labels nothing."""
        rules.check(self, self.RULES, "study.")
        candidates(list(self.candidates))
        require_labels(problem)
        if not isinstance(model, LogisticRegression) or not getattr(strategy, "labels_alone", False):
            raise SalutaryError("study=remedies needs model=logistic and a strategy that asks no human")

    def measure(
        self, problem: Problem, model: Model, strategy: Strategy, budget: int, seed: int
    ) -> dict[str, list[dict]]:
        """Two tables: ``remedies``, a row per model, and ``pool_labels``, one row.

        Raises SalutaryError for a table of too few rows.
        """
        assert isinstance(model, LogisticRegression)
        X, y = frequent(problem.X.double().numpy(force=True), problem.y.numpy(force=True))
        n_classes = int(y.max()) + 1
        if self.components:
            X = principal(X, self.components)
        sizes = Sizes.of(len(y), self.n_validation)
        drawn = draw(X, y, self.situation, self.n_validation, stream(seed, "study"), sizes)
        data = LabelledData(
            Part(X[drawn.labeled], drawn.given),
            Part(X[drawn.validation], y[drawn.validation]),
            n_classes,
            drawn.sources,
            seed=seed,
        )
        folds = folds_of(data.validation.y, FOLDS, seed)
        if len(np.unique(data.labeled.y)) < n_classes or not folds:
            raise SalutaryError("study=remedies: a class has no labelled row; too few rows are drawn")
        started = time.perf_counter()
        given, rows = assigned(data, X[drawn.pool], folds, model, strategy, budget)
        judgement = Judge(all_remedies(), candidates(list(self.candidates))).judge(data, folds, given)
        seconds = time.perf_counter() - started
        return {
            "remedies": self._rows(judgement, data, Part(X[drawn.test], y[drawn.test]), seconds),
            "pool_labels": [self._about | right(given[0], y[drawn.pool][rows], judgement)],
        }

    @property
    def _about(self) -> dict:
        return {"situation": self.situation, "n_validation": self.n_validation}

    def _rows(self, found: Judgement, data: LabelledData, test: Part, seconds: float) -> list[dict]:
        about = self._about | {"n_test": len(test)}

        def row(name: str, P: np.ndarray, held_out: float = np.nan, weight: float = 0.0) -> dict:
            loss, accuracy = losses_of(P, test.y).mean(), (P.argmax(1) == test.y).mean()
            measured = {"test_loss": float(loss), "test_accuracy": float(accuracy)}
            return about | {"model": name} | measured | {"held_out_loss": held_out, "weight": weight}

        rows = [row(AVERAGE, found.handed.probabilities(test.X), float(found.handed_losses.mean()), 1.0)]
        rows.append(row(BEST, found.model(BEST).probabilities(test.X)))
        for name in found.names:
            held_out, weight = float(found.losses[name].mean()), found.weights.get(name, 0.0)
            rows.append(row(name, found.model(name).probabilities(test.X), held_out, weight))
        if self.rivals:
            plain = Logistic().fit(LabeledAndValidation().rows(data), data)
            for name, rival in rivals(data, plain.l2):
                # Mixed as the product's own trees are, since of a class that it excludes a loss is infinite.
                P = (1 - MIXED) * rival.predict_proba(test.X) + MIXED / data.n_classes
                rows.append(row(name, P))
        return [each | {"seconds": seconds} for each in rows]


def principal(X: np.ndarray, n: int) -> np.ndarray:
    """The first ``n`` principal components of X (n, d), on one scale."""
    centred = X - X.mean(0)
    vectors = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :n]
    scores = centred @ vectors
    return scores / scores.std()


def right(given: Assigned, truth: np.ndarray, found: Judgement) -> dict:
    """How many pool rows were labelled, which share of the labels given is the ``truth`` (n,), and for the
    same rows that of the labels that linear models of L, and of L and V, would say; NaN where there are none.
    """
    known = [name for name in ("labeled", PLAIN) if name in found.names and len(truth)]
    labels = {name: found.model(name).probabilities(given.X).argmax(1) for name in known}
    labels["salutary"] = given.y
    shares = {name: (y == truth).mean() for name, y in labels.items() if len(truth)}
    names = ("salutary", "labeled", PLAIN)
    return {"n_given": len(truth)} | {f"right_{name}": float(shares.get(name, np.nan)) for name in names}


def assigned(
    data: LabelledData,
    X_pool: np.ndarray,
    folds: Sequence[Fold],
    model: LogisticRegression,
    strategy: Strategy,
    budget: int,
) -> tuple[list[Assigned], np.ndarray]:
    """What ``ROUNDS`` of the strategy label of the pool by all of V, and by the rows that each fold sees; and
    the numbers of the rows of the pool that all of V labels.
    """
    everyone = np.arange(len(data.validation))
    found = [
        _labelled(data, X_pool, seen, model, strategy, budget) for seen in (everyone, *(f[0] for f in folds))
    ]
    return [each for each, _ in found], found[0][1]


def _labelled(
    data: LabelledData,
    X_pool: np.ndarray,
    seen: np.ndarray,
    model: LogisticRegression,
    strategy: Strategy,
    budget: int,
) -> tuple[Assigned, np.ndarray]:
    """By the rows ``seen`` of V; the model's penalty is tuned on them."""
    labeled, validation = (
        Rows(torch.from_numpy(part.X), torch.from_numpy(part.y), _groups(part))
        for part in (data.labeled, data.validation[seen])
    )
    fitted = copy.copy(model)
    fitted.n_classes, fitted.l2 = data.n_classes, "validation"
    fitted.tune(labeled.X, labeled.y, stream(data.seed, "model"), (validation.X, validation.y))
    fitted.fit(labeled.X, labeled.y)
    pool = torch.from_numpy(X_pool)
    view = Track.start(labeled, validation, data.n_classes, data.criterion).view(pool)
    n = min(ROUNDS * budget, len(pool))
    chooser = strategy.for_validation(len(data.validation))
    proposal = chooser.propose(copy.copy(fitted), view, n, stream(data.seed, "strategy"))
    rows = proposal.indices.numpy(force=True)
    assert proposal.labels is not None
    return Assigned(X_pool[rows], proposal.labels.numpy(force=True), fitted.l2_), rows


def _groups(part: Part) -> torch.Tensor | None:
    return None if part.groups is None else torch.from_numpy(part.groups)
