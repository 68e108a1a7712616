"""``salutary-label``: what is written, what an interruption leaves, what is never replaced."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import log_loss

from salutary import load_model
from salutary.errors import Interruption, SalutaryError
from salutary.labeling import state

from .labelings import FILES


def test_a_saved_model_reads_rows_as_it_was_trained(salutary_label, tmp_path):
    """Codes, truth values, numbers that are categories, blanks: what pandas makes of them is other values."""
    import skops.io

    from salutary import read_rows

    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=400)
    values = {
        " code": np.array(["001", "002", "010"])[kinds],
        "truth": np.where(kinds > 0, "True", "False"),
        "number": kinds + 1,
        "blank": np.array([" a", "b ", " c "])[kinds],
    }
    table = pd.DataFrame({**values, "x": rng.normal(size=400), "y": np.where(kinds == 1, "yes", "no")})
    for name, rows in {
        "l": slice(60),
        "v": slice(60, 140),
        "p": slice(140, 200),
        "t": slice(200, None),
    }.items():
        table[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    settings = ("labeled=l.csv", "validation=v.csv", "pool=p.csv", "test=t.csv", "target=y", "remedies=false")
    status, _, err = salutary_label(*settings, "categorical=[number]", "rounds=1", "folds=0")
    assert status == 0, err
    facts = json.loads((tmp_path / "labels" / "facts.json").read_text())
    reported = facts["comparisons"][0]["models"]["salutary"]["accuracy"]
    assert reported > 0.99
    model = skops.io.load(tmp_path / "labels" / "model.skops", trusted=["numpy.dtype"])
    truth = table["y"][200:].to_numpy()
    assert np.mean(model.predict(read_rows(tmp_path / "t.csv", model)) == truth) == pytest.approx(reported)
    frame = pd.read_csv(tmp_path / "t.csv").rename(columns=str.strip)
    with pytest.warns(UserWarning, match="Found unknown categories"):
        model.predict(frame)
    with pytest.raises(SalutaryError, match="has no column 'blank'"):
        frame.drop(columns="blank").to_csv(tmp_path / "less.csv")
        read_rows(tmp_path / "less.csv", model)
    with pytest.raises(SalutaryError, match="must be one that salutary-label"):
        read_rows(tmp_path / "t.csv", model[-1])


def test_labels_and_everything_beside_them(salutary_label, files, tmp_path):
    import skops.io

    status, out, err = salutary_label(
        *FILES, "test=test.csv", "id=patient", "rounds=2", "strategy.confidence=0"
    )
    assert status == 0, err
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    expected = ["patient", "row", "label", "influence", "influence_benign", "influence_malignant"]
    assert list(labels) == [*expected, "prediction", "probability", "round", "rank"]
    assert len(labels) == 20 and labels["row"].is_unique
    assert (labels["patient"] == files["patient"][labels["row"]].to_numpy()).all()
    assert labels["round"].tolist() == [1] * 10 + [2] * 10 and (labels["influence"] > 0).all()
    inside = {path.name for path in (tmp_path / "labels").iterdir()}
    written = {"model.skops", "alternative.skops", "MODEL_CARD.md", "audit.html", "curves.csv", "facts.json"}
    assert inside == written
    assert "20 labels in 2 rounds" in out and "trained on labelled + validation rows" in out
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob(".*"))

    model = skops.io.load(tmp_path / "labels" / "model.skops", trusted=["numpy.dtype"])
    facts = json.loads((tmp_path / "labels" / "facts.json").read_text())
    test = pd.read_csv(tmp_path / "test.csv")
    of_test = facts["comparisons"][0]["models"]["salutary"]
    assert np.mean(model.predict(test) == test["kind"]) == pytest.approx(of_test["accuracy"])
    truth = (test["kind"] == "malignant").to_numpy(int)
    probabilities = model.predict_proba(test)
    assert list(model.classes_) == ["benign", "malignant"]
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(of_test["loss"], rel=1e-9)
    curves = pd.read_csv(tmp_path / "labels" / "curves.csv")
    assert curves["n_added"].tolist() == [0, 10, 20]
    held_out = facts["comparisons"][1]["models"]["salutary"]
    assert curves["held_out_loss"].iloc[-1] == pytest.approx(held_out["loss"])
    page = (tmp_path / "labels" / "audit.html").read_text()
    assert facts["comparisons"][0]["verdict"] in page and "p" + str(260 + labels["row"][0]) in page


def test_labels_that_a_pool_has_after_all_are_told_and_not_used(salutary_label, files, tmp_path):
    assert salutary_label(*FILES, "rounds=2", "output=without.csv")[0] == 0
    full = pd.read_csv(tmp_path / "train.csv").iloc[:0]
    truth = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=0, ignore_index=True)[
        "target"
    ]
    files.assign(kind=truth[260:].map({0: "malignant", 1: "benign"}).to_numpy())[full.columns].to_csv(
        tmp_path / "pool.csv", index=False
    )
    assert salutary_label(*FILES[:2], "pool=pool.csv", *FILES[3:], "rounds=2", "output=with.csv")[0] == 0
    without, labels = (pd.read_csv(tmp_path / name) for name in ("without.csv", "with.csv"))
    pd.testing.assert_frame_equal(labels.drop(columns="true_label"), without)
    agreement = f"{100 * (labels['label'] == labels['true_label']).mean():.0f}% of the assigned ones"
    assert agreement in (tmp_path / "with" / "audit.html").read_text()


@pytest.mark.parametrize("name", ["pool.csv", "pool.feather", "pool.npz", "pool.csv.gz", "folder"])
def test_one_answer_for_every_form_of_a_pool(salutary_label, files, tmp_path, name, monkeypatch):
    monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 4 * 10 * 50)
    settings = ("strategy=salutary", "rounds=2", "shortlist=40", "model.l2=1")
    numbers = ("ignore=[size]",) if name == "pool.npz" else ()
    assert salutary_label(*FILES, *settings, *numbers, "output=expected.csv")[0] == 0
    pool = pd.read_parquet(tmp_path / "pool.parquet")
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        pool[:100].to_parquet(path / "a.parquet", index=False)
        pool[100:].to_parquet(path / "b.parquet", index=False)
    elif name == "pool.npz":
        np.savez(
            path, **{column: pool[column].to_numpy() for column in pool.drop(columns=["patient", "size"])}
        )
    elif name == "pool.feather":
        pool.to_feather(path)
    else:
        pool.to_csv(path, index=False)
    found = salutary_label(*FILES[:2], f"pool={path}", *FILES[3:], *settings, *numbers, "output=found.csv")
    assert found[0] == 0, found
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


@pytest.mark.parametrize("last", [1, *(pytest.param(each, marks=pytest.mark.slow) for each in (0, 3))])
def test_an_interrupted_labelling_goes_on(salutary_label, files, tmp_path, monkeypatch, last):
    settings = (*FILES, "id=patient", "rounds=4", "strategy.confidence=0", "shortlist=50", "model.l2=1")
    assert salutary_label(*settings, "output=expected.csv")[0] == 0
    add, seen = state.State.add, []

    def interrupted(self, record):
        add(self, record)
        seen.append(record.number)
        if record.number == last and len(seen) == last + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(state.State, "add", interrupted)
    status, _, err = salutary_label(*settings, "output=found.csv")
    assert status == 130 and "goes on" in err
    assert not (tmp_path / "found.csv").exists() and (tmp_path / "found.partial" / "pool.npy").exists()
    assert salutary_label(*settings, "output=found.csv")[0] == 0
    assert seen == [0, 1, 2, 3, 4]  # no round was done twice
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    for name in ("model.skops", "alternative.skops"):
        found, expected = ((tmp_path / each / name).stat().st_size for each in ("found", "expected"))
        assert found == expected
    curves = [
        pd.read_csv(tmp_path / each / "curves.csv").drop(columns="seconds") for each in ("found", "expected")
    ]
    pd.testing.assert_frame_equal(*curves)
    assert not (tmp_path / "found.partial").exists()


def test_other_data_or_settings_start_afresh(salutary_label, files, tmp_path, monkeypatch):
    add = state.State.add

    def interrupted(self, record):
        add(self, record)
        if record.number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state.State, "add", interrupted)
        assert salutary_label(*FILES, "rounds=2", "output=found.csv")[0] == 130
    assert salutary_label(*FILES, "rounds=2", "budget=3", "output=found.csv")[0] == 0
    assert salutary_label(*FILES, "rounds=2", "budget=3", "output=expected.csv")[0] == 0
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


@pytest.mark.whole
def test_the_walk_through_of_the_readme_prints_what_it_says(salutary_label, tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    section = readme.partition("## The best model of what you have")[2].partition("\n## ")[0]
    (code, _) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    commands = re.findall(r"^    salutary-label (.*)$", section, re.MULTILINE)
    status, out, err = salutary_label(*commands[0].split())
    assert status == 0, err
    printed = section.partition(f"    salutary-label {commands[0]}\n")[2].partition("\n**")[0]
    told = " ".join(out.split())
    for line in filter(None, map(str.strip, printed.splitlines())):
        words = " ".join(line.partition("; 1")[0].split())  # without the seconds
        assert words in told or words == "...", line
    classes = load_breast_cancer(as_frame=True).target.map({0: "malignant", 1: "benign"})
    labels = pd.read_csv(tmp_path / "labels.csv", index_col="id")["label"]
    assert (labels == classes[labels.index]).all() and "all 110 are the truth" in " ".join(section.split())
    pool = pd.read_csv(tmp_path / "pool.csv", index_col="id")
    for name, loss in {"model": "0.07", "models/labeled_and_validation": "0.22"}.items():
        model = load_model(tmp_path / "labels" / f"{name}.skops")
        assert f"{log_loss(classes[pool.index], model.predict_proba(pool)):.2f}" == loss
        assert f" is {loss}" in section
    assert salutary_label(*commands[1].split())[0] == 0


def test_what_is_there_is_not_replaced_unasked(salutary_label, files, tmp_path):
    (tmp_path / "labels.csv").write_text("mine")
    status, _, err = salutary_label(*FILES, "rounds=1", "output=labels.csv")
    assert status == 1 and "labels.csv is there already: force=true replaces it" in err
    assert (tmp_path / "labels.csv").read_text() == "mine"
    assert salutary_label(*FILES, "rounds=1", "output=labels.csv", "force=true")[0] == 0
    assert len(pd.read_csv(tmp_path / "labels.csv"))


@pytest.mark.parametrize("folder", ["labels", "labels.partial"])
def test_folders_of_others_are_never_replaced(salutary_label, files, tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "thesis.txt").write_text("mine")
    status, _, err = salutary_label(*FILES, "rounds=1", "output=labels.csv", "force=true")
    assert status == 1 and f"{folder} is" in err and len(err.strip().splitlines()) == 1
    assert (tmp_path / folder / "thesis.txt").read_text() == "mine"
    assert not (tmp_path / "labels.csv").exists()


def test_a_file_in_the_place_of_the_folder_stays(salutary_label, files, tmp_path):
    (tmp_path / "labels").write_text("mine")
    for _ in range(2):
        status, _, err = salutary_label(*FILES, "rounds=1", "output=labels.csv", "force=true")
        assert status == 1 and "labels is a file, and would be a folder" in err
    assert (tmp_path / "labels").read_text() == "mine"


def test_a_network_that_fails_costs_no_round(salutary_label, files, tmp_path, monkeypatch):
    settings = (*FILES, "rounds=2", "strategy.confidence=0", "output=found.csv")
    add, fails = state.State.add, [True]

    def failing(self, record):
        add(self, record)
        if record.number == 1 and fails.pop():
            fails.append(False)
            raise Interruption("s3://bucket/pool.parquet cannot be read: reset by peer")

    monkeypatch.setattr(state.State, "add", failing)
    status, _, err = salutary_label(*settings)
    assert status == 1 and "reset by peer" in err
    assert (tmp_path / "found.partial" / "round-00001.npz").exists()
    assert salutary_label(*settings)[0] == 0 and not (tmp_path / "found.partial").exists()


def test_help_and_composed_settings(salutary_label):
    status, out, _ = salutary_label("--help")
    assert status == 0 and "salutary-label labeled=train.csv" in out and "max_seconds: null" in out
    status, out, _ = salutary_label("--cfg", "labeled=a (1), b='c'.csv", "strategy=salutary")
    assert status == 0 and "a (1), b='c'.csv" in out and "hessian: labeled" in out
    status, _, err = salutary_label("-m", *FILES)
    assert status == 1 and "-m is no setting" in err


OWN = """
from pathlib import Path
from salutary.strategies.salutary_greedy import SalutaryGreedy

class Own(SalutaryGreedy):
    def propose(self, model, view, budget, rng):
        with Path("shown.txt").open("a") as file:
            file.write(f"{len(view.validation)} ")
        return super().propose(model, view, budget, rng)

class Buyer(Own):
    labels_alone = False
"""


def test_a_strategy_of_the_users_own_proposes(salutary_label, files, tmp_path):
    (tmp_path / "own_strategy.py").write_text(OWN)
    settings = (*FILES, "rounds=2", "folds=4")
    status, _, err = salutary_label(*settings, "strategy._target_=own_strategy.Own", "output=own.csv")
    assert status == 0, err
    assert (tmp_path / "shown.txt").read_text().split() == ["100", "75", "75", "75", "75"] * 2
    assert salutary_label(*settings, "output=expected.csv")[0] == 0
    assert (tmp_path / "own.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    status, _, err = salutary_label(*settings, "strategy._target_=own_strategy.Buyer", "output=not.csv")
    assert status == 1 and "only salutary_greedy, salutary and salutary_soft label without a human" in err


@pytest.mark.parametrize(
    "setting, message",
    [
        ("strategy._target_=nonsense", r"strategy\._target_=nonsense is no class"),
        ("~strategy", "strategy"),
        ("model._target_=salutary.nothing", "salutary.nothing"),
    ],
)
def test_classes_that_are_none(salutary_label, files, tmp_path, setting, message):
    before = set(tmp_path.rglob("*"))
    status, _, err = salutary_label(*FILES, setting)
    assert status == 1 and re.search(message, err) and len(err.strip().splitlines()) == 1, err
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "path", ["a b.csv", "a=b.csv", "a,(b).csv", "a'b\".csv", "a\\b.csv", "null.csv", "ü[1].csv", "${x}.csv"]
)
def test_paths_are_taken_as_they_are(salutary_label, path):
    import yaml

    status, out, err = salutary_label("--cfg", f"pool={path}", f"labeled={path}\\")
    assert status == 0, err
    settings = yaml.safe_load(out)
    assert settings["pool"] == path and settings["labeled"] == path + "\\"


@pytest.mark.parametrize(
    "typed, value",
    [
        ("'null'", "null"),
        ('"null"', "null"),
        ("null", None),
        ("'a, \"b\" ${x}'", 'a, "b" ${x}'),
        ("'a' b'", "'a' b'"),
    ],
)
def test_what_is_quoted_is_what_the_quotes_hold(salutary_label, typed, value):
    import yaml

    status, out, err = salutary_label("--cfg", f"target={typed}")
    assert status == 0, err
    assert yaml.safe_load(out)["target"] == value


def test_a_column_called_null(salutary_label, files, tmp_path):
    for name in ("train.csv", "val.csv"):
        table = pd.read_csv(tmp_path / name).rename(columns={"kind": "null"})
        table.to_csv(tmp_path / name, index=False)
    status, _, err = salutary_label(*FILES[:3], "target='null'", FILES[4], "rounds=1", "output=labels.csv")
    assert status == 0, err
    assert set(pd.read_csv(tmp_path / "labels.csv")["label"]) <= {"benign", "malignant"}
