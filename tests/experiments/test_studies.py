"""Studies against doing it again by hand; wrong labels, smaller pools and shares of the pool."""

import csv
import itertools
import json

import numpy as np
import pandas as pd
import pytest
import torch

from salutary.analysis.sections import figure3
from salutary.engine import loss
from salutary.engine.solvers import DENSE
from salutary.errors import SalutaryError
from salutary.experiments.metrics import evaluate
from salutary.experiments.problem import noisy_labels
from salutary.experiments.settings import Settings
from salutary.experiments.split import StandardSplit
from salutary.experiments.studies import initial_state
from salutary.experiments.studies.added_points import AddedPoints
from salutary.experiments.studies.relabelled_bins import RelabelledBins
from salutary.experiments.studies.selection_cost import SelectionCost
from salutary.models.logistic import LogisticRegression


def fitted(problem, model, X, y):
    model = LogisticRegression(problem.n_classes, model.l2, model.fit_intercept)
    return model.fit(X, y)


@pytest.mark.parametrize("dataset", ["breast_cancer", "digits"])
def test_added_points_are_really_added(dataset, prepared):
    problem, model, strategy, _ = prepared(f"dataset={dataset}")
    (rows,) = AddedPoints(n=5).measure(problem, model, strategy, 10, 0).values()
    assert len({row["sample_id"] for row in rows}) == 5
    X, y = problem.part("initial")
    validation = problem.part("validation")
    before = loss(*validation, fitted(problem, model, X, y).coef_).mean()
    for row in rows:
        sample = row["sample_id"]
        assert sample in problem.split.pool and row["true_label"] == problem.y[sample]
        added = torch.cat([X, problem.X[[sample]]]), torch.cat([y, problem.y[[sample]]])
        fall = float(before - loss(*validation, fitted(problem, model, *added).coef_).mean())
        assert row["actual"] == pytest.approx(fall, rel=1e-4, abs=1e-9)
        assert row["gradient"] == pytest.approx(fall, rel=0.5, abs=1e-4)
        assert row["second_order"] == pytest.approx(fall, rel=0.2, abs=1e-4)
        assert row["pool_hessian"] != row["gradient"]


def test_relabelled_bins(prepared):
    problem, model, strategy, _ = prepared("dataset=breast_cancer", "n_init=60")
    tables = RelabelledBins(bins=5).measure(problem, model, strategy, 10, 0)
    bins = tables["relabelled_bins"]
    assert [(b["part"], b["bin"]) for b in bins] == [(p, i) for p in ("labeled", "pool") for i in range(5)]
    start, view = initial_state(problem, model)
    X, y = problem.part("initial")
    for part, X_part in {"labeled": X, "pool": problem.part("pool")[0]}.items():
        influence, best = strategy.influence(start, view, X_part).max(1)
        own = [b for b in bins if b["part"] == part]
        assert sum(b["n"] for b in own) == len(X_part)
        assert all(a["influence_high"] <= b["influence_low"] for a, b in itertools.pairwise(own))
        last = influence.argsort(stable=True)[-own[-1]["n"] :]
        if part == "labeled":
            labels = y.clone()
            labels[last] = best[last]
            by_hand = fitted(problem, model, X, labels)
            assert own[-1]["accuracy_true"] == evaluate(start, *problem.part("test")).accuracy
        else:
            by_hand = fitted(problem, model, torch.cat([X, X_part[last]]), torch.cat([y, best[last]]))
        assert own[-1]["accuracy_salutary"] == evaluate(by_hand, *problem.part("test")).accuracy
        histogram = [h for h in tables["influence_histogram"] if h["part"] == part]
        assert sum(h["count"] for h in histogram) == len(X_part)


def test_selection_cost_leaves_nothing_behind(prepared):
    problem, model, strategy, _ = prepared("dataset=breast_cancer")
    before = {name: problem.X.clone() for name in ("X",)}
    (rows,) = SelectionCost(repeats=3).measure(problem, model, strategy, 10, 0).values()
    assert [row["repeat"] for row in rows] == [0, 1, 2]
    assert all(row["seconds"] > 0 and row["peak_mb"] >= 0 for row in rows)
    assert {row["n_pool"] for row in rows} == {len(problem.split.pool)}
    assert torch.equal(problem.X, before["X"])


def test_selection_cost_of_a_network_is_that_of_its_surrogate_whatever_its_judge_says(
    salutary_run, tmp_path, monkeypatch
):
    monkeypatch.setattr("salutary.experiments.judge.best", lambda tried: None)
    network = ("dataset=breast_cancer", "model=head", "model.max_steps=5", "rounds=1")
    judge = ("strategy.judge=retrained", "strategy.judge_penalties=[50]")
    status, _, err = salutary_run(*network, *judge, "study=selection_cost", "study.repeats=1")
    assert status == 0, err
    (file,) = tmp_path.glob("outputs/*/selection_cost.csv")
    assert float(file.read_text().splitlines()[1].split(",")[3]) > 1e-4  # a surrogate is fitted


REFUSED = {
    "more points than the pool": (
        ["study=added_points", "study.n=5000"],
        "study.n=5000 is more than the pool",
    ),
    "bins without influences": (
        ["study=relabelled_bins", "strategy=random"],
        "needs the influences of strategy",
    ),
    "more bins than points": (
        ["study=relabelled_bins", "study.bins=50"],
        "study.bins=50 is more than there are",
    ),
    "points of a model not convex": (
        ["study=added_points", "model=fixmatch", "strategy=random", "model.steps=5"],
        "use model=logistic",
    ),
    "no repeats": (["study=selection_cost", "study.repeats=0"], "study.repeats must be a whole number >= 1"),
    "share of nothing": (["budget=0%"], "budget must be a share of the pool in (0%, 100%], not 0%"),
    "share beyond the pool": (["rounds=150%"], "rounds must be a share of the pool in (0%, 100%], not 150%"),
    "no share": (["budget=many"], "budget must be a whole number >= 1, not 'many'"),
    "noise beyond one": (["label_noise=1.5"], "label_noise must be a number in [0, 1], not 1.5"),
    "pool too large": (["n_pool=100000"], "n_pool=100000 is more than the pool part, 301 rows"),
}


@pytest.mark.parametrize("mistake", REFUSED)
def test_mistakes_are_one_line(mistake, salutary_run, tmp_path):
    arguments, message = REFUSED[mistake]
    status, _, err = salutary_run("dataset=breast_cancer", "rounds=0", *arguments)
    assert (status, err.startswith("salutary-run: "), message in err) == (1, True, True)
    assert not (tmp_path / "outputs").exists()


def test_estimates_that_a_large_model_cannot_have_are_left_empty(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setitem(DENSE, "estimate", 5)
    assert salutary_run("dataset=breast_cancer", "study=added_points", "study.n=20", "rounds=0")[0] == 0
    points = pd.concat(map(pd.read_csv, tmp_path.glob("outputs/*/added_points.csv")))
    assert points[["newton", "second_order"]].isna().all().all()
    assert points[["actual", "gradient", "pool_hessian"]].notna().all().all()
    quality = figure3.measure(points.assign(dataset="breast_cancer", seed=0))
    assert set(quality["estimate"]) == {"gradient", "pool_hessian"}


def test_a_study_is_refused_before_the_rounds(salutary_run, monkeypatch):
    from salutary.experiments import loop

    monkeypatch.setattr(loop, "run", lambda *_: pytest.fail("the rounds were run"))
    status, _, err = salutary_run("dataset=breast_cancer", "strategy=random", "study=relabelled_bins")
    assert status == 1 and "needs the influences of strategy" in err


def test_a_study_writes_its_tables_beside_the_rounds(salutary_run, tmp_path):
    command = ("dataset=breast_cancer", "rounds=1", "study=added_points", "study.n=3")
    assert salutary_run(*command)[0] == 0
    (file,) = tmp_path.rglob("added_points.csv")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 3 and float(rows[0]["actual"]) != 0
    assert json.loads((file.parent / "run.json").read_text())["settings"]["study"]["n"] == 3


# -- settings ------------------------------------------------------------------------------------------


def settings(**changed) -> Settings:
    values = {"seed": 0, "rounds": 10, "budget": 10, "n_init": 10, "n_validation": None, "n_pool": None}
    values |= {"label_noise": 0, "baselines_use_validation": False, "output_dir": "o"}
    values |= {"data_dir": None, "cache_dir": None, "folds": "auto", "reference": []}
    return Settings(**{**values, "force": False, **changed})


@pytest.mark.parametrize(
    ("budget", "rounds", "expected"),
    [
        (10, 10, (10, 10)),
        ("1%", 10, (10, 10)),
        ("0.01%", 5, (1, 5)),
        ("100%", 1, (1000, 1)),
        (10, "50%", (10, 50)),
        (7, "50%", (7, 72)),
        ("2.5 %", "100%", (25, 40)),
        (5, "55%", (5, 110)),
    ],
)
def test_shares_of_the_pool(budget, rounds, expected):
    n_rounds, size = settings(budget=budget, rounds=rounds).sized(1000)
    assert (size, n_rounds) == expected


def test_half_of_the_pool_is_added(salutary_run, tmp_path):
    salutary_run("dataset=breast_cancer", "rounds=50%", "strategy=random", "n_pool=101")
    (file,) = tmp_path.rglob("rounds.csv")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert int(rows[-1]["n_labeled"]) - int(rows[0]["n_labeled"]) == 60  # the round that reaches 50.5


def test_the_whole_pool_at_once(salutary_run, tmp_path):
    salutary_run("dataset=breast_cancer", "rounds=3", "budget=100%")
    (file,) = tmp_path.rglob("rounds.csv")
    with file.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [int(r["n_labeled"]) for r in rows] == [40, 341]


def test_wrong_labels():
    y, rows = np.arange(300) % 3, np.arange(100, 200)
    for share, n in ((0, 0), (0.1, 10), (0.25, 25), (1, 100)):
        given = noisy_labels(y, 3, rows, share, seed=1)
        wrong = np.flatnonzero(given != y)
        assert len(wrong) == n and np.isin(wrong, rows).all() and given.max() < 3
    some, more = (noisy_labels(y, 3, rows, share, seed=1) for share in (0.1, 0.4))
    assert np.array_equal(some[some != y], more[some != y])  # what is wrong stays wrong, in the same way
    assert not np.array_equal(some, noisy_labels(y, 3, rows, 0.1, seed=2))


def test_wrong_labels_are_trained_on_and_never_measured_on(salutary_run, tmp_path):
    base = ("dataset=breast_cancer", "strategy=margin", "rounds=1", "budget=20", "seed=3")
    clean, noisy = ({}, {})
    for found, noise in ((clean, 0), (noisy, 0.4)):
        salutary_run(*base, f"label_noise={noise}", f"output_dir=with_{noise}")
        (file,) = (tmp_path / f"with_{noise}").rglob("run.json")
        found |= json.loads(file.read_text())["references"]
        with (file.parent / "queries.csv").open(newline="") as lines:
            assert all(r["assigned_label"] == r["true_label"] for r in csv.DictReader(lines))
    assert clean["fully_supervised"] == noisy["fully_supervised"] and clean["majority"] == noisy["majority"]
    assert noisy["initial"]["loss"] > clean["initial"]["loss"]
    assert noisy["labeled_and_validation"]["loss"] > clean["labeled_and_validation"]["loss"]


def test_fewer_pool_rows():
    y = np.arange(400) % 4
    whole = StandardSplit().split(y, 40, 0)
    few = whole.with_fewer_pool_rows(y, 60, 0)
    assert len(few.pool) == 60 and np.isin(few.pool, whole.pool).all()
    assert np.ptp(np.bincount(y[few.pool])) <= 1
    assert np.array_equal(few.validation, whole.validation) and np.array_equal(few.training, whole.training)
    with pytest.raises(SalutaryError, match="n_pool=59999 is more than the pool part"):
        whole.with_fewer_pool_rows(y, 59999, 0)
