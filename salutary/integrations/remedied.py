"""The remedies of :mod:`salutary.remedies` for :class:`salutary.SalutaryClassifier`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin

from salutary.errors import SalutaryError
from salutary.labeling import stopping
from salutary.labeling.aim import LOWEST_LOSS, Aim
from salutary.labeling.handed import to_sklearn
from salutary.labeling.judging import Judged, Remedying, data_of, held_out_figures, majority_of
from salutary.labeling.pool import ArrayPool, NpyPool
from salutary.labeling.sources import NOBODY
from salutary.labeling.verdict import facts_of, verdict
from salutary.models.logistic import LogisticRegression
from salutary.remedies import Assigned, LabelledData
from salutary.remedies.base_models import candidates
from salutary.remedies.diagnosis import diagnose
from salutary.remedies.judgement import Fold
from salutary.strategies.track import Rows
from salutary.system.rules import NULL, Flag, Text, Texts, Whole, Worded, check

RULES = {
    "remedies": Worded(NULL | Flag() | Texts(""), 'None, True, False or a list of names such as ["labeled"]'),
    "combine": Text("average, best or the name of a model"),
    "folds": Whole(0),
    "max_seconds": stopping.RULES["max_seconds"],
}
# What a fit with remedies has beside that of one without.
FITTED = ("remedies_", "handed_", "diagnosis_", "judgement_", "cleaned_weights_", "cleaned_proba_")
COLUMNS = ("name", "about", "weight", "held_out_loss", "standard_error", "held_out_accuracy")


def asked(estimator: Any) -> Remedying | None:
    """What the parameters ``remedies``, ``candidates``, ``combine`` and ``max_seconds`` ask for; None without
    remedies, the others are not looked at then. Raises SalutaryError for one that makes no sense.
    """
    check(estimator, {"remedies": RULES["remedies"]})
    if not estimator.remedies:
        return None
    check(estimator, RULES)
    if estimator.folds == 1:
        raise SalutaryError("folds must be 0, for no judging, or at least 2")
    bases = candidates(_checked(estimator.candidates))
    settings = estimator.remedies, bases, estimator.combine, estimator.max_seconds
    remedying = Remedying(*settings, progress=False)
    remedying.check_names()
    return remedying


def _checked(chosen: Any) -> list[str | BaseEstimator]:
    """Raises SalutaryError unless these are names and classifiers, each once."""
    if isinstance(chosen, str) or not isinstance(chosen, Sequence):
        raise SalutaryError(f"candidates must be a list of names and classifiers, not {chosen!r}")
    names = []
    for each in chosen:
        is_classifier = hasattr(each, "get_params") and not isinstance(each, type)
        if not isinstance(each, str) and not is_classifier:
            raise SalutaryError(f"candidates: {each!r} is neither a name nor a classifier")
        names.append(each if isinstance(each, str) else type(each).__name__)
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise SalutaryError(f"candidates: {twice[0]} is there twice, and models are told apart by that")
    return list(chosen)


@dataclass(frozen=True)
class Case:
    """What is judged: L, V and the ``sources`` of L's labels, and what all are called.

    ``classes`` (C,), ``features`` (d,): as the user has them. ``model``: settings of linear ones.
    """

    remedying: Remedying
    data: LabelledData
    sources: tuple[str, ...]
    classes: np.ndarray
    features: tuple[str, ...]
    model: LogisticRegression

    @classmethod
    def of(
        cls,
        estimator: Any,
        labeled: Rows,
        validation: Rows | None,
        source: Any,
        model: LogisticRegression,
        seed: int,
        has_pool: bool,
        aim: Aim = LOWEST_LOSS,
    ) -> Case | None:
        """What the parameters of the ``estimator``, which knows classes and features, ask for; None without
        remedies. Raises SalutaryError for parameters, validation rows or sources that make no sense.
        """
        remedying, classes = asked(estimator), estimator.classes_
        if remedying is None:
            return None
        remedying = replace(remedying, aim=aim)
        if validation is None:
            raise SalutaryError("remedies need X_val and y_val: they are judged by them")
        if len(validation.y.unique()) < 2:
            name = classes[int(validation.y[0])]
            raise SalutaryError(f"y_val holds 1 class only, {name}: remedies are judged by at least two")
        numbers, names = (None, ()) if source is None else numbered(source, len(labeled))
        n_plain = None if estimator.map_.fitted is None else estimator.n_features_in_
        data = data_of(labeled, validation, numbers, model, seed, aim.criterion, n_plain)
        remedying.check(data, has_pool)
        unnamed = [f"x{k}" for k in range(estimator.n_features_in_)]
        features = map(str, getattr(estimator, "feature_names_in_", unnamed))
        return cls(remedying, data, names, classes, tuple(features), model)

    def judged(
        self,
        folds: Sequence[Fold],
        pool: ArrayPool | NpyPool | None,
        given: list[Assigned] | None,
        seconds: float,
    ) -> Judged:
        """``given``: labels of rows of the ``pool``, in the result and the folds. ``seconds``: that are
        gone.
        """

        def sample(n: int, rng: np.random.Generator) -> np.ndarray:
            assert pool is not None
            return pool.take(np.sort(rng.permutation(len(pool))[:n]))

        judgement = self.remedying.judge(self.data, folds, given, seconds)
        columns = {name: [place] for place, name in enumerate(self.features)}
        of_pool = None if pool is None else sample
        found = diagnose(self.data, self.sources, [*map(str, self.classes)], columns, of_pool)
        figures = held_out_figures(judgement, self.data.seed)
        return Judged(judgement, found, {}, majority_of(self.data), figures)

    def fitted(self, found: Judged) -> ClassifierMixin:
        """The model that is handed over, as scikit-learn has it."""
        return to_sklearn(found.judgement.handed, self.model, self.classes)


def numbered(source: Any, n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Numbers (n,) of the sources, and their names; missing values are one more, the last.

    Raises SalutaryError for what is not a value for each of ``n`` rows.
    """
    try:
        values = pd.Series(list(source), dtype=object)
        codes, found = pd.factorize(values)
    except TypeError as error:
        raise SalutaryError(f"source must be a name for each row of X: {error}") from error
    if len(values) != n:
        raise SalutaryError(f"X has {n} rows, source {len(values)}")
    names = [str(each) for each in found]
    order = sorted(range(len(names)), key=lambda place: names[place])
    rank = np.empty(len(names) + 1, np.int64)
    rank[[*order, len(names)]] = np.arange(len(names) + 1)
    named = tuple(names[place] for place in order)
    return rank[codes], named + (NOBODY,) * bool((codes < 0).any())


def attributes(found: Judged) -> dict[str, Any]:
    """The values of ``FITTED``."""
    facts = facts_of(found)
    told = {"held_out_standard_error": "standard_error"}
    handed = facts["handed"] | {"verdict": verdict(found, "The model"), "dropped": facts["dropped"]}
    table = pd.DataFrame(facts["remedies"]).rename(columns=told).reindex(columns=COLUMNS)
    values = table, handed, found.diagnosis, found.judgement, *found.judgement.of_labeled()
    return dict(zip(FITTED, values, strict=True))
