"""``salutary-collect`` of several folders, here and elsewhere: one table, and no run twice."""

import shutil
from pathlib import Path

import fsspec
import pandas as pd
import pytest

from salutary.experiments import collect

from .sweep_processes import run_to_the_end

SWEEP = ("-m", "dataset=breast_cancer", "strategy=random", "rounds=1", "budget=5", "n_init=50")


@pytest.fixture
def salutary_collect(command):
    return lambda *arguments: command(collect.main, "salutary-collect", *arguments)


@pytest.fixture(scope="module")
def records(tmp_path_factory) -> Path:
    """Two folders, with one run in both; each cluster did it by itself."""
    folder = tmp_path_factory.mktemp("clusters")
    for name, seeds in {"a": "0,1", "b": "1,2"}.items():
        assert run_to_the_end(folder, *SWEEP, f"output_dir={name}", f"seed={seeds}") == 0
    return folder


@pytest.fixture
def clusters(records, command, tmp_path) -> tuple[str, str]:
    """The names of the folders, in the current one."""
    shutil.copytree(records, tmp_path, dirs_exist_ok=True)
    return "a", "b"


def rounds_file(folder: str, seed: int) -> Path:
    (path,) = Path(folder).glob(f"*seed{seed}-*/rounds.csv")
    return path


def test_two_clusters_records_are_one_table(clusters, salutary_collect):
    status, out, err = salutary_collect(*clusters)
    assert (status, err) == (0, "")
    assert out == "3 runs in ./all_rounds.csv, all_rounds.parquet; 1 in more than one folder, once here\n"
    table, alone = pd.read_csv("all_rounds.csv"), pd.read_csv("a/all_rounds.csv")
    assert len(table) == 6 and table["seed"].nunique() == 3
    names = [f"{rounds_file(folder, seed).parent}" for folder, seed in (("a", 0), ("a", 1), ("b", 2))]
    assert list(table["run"].unique()) == names
    pd.testing.assert_frame_equal(table[:4].drop(columns="run"), alone.drop(columns="run"))
    assert salutary_collect("b", "a", "-o", "both")[1].startswith("3 runs in both/all_rounds.csv")


def test_a_run_with_other_numbers_is_named(clusters, salutary_collect):
    file = rounds_file("b", 1)
    assert "1 in more than one folder, once here\n" in salutary_collect(*clusters)[1]
    table = pd.read_csv(file)
    table["test_accuracy"] += 0.25
    table.to_csv(file, index=False)
    said = salutary_collect(*clusters)[1]
    assert f"; 1 of them with other numbers, those of the first folder are here: {file.parent.name}\n" in said
    pd.testing.assert_series_equal(
        pd.read_csv("all_rounds.csv")["test_accuracy"][:4], pd.read_csv("a/all_rounds.csv")["test_accuracy"]
    )


@pytest.mark.parametrize("folders", ["ab", "ba"])
@pytest.mark.parametrize("damage", ["cut off", "no rounds.csv", "not UTF-8", "run.json"])
def test_of_a_damaged_run_the_sound_copy_is_taken(clusters, salutary_collect, folders, damage):
    file = rounds_file("a", 1)
    if damage == "run.json":
        (file.parent / "run.json").write_text("{")
    elif damage == "no rounds.csv":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-9] if damage == "cut off" else b"\xff\xfe\x00")
    status, out, err = salutary_collect(*folders)
    assert (status, err) == (0, "")
    assert out.startswith("3 runs in ./all_rounds.csv") and f"left out: 1 damaged ({file.parent}/" in out
    assert "1 in more than one folder, once here\n" in out
    table = pd.read_csv("all_rounds.csv")
    assert len(table) == 6 and str(rounds_file("b", 1).parent) in set(table["run"])


def test_a_run_that_is_damaged_in_both_is_counted_twice(clusters, salutary_collect):
    for folder in clusters:
        rounds_file(folder, 1).write_text("")
    said = salutary_collect(*clusters)[1]
    assert said.startswith("2 runs in ") and "left out: 2 damaged (" in said


def test_folders_that_are_runs(clusters, salutary_collect):
    runs = [f"{rounds_file('a', seed).parent}" for seed in (0, 1)]
    assert salutary_collect(runs[0], f"{runs[1]}/")[0] == 0
    assert list(pd.read_csv("all_rounds.csv")["run"].unique()) == runs
    assert salutary_collect(runs[0], "-o", "one")[0] == 0
    assert list(pd.read_csv("one/all_rounds.csv")["run"].unique()) == [Path(runs[0]).name]


def test_what_is_secret_in_the_name_of_a_place_is_not_in_the_table(clusters, salutary_collect):
    bucket = fsspec.filesystem("memory")
    bucket.put("b", "/u:SECRET@of-a-test/outputs", recursive=True)
    try:
        assert salutary_collect("a", "memory://u:SECRET@of-a-test/outputs")[0] == 0
        text = Path("all_rounds.csv").read_text()
        assert "memory://of-a-test/outputs/breast" in text and "SECRET" not in text
    finally:
        bucket.rm("/u:SECRET@of-a-test", recursive=True)


def test_records_elsewhere(clusters, salutary_collect):
    bucket = fsspec.filesystem("memory")
    bucket.put("b", "/of-a-test/outputs", recursive=True)
    shutil.copytree(rounds_file("b", 2).parent, "half.partial")
    bucket.put("half.partial", "/of-a-test/outputs/half.partial", recursive=True)
    try:
        status, out, err = salutary_collect("a", "memory://of-a-test/outputs")
        assert (status, err) == (0, "") and out.startswith("3 runs in ./all_rounds.csv")
        assert pd.read_csv("all_rounds.csv")["run"].iloc[-1].startswith("memory://of-a-test/outputs/breast")
        bucket.rm("/of-a-test/outputs/" + rounds_file("b", 2).parent.name, recursive=True)
        assert salutary_collect("a", "memory://of-a-test/outputs")[1].startswith("2 runs in ./")
        assert salutary_collect("memory://of-a-test/outputs")[1].startswith("1 run in ./all_rounds.csv")
    finally:
        bucket.rm("/of-a-test", recursive=True)


@pytest.mark.parametrize("wrong", ["none", "memory://nothing/here", "nosuch://bucket/outputs"])
def test_what_is_not_there_is_one_line_and_nothing_is_written(wrong, clusters, salutary_collect):
    status, out, err = salutary_collect("a", wrong)
    assert (status, out, len(err.splitlines())) == (1, "", 1)
    assert err.startswith("salutary-collect: ") and wrong.partition("://")[2] in err
    assert not Path("all_rounds.csv").exists()


@pytest.mark.parametrize("flag", [(), ("-m",)])
def test_an_output_dir_elsewhere_is_one_line(flag, salutary_run, tmp_path):
    status, out, err = salutary_run(*flag, "dataset=breast_cancer", "output_dir=s3://bucket/outputs")
    assert (status, out) == (1, "")
    assert err.startswith(
        "salutary-run: output_dir=s3://bucket/outputs must be a folder here, which machines"
    )
    assert not any(tmp_path.iterdir())
