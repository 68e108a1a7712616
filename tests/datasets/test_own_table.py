"""``dataset=table``: given parts, what the preprocessor is fitted on, runs of every kind of strategy."""

import csv

import numpy as np
import pandas as pd
import pytest
import skops.io
from compositions import composed
from sklearn.datasets import load_breast_cancer

from salutary.datasets.own_table import OwnTable
from salutary.errors import SalutaryError
from salutary.experiments.problem import Problem
from salutary.experiments.split import split_table
from salutary.system.commands import build
from salutary.system.device import Device
from salutary.tables import UNLABELED

ROLES = ("train", "pool", "validation", "test")


@pytest.fixture
def frame():
    """Numbers with gaps, a category, a date, an id, the target, and a part for each row."""
    found = load_breast_cancer(as_frame=True).frame.iloc[:400, [0, 1, 5, 7, 30]]
    rng = np.random.default_rng(0)
    found["kind"] = found.pop("target").map({0: "malignant", 1: "benign"})
    found["colour"] = rng.choice(["red", "green", "blue"], 400)
    found.loc[::6, "colour"] = None
    found.loc[::5, "mean texture"] = np.nan
    found["seen"] = "2024-02-03"
    found["patient"] = [f"p{i}" for i in range(400)]
    found["part"] = rng.permutation(np.repeat(ROLES, [50, 150, 100, 100]))
    return found


def write(frame, path, **changes):
    frame.assign(**changes).to_csv(path, index=False)
    return str(path)


def prepared(table, n_init=300, seed=0):
    split = split_table(table, build(composed("protocol=standard"), "protocol.splitter"), n_init, seed)
    return Problem.prepare(table, split, Device("cpu"))


def test_given_parts_stay_as_they_are(frame, tmp_path):
    table = OwnTable(write(frame, tmp_path / "rows.csv"), "kind", split="part").load()
    assert table.class_names == ("benign", "malignant") and table.columns.schema.left_out.keys() == {
        "seen",
        "patient",
    }
    for seed in (0, 1):
        split = prepared(table, seed=seed).split
        for role, part in zip(ROLES, ("initial", "pool", "validation", "test"), strict=True):
            assert sorted(getattr(split, part)) == np.flatnonzero(frame["part"] == role).tolist()
    assert len(split.training) == 200


def test_without_pool_rows_the_initial_set_is_drawn_per_seed(frame, tmp_path):
    path = write(frame, tmp_path / "rows.csv", part=frame["part"].replace("pool", "train"))
    table = OwnTable(path, "kind", split="part").load()
    first, second = (prepared(table, n_init=40, seed=seed).split for seed in (0, 1))
    assert len(first.initial) == 40 and len(first.pool) == 160
    assert set(first.initial) != set(second.initial) and set(first.test) == set(second.test)
    assert set(first.initial) | set(first.pool) == set(np.flatnonzero(frame["part"].isin(["train", "pool"])))


def test_parts_in_files_of_their_own(frame, tmp_path):
    files = {
        role: write(frame[frame["part"] == role].drop(columns="part"), tmp_path / f"{role}.csv")
        for role in ("train", "validation", "test")
    }
    table = OwnTable(files["train"], "kind", validation=files["validation"], test=files["test"]).load()
    split = prepared(table, n_init=20).split
    assert (len(split.validation), len(split.test), len(split.initial), len(split.pool)) == (100, 100, 20, 30)


def test_rows_without_a_label_are_the_pool(frame, tmp_path):
    unlabelled = frame["part"] == "pool"
    kind = frame["kind"].where(~unlabelled)
    for split in (None, "part"):
        columns = frame if split else frame.drop(columns="part")
        table = OwnTable(write(columns, tmp_path / "rows.csv", kind=kind), "kind", split=split).load()
        assert (table.y == UNLABELED).tolist() == unlabelled.tolist()
        assert sorted(prepared(table).split.pool) == np.flatnonzero(unlabelled).tolist()


def test_the_preprocessor_is_fitted_on_training_rows_only(frame, tmp_path):
    before = prepared(OwnTable(write(frame, tmp_path / "rows.csv"), "kind", split="part").load())
    others = frame["part"].isin(["validation", "test"])
    changed = frame.copy()
    changed.loc[others, "mean radius"] *= 100
    changed.loc[others, "mean texture"] = np.nan
    changed.loc[others, "colour"] = "unheard of"
    changed.loc[frame.index[others][::10], "colour"] = "red"  # a column of nothing else is an error
    after = prepared(OwnTable(write(changed, tmp_path / "rows.csv"), "kind", split="part").load())
    training = before.split.training
    assert before.X[training].equal(after.X[training])
    numbers = before.X[training][:, : len(before.features.schema.numeric)]
    np.testing.assert_allclose(numbers.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(numbers.std(0, correction=0), 1, rtol=1e-9)
    unseen = np.flatnonzero(changed["colour"] == "unheard of")
    assert after.features.unseen == {"colour": len(unseen)}
    one_hot = [i for i, name in enumerate(after.features.names) if name.startswith("colour_")]
    assert (after.X[unseen][:, one_hot] == 0).all()


def test_parts_of_one_file_that_training_rows_lack_are_told(frame, tmp_path):
    def load(colour):
        changed = frame.assign(colour=frame["colour"].where(frame["part"] != "pool", colour))
        return OwnTable(write(changed, tmp_path / "rows.csv"), "kind", split="part").load()

    line = r"rows\.csv, pool rows, column colour: not one of its 150 values, .*; dataset\.ignore=\[colour\]"
    with pytest.raises(SalutaryError, match=line):
        load("blau")
    some = frame["colour"].where(frame.index % 3 > 0, "blau")
    told = load(some).columns.findings
    assert any(
        "pool rows, column colour: " in each and "have a category that the rows" in each for each in told
    )
    kind = frame["kind"].where(frame["part"] != "pool")
    unlabelled = frame.assign(kind=kind, colour=frame["colour"].where(kind.notna(), "blau"))
    with pytest.raises(SalutaryError, match=line):
        OwnTable(write(unlabelled.drop(columns="part"), tmp_path / "rows.csv"), "kind").load()


def test_runs_of_salutary_run(frame, tmp_path, salutary_run):
    kind = frame["kind"].where(frame["part"] != "pool")
    path = write(frame, tmp_path / "rows.csv", kind=kind)
    settings = ("dataset=table", f"dataset.path={path}", "dataset.target=kind", "dataset.split=part")
    settings += ("protocol=standard", "rounds=2", "model.l2=1")
    for strategy in ("salutary", "salutary_greedy", "self_training"):
        status, out, err = salutary_run(*settings, f"strategy={strategy}")
        assert status == 0, err
        assert "left out seen (dates" in out and "patient (ids or free text" in out
        (run,) = tmp_path.glob(f"outputs/table-{strategy}-*")
        transformer = skops.io.load(run / "preprocessor.skops", trusted=["numpy.dtype"])
        assert transformer.transform(frame).shape == (400, 9)
        rows = list(csv.DictReader((run / "queries.csv").read_text().splitlines()))
        assert rows and all(frame["part"][int(row["sample_id"])] == "pool" for row in rows)
    for strategy in ("margin", "coreset", "isal", "salutary_gt"):
        status, _, err = salutary_run(*settings, f"strategy={strategy}")
        assert status == 1 and "buys true labels, but the pool has rows without one" in err
        assert len(err.strip().splitlines()) == 1
        assert not list(tmp_path.glob(f"outputs/*{strategy}-*"))
    full = write(frame, tmp_path / "full.csv")
    settings = (settings[0], f"dataset.path={full}", *settings[2:])
    assert salutary_run("-m", *settings, "strategy=margin,badge,ibds")[0] == 0


def test_a_role_without_rows(frame, tmp_path):
    part = frame["part"].replace("test", "validation")
    with pytest.raises(SalutaryError, match="no row is given to the test part"):
        OwnTable(write(frame, tmp_path / "rows.csv", part=part), "kind", split="part").load()


def test_codes_stand_for_the_table_in_the_records(frame, tmp_path):
    path = write(frame, tmp_path / "rows.csv")
    table = OwnTable(path, "kind", split="part").load()
    assert table.X.shape == (400, 5) and np.isnan(table.X[0, 1])
    assert table.sha256 == OwnTable(path, "kind", split="part").load().sha256
    other = pd.read_csv(path)
    other.loc[3, "colour"] = "green" if other["colour"][3] != "green" else "red"
    changed = OwnTable(write(other, tmp_path / "other.csv"), "kind", split="part").load()
    assert changed.sha256 != table.sha256
