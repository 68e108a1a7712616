"""Commands that stand on pages as blocks: each is understood as it stands, and small ones run, smaller."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from pages import ROOT, commands, named, pages
from sklearn.datasets import load_breast_cancer

from salutary.analysis import report
from salutary.labeling import cli
from salutary.strategies import modal
from salutary.system.conf import config_dir

ALL = list(dict.fromkeys((named(page), each) for page in pages() for each in commands(page)))
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SMALL = ("rounds=1", "strategy.rerank=0", "folds=2", "model.candidates=[logistic]")
LOSSES = "remedies=[labeled,labeled_and_validation]"

# Why a command is composed only, by what it holds; its words are checked all the same.
NOT_RUN = {
    "experiment=": "a whole study, hours",
    "mnist_small": "MNIST and an encoder: tests/datasets/test_images.py, tests/models/test_networks.py",
    "dataset=cifar10": "CIFAR-10 and an encoder: tests/datasets/test_images.py",
    "dataset=image_folder": "an encoder: tests/datasets/test_images.py",
    "dataset=mrpc": "GLUE and an encoder: tests/datasets/test_glue.py",
    "dataset=text": "an encoder: tests/datasets/test_text.py",
    "dataset=celeba": "CelebA, by hand: tests/experiments/test_objective_runs.py has other tables",
    "dataset=openml": "the network: tests/datasets/test_openml.py has kept files",
    "hydra/launcher=slurm": "a cluster: tests/experiments/test_slurm_sweeps.py plays one",
    "hydra/launcher=ray": "a Ray cluster: tests/experiments/test_ray_sweeps.py",
    "hydra/sweeper=optuna": "50 trials: tests/experiments/test_sweepers.py has a few",
    "model=fixmatch": "35 fits: tests/models/test_fixmatch.py",
    " ...": "a part of a command",
    "backend=ray": "a Ray cluster: tests/labeling/test_ray_pool.py",
    "images=photo": "pictures: tests/labeling/test_images.py",
    "pool=photos": "pictures: tests/labeling/test_images.py",
    "output=digits.csv": "tests/labeling/test_pictures_page.py",
    "pair=[premise": "tests/labeling/test_texts_page.py",
    "text=[title,body]": "an encoder: tests/labeling/test_texts.py",
    "seed=range(5)": "a sweep: tests/experiments/test_sweeps.py, and a small one in tests/test_tutorial.py",
    "answers=": "a second step: tests/labeling/test_answers.py",
    "labeled=labeled.csv": "tests/test_tutorial.py",
}


def of(program: str) -> list[tuple[str, str]]:
    return [(page, each) for page, each in ALL if each.split(" ")[0] == program]


def runs(program: str) -> list[str]:
    found = (each for _, each in of(program) if not any(part in each for part in NOT_RUN))
    return list(dict.fromkeys(found))


def test_reasons_are_of_commands_that_there_are():
    for part, reason in NOT_RUN.items():
        assert any(part in each for _, each in ALL), part
        assert all((ROOT / each).is_file() for each in re.findall(r"tests/[\w/]+\.py", reason)), part


@pytest.mark.parametrize(("page", "command"), of("make"))
def test_targets_of_make(page, command):
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("page", "command"), of("pip"))
def test_extras(page, command):
    names = re.findall(r"\[([\w,-]+)\]", command)
    assert names and {each for some in names for each in some.split(",")} <= set(EXTRAS)


@pytest.mark.parametrize(("page", "command"), of("python"))
def test_scripts(page, command):
    if not (ROOT / "benchmarks").is_dir():
        pytest.skip("a source distribution has no benchmarks")
    _, script, *words = command.split()
    if words[:1] == ["pytest"]:
        assert all((ROOT / word).is_file() for word in words[1:] if not word.startswith("-"))
        return
    source = (ROOT / script).read_text()
    assert all(word in source for word in words if word.startswith("--"))


@pytest.mark.parametrize(("page", "command"), of("salutary-run"))
def test_settings_of_salutary_run(page, command):
    """Composed as they stand, the first of several values, as Hydra would refuse them."""
    words = [each for each in shlex.split(command)[1:] if each not in ("-m", "--help", "...")]
    words = [_first(each) for each in words if not each.startswith(("hydra.", "hydra/"))]
    with initialize_config_dir(config_dir(), version_base="1.3"):
        assert compose("config", words)


def _first(word: str) -> str:
    name, _, value = word.partition("=")
    if value.startswith(("range(", "tag(", "choice(")):
        return f"{name}=1"
    return word if value.startswith(("{", "[")) else f"{name}={value.split(',')[0]}"


@pytest.mark.parametrize(("page", "words"), of("salutary-label"))
def test_settings_of_salutary_label(page, words, command):
    status, out, err = command(cli.main, *shlex.split(words), "--cfg")
    assert status == 0 and "strategy:" in out, err


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A function: writes the files that a command names, breast cancer with the columns that it names."""
    monkeypatch.chdir(tmp_path)

    def write(settings: dict[str, str]) -> None:
        frame = load_breast_cancer(as_frame=True).frame.sample(300, random_state=0).reset_index(drop=True)
        target, rng = settings["target"], np.random.default_rng(0)
        frame[target] = np.where(frame.pop("target") == 1, "yes", "no")
        if "id" in settings:
            frame[settings["id"]] = [f"r{i}" for i in frame.index]
        parts = {"labeled": frame[:80], "validation": frame[80:160], "pool": frame[160:].drop(columns=target)}
        for column in filter(None, (settings.get("source"), settings.get("group"))):
            where = "labeled" if column == settings.get("source") else "validation"
            parts[where] = parts[where].assign(**{column: rng.choice(["a", "b"], 80)})
        for part in filter(settings.__contains__, parts):
            path = tmp_path / settings[part]
            write_one = parts[part].to_parquet if path.suffix == ".parquet" else parts[part].to_csv
            write_one(path, index=False)

    return write


@pytest.mark.slow
@pytest.mark.parametrize("words", runs("salutary-label"))
def test_salutary_label_runs(words, command, files):
    """On a table with the columns that are named, with few rounds and models."""
    settings = dict(each.split("=", 1) for each in shlex.split(words)[1:])
    files(settings)
    few = ("folds=2",) if settings.get("audit") else (*SMALL, LOSSES)
    few = [each for each in few if "group" not in settings or each != LOSSES]
    few += ["ask=2"] if "ask" in settings else []
    words = [each for each in shlex.split(words) if not each.startswith("ask=")]
    status, _, err = command(cli.main, *words, *few)
    assert status == 0, err
    output = settings.get("output", "audit.csv" if "audit" in settings else "labels.parquet")
    read = pd.read_parquet if output.endswith(".parquet") else pd.read_csv
    assert "label" in read(output)  # there may be none: nothing was sure to help


@pytest.mark.slow
@pytest.mark.parametrize("words", runs("salutary-run"))
def test_salutary_run_runs(words, salutary_run, data_dir):
    """One small round."""
    status, out, err = salutary_run(*shlex.split(words)[1:], "rounds=1", "budget=2", f"data_dir={data_dir}")
    assert status == 0, err
    assert "round 1" in out or "--help" in words


@pytest.mark.slow
@pytest.mark.parametrize("words", runs("salutary-report"))
def test_salutary_report_runs(words, salutary_run, command):
    name = ("strategy=random,margin", "seed=0,1", "dataset=breast_cancer", "rounds=1")
    assert salutary_run("-m", *name)[0] == 0
    status, _, err = command(report.report, *shlex.split(words))
    assert status == 0 and Path("report/report.html").exists(), err


def test_a_text_of_the_command_line_reaches_modal_as_its_own():
    """modAL compares a text by identity, which only what stands in Python code passes by itself."""
    loss = "".join(["l", "og"])
    assert loss is not sys.intern("log")
    assert modal._arguments({"loss": loss, "p_subsample": 0.5})["loss"] is sys.intern("log")
