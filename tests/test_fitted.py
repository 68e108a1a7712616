"""Influences at scikit-learn's own fits: against autograd, and refits with a point of tiny weight."""

import doctest
import subprocess
import sys
import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from oracles import blobs
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.class_weight import compute_class_weight

from salutary import engine
from salutary.errors import SalutaryError
from salutary.integrations import fitted
from salutary.integrations.fitted import influence
from salutary.models import logistic

SKLEARN = tuple(int(part) for part in sklearn.__version__.split(".")[:2])
NAMES = np.array(["ash", "beech", "cedar"])


@dataclass
class Case:
    """Rows, labels that are names, and a fitted model. ``weights``: sample weight times class weight."""

    model: LogisticRegression
    X: np.ndarray
    y: np.ndarray
    pool: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    sample_weight: np.ndarray | None
    weights: np.ndarray

    @classmethod
    def of(cls, n_classes=3, sample_weight=False, **settings):
        (X, y), (pool, _), (X_val, y_val) = (
            [part.numpy() for part in blobs(n, 4, n_classes, seed, spread=1.5)]
            for n, seed in ((60, 1), (12, 2), (40, 3))
        )
        y, y_val = NAMES[y], NAMES[y_val]
        weight = np.random.default_rng(0).uniform(0.2, 3, len(y)) if sample_weight else None
        model = exact(**settings).fit(X, y, sample_weight=weight)
        return cls(model, X, y, pool, X_val, y_val, weight, effective_weights(model, y, weight))

    def arguments(self, **changed):
        """What ``influence`` takes besides the model."""
        rows = {"X_train": self.X, "X_pool": self.pool, "X_val": self.X_val}
        labels = {"y_train": self.y, "y_val": self.y_val, "sample_weight": self.sample_weight}
        return {**rows, **labels, **changed}

    def influence(self, **changed):
        return influence(self.model, **self.arguments(**changed))

    def numbers(self, y):
        return torch.as_tensor(np.searchsorted(self.model.classes_, y))


def exact(**settings):
    """A model that its fit brings as near its optimum as rounding allows."""
    return LogisticRegression(**{"tol": 1e-12, "max_iter": 100_000, "solver": "newton-cholesky", **settings})


def effective_weights(model, y, sample_weight):
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    counted = {"sample_weight": weights} if SKLEARN >= (1, 7) else {}
    of_class = compute_class_weight(model.class_weight, classes=model.classes_, y=y, **counted)
    return weights * of_class[np.searchsorted(model.classes_, y)]


WEIGHTS = {
    "plain": {},
    "weights": {"sample_weight": True},
    "balanced": {"class_weight": "balanced"},
    "weights+balanced": {"sample_weight": True, "class_weight": "balanced"},
    "class weights": {"class_weight": {"ash": 3.0, "beech": 0.4}},
}
SETTINGS = [
    {"n_classes": n_classes, "fit_intercept": fit_intercept, "C": C, **options}
    for n_classes in (2, 3)
    for fit_intercept in (False, True)
    for C in (0.01, 1, 100)
    for options in WEIGHTS.values()
]
SETTINGS += [
    {"n_classes": n_classes, "solver": solver, "sample_weight": True}
    for n_classes in (2, 3)
    for solver in ("lbfgs", "newton-cg", "sag", "saga")
]
SETTINGS += [
    {"n_classes": 2, "solver": "liblinear", **options}
    for options in (
        {},
        {"fit_intercept": False},
        {"intercept_scaling": 5.0},
        {"intercept_scaling": 0.2, "C": 0.1, "sample_weight": True},
        {"intercept_scaling": 3.0, "class_weight": "balanced"},
        {"dual": True, "C": 0.1},
    )
]
SETTINGS += [{"n_classes": 2, "C": np.inf, "fit_intercept": f} for f in (False, True)]


@pytest.fixture(params=SETTINGS, ids=lambda settings: ",".join(f"{k}={v}" for k, v in settings.items()))
def case(request):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # tol is below what some solvers reach
        return Case.of(**request.param)


class Oracle:
    """J as scikit-learn's guide and liblinear's paper print it, and its derivatives by autograd."""

    def __init__(self, case):
        model = self.model = case.model
        self.X, self.y = self.features(case.X), case.numbers(case.y)
        self.s = torch.as_tensor(case.weights)
        self.penalised = torch.ones(self.X.shape[1], dtype=torch.float64)
        if model.fit_intercept and model.solver != "liblinear":
            self.penalised[-1] = 0
        columns = [model.coef_]
        if model.fit_intercept:
            columns.append(model.intercept_[:, None] / self.constant)
        self.W = torch.as_tensor(np.hstack(columns))

    @property
    def constant(self):
        """The feature whose weight the intercept is made of."""
        return self.model.intercept_scaling if self.model.solver == "liblinear" else 1.0

    def features(self, X):
        constant = [np.full((len(X), 1), self.constant)] if self.model.fit_intercept else []
        return torch.as_tensor(np.hstack([X, *constant]))

    def losses(self, W, X, y):
        Z = X @ W.T
        Z = torch.cat([torch.zeros_like(Z), Z], 1) if len(W) == 1 else Z
        return torch.logsumexp(Z, 1) - Z[torch.arange(len(y)), y]

    def objective(self, W):
        loss = (self.s * self.losses(W, self.X, self.y)).sum()
        return loss + (self.penalised * W**2).sum() / (2 * self.model.C)

    def mean_gradient(self, X, y):
        return torch.func.grad(lambda W: self.losses(W, X, y).mean())(self.W).flatten()

    def influence(self, case):
        H = torch.func.hessian(self.objective)(self.W).reshape(self.W.numel(), -1)
        S = torch.linalg.pinv(H, hermitian=True, rtol=1e-12)
        S = S @ self.mean_gradient(self.features(case.X_val), case.numbers(case.y_val))
        labels = [torch.tensor([c]) for c in range(len(self.model.classes_))]
        return [[float(S @ self.mean_gradient(x[None], c)) for c in labels] for x in self.features(case.pool)]


def test_the_objective_is_what_was_minimised(case):
    oracle = Oracle(case)
    at_optimum, at_zero = (
        torch.func.grad(oracle.objective)(W).norm() for W in (oracle.W, torch.zeros_like(oracle.W))
    )
    assert at_optimum < 1e-6 * at_zero


def test_influence_equals_autograd(case):
    found, expected = case.influence(), np.array(Oracle(case).influence(case))
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def test_influence_weighted_by_probability_is_zero(case):
    found = case.influence()
    assert found.shape == (12, len(case.model.classes_))
    assert np.abs((case.model.predict_proba(case.pool) * found).sum(1)).max() < 1e-12 * np.abs(found).max()


def test_influence_equals_refits_with_a_point_of_tiny_weight(case):
    """Differences of two weights, so that what is left is of the order of their product."""
    solver = "liblinear" if case.model.solver == "liblinear" else "newton-cholesky"
    settings = {**case.model.get_params(), "class_weight": None, "tol": 1e-13, "solver": solver}

    def loss(x, label, weight):
        model = LogisticRegression(**settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(np.vstack([case.X, x]), [*case.y, label], sample_weight=[*case.weights, weight])
        P = model.predict_proba(case.X_val)
        return -np.log(P[np.arange(len(P)), case.numbers(case.y_val)]).mean()

    def slope(x, label, weight):
        return (loss(x, label, 0) - loss(x, label, weight)) / weight

    found, e = case.influence(X_pool=case.pool[:2]), 0.004
    expected = np.array(
        [[2 * slope(x, c, e / 2) - slope(x, c, e) for c in case.model.classes_] for x in case.pool[:2]]
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("C", [0.01, 1, 100])
def test_influence_is_that_of_our_own_model(n_classes, fit_intercept, C):
    case = Case.of(n_classes, fit_intercept=fit_intercept, C=C)
    X, X_pool, X_val = (torch.as_tensor(part) for part in (case.X, case.pool, case.X_val))
    model = logistic.LogisticRegression(n_classes, 1 / C, fit_intercept).fit(X, case.numbers(case.y))
    expected = engine.label_influence(
        model.coef_,
        model.penalty_,
        X_pool=X_pool,
        X_hessian=X,
        X_validation=X_val,
        y_validation=case.numbers(case.y_val),
    ).numpy()
    np.testing.assert_allclose(case.influence(), expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weights_of_the_hessian_repeat_rows(n_classes, monkeypatch):
    X, y = blobs(40, 4, n_classes, seed=1)
    model = logistic.LogisticRegression(n_classes, 0.1).fit(X, y)
    times = torch.arange(40) % 3
    rows = X.repeat_interleave(times, 0)
    expected = engine.Hessian.at(model.coef_, rows, model.penalty_)
    V = torch.randn(model.coef_.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr("salutary.engine.softmax.MIN_ROWS", 7)
    monkeypatch.setitem(engine.softmax.BLOCK_BYTES, "cpu", 1)
    found = engine.Hessian.at(model.coef_, X, model.penalty_, times.double())
    torch.testing.assert_close(found.dense(), expected.dense())
    torch.testing.assert_close(found @ V, expected @ V)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_conjugate_gradients_agree(n_classes, monkeypatch):
    case = Case.of(n_classes, sample_weight=True)
    expected = case.influence()
    monkeypatch.setattr(fitted, "DENSE", 0)
    np.testing.assert_allclose(case.influence(), expected, rtol=1e-7, atol=1e-12)


KINDS = {
    "lists": lambda X: X.tolist(),
    "by column": np.asfortranarray,
    "read-only": lambda X: np.broadcast_to(X, X.shape),
    "backwards": lambda X: X[::-1].copy()[::-1],
    "frame": pd.DataFrame,
    "csr": sparse.csr_matrix,
    "csc array": sparse.csc_array,
}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("error")
def test_rows_of_every_kind(n_classes, kind):
    case, convert = Case.of(n_classes), KINDS[kind]
    rows = {name: convert(case.arguments()[name]) for name in ("X_train", "X_pool", "X_val")}
    found = case.influence(**rows, y_val=pd.Series(case.y_val), y_train=case.y.tolist())
    assert type(found) is np.ndarray and found.dtype == np.float64
    np.testing.assert_allclose(found, case.influence(), rtol=1e-12)


def test_nothing_passed_in_changes():
    case = Case.of(sample_weight=True)
    before = {name: value.copy() for name, value in case.arguments().items()}
    state = {name: np.copy(value) for name, value in vars(case.model).items()}
    case.influence()
    for name, value in case.arguments().items():
        np.testing.assert_array_equal(value, before[name])
    assert vars(case.model).keys() == state.keys()
    np.testing.assert_array_equal(case.model.coef_, state["coef_"])


@pytest.mark.parametrize("labels", [[10, 20, 30], [0.0, 1.0, 2.0]])
def test_labels_of_every_kind(labels):
    case, expected = Case.of(), Case.of().influence()
    labels = np.array(labels)
    y, y_val = labels[case.numbers(case.y)], labels[case.numbers(case.y_val)]
    case.model.fit(case.X, y)
    np.testing.assert_allclose(case.influence(y_train=y, y_val=y_val), expected, rtol=1e-9)


@pytest.mark.filterwarnings("error:X does not have valid feature names")
def test_frames_must_have_the_columns_of_the_fit():
    case = Case.of()
    frame, names = pd.DataFrame, list("abcd")
    expected = case.influence()
    case.model.fit(frame(case.X, columns=names), case.y)
    rows = {"X_train": case.X, "X_pool": case.pool, "X_val": case.X_val}
    rows = {name: frame(X, columns=names) for name, X in rows.items()}
    np.testing.assert_allclose(case.influence(**rows), expected, rtol=1e-9)
    rows["X_pool"] = rows["X_pool"].rename(columns={"d": "other"})
    with pytest.raises(SalutaryError, match=r"X_pool: The feature names should match .*- other"):
        case.influence(**rows)


def test_cross_validated_penalty():
    case = Case.of(sample_weight=True)
    settings = {"Cs": [0.1, 10], "tol": 1e-12, "max_iter": 10_000, "class_weight": "balanced"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of deprecated defaults
        tuned = LogisticRegressionCV(**settings).fit(case.X, case.y, sample_weight=case.sample_weight)
    fixed = exact(C=np.ravel(tuned.C_)[0], class_weight="balanced")
    fixed.fit(case.X, case.y, sample_weight=case.sample_weight)
    expected = influence(fixed, **case.arguments())
    np.testing.assert_allclose(influence(tuned, **case.arguments()), expected, rtol=1e-4, atol=1e-8)


def test_sparse_parameters():
    case = Case.of()
    expected = case.influence()
    case.model.sparsify()
    np.testing.assert_array_equal(case.influence(), expected)


def test_integer_sample_weights():
    case = Case.of()
    weights = np.arange(60) % 3
    case.model.fit(case.X, case.y, sample_weight=weights)
    repeated = np.repeat(np.arange(60), weights)
    found = case.influence(sample_weight=weights)
    expected = case.influence(X_train=case.X[repeated], y_train=case.y[repeated])
    np.testing.assert_allclose(found, expected, rtol=1e-9)


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


class Halved(TransformerMixin, BaseEstimator):
    """A step without anything fitted."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X / 2


class Resampler(Halved):
    def fit_resample(self, X, y):
        return X, y


def test_steps_of_a_pipeline():
    case = Case.of()
    pipeline = make_pipeline("passthrough", Halved(), exact()).fit(case.X, case.y)
    halved = {name: case.arguments()[name] / 2 for name in ("X_train", "X_pool", "X_val")}
    expected = influence(pipeline[-1], **case.arguments(**halved))
    np.testing.assert_array_equal(influence(pipeline, **case.arguments()), expected)
    pipeline = make_pipeline(Resampler(), exact()).fit(case.X, case.y)
    with pytest.raises(SalutaryError, match="step 'resampler' resamples"):
        influence(pipeline, **case.arguments())


def test_rows_go_through_a_pipeline():
    """Of named columns, some of them categories, which become sparse; and of a pipeline of one step."""
    case = Case.of()

    def frame(X):
        return pd.DataFrame(X, columns=list("abcd")).assign(kind=np.where(X[:, 0] > 0, "high", "low"))

    steps = [("scaled", StandardScaler(), list("abcd")), ("kind", OneHotEncoder(), ["kind"])]
    pipeline = make_pipeline(ColumnTransformer(steps, sparse_threshold=1), exact()).fit(frame(case.X), case.y)
    rows = {name: frame(X) for name, X in (("X_train", case.X), ("X_pool", case.pool), ("X_val", case.X_val))}
    transformed = {name: pipeline[:-1].transform(X) for name, X in rows.items()}
    assert sparse.issparse(transformed["X_pool"])
    expected = influence(pipeline[-1], **case.arguments(**transformed))
    np.testing.assert_array_equal(influence(pipeline, **case.arguments(**rows)), expected)
    np.testing.assert_array_equal(influence(make_pipeline(case.model), **case.arguments()), case.influence())
    for name in rows:
        with pytest.raises(SalutaryError, match=f"^{name}: columns are missing: {{'kind'}}"):
            influence(pipeline, **case.arguments(**{**rows, name: rows[name].drop(columns="kind")}))


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
    monkeypatch.setattr(fitted, "DENSE", 0)
    monkeypatch.setattr(fitted, "conjugate_gradients", partial(engine.conjugate_gradients, max_iter=1))
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
        case.influence()
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


def test_the_docstring_runs():
    assert doctest.testmod(fitted, raise_on_error=True).attempted > 5


def test_hydra_is_not_imported():
    code = "import sys, salutary.integrations.fitted; sys.exit(any(m in sys.modules for m in ('hydra', 'omegaconf')))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
