"""Runs on the user's own files: taken as they are typed, and known by what they hold."""

import hashlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from spoilt_tables import part

from salutary.errors import SalutaryError
from salutary.experiments import job
from salutary.experiments.contents import contents

TABLE = ("dataset=table", "dataset.target=outcome", "dataset.ignore=[key]", "protocol=standard")
RUN = (*TABLE, "strategy=random", "rounds=0", "n_init=20")
ROWS, OTHER_ROWS = (part(seed, 200).to_csv(index=False) for seed in (0, 1))


def runs(root: Path) -> list[Path]:
    return sorted(path.parent for path in root.rglob("run.json"))


def was_finished(output: str) -> bool:
    return "This run was finished before" in output


# -- as they are typed -----------------------------------------------------------------------------

NAMES = (
    *(
        "rows (1).csv",
        "a=b.csv",
        "a#b.csv",
        "it's.csv",
        "données.csv",
        "数据.csv",
        'say "yes".csv',
        "a,b.csv",
    ),
    *("a{b}[c].csv", "x: y.csv", "50%.csv", "'a' b.csv", " lead.csv", "-m.csv", "a$b.csv", "null.csv"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(name, salutary_run, tmp_path):
    (tmp_path / name).write_text(ROWS)
    status, _, err = salutary_run(*RUN, f"dataset.path={name}", f"output_dir=of {name}")
    assert (status, err) == (0, "")
    (run,) = runs(tmp_path)
    assert run.parent.name == f"of {name}"
    assert yaml.safe_load((run / "config.yaml").read_text())["dataset"]["path"] == name


def test_columns_may_have_any_name(salutary_run, tmp_path):
    rows = part(0, 200).rename(columns={"outcome": "2", "city": "part (of, all)"})
    roles = np.resize(["train", "validation", "test"], 200)
    rows.assign(**{"part (of, all)": roles}).to_csv(tmp_path / "rows.csv", index=False)
    columns = ("dataset.path=rows.csv", "dataset.target=2", "dataset.split=part (of, all)")
    status, _, err = salutary_run("dataset=table", *columns, *RUN[2:])
    assert (status, err) == (0, "")


@pytest.mark.parametrize("how", [(), ("-m",)])
def test_a_column_called_null(how, salutary_run, tmp_path):
    part(0, 200).rename(columns={"outcome": "null"}).to_csv(tmp_path / "a.csv", index=False)
    command = (*how, "dataset.path=a.csv", *RUN, "dataset.target='null'")
    status, _, err = salutary_run(*command)
    assert status == 0, err


def test_a_comma_sweeps_only_where_that_is_asked_for(salutary_run, tmp_path):
    for name, rows in (
        ("a.csv", ROWS),
        ("b (1).csv", OTHER_ROWS),
        ("a.csv,b (1).csv", part(2, 200).to_csv(index=False)),
    ):
        (tmp_path / name).write_text(rows)
    path = "dataset.path=a.csv,b (1).csv"
    assert salutary_run(*RUN, path)[0] == 0
    assert len(runs(tmp_path)) == 1
    assert "2 jobs: 2 run" in salutary_run("-m", *RUN, path)[1]
    assert len(runs(tmp_path)) == 3
    quoted = "dataset.path='a.csv,b (1).csv'"
    assert "1 jobs: 0 run, 1 finished before" in salutary_run("-m", *RUN, quoted)[1]
    experiment = tmp_path / "conf/experiment/mine.yaml"
    experiment.parent.mkdir(parents=True)
    experiment.write_text("# @package _global_\nhydra:\n  mode: MULTIRUN\n")
    swept = salutary_run("--config-dir", "conf", "experiment=mine", *RUN, path)[1]
    assert "2 jobs: 0 run, 2 finished before" in swept


def test_a_file_named_by_the_environment(salutary_run, tmp_path, monkeypatch):
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "${x}.csv").write_text(ROWS)
    monkeypatch.setenv("ROWS", "5")
    assert salutary_run(*RUN, r"dataset.path=${oc.env:ROWS}/\${x}.csv")[0] == 0


def test_numbers_from_the_environment_are_numbers(salutary_run, tmp_path, monkeypatch):
    monkeypatch.setenv("SEED", "3")
    monkeypatch.setenv("PENALTY", "1e1")
    monkeypatch.setenv("FOLDER", "7")
    numbers = ("seed=${oc.env:SEED}", "model.l2=${oc.env:PENALTY}", "output_dir=${oc.env:FOLDER}")
    command = ("dataset=breast_cancer", "strategy=random", "rounds=1")
    assert salutary_run(*command, *numbers)[0] == 0
    (run,) = runs(tmp_path / "7")
    facts = json.loads((run / "run.json").read_text())
    assert (facts["seed"], facts["settings"]["model"]["l2"]) == (3, 10)
    assert was_finished(salutary_run(*command, "seed=3", "model.l2=10", "output_dir=7")[1])
    assert "1 jobs: 0 run, 1 finished before" in salutary_run("-m", *command, *numbers)[1]


def test_a_column_named_by_the_environment_is_a_text(salutary_run, tmp_path, monkeypatch):
    part(0, 200).rename(columns={"key": "5"}).to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.setenv("COLUMN", "5")
    status, _, err = salutary_run(
        "dataset.path=rows.csv", "dataset.ignore=[${oc.env:COLUMN}]", *(TABLE[0], TABLE[1]), *RUN[3:]
    )
    assert (status, err) == (0, "")


# -- what they hold --------------------------------------------------------------------------------


def test_one_name_for_two_files_is_two_runs(salutary_run, tmp_path, monkeypatch):
    """And the sweep of the second goes over the second only."""
    for name, rows in (("a", ROWS), ("b", OTHER_ROWS)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "rows.csv").write_text(rows)
        monkeypatch.chdir(tmp_path / name)
        _, out, _ = salutary_run(*RUN, "dataset.path=rows.csv", "output_dir=../shared")
        assert not was_finished(out)
    out = salutary_run("-m", *RUN, "dataset.path=rows.csv", "output_dir=../shared", "seed=0,1")[1]
    assert "2 jobs: 1 run, 1 finished before" in out
    found = [json.loads((run / "run.json").read_text()) for run in runs(tmp_path / "shared")]
    assert len({(each["seed"], each["data_sha256"]) for each in found}) == 3
    collected = pd.read_csv(tmp_path / "shared/all_rounds.csv")
    assert collected.groupby("dataset.path")["run"].nunique().to_list() in ([1, 2], [2, 1])


def test_one_content_under_two_names_is_one_run(salutary_run, tmp_path):
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.csv").write_text(ROWS)
    assert not was_finished(salutary_run(*RUN, "dataset.path=a.csv")[1])
    for same in ("deep/b.csv", tmp_path / "a.csv", "./a.csv"):
        assert was_finished(salutary_run(*RUN, f"dataset.path={same}")[1])
    os.utime(tmp_path / "a.csv", (1, 1))
    assert was_finished(salutary_run(*RUN, "dataset.path=a.csv")[1])
    (tmp_path / "a.csv").write_text(OTHER_ROWS)
    assert not was_finished(salutary_run(*RUN, "dataset.path=a.csv")[1])


def test_every_file_counts(salutary_run, tmp_path):
    for name, seed in (("train", 0), ("validation", 1), ("test", 2)):
        part(seed, 100).to_csv(tmp_path / f"{name}.csv", index=False)
    files = ("dataset.path=train.csv", "dataset.validation=validation.csv", "dataset.test=test.csv")
    assert salutary_run(*RUN, *files)[0] == 0
    assert was_finished(salutary_run(*RUN, *files)[1])
    part(3, 100).to_csv(tmp_path / "test.csv", index=False)
    assert not was_finished(salutary_run(*RUN, *files)[1])


def test_records_hold_the_checksum(salutary_run, tmp_path):
    (tmp_path / "a.csv").write_text(ROWS)
    salutary_run(*RUN, "dataset.path=a.csv")
    (run,) = runs(tmp_path)
    told = {"path": f"sha256:{hashlib.sha256(ROWS.encode()).hexdigest()}.csv"}
    config, facts = (
        yaml.safe_load((run / "config.yaml").read_text()),
        json.loads((run / "run.json").read_text()),
    )
    assert (config["contents"], facts["contents"]) == (told, told)
    assert (config["dataset"]["path"], facts["settings"]["dataset"]["path"]) == ("a.csv", told["path"])
    assert run.name.startswith("table-random-logistic-standard-seed0-")


def test_a_file_is_read_once_for_its_checksum(salutary_run, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_text(ROWS)
    digest, read = hashlib.file_digest, []

    def counted(file, name):
        read.append(Path(file.name).name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    for _ in range(2):
        assert salutary_run("-m", *RUN, "dataset.path=a.csv", "seed=range(3)")[0] == 0
    assert read.count("a.csv") == 1


def test_a_file_that_changes_while_it_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text(ROWS)
    settings = {"_target_": "salutary.datasets.own_table.OwnTable", "path": "a.csv", "target": "outcome"}
    before = json.dumps(contents(settings))
    (tmp_path / "a.csv").write_text(OTHER_ROWS)
    with pytest.raises(SalutaryError, match="dataset=table: its files changed while they were read"):
        job.shared_table(json.dumps(settings), "table", before)


@pytest.mark.parametrize(
    "how",
    [
        ("hydra/sweeper=salutary",),
        ("hydra/sweeper=basic",),
        pytest.param(("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), marks=pytest.mark.slow),
    ],
)
def test_what_is_found_in_a_file_is_told_once_a_sweep(how, salutary_run, tmp_path):
    frame = part(0, 200)
    (tmp_path / "a.csv").write_text(frame.assign(empty="").to_csv(index=False))
    (tmp_path / "b.csv").write_text(frame.assign(none="", empty="").to_csv(index=False))
    command = ("-m", *how, *RUN, "dataset.path=a.csv,b.csv", "seed=0,1")
    status, out, err = salutary_run(*command)
    assert status == 0, err
    found = [line for line in out.splitlines() if line.startswith(("a.csv", "b.csv"))]
    assert len(found) == len({*found}) == 2 and "empty" in found[0] and "none" in "".join(found)
    assert "4 jobs: 4 run, 0 finished before, 0 failed" in out


# -- data sets that tell their files ---------------------------------------------------------------


def table(path: Path) -> dict[str, str]:
    return contents({"_target_": "salutary.datasets.own_table.OwnTable", "path": str(path), "target": "y"})


def test_the_ending_says_how_a_file_is_read(tmp_path):
    told = set()
    for name in ("a.csv", "b.CSV", "c.tsv", "d.csv.gz", "e.v2.csv"):
        (tmp_path / name).write_text(ROWS)
        told |= set(table(tmp_path / name).values())
    assert {each.partition(".")[2] for each in told} == {"csv", "tsv", "csv.gz"} and len(told) == 3


def test_a_folder_is_its_files_and_their_names(tmp_path):
    told = []
    for folder, names in (("a", "12"), ("b", "12"), ("c", "13")):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / f"{name}.parquet").write_bytes(b"x")
        told.append(table(tmp_path / folder)["path"])
    assert told[0] == told[1] != told[2] and told[0].endswith("/")
    (tmp_path / "b" / "1.parquet").write_bytes(b"y")
    assert table(tmp_path / "b")["path"] != told[0]


def test_a_linked_folder_is_its_files_too(tmp_path):
    for name in ("rows", "elsewhere"):
        (tmp_path / name).mkdir()
    (tmp_path / "rows" / "linked").symlink_to(tmp_path / "elsewhere")
    told = set()
    for content in (b"x", b"y"):
        (tmp_path / "elsewhere" / "1.parquet").write_bytes(content)
        told.add(table(tmp_path / "rows")["path"])
    assert len(told) == 2


@pytest.mark.parametrize(
    "target, names",
    [("text.TextFile", ("path", "encoder")), ("image_folder.ImageFolder", ("path", "labels", "weights"))],
)
def test_names_that_begin_with_a_tilde(target, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in names:
        folder = Path(f"~of-nobody-{name}")
        (folder / "a").mkdir(parents=True) if name in ("path", "encoder") else folder.write_text("")
    named = {name: f"~of-nobody-{name}" for name in names}
    assert set(contents({"_target_": f"salutary.datasets.{target}", **named})) == set(names)


def test_records_in_a_folder_that_begins_with_a_tilde(salutary_run, tmp_path):
    status, _, err = salutary_run("dataset=breast_cancer", "rounds=0", "output_dir=~of-nobody")
    assert status == 0, err
    assert runs(tmp_path / "~of-nobody")


def test_texts_and_a_folder_of_an_encoder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.csv").write_text("a,b\n")
    settings = {"_target_": "salutary.datasets.text.TextFile", "path": "texts.csv", "encoder": "mine"}
    assert set(contents(settings)) == {"path"}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    told = contents(settings)
    assert set(told) == {"path", "encoder"}
    (tmp_path / "mine" / "config.json").write_text("[]")
    assert contents(settings)["encoder"] != told["encoder"]


def test_pictures_and_their_classes(tmp_path):
    settings = {"_target_": "salutary.datasets.image_folder.ImageFolder", "path": str(tmp_path)}
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / name / "1.png")
    told = [contents(settings)]
    (tmp_path / "cat" / "notes.txt").write_text("no picture")
    assert contents(settings) == told[0]
    (tmp_path / "cat").rename(tmp_path / "cow")
    told.append(contents(settings))
    Image.new("RGB", (8, 8), "red").save(tmp_path / "cow" / "1.png")
    told.append(contents(settings))
    assert len({each["path"] for each in told}) == 3


def test_what_is_not_there_is_told_by_who_reads_it(tmp_path):
    assert table(tmp_path / "none.csv") == {}
    assert contents({"_target_": "salutary.datasets.image_folder.ImageFolder", "path": "none"}) == {}
    assert contents({"_target_": "no.such.Class", "path": str(tmp_path)}) == {}


OWN = """
from pathlib import Path

from salutary.datasets.own_table import OwnTable


class Own:
    def __init__(self, rows, wrong=None):
        self.rows, self.wrong = rows, wrong

    def files(self):
        if self.wrong == "error":
            raise KeyError("rows")
        return self.wrong or {"rows": [Path(self.rows)], "more": [Path("more.txt")]}

    def load(self):
        return OwnTable(self.rows, "outcome", ignore=["key"]).load()
"""


def test_a_data_set_of_ones_own(salutary_run, tmp_path):
    (tmp_path / "own_files.py").write_text(OWN)
    (tmp_path / "conf/dataset").mkdir(parents=True)
    (tmp_path / "conf/dataset/mine.yaml").write_text("_target_: own_files.Own\nrows: a.csv\n")
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "b.csv").write_text(ROWS)
    (tmp_path / "more.txt").write_text("1")
    command = ("--config-dir", "conf", "dataset=mine", *RUN[3:])
    assert not was_finished(salutary_run(*command)[1])
    assert was_finished(salutary_run(*command, "dataset.rows=b.csv")[1])
    (tmp_path / "more.txt").write_text("2")
    assert not was_finished(salutary_run(*command)[1])
    status, _, err = salutary_run(*command, "+dataset.wrong=[a.csv]")
    assert (status, "own_files.Own.files() must give a dictionary, not ['a.csv']" in err) == (1, True)
    status, _, err = salutary_run(*command, "+dataset.wrong=error")
    assert (status, "own_files.Own.files(): KeyError: 'rows'" in err) == (1, True)
    sys.modules.pop("own_files")
