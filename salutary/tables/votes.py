"""Several fitted classifiers as one of scikit-learn's own, which can be saved without a class of ours."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import LabelEncoder

from salutary.errors import SalutaryError
from salutary.tables.messages import listed


def soft_vote(
    members: Sequence[tuple[str, ClassifierMixin]], weights: Sequence[float], classes: np.ndarray
) -> VotingClassifier:
    """The weighted mean of the members' probabilities, as a classifier that is fitted already:

        p(x) = sum_m w_m p_m(x) / sum_m w_m

    ``members``: classifiers by name, fitted to all of the ``classes`` (C,), or to their numbers from 0; the
    vote answers with the ``classes``, so that one of a single member gives that one the users' labels.
    Raises SalutaryError for a member that does not know all of them: no part of scikit-learn gives it the
    column that it lacks. So every set of training rows has to hold each class, be it in one row of a weight
    next to nothing.

    It lacks ``named_estimators_``, of a type that skops does not load unasked: ``estimators``, not fitted,
    has the names of ``estimators_``.
    """
    for name, member in members:
        _check_classes(name, member.classes_, classes)
    unfitted = [(name, clone(member)) for name, member in members]  # each is to be saved once
    vote = VotingClassifier(unfitted, voting="soft", weights=[*map(float, weights)])
    vote.estimators_ = [member for _, member in members]
    vote.le_ = LabelEncoder().fit(classes)
    vote.classes_ = vote.le_.classes_ = np.asarray(classes)
    return vote


def _check_classes(name: str, known: np.ndarray, classes: np.ndarray) -> None:
    if np.array_equal(known, classes) or np.array_equal(known, np.arange(len(classes))):
        return
    found = listed([*map(str, known)], 10)
    raise SalutaryError(f"model {name} knows the classes {found}, and not {listed([*map(str, classes)], 10)}")


def single_threaded(estimator: ClassifierMixin) -> ClassifierMixin:
    """A copy that predicts in one thread: the trees of a forest are then added up in one order, and give the
    same probabilities to the last digit each time.
    """
    alone = copy.deepcopy(estimator)
    _set_single_threaded(alone)
    return alone


def _set_single_threaded(estimator: ClassifierMixin) -> None:
    parts = {"": estimator, **estimator.get_params()}
    owners = {name: parts[name.rpartition("__")[0]] for name in parts if name.rpartition("__")[2] == "n_jobs"}
    # Of a logistic regression it means nothing any more, and setting it warns.
    jobs = {name: 1 for name, owner in owners.items() if not isinstance(owner, LogisticRegression)}
    estimator.set_params(**jobs)
    for vote in parts.values():
        if isinstance(vote, VotingClassifier):
            for member in getattr(vote, "estimators_", ()):
                _set_single_threaded(member)
