"""Fits and rows that have no influences, and fits away from their optimum: each is named."""

import warnings
from functools import partial

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from salutary import engine
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.integrations.fitted import influence
from salutary.models import logistic

from .fitted_case import NAMES, SKLEARN, Case, exact

BAD = {
    "pool empty": ({"X_pool": np.empty((0, 4))}, r"X_pool: Found array with 0 sample\(s\)"),
    "pool of other width": ({"X_pool": np.ones((3, 5))}, "X_pool: X has 5 features, .* expecting 4"),
    "pool flat": ({"X_pool": np.ones(4)}, "X_pool: Expected 2D array"),
    "pool of text": ({"X_pool": [["a"] * 4]}, "X_pool: could not convert string to float"),
    "NaN": ({"X_val": np.full((40, 4), np.nan)}, "X_val holds values that are missing or infinite"),
    "NaN, sparse": ({"X_pool": sparse.csr_array(np.full((2, 4), np.inf))}, "X_pool holds values"),
    "NaN in training": ({"X_train": np.full((60, 4), np.nan)}, "X_train holds values"),
    "validation labels short": ({"y_val": NAMES[[0, 1]]}, r"y_val must be 40 labels, .* shape \(2,\)"),
    "labels in a column": ({"y_val": np.full((40, 1), "ash")}, r"y_val must be 40 labels, .* \(40, 1\)"),
    "training labels short": ({"y_train": NAMES}, "y_train must be 60 labels"),
    "label unknown": ({"y_val": ["ash"] * 39 + ["fir"]}, "y_val holds 'fir', a label the model was not"),
    "label missing": ({"y_val": [np.nan] * 40}, "y_val holds nan, a label"),
    "training label unknown": ({"y_train": ["elm"] * 60}, "y_train holds 'elm'"),
    "weights short": ({"sample_weight": np.ones(3)}, "sample_weight must be 60 finite numbers >= 0"),
    "weights negative": ({"sample_weight": -np.ones(60)}, "sample_weight must be 60 finite numbers"),
    "weights missing": ({"sample_weight": np.full(60, np.nan)}, "sample_weight must be 60 finite numbers"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_arguments_are_named(name):
    changed, message = BAD[name]
    with pytest.raises(SalutaryError, match=message) as error:
        Case.of().influence(**changed)
    assert "\n" not in str(error.value)


def test_class_weight_needs_the_training_labels():
    case = Case.of(class_weight="balanced")
    with pytest.raises(SalutaryError, match="class_weight needs y_train"):
        case.influence(y_train=None)
    with pytest.raises(SalutaryError, match="y_train lacks a class"):
        case.influence(y_train=["ash"] * 60)


def test_other_models_are_refused():
    case = Case.of()
    for model in (Ridge(), None, make_pipeline(StandardScaler(), Ridge()), StandardScaler()):
        with pytest.raises(SalutaryError, match="model must be scikit-learn's LogisticRegression, not"):
            influence(model, **case.arguments())
    for model in (LogisticRegression(), make_pipeline(StandardScaler(), LogisticRegression())):
        with pytest.raises(NotFittedError):
            influence(model, **case.arguments())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{"penalty": "l1"}, {"penalty": "elasticnet", "l1_ratio": 0.5}])
def test_l1_penalties_are_refused(settings):
    case = Case.of()
    model = LogisticRegression(solver="saga", tol=1e-3, max_iter=1000, **settings).fit(case.X, case.y)
    with pytest.raises(SalutaryError, match="influences need an l2 penalty"):
        influence(model, **case.arguments())


@pytest.mark.skipif(SKLEARN < (1, 8), reason="l1_ratio alone says l1 from scikit-learn 1.8 on")
@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_l1_ratios_are_refused(l1_ratio):
    case = Case.of()
    model = LogisticRegression(solver="saga", l1_ratio=l1_ratio, max_iter=1000).fit(case.X, case.y)
    with pytest.raises(SalutaryError, match="influences need an l2 penalty"):
        influence(model, **case.arguments())


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_l2_by_its_old_name():
    case = Case.of(C=0.3)
    model = exact(C=0.3, penalty="l2").fit(case.X, case.y)
    np.testing.assert_allclose(influence(model, **case.arguments()), case.influence())


@pytest.mark.filterwarnings("ignore")
def test_averaged_cross_validation_is_refused():
    case = Case.of()
    model = LogisticRegressionCV(Cs=2, refit=False).fit(case.X, case.y)
    with pytest.raises(SalutaryError, match="refit=False"):
        influence(model, **case.arguments())


@pytest.mark.parametrize("n_classes, setting", [(2, "multinomial"), (3, "ovr")])
def test_models_of_older_versions_that_are_another_model(n_classes, setting):
    case = Case.of(n_classes)
    case.model.multi_class = setting
    with pytest.raises(SalutaryError, match=r"not supported: (leave it unset|fit one of all)"):
        case.influence()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{"C": np.inf}, {"penalty": None}])
def test_no_penalty_needs_a_positive_definite_hessian(settings):
    """Softmax weights are defined up to a shift; and Cholesky's method must not succeed by rounding."""
    case = Case.of(2, **settings)
    assert np.isfinite(case.influence()).all()
    message = "the Hessian is not positive definite to working precision: .* smaller C"
    with pytest.raises(SalutaryError, match=message):
        Case.of(3, **settings, solver="lbfgs").influence()
    twice = {name: np.hstack([case.arguments()[name]] * 2) for name in ("X_train", "X_pool", "X_val")}
    model = LogisticRegression(**settings).fit(twice["X_train"], case.y)
    with pytest.raises(SalutaryError, match=message):
        influence(model, **case.arguments(**twice))


def test_columns_of_any_scale():
    """Dependent columns are told from badly scaled ones."""
    case = Case.of(2, C=np.inf, fit_intercept=True)
    scale = np.array([1e-6, 1, 1e6, 1e3])
    rows = {name: case.arguments()[name] * scale for name in ("X_train", "X_pool", "X_val")}
    expected = case.influence()
    case.model.coef_ = case.model.coef_ / scale
    np.testing.assert_allclose(case.influence(**rows), expected, rtol=1e-6)


def test_conjugate_gradients_that_stall_say_what_to_do(monkeypatch):
    for purpose in ("fitted", "factor"):
        monkeypatch.setitem(DENSE, purpose, 0)
    once = partial(engine.conjugate_gradients, max_iter=1)
    monkeypatch.setattr("salutary.engine.solvers.conjugate_gradients", once)
    with pytest.raises(SalutaryError, match="conjugate gradients did not converge: scale the features"):
        Case.of().influence()


def converged(case, **changed):
    """Whether ``influence`` has nothing to say about the fit."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.influence(**changed)
    return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_model_away_from_its_optimum_is_noticed(n_classes):
    case = Case.of(n_classes, sample_weight=True)
    assert converged(case)
    assert not converged(case, sample_weight=None)
    assert not converged(case, y_train=case.y[::-1])
    assert not converged(case, X_train=case.X + 1)
    case.model.coef_ = 1.5 * case.model.coef_
    with pytest.warns(ConvergenceWarning, match=r"log-odds by .* Lower tol or raise max_iter") as caught:
        influence(case.model, **case.arguments())
    assert caught[0].filename == __file__
    assert converged(case, y_train=None)  # nothing to compare with


@pytest.mark.filterwarnings("ignore")
def test_separable_classes_without_a_penalty_have_no_optimum():
    X = np.linspace(-1, 1, 40)[:, None] + np.sign(np.arange(40) - 19.5)[:, None]
    y = (X[:, 0] > 0).astype(int)
    model = LogisticRegression(C=np.inf, tol=1e-8).fit(X, y)
    with pytest.warns(ConvergenceWarning, match="not at its optimum"):
        influence(model, X_train=X, y_train=y, X_pool=X, X_val=X, y_val=y)


TABLES = {"breast_cancer": load_breast_cancer, "wine": load_wine, "digits": load_digits}


def errors(table, scaled, **settings):
    """Of a fit to a third of a table, at most 300 rows: whether ``influence`` warns, and how far it is off.

    The largest error over the largest exact influence.
    """
    X, y = TABLES[table](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    n = min(300, len(y) // 3)
    train, val, pool = order[:n], order[n : 2 * n], order[2 * n :]
    X = StandardScaler().fit(X[train]).transform(X) if scaled else X
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(**settings).fit(X[train], y[train])
    rows = {"X_train": X[train], "X_pool": X[pool], "X_val": X[val], "y_val": y[val]}
    best = logistic.LogisticRegression(len(model.classes_), 1 / settings["C"], max_iter=1000)
    best.fit(torch.as_tensor(X[train]), torch.as_tensor(y[train]))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        found = influence(model, **rows, y_train=y[train])
    model.coef_, model.intercept_ = best.coef_[:, :-1].numpy(), best.coef_[:, -1].numpy()
    exact = influence(model, **rows)
    return bool(caught), np.abs(found - exact).max() / np.abs(exact).max()


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("C", [0.01, 1, 100])
@pytest.mark.parametrize("tol", [1e-4, 1e-6])
def test_a_fit_without_a_warning_has_influences_within_two_per_cent(table, scaled, C, tol):
    warned, error = errors(table, scaled, C=C, tol=tol, max_iter=500)
    print(f"{table} {scaled=} {C=} {tol=}: {warned=}, off by {error:.1e} of the largest")
    assert warned or error < 0.02
