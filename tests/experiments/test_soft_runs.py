"""``salutary-run strategy=salutary_soft``: records with distributions, resuming, reference lines."""

import csv
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from people import people
from situations import problem

from salutary.experiments.identity import Identity
from salutary.experiments.loop import run
from salutary.experiments.records import RunDirectory
from salutary.experiments.resume import read_finished
from salutary.models.logistic import LogisticRegression
from salutary.strategies import Proposal, Strategy
from salutary.strategies.salutary_soft import SalutarySoft

TABLE = ("dataset=table", "dataset.path=people.csv", "dataset.target=outcome", "protocol=standard")
TABLE += ("dataset.ignore=[sex]", "n_init=60", "n_validation=100", "n_pool=200", "rounds=3", "model.l2=1")
GAP = ("dataset.group=sex", "objective=equal_opportunity", "objective.positive=yes")
SOFT = (*TABLE, *GAP, "strategy=salutary_soft")
COLUMNS = ["soft_weight", "soft_label_no", "soft_label_yes"]


@pytest.fixture
def made(salutary_run, tmp_path, monkeypatch):
    """A function from overrides to the directory of the run."""
    monkeypatch.chdir(tmp_path)
    people(1500, np.random.default_rng(2)).to_csv("people.csv", index=False)

    def run(*overrides):
        before = {*tmp_path.glob("outputs/*/run.json")}
        status, _, err = salutary_run(*overrides)
        assert status == 0, err
        (found,) = {*tmp_path.glob("outputs/*/run.json")} - before
        return found.parent

    return run


def test_queries_have_the_probability_of_each_class(made):
    folder = made(*SOFT, "strategy.point_weight=2.5")
    queries = pd.read_csv(folder / "queries.csv")
    assert [*queries.columns[-3:]] == COLUMNS and len(queries) == 30
    q = queries[COLUMNS[1:]].to_numpy()
    np.testing.assert_allclose(q.sum(1), 1, atol=1e-12)
    assert (queries["soft_weight"] == 2.5).all() and (q > 0).all()
    assert [("no", "yes")[i] for i in q.argmax(1)] == queries["assigned_label"].tolist()
    rounds = pd.read_csv(folder / "rounds.csv")
    assert rounds["val_objective"].iloc[-1] < rounds["val_objective"].iloc[0]
    found = read_finished(folder).rounds[1].queries[0]
    assert found.soft_weight == 2.5 and [*found.soft_label.values()] == q[0].tolist()


def test_other_strategies_have_the_columns_they_had(made):
    folder = made(*TABLE, *GAP, "strategy=salutary")
    header = "round,rank,sample_id,assigned_label,true_label,predicted_label,influence\n"
    assert (folder / "queries.csv").read_text().startswith(header)


@pytest.mark.parametrize("kept", [1, 2, 3])
def test_an_interrupted_run_ends_as_an_undisturbed_one(made, kept):
    """Interrupted after ``kept`` rounds, round 0 among them."""
    folder = made(*SOFT)
    whole = {name: (folder / name).read_bytes() for name in ("queries.csv", "rounds.csv")}
    references = json.loads((folder / "run.json").read_text())["references"]
    partial = folder.with_name(folder.name + ".partial")
    folder.rename(partial)
    (partial / "run.json").unlink()
    for name, n in (("queries.csv", 10 * (kept - 1)), ("rounds.csv", kept)):
        lines = whole[name].splitlines(keepends=True)
        (partial / name).write_bytes(b"".join(lines[: n + 1]) + b"half a li")
    again = made(*SOFT)
    assert (again / "queries.csv").read_bytes() == whole["queries.csv"]
    first, second = (
        [{k: v for k, v in each.items() if "seconds" not in k} for each in csv.DictReader(lines)]
        for lines in (
            whole["rounds.csv"].decode().splitlines(),
            (again / "rounds.csv").read_text().splitlines(),
        )
    )
    assert first == second
    assert json.loads((again / "run.json").read_text())["references"] == references


def test_remedies_of_salutary_labels_are_fitted_to_the_distributions(made):
    """L and the pool rows are then what the model of the last round was fitted to."""
    settings = (*SOFT, "folds=0", "reference=[salutary]", "rounds=2")
    found = read_finished(made(*settings))
    line, last = found.references["remedy_salutary"], found.rounds[-1].test
    assert line.loss == pytest.approx(last.loss, rel=1e-4)
    assert line.loss != pytest.approx(found.references["initial"].loss, rel=1e-3)


class Mixed(Strategy):
    """Classes in the first round and in the third one, distributions in the second one."""

    is_baseline = False

    def propose(self, model, view, budget, rng):
        indices = torch.arange(budget)
        n_added = len(view.labeled) - view.n_initial
        if n_added != budget:
            return Proposal(indices, torch.zeros(budget, dtype=torch.int64))
        q = model.predict_proba(view.pool[:budget])
        return Proposal(indices, distributions=q.roll(1, 1), weight=0.5)


def test_the_file_gets_its_columns_when_the_first_distributions_come(tmp_path):
    config = {group: {} for group in ("dataset", "strategy", "model", "protocol", "device")}
    records = [*run(problem(), LogisticRegression(3, 1.0), Mixed(), 3, 4, 0)]
    names = dict.fromkeys(("dataset", "strategy", "model", "protocol"), "x")
    with RunDirectory(str(tmp_path), Identity(**names, seed=0), config) as directory:
        for record in records:
            directory.append(record)
        frame = pd.read_csv(directory.partial / "queries.csv")
        done = directory.resume()
    assert frame["soft_weight"].isna().tolist() == [True] * 4 + [False] * 4 + [True] * 4
    assert [each.queries for each in done] == [each.queries for each in records]
    going_on = [*run(problem(), LogisticRegression(3, 1.0), Mixed(), 3, 4, 0, done[:3])]
    assert [replace(each, select_seconds=0, fit_seconds=0) for each in going_on] == [
        replace(records[3], select_seconds=0, fit_seconds=0)
    ]


def test_a_model_of_classes_alone_is_refused(made, salutary_run):
    status, _, err = salutary_run(*TABLE, "strategy=salutary_soft", "model=fixmatch")
    assert status != 0 and "needs the optimum of a convex model: use model=logistic" in err
    status, _, err = salutary_run("dataset=digits", "inputs=images", "model=cnn", "strategy=salutary_soft")
    assert status != 0 and "SalutarySoft gives label distributions" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize("value", ["0", "-1", "much", "null"])
def test_a_bad_weight_is_one_line(made, salutary_run, value):
    for name in ("weight", "point_weight"):
        status, _, err = salutary_run(*TABLE, "strategy=salutary_soft", f"strategy.{name}={value}")
        assert status != 0 and len(err.splitlines()) == 1 and f"strategy.{name} must be a number" in err


def test_it_is_compared_on_held_out_rows_where_that_is_asked(made):
    facts = json.loads((made(*SOFT, "folds=2") / "run.json").read_text())
    assert facts["held_out"]["n"] == 100 and facts["held_out"]["change"] < 0


def test_samples_are_drawn_anew_each_round(made):
    folder = made(*SOFT, "strategy.pool_rows=40")
    assert pd.read_csv(folder / "queries.csv")["sample_id"].nunique() == 30
    assert SalutarySoft(pool_rows=40).n_sampled(10) == 40 and SalutarySoft(pool_rows=4).n_sampled(10) == 10
