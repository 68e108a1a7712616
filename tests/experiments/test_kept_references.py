"""Trained reference lines that are kept: the same as trained anew, and never another's."""

import json
import os
import sys
import time

import pytest

from salutary.experiments import job, kept_references
from salutary.experiments.kept_references import ReferenceCache
from salutary.experiments.metrics import Metrics
from salutary.experiments.records import Identity
from salutary.system import environment
from salutary.system.files import directory

from .sweep_processes import contents, forked

CANCER = ("dataset=breast_cancer", "rounds=0")
IDENTITY = Identity("cancer", "random", "logistic", "paper", 0)
LINES = {
    "labeled_and_validation": Metrics(0.1, 1 / 3, 0.7, 5e-324),
    "fully_supervised": Metrics(2.5e-17, 0.1 + 0.2, 1.0, 0.0),
}
KEY = "0123456789abcdef" * 4


@pytest.fixture
def trainings(monkeypatch):
    """One entry for each time that the lines are trained."""
    calls, train = [], job.trained_lines
    monkeypatch.setattr(job, "trained_lines", lambda *a: calls.append(1) or train(*a))
    return calls


@pytest.fixture
def references(salutary_run, tmp_path):
    """A function from overrides to what run.json says of the reference lines."""

    def run(*overrides):
        status, out, err = salutary_run("--config-dir", "conf", *CANCER, *overrides, "force=true")
        assert (status, err) == (0, ""), out
        (newest,) = (path for path in tmp_path.glob("outputs/*/run.json"))
        content = json.loads(newest.read_text())["references"]
        newest.rename(newest.with_name("seen.json"))
        return content

    (tmp_path / "conf" / "model").mkdir(parents=True)
    return run


def test_strategies_of_a_seed_share_what_is_trained(references, trainings):
    first = references("strategy=salutary")
    assert references("strategy=random") == references("strategy=salutary") == first
    assert len(trainings) == 1
    assert references("strategy=random", "cache_dir=elsewhere") == first
    assert len(trainings) == 2


def test_the_cache_is_told_and_can_be_emptied(salutary_run, references, trainings, tmp_path):
    salutary_run(*CANCER, "cache_dir=here")
    (path,) = (tmp_path / "here").rglob("*.json")
    assert path.parent == tmp_path / "here" / "references"
    assert path.name.startswith("breast_cancer-logistic-seed0-")
    assert f"the reference lines are kept in here/references/{path.name}" in salutary_run(
        *CANCER, "cache_dir=here", "strategy=random"
    )[1].replace("\n", "")
    assert len(trainings) == 1 and not list(path.parent.glob("*.lock"))


OTHERS = [
    "seed=1",
    "n_init=41",
    "n_validation=50",
    "n_pool=60",
    "label_noise=0.1",
    "protocol=standard",
    "recipe.scale_on=initial",
    "dataset=digits",
    "model.l2=3",
    "model.l2=cv",
    "model.tol=1e-9",
    "model.fit_intercept=true",
    "device.dtype=float32",
    "device.threads=2",
    "baselines_use_validation=true",
]


def test_whatever_decides_the_lines_makes_others(references, trainings):
    """Every setting has lines of its own, and brings back its own."""
    found = {}
    for setting in ["strategy=random", *OTHERS]:
        found[setting] = references("strategy=random", setting)
        assert len(trainings) == len(found), setting
    for setting, lines in list(found.items())[::4]:
        assert references("strategy=random", setting) == lines
    assert len(trainings) == len(found)
    # Of a baseline alone, the setting changes the initial set.
    references("strategy=salutary", "baselines_use_validation=true")
    assert len(trainings) == len(found)


def test_fixmatch_is_trained_on_the_pool(references, trainings):
    short = ("model=fixmatch", "model.steps=20", "model.l2=1")
    first = references(*short, "strategy=random")
    assert references(*short, "strategy=margin") == first
    assert references(*short, "strategy=random", "n_pool=60") != first
    assert len(trainings) == 2


@pytest.mark.parametrize("part", ["code", "_libraries"])
def test_other_code_or_another_machine_makes_others(part, references, trainings, monkeypatch):
    first = references()
    monkeypatch.setattr(kept_references, part, lambda *a: "other")
    assert references() == first
    assert len(trainings) == 2


def test_nothing_is_kept_of_code_that_cannot_be_told(references, trainings, monkeypatch):
    monkeypatch.setattr(kept_references, "code", lambda *a: None)
    references(), references()
    assert len(trainings) == 2


def test_another_table_has_other_lines(salutary_run, trainings, tmp_path):
    text = "x,y\n" + "".join(f"{row % 7}.5,{'ab'[row % 3 > 0]}\n" for row in range(200))
    command = ("dataset=table", "dataset.path=rows.csv", "dataset.target=y", "rounds=0", "n_init=20")
    other_number, other_label = text.replace("6.5,a", "6.25,a", 1), text.replace("0.5,a", "0.5,b", 1)
    for n, content in enumerate([text, other_number, other_label]):
        (tmp_path / "rows.csv").write_text(content)
        for _ in range(2):
            assert salutary_run(*command, "force=true")[0] == 0
        assert len(trainings) == n + 1


# -- models from elsewhere -----------------------------------------------------------------------------

MINE = """
from pathlib import Path

from helper import FACTOR
from salutary.models.logistic import LogisticRegression


class Mine(LogisticRegression):
    def __init__(self, n_classes, file=None):
        super().__init__(n_classes, l2=FACTOR * float(Path(file).read_text() if Path(file).is_file() else 1))
"""


@pytest.fixture
def mine(references, tmp_path, monkeypatch, no_new_modules):
    """A model of one's own, loaded anew, from files that are old enough: overrides to reference lines."""
    (tmp_path / "conf" / "model" / "mine.yaml").write_text("_target_: mine.Mine\nfile: weights.txt\n")

    def run(*overrides, age=1e6):
        for name in ("mine", "helper"):
            sys.modules.pop(name, None)
            os.utime(tmp_path / f"{name}.py", (time.time() - age,) * 2)
        return references("model=mine", *overrides)

    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helper.py").write_text("FACTOR = 1\n")
    (tmp_path / "weights.txt").write_text("1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it would be looked up by age and size
    yield run
    for name in ("mine", "helper"):
        sys.modules.pop(name, None)


def test_a_models_source_counts_and_what_it_is_built_on(mine, trainings, tmp_path):
    first = mine()
    assert mine() == first and len(trainings) == 1
    (tmp_path / "mine.py").write_text(MINE.replace("FACTOR *", "7 * FACTOR *"))
    second = mine()
    assert second != first and len(trainings) == 2
    (tmp_path / "helper.py").write_text("FACTOR = 2\n")
    third = mine()
    assert third not in (first, second) and len(trainings) == 3
    (tmp_path / "weights.txt").write_text("90")
    fourth = mine()
    assert fourth not in (first, second, third) and len(trainings) == 4
    assert mine() == fourth and len(trainings) == 4


def test_what_cannot_be_told_is_trained_anew(mine, trainings, tmp_path):
    mine(age=-60), mine(age=-60)  # it may have changed since it was loaded
    assert len(trainings) == 2
    mine("model.file=conf"), mine("model.file=conf")  # a folder: who knows what it reads there
    assert len(trainings) == 4


def test_weights_of_a_network_count(tmp_path, data_dir):
    from salutary.models.resnet34 import ResNet34

    class Network:
        backbone = ResNet34(str(tmp_path / "w.pth"))

    found = []
    for content in (b"1", b"2"):
        (tmp_path / "w.pth").write_bytes(content)
        found.append(kept_references._files({}, Network(), True))
    assert found[0] != found[1] and "weights" in found[0]
    (tmp_path / "w.pth").unlink()
    assert kept_references._files({}, Network(), True) is None


# -- files ---------------------------------------------------------------------------------------------


def fails():
    raise AssertionError("trained again")


def test_numbers_come_back_to_the_bit(tmp_path):
    cache = ReferenceCache(tmp_path)
    assert cache.lines(KEY, IDENTITY, lambda: LINES) == LINES
    assert cache.lines(KEY, IDENTITY, fails) == LINES
    assert list(cache.lines(KEY, IDENTITY, fails)) == list(LINES)


def test_damaged_and_foreign_files_are_made_again(tmp_path):
    cache = ReferenceCache(tmp_path)
    cache.lines(KEY, IDENTITY, lambda: LINES)
    (path,) = tmp_path.rglob("*.json")
    whole = path.read_bytes()
    other = json.loads(whole) | {"key": KEY[:16] + "f" * 48}
    changed = json.loads(whole)
    changed["lines"]["fully_supervised"]["accuracy"] = 0.9
    fewer = json.loads(whole)
    del fewer["lines"]["fully_supervised"]
    spoilt = [b"", b"{}", b"[]", b"null", b"\xff\xfe", b"[" * 99999]
    spoilt += [whole[:-9], whole.replace(b"0.7", b"0.8")]
    spoilt += [json.dumps(each).encode() for each in (other, changed, fewer)]
    for content in spoilt:
        path.write_bytes(content)
        assert cache.lines(KEY, IDENTITY, lambda: LINES) == LINES
        assert path.read_bytes() == whole
    for content in spoilt:
        path.write_bytes(content)
        with pytest.raises(AssertionError, match="trained again"):
            cache.lines(KEY, IDENTITY, fails)


def test_what_is_no_number_is_not_kept(tmp_path):
    lines = {**LINES, "fully_supervised": Metrics(float("nan"), 0.5, 0.5, 0.5)}
    ReferenceCache(tmp_path).lines(KEY, IDENTITY, lambda: lines)
    assert not list(tmp_path.rglob("*.json"))


def test_a_cache_that_cannot_be_written_keeps_nothing(salutary_run, trainings, tmp_path):
    (tmp_path / "file").touch()
    for _ in range(2):
        assert salutary_run(*CANCER, "cache_dir=file", "force=true")[0] == 0
    assert len(trainings) == 2


def test_a_mistake_in_training_comes_out(tmp_path):
    def breaks():
        raise OSError("the model's own")

    with pytest.raises(OSError, match="the model's own"):
        ReferenceCache(tmp_path).lines(KEY, IDENTITY, breaks)
    assert not list(tmp_path.rglob("*.lock"))


def test_two_processes_train_once(tmp_path):
    def prepare():
        train = job.trained_lines

        def slow(*arguments):
            with (tmp_path / "trained.txt").open("a") as file:
                file.write("once\n")
            time.sleep(1)
            return train(*arguments)

        job.trained_lines = slow

    strategies = ("random", "salutary", "margin")
    pids = [forked(tmp_path, *CANCER, f"strategy={name}", prepare=prepare) for name in strategies]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 3
    assert (tmp_path / "trained.txt").read_text() == "once\n"
    assert (tmp_path / "output.txt").read_text().count("waiting for another process that trains") == 2
    lines = [each["references"] for name, each in contents(tmp_path).items() if name.endswith("run.json")]
    assert len(lines) == 3 and lines[0] == lines[1] == lines[2]


def test_the_users_cache_is_a_folder_of_the_platform(tmp_path):
    assert directory(None).name == "salutary"
    assert directory("~/x").is_absolute() and directory(tmp_path) == tmp_path
    assert time.time() > environment.STARTED
