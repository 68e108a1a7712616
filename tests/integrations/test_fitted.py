"""Influences at scikit-learn's own fits: against autograd, and refits with a point of tiny weight."""

import doctest
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from oracles import blobs
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from salutary import engine
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.integrations import fitted
from salutary.integrations.fitted import influence
from salutary.models import logistic

from .fitted_case import Case, exact

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
    objective = engine.MeanLoss(X_val, case.numbers(case.y_val))
    expected = engine.Optimum(model.coef_, model.penalty_, X, objective).influence(X_pool).numpy()
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
    monkeypatch.setitem(DENSE, "fitted", 0)
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


def test_the_docstring_runs():
    assert doctest.testmod(fitted, raise_on_error=True).attempted > 5


def test_hydra_is_not_imported():
    modules = "('hydra', 'omegaconf')"
    code = f"import sys, salutary.integrations.fitted; sys.exit(any(m in sys.modules for m in {modules}))"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
