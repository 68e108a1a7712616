"""What a user would otherwise train on L + V: tuned trees, and cleanlab's CleanLearning."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from cleanlab.classification import CleanLearning
from sklearn import linear_model
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from salutary.remedies import LabelledData

FOLDS = 3
BOOSTING = {"learning_rate": [0.03, 0.1], "max_depth": [3, None]}
FOREST = {"max_features": ["sqrt", 0.5]}


def rivals(data: LabelledData, penalty: float) -> Iterator[tuple[str, BaseEstimator]]:
    """Names, and classifiers fitted to L's and V's rows. ``penalty``: of the linear model to be cleaned."""
    X = np.concatenate([data.labeled.X, data.validation.X])
    y = np.concatenate([data.labeled.y, data.validation.y])
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=data.seed)
    boosting = HistGradientBoostingClassifier(early_stopping=False, random_state=data.seed)
    forest = RandomForestClassifier(150, random_state=data.seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class|lbfgs failed to converge")
        for name, model, grid in (
            ("hist_gradient_boosting, tuned", boosting, BOOSTING),
            ("random_forest, tuned", forest, FOREST),
        ):
            yield name, GridSearchCV(model, grid, scoring="neg_log_loss", cv=folds).fit(X, y)
        linear = linear_model.LogisticRegression(C=1 / penalty, max_iter=2000)
        # Its processes would not see what they need where this one is itself one of several.
        alone = {"n_jobs": 1}
        yield "CleanLearning", CleanLearning(linear, seed=data.seed, find_label_issues_kwargs=alone).fit(X, y)
