"""``salutary-run objective=... dataset.group=...``: records, identity, what follows the objective."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from compositions import composed
from omegaconf import OmegaConf
from people import people

from salutary.engine.objectives import EqualOpportunity, MeanLogLoss
from salutary.experiments import identity
from salutary.experiments.metrics import Metrics, row_values, score
from salutary.experiments.runs import LATE_COLUMNS, read_rounds

TABLE = ("dataset=table", "dataset.path=people.csv", "dataset.target=outcome", "protocol=standard")
TABLE += ("dataset.ignore=[sex]", "n_init=60", "n_validation=100", "n_pool=200", "rounds=3", "model.l2=1")
GROUPED = (*TABLE, "dataset.group=sex")
OF_THE_OBJECTIVE = ["val_objective", "val_figure", "test_objective", "test_figure"]
GAP = ("objective=equal_opportunity", "objective.positive=yes")


@pytest.fixture
def run(salutary_run, tmp_path, monkeypatch):
    """A function from overrides to rounds.csv, run.json and what was shown."""
    monkeypatch.chdir(tmp_path)
    people(1500, np.random.default_rng(2)).to_csv("people.csv", index=False)

    def run(*overrides):
        before = {*tmp_path.glob("outputs/*/run.json")}
        status, out, err = salutary_run(*overrides)
        assert status == 0, err
        (made,) = {*tmp_path.glob("outputs/*/run.json")} - before
        return pd.read_csv(made.parent / "rounds.csv"), json.loads(made.read_text()), out

    return run


@pytest.mark.parametrize("strategy", ["salutary", "salutary_greedy", "isal", "salutary_gt"])
def test_strategies_of_influence_lower_the_objective(run, strategy):
    settings = (*GROUPED, *GAP, f"strategy={strategy}", "rounds=6")
    rounds, facts, out = run(*settings, *(["strategy.confidence=0"] if strategy == "salutary_greedy" else []))
    first, last = rounds.iloc[0], rounds.iloc[-1]
    assert last["val_objective"] < first["val_objective"]
    assert (last["test_figure"] < first["test_figure"] - 0.1) or strategy in ("isal", "salutary_gt")
    assert facts["objective"]["figure"] == "equal_opportunity_difference"
    assert facts["group_names"] == ["f", "m"]
    assert 0 < facts["references"]["fully_supervised"]["figure"] < 1
    assert "opportunity" in out and "objective" in out


@pytest.mark.parametrize("more", ["strategy.rerank=30", "strategy.confidence=1", "strategy.hessian=pool"])
def test_variants_follow_it(run, more):
    rounds, _, _ = run(*GROUPED, *GAP, "strategy=salutary", more, "rounds=5")
    assert rounds["val_objective"].iloc[-1] < rounds["val_objective"].iloc[0]
    plain, _, _ = run(*GROUPED, "strategy=salutary", more, "rounds=5")
    assert not np.array_equal(plain["val_loss"], rounds["val_loss"])


def test_without_a_weight_labels_are_those_of_the_loss_and_the_figure_is_measured(run):
    measured, _, _ = run(*GROUPED, *GAP, "objective.weight=0", "strategy=salutary")
    plain, facts, _ = run(*GROUPED, "strategy=salutary")
    columns = [name for name in plain if not name.endswith("seconds") and name not in OF_THE_OBJECTIVE]
    pd.testing.assert_frame_equal(measured[columns], plain[columns], rtol=1e-9)
    np.testing.assert_allclose(measured["test_objective"], measured["test_loss"])
    assert measured["test_figure"].notna().all() and plain[OF_THE_OBJECTIVE].isna().all(axis=None)
    assert facts["objective"] is None and facts["references"]["majority"]["figure"] is None


def test_shuffled_groups_of_validation_rows_close_no_gap(run):
    rng = np.random.default_rng(3)
    parts = rng.permutation(np.repeat(["train", "pool", "validation", "test"], [100, 300, 200, 2000]))
    frame = people(2600, rng).assign(part=parts)
    settings = [each for each in (*GROUPED, *GAP) if not each.startswith(("n_", "dataset.path"))]
    settings += ["dataset.split=part", "strategy=salutary_greedy", "rounds=6"]
    frame.to_csv("right.csv", index=False)
    chosen = frame["part"] == "validation"
    frame.loc[chosen, "sex"] = rng.permutation(frame.loc[chosen, "sex"])
    frame.to_csv("shuffled.csv", index=False)
    right, shuffled = (run(*settings, f"dataset.path={name}.csv")[0] for name in ("right", "shuffled"))
    start, of_right, of_shuffled = (
        each["test_figure"].iloc[at] for each, at in ((right, 0), (right, -1), (shuffled, -1))
    )
    assert start - of_right > 0.1 and start - of_shuffled < 0.05


def plain(*overrides):
    return OmegaConf.to_container(composed(*overrides), resolve=True)


def test_the_loss_leaves_the_name_of_a_run_as_it_was():
    config = plain("dataset=bank")
    assert config["objective"] == identity.LOSS and "group" in config["dataset"]
    before = {name: value for name, value in config.items() if name != "objective"}
    before["dataset"] = {k: v for k, v in before["dataset"].items() if not k.startswith("group")}
    assert identity.what_matters(config) == identity.what_matters(before)
    other = plain("dataset=bank", "objective=balanced")
    assert identity.what_matters(other) != identity.what_matters(config)
    grouped = plain("dataset=bank", "dataset.group=age")
    assert identity.what_matters(grouped)["dataset"]["group"] == "age"


def test_held_out_rows_are_compared_by_the_objective(run):
    _, facts, out = run(*GROUPED, *GAP, "strategy=salutary_greedy", "folds=3", "strategy.confidence=0.5")
    found = facts["held_out"]
    assert found["what"] == "objective (equal_opportunity)" and found["folds"] == 3
    assert "the objective (equal_opportunity) went from" in " ".join(out.split())
    assert found["before"] - found["after"] == pytest.approx(-found["change"])


def test_metrics_are_those_of_the_criterion():
    import torch

    rng = np.random.default_rng(0)
    y, groups = torch.as_tensor(rng.integers(3, size=90)), torch.as_tensor(rng.integers(2, size=90))
    P = torch.as_tensor(rng.dirichlet(np.ones(3), size=90))
    criterion = EqualOpportunity("b", weight=4).resolved(["a", "b", "c"])
    p, decided = P[:, 1].numpy(), P.argmax(1).numpy() == 1
    of = [((y == 1) & (groups == g)).numpy() for g in (0, 1)]
    gap = p[of[0]].mean() - p[of[1]].mean()
    loss = -np.log(P.numpy()[np.arange(90), y]).mean()
    found = score(P, y, groups, criterion)
    assert found.objective == pytest.approx(loss + 4 * gap**2) and found.loss == pytest.approx(loss)
    assert found.figure == pytest.approx(abs(decided[of[0]].mean() - decided[of[1]].mean()))
    assert row_values([P], y, groups, criterion).mean() == pytest.approx(found.objective)
    nobody = score(P, y, torch.zeros(90, dtype=torch.int64), criterion)
    assert np.isnan(nobody.objective) and np.isnan(nobody.figure)
    assert score(P, y) == replace(found, objective=None, figure=None)
    alone = Metrics(found.loss, found.accuracy, found.balanced_accuracy, found.macro_f1)
    assert score(P, y, full=False) == alone
    assert isinstance(MeanLogLoss().figure(P, y), float)


def test_records_of_0_3_are_read_beside_these(run, tmp_path):
    run(*GROUPED, *GAP, "strategy=random", "rounds=1")
    (path,) = tmp_path.glob("outputs/*/rounds.csv")
    older = tmp_path / "outputs" / "older"
    older.mkdir()
    (older / "run.json").write_text((path.parent / "run.json").read_text())
    rows = [line.rsplit(",", len(LATE_COLUMNS))[0] for line in path.read_text().splitlines()]
    (older / "rounds.csv").write_text("\n".join(rows) + "\n")
    both = read_rounds([tmp_path / "outputs"])
    assert len(both) == 4 and both["test_figure"].notna().sum() == 2
    only = read_rounds([older])
    assert list(only.columns) == list(both.columns) and only[[*LATE_COLUMNS]].isna().all(axis=None)


MISTAKES = {
    "no positive": ((*GROUPED, "objective=equal_opportunity"), "set objective.positive"),
    "unknown positive": ((*GROUPED, GAP[0], "objective.positive=1"), "objective.positive=1 is not among"),
    "no group": ((*TABLE, *GAP), "objective=equal_opportunity needs dataset.group"),
    "no column": ((*TABLE, *GAP, "dataset.group=age"), "has no column 'age'"),
    "negative": ((*GROUPED, *GAP, "objective.weight=-1"), "objective.weight must be"),
    "cost": ((*TABLE, "objective=cost", "objective.cost=[1,2,3]"), "objective.cost"),
    "no cost": ((*TABLE, "objective=cost"), "objective.cost"),
    "edges": ((*GROUPED, *GAP, "dataset.group_edges=[3]"), "is no number"),
    "edges alone": ((*TABLE, "dataset.group_edges=[3]"), "dataset.group_edges needs dataset.group"),
    "is_feature": ((*GROUPED, "dataset.group_is_feature=maybe"), "dataset.group_is_feature"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, salutary_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    people(1500, np.random.default_rng(2)).to_csv("people.csv", index=False)
    arguments, message = MISTAKES[mistake]
    status, _, err = salutary_run(*arguments)
    assert status == 1 and message in err and err.startswith("salutary-run: ") and err.count("\n") <= 1
    assert not list(tmp_path.glob("outputs/*/run.json"))
