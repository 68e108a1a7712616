"""Salutary labelling in scikit-activeml: a query strategy with labels of its own.

    strategy = SalutarySampling()
    rows = strategy.query(X, y, clf, X_val, y_val, batch_size=10)
    y[rows] = strategy.labels_  # nobody was asked

Raises SalutaryError on import if scikit-activeml is not installed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from salutary.engine.selection import top
from salutary.errors import SalutaryError, needs
from salutary.integrations.fitted import RowsLike, influence

try:
    from skactiveml.base import SingleAnnotatorPoolQueryStrategy
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.utils import MISSING_LABEL, check_equal_missing_label, check_type, is_labeled
except ImportError as error:
    raise needs("scikit-activeml", "activeml") from error


class SalutarySampling(SingleAnnotatorPoolQueryStrategy):
    """The candidates with the highest influence over all labels; of equals the lower index first.

    utility(x) = max over c of I(x, c), the predicted fall of the mean validation loss, see
    :func:`salutary.integrations.fitted.influence`. ``random_state`` is not used.

    Attributes
    ----------
    labels_: the labels of the candidates of the last query, best first: argmax over c of I(x, c), among
        the classes that occur in y.
    """

    def __init__(self, missing_label=MISSING_LABEL, random_state=None):
        super().__init__(missing_label=missing_label, random_state=random_state)

    def query(
        self,
        X: ArrayLike,
        y: ArrayLike,
        clf: SklearnClassifier,
        X_val: RowsLike,
        y_val: ArrayLike,
        fit_clf: bool = True,
        sample_weight: ArrayLike | None = None,
        candidates: ArrayLike | None = None,
        batch_size: int = 1,
        return_utilities: bool = False,
    ) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Indices of the best candidates, (batch_size,), and if asked for, utilities.

        The arguments are those of ``UncertaintySampling.query`` and the validation set. ``clf``: a
        ``SklearnClassifier`` of a ``LogisticRegression``; fitted here to (``X``, ``y``, ``sample_weight``)
        or, with ``fit_clf=False``, already fitted to them. ``candidates``: None for the rows without a
        label, indices of rows of ``X``, or rows of their own, to which indices and utilities then refer.
        Utilities (batch_size, n): NaN where a row is no candidate, or chosen before.

        Raises what scikit-activeml raises for arguments of its own, and SalutaryError as ``influence`` does.
        """
        X, y, candidates, batch_size, return_utilities = self._validate_data(
            X, y, candidates, batch_size, return_utilities, reset=True
        )
        X_candidates, mapping = self._transform_candidates(candidates, X, y)
        labelled = is_labeled(y, self.missing_label_)
        model = self._fitted(clf, fit_clf, X, y, sample_weight)
        fall = influence(
            model,
            X_train=X[labelled],
            X_pool=X_candidates,
            X_val=X_val,
            y_val=y_val,
            sample_weight=None if sample_weight is None else np.asarray(sample_weight)[labelled],
            y_train=y[labelled],
        )
        best = fall.max(axis=1)
        chosen = top(best, batch_size).numpy()
        self.labels_ = model.classes_[fall[chosen].argmax(axis=1)]
        indices = chosen if mapping is None else mapping[chosen]  # mapping ascends, and so keeps the ties
        return (indices, _utilities(best, mapping, indices, len(X))) if return_utilities else indices

    def _fitted(
        self, clf: SklearnClassifier, fit_clf: bool, X: np.ndarray, y: np.ndarray, sample_weight
    ) -> object:
        """The estimator in ``clf``, fitted. Raises SalutaryError if it could not be."""
        check_type(clf, "clf", SklearnClassifier)
        check_equal_missing_label(clf.missing_label, self.missing_label_)
        check_type(fit_clf, "fit_clf", bool)
        if fit_clf:
            weights = {} if sample_weight is None else {"sample_weight": sample_weight}
            clf = clone(clf).fit(X, y, **weights)
        check_is_fitted(clf)
        if not clf.is_fitted_:  # then it predicts by the counts of the labels
            raise SalutaryError("clf could not be fitted: its warning says why")
        return clf.estimator_


def _utilities(best: np.ndarray, mapping: np.ndarray | None, indices: np.ndarray, n: int) -> np.ndarray:
    """The utilities that each of ``indices`` was chosen by, one row for each."""
    values = best
    if mapping is not None:
        values = np.full(n, np.nan)
        values[mapping] = best
    rows = np.tile(values, (len(indices), 1))
    for position, index in enumerate(indices):
        rows[position + 1 :, index] = np.nan
    return rows
